"""What a file that is served with `modelmill serve service.py` imports."""

import asyncio
import dataclasses
import time

import numpy as np

from modelmill import devices
from modelmill.errors import Error, Errors
from modelmill.worker import session as _worker

START, STOP = [], []


def model(function=None, *, batch=0, workers=0, device="cpu", output="output", outputs=None, memory_mb=0):
    """Serves a function, or a class with a method `predict`, as a model.

    Arguments are the model's inputs and what it returns its outputs, by their annotations. With `batch` it takes up to
    so many rows at once: arguments and results then have a value for each row. `workers` is the number of processes
    that run it side by side, unless the server is told another. `device` is where they compute, each on the next one:
    "cpu", "cuda" (all GPUs), "cuda:1", ["cuda:0", "cuda:2"], or "auto" (GPUs where there are any); a configuration that
    says where instances run comes before it. `memory_mb` is how much memory of its own each process may have; one that
    has more is ended, and another one started. `output` names the output of a function that returns one value; `outputs`
    is a dictionary of names and types, in place of the annotation.

    The function stays what it was, and can be called and tested without a server.
    """

    device = devices.checked(device)

    def mark(target):
        target.__modelmill__ = ModelOptions(batch, workers, device, output, outputs, memory_mb)
        return target

    return mark if function is None else mark(function)


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    batch: int
    workers: int
    device: object
    output: str
    outputs: object
    memory_mb: int = 0


def on_start(function):
    """Runs a function in each worker before it serves. It may be async where the model is."""
    START.append(function)
    return function


def on_stop(function):
    """Runs a function in each worker before it ends in order."""
    STOP.append(function)
    return function


class Request:
    """An argument annotated so gets what the client said beside the inputs; with batch=N a list of them."""

    def __init__(self, info, is_cancelled):
        self.id = info.get("id", "")
        self.parameters = info.get("parameters", {})
        self.priority = info.get("priority", 0)
        self.sequence = info.get("sequence")
        self.traceparent = info.get("traceparent", "")
        self._deadline = info.get("deadline_ns")
        self._is_cancelled = is_cancelled

    @property
    def seconds_left(self):
        """Until the client's deadline; None when it has none."""
        return None if self._deadline is None else (self._deadline - time.monotonic_ns()) / 1e9

    @property
    def cancelled(self):
        """Nobody wants the answer any more."""
        return self._is_cancelled()


def _session():
    if _worker.session is None:
        raise RuntimeError("this needs the server: it works in a file that `modelmill serve` runs")
    return _worker.session


@dataclasses.dataclass(frozen=True)
class CallOptions:
    """What goes with a call of another model, in the place of the version's number:

    call("ranker", modelmill.CallOptions(version=2, priority=1, parameters={"top": 5}), x=array)
    """

    version: int = 0
    """0: the default."""
    outputs: tuple = ()
    """Names of those that are wanted; none: all."""
    parameters: dict = dataclasses.field(default_factory=dict)
    """Texts, numbers and bools by name."""
    priority: int = 0
    """1 is the highest; 0: that of the request that is being answered."""
    queue_seconds: float = 0
    """How long it may wait to be run; 0: as the model says."""
    sequence: object = 0
    """The number or name of the sequence that it belongs to; 0: none."""
    sequence_start: bool = False
    sequence_end: bool = False
    id: object = None
    """None: that of the request that is being answered."""
    traceparent: object = None
    """Of W3C's trace context; None: that of the request that is being answered, "": none."""

    def _about(self):
        about = {
            "outputs": list(self.outputs), "parameters": self.parameters, "priority": self.priority,
            "timeout_us": round(self.queue_seconds * 1e6), "sequence": self.sequence,
            "flags": self.sequence_start + 2 * self.sequence_end,
        }  # fmt: skip
        about = {key: value for key, value in about.items() if value}
        for key in ("id", "traceparent"):
            if getattr(self, key) is not None:
                about[key] = getattr(self, key)
        return about


def _begin(name, how, inputs, streams=False):
    """`how`: a version's number, or CallOptions."""
    if not isinstance(how, CallOptions):
        return _session().call(name, inputs, how, streams)
    return _session().call(name, inputs, how.version, streams, about=how._about())


def call(name, version=0, /, **inputs):
    """What another model of this server answers: {output: array}, and in its `parameters` what the model said beside.
    In the place of the version's number CallOptions may stand. Raises Error. In async code use call_async()."""
    return submit(name, version, **inputs).result()


def submit(name, version=0, /, **inputs):
    """Begins a call; its result() waits. Several can be under way at once."""
    return _begin(name, version, inputs).future


async def call_async(name, version=0, /, **inputs):
    """call() for async code: asyncio.gather() has several under way at once."""
    return await asyncio.wrap_future(submit(name, version, **inputs))


def stream(name, version=0, /, **inputs):
    """The answers of a model that gives several to a request, one after another. When it is closed before the last,
    the model is told that nobody wants the rest."""
    made = _begin(name, version, inputs, streams=True)
    try:
        while (answer := made.queue.get()) is not None:
            outputs, error = answer
            if error is not None:
                raise error
            yield outputs
    except GeneratorExit:
        made.cancel()
        raise


def _told(key, otherwise):
    return _worker.session.hello[key] if _worker.session is not None else otherwise


def device():
    """Where this worker should compute: "cpu" or "cuda:1", as the configuration's instance group says, else `device=` of
    the model, which is known when its file has been read."""
    return _worker.session.device() if _worker.session is not None else "cpu"


def empty(shape, dtype):
    """An array for a large output, as numpy.empty() makes one: what is written into it is sent without a copy when it, or
    a part of it, is returned. From then on it must not be changed."""
    if np.dtype(dtype).hasobject:
        raise TypeError(f"empty() makes arrays of numbers, not of {np.dtype(dtype)}")
    return _worker.session.empty(shape, dtype) if _worker.session is not None else np.empty(shape, dtype)


def name():
    """The model's name; empty without a server."""
    return _told("model", "")


def directory():
    """The folder of the model's file."""
    return _told("directory", ".")


def parameter(key, default=None):
    """One of the model's parameters, from its configuration, as text."""
    value = _told("config", {}).get("parameters", {}).get(key)
    if isinstance(value, dict):
        value = value.get("string_value")
    return default if value is None else value


class _Metric:
    _KIND = ""

    def __init__(self, name, help="", labels=None, **more):
        self._description = {"kind": self._KIND, "name": name, "help": help, "labels": labels or {}, **more}
        self._number = None

    def _update(self, value):
        if _worker.session is None:
            return  # in a test without a server
        if self._number is None:
            self._number = _worker.session.new_metric(self._description)
        _worker.session.update_metric(self._number, float(value))


class Counter(_Metric):
    """A metric that grows. Its name ends in _total."""

    _KIND = "counter"

    def inc(self, amount=1):
        self._update(amount)


class Gauge(_Metric):
    """A metric that goes up and down."""

    _KIND = "gauge"

    def set(self, value):
        self._update(value)


class Histogram(_Metric):
    """A metric of the distribution of values, in `buckets` (their upper bounds)."""

    _KIND = "histogram"

    def __init__(self, name, help="", buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10), labels=None):
        super().__init__(name, help, labels, buckets=list(buckets))

    def observe(self, value):
        self._update(value)


__all__ = [
    "CallOptions", "Counter", "Error", "Errors", "Gauge", "Histogram", "Request", "call", "call_async", "device",
    "directory", "empty", "model", "name", "on_start", "on_stop", "parameter", "stream", "submit",
]  # fmt: skip
