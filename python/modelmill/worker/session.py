"""The worker as the rest of the process sees it: calls of other models, metrics, the log."""

import concurrent.futures
import itertools
import json
import logging
import queue
import threading

import numpy as np

from modelmill.errors import Error

from . import frames
from .frames import Frame
from .memory import Full, TensorReader, TensorWriter, struct_of
from .serving import current_execution

_NO_BYTES = np.empty(0, np.uint8)
_LEVELS = ((logging.ERROR, 3), (logging.WARNING, 2), (logging.INFO, 1))


class LogHandler(logging.Handler):
    """Makes lines of the server's log of what the code logs."""

    def __init__(self, session):
        super().__init__()
        self._session = session

    def emit(self, record):
        try:
            level = next((number for least, number in _LEVELS if record.levelno >= least), 0)
            self._session.log(level, self.format(record))
        except Exception:
            self.handleError(record)


class Outputs(dict):
    """What a model answers: {name: array}, in `types` the number of each one's type, and in `parameters` what it said
    beside them."""

    def __init__(self, arrays=(), types=None, parameters=None):
        super().__init__(arrays)
        self.types, self.parameters = types or {}, parameters or {}


class _Call:
    """A call of another model that is under way: a future of its last answer, or a queue of all."""

    def __init__(self, streams, cancel=None):
        self.cancel = cancel
        self.future = None if streams else concurrent.futures.Future()
        self.queue = queue.SimpleQueue() if streams else None
        self.answers = []

    def put(self, outputs, error, final):
        if self.queue is not None:
            if error is not None or outputs is not None:
                self.queue.put((outputs, error))
            if final:
                self.queue.put(None)
            return
        if error is not None and not self.future.done():
            self.future.set_exception(error)
        if outputs is not None:
            self.answers.append(outputs)
        if final and not self.future.done():
            if self.answers:
                self.future.set_result(self.answers[-1])
            else:
                self.future.set_exception(Error("the model gave no answer", code="INTERNAL"))


class Session:
    """The control link. Thread-safe. `data`: the link of executions."""

    def __init__(self, link):
        self.link = link
        self.data = None
        self.hello = {}
        self.device_asked = False
        self._numbers = itertools.count(1)
        self._calls, self._asked, self._reader = {}, {}, None
        self._lock = threading.Lock()

    def receive_hello(self):
        kind, _, body = self.link.receive() or (None, 0, b"")
        if kind != Frame.HELLO:
            raise SystemExit("the server has gone")
        self.hello = json.loads(bytes(body))
        if self.hello["protocol"] != frames.PROTOCOL:
            raise SystemExit(f"the server speaks protocol {self.hello['protocol']}, this package {frames.PROTOCOL}")
        self.link.limit_memory(self.hello["memory_limit"])

    def device(self):
        self.device_asked = True
        return self.hello["device"]

    def ready(self, description):
        about = {"workers": self.hello.get("workers", 0), **description}
        self.link.send(Frame.READY, 0, json.dumps(about).encode())

    def doubt(self, why):
        """Why the model's code says that it is not ready; empty: it is."""
        self.link.send(Frame.READINESS, 0, why.encode(errors="replace")[: 1 << 16])

    def failed(self, message):
        self.link.send(Frame.FAILED, 0, json.dumps({"error": message}).encode())

    def log(self, level, text):
        self.link.send(Frame.LOG, 0, bytes([level]), text.encode(errors="replace")[: 1 << 20])

    def empty(self, shape, dtype):
        with self.data.lock:
            return self.data.memory.empty(shape, dtype)

    # Calls of other models.

    def call(self, model, inputs, version=0, streams=False, types=None, about=None):
        """A _Call with what the model answers to {name: array}. `types`: of the inputs, as TensorWriter has them.
        `about`: what goes with it, as CallDetails of the plugin has it."""
        arrays = {name: _array(name, value) for name, value in inputs.items()}
        if streams:
            about = {**(about or {}), "cancel": True}
        text = json.dumps(about, allow_nan=False).encode() if about else b""
        number = next(self._numbers)
        call = _Call(streams, lambda: self.link.send(Frame.CALL_CANCEL, number))
        self._wait_for(self._calls, number, call)
        try:
            self._send(Frame.CALL, number, arrays, types, model, text, frames.CALL, current_execution.get(), version)
        except BaseException:
            with self._lock:
                self._calls.pop(number, None)
            raise
        return call

    def _wait_for(self, table, number, what):
        with self._lock:
            table[number] = what
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, daemon=True, name="modelmill calls")
                self._reader.start()

    def _send(self, kind, number, arrays, types, model, text, head, *first):
        """A frame of tensors with their names, behind a model's name and a text."""
        writer, name = TensorWriter(list(arrays.values())), model.encode()
        with self.link.lock:
            try:
                region, block, where, begin = writer.write(self.link.memory)
            except Full:
                raise Error(
                    "what is sent doesn't fit into the worker's shared memory; raise the model's parameter "
                    "'shared_memory_mb'",
                    code="RESOURCE_EXHAUSTED",
                ) from None
            parts = [head.pack(*first, region, block, len(arrays), len(name), len(text)), name, text]
            for label, record in zip(arrays, writer.records(range(len(arrays)), where, begin, types)):
                label = label.encode()
                parts += [record, frames.LENGTH.pack(len(label)), label]
            self.link.send(kind, number, *parts)

    # Loading of other models.

    def change_model(self, action, model, config="", files=None):
        """Returns when the model is loaded, or is unloaded. Raises Error."""
        arrays = {path: np.frombuffer(data, np.uint8) if data else _NO_BYTES for path, data in (files or {}).items()}
        self._ask(action, model, 0, config.encode(), arrays)

    def is_model_ready(self, model, version=0):
        return self._ask(frames.IS_READY, model, version, b"", {})

    def _ask(self, action, model, version, text, arrays):
        future, number = concurrent.futures.Future(), next(self._numbers)
        self._wait_for(self._asked, number, future)
        try:
            self._send(Frame.MODELS, number, arrays, None, model, text, frames.MODELS, action, version)
            return future.result()
        finally:
            with self._lock:
                self._asked.pop(number, None)

    def _read(self):
        while True:
            frame = self.link.receive()
            if frame is None:
                return
            kind, number, body = frame
            if kind == Frame.CALL_RESULT:
                self._take_result(number, body)
            elif kind == Frame.MODELS_RESULT:
                self._take_outcome(number, body)

    def _take_outcome(self, number, body):
        code, ready, size = frames.MODELS_RESULT.unpack_from(body)
        with self._lock:
            future = self._asked.get(number)
        if future is None:
            return
        if code == frames.CODES["OK"]:
            return future.set_result(bool(ready))
        text = bytes(body[frames.MODELS_RESULT.size : frames.MODELS_RESULT.size + size]).decode(errors="replace")
        future.set_exception(Error(text, code=frames.CODE_NAMES.get(code, "UNKNOWN")))

    def _take_result(self, number, body):
        keep, kind, final, count, text_size = frames.CALL_RESULT.unpack_from(body)
        at = frames.CALL_RESULT.size
        outputs = error = None
        if kind == frames.ERROR:
            text = bytes(body[at : at + text_size]).decode(errors="replace")
            error = Error(text, code=frames.CODE_NAMES.get(count, "UNKNOWN"))
        elif kind == frames.OUTPUTS:
            outputs = self._outputs(keep, count, body, at, text_size)
        with self._lock:
            call = self._calls.pop(number, None) if final else self._calls.get(number)
        if call is not None:
            call.put(outputs, error, final)

    def _outputs(self, keep, count, body, at, text_size):
        records, names = [], []
        for _ in range(count):
            _, dtype, rank, region, offset, size = frames.TENSOR.unpack_from(body, at)
            at += frames.TENSOR.size
            shape = struct_of(rank).unpack_from(body, at)
            at += 8 * rank
            (length,) = frames.LENGTH.unpack_from(body, at)
            at += frames.LENGTH.size
            names.append(bytes(body[at : at + length]).decode())
            at += length
            records.append((dtype, shape, region, offset, size))
        reader = TensorReader(self.link.server, records)
        if keep:
            reader.when_free(lambda: self.link.free(keep))
        return Outputs(
            {name: reader.array(r[0], r[1], r[3]) for name, r in zip(names, records)},
            {name: record[0] for name, record in zip(names, records)},
            json.loads(bytes(body[at : at + text_size])) if text_size else None,
        )

    # Metrics.

    def new_metric(self, description):
        number = next(self._numbers)
        self.link.send(Frame.METRIC_NEW, number, json.dumps(description).encode())
        return number

    def update_metric(self, number, value):
        self.link.send(Frame.METRIC_UPDATE, 0, frames.UPDATE.pack(number, value))


def _array(name, value):
    array = np.asarray(value)
    if array.dtype.kind in "US":
        array = array.astype(object)
    if array.dtype != object and array.dtype not in frames.OF_NUMPY:
        raise Error(f"input '{name}' is of the type {array.dtype}, which models don't have", code="INVALID_ARGUMENT")
    return array


session = None  # of this process; None outside of a worker


def start(link):
    global session
    session = Session(link)
    root = logging.getLogger()
    root.addHandler(LogHandler(session))
    root.setLevel(logging.INFO)
    return session

