"""TorchServe's handlers, out of unpacked .mar archives.

What dialects see of such a model
    input `data`     BYTES [n]; each element is the body of a call, and a row of the batch that the handler gets
    output `output`  BYTES [n]; each element is the body of an answer

    parameters of a request, all optional:
        content_type  text: the Content-Type of the bodies. `application/json` is parsed, `text/...` decoded, a form
                      (multipart/form-data, application/x-www-form-urlencoded) taken apart into the row's fields here;
                      any other body is bytes. The row is {"body": value}, of a form {field: value}. Without it (a
                      client of V2) a body that is JSON is parsed and any other is bytes
        query         JSON text {name: text}: the URL's query, as fields of the row beside the body
        headers       JSON text {name: text}: for context.get_request_header(); its presence says that the dialect
                      knows statuses, see below
        explain       true: the handler explains, as context.get_request_header(0, "explain") == "True" tells it
    parameters of a response:
        content_type  text, always
        status        text, such as "513", where it is not 200
        headers       JSON text {name: text}, where the handler has set further ones
        error         text: there is no body, and an error with `status` and this message is to be answered. Of
                      requests with `headers` only, and only for a PredictionException, whose status a code of gRPC's
                      can't say

Other errors are errors with a code: INTERNAL for an exception of the handler or answers of the wrong number (TorchServe
says 503 to both), RESOURCE_EXHAUSTED when memory is short (507 there). To requests without `headers` whatever has a
status from 400 on is one, too.

A model whose handler's source names send_intermediate_predict_response is decoupled: each call of it is an answer, and
what the handler returns is the last one.

The model's file is MAR-INF/MANIFEST.json; or WAR-INF/MANIFEST.json of a workflow's archive, of whose handler the
parameter `workflow_function` names a function.
"""

import asyncio
import glob
import importlib.util
import inspect
import json
import os
import sys
import time
import uuid

import numpy as np

from modelmill import api, devices
from modelmill.errors import Error

from ..serving import execution
from . import torchserve_rows as rows_
from .flavour import Flavour

_WINDOW = 16  # answers of a stream that the server has yet to take
_DEFAULT = "base_handler"
_STREAMS = b"send_intermediate_predict_response"
# gRPC's codes of statuses; of others by their hundreds.
_CODES = {
    401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED", 409: "ABORTED",
    429: "RESOURCE_EXHAUSTED", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
    507: "RESOURCE_EXHAUSTED",
}  # fmt: skip


def _code(status):
    return _CODES.get(status, "INVALID_ARGUMENT" if 400 <= status < 500 else "INTERNAL")


def load(hello):
    """The flavour of an archive whose manifest is the model's file."""
    devices.settle(hello, devices.AUTO)
    with open(hello["file"]) as file:
        manifest = json.load(file)
    if "workflow" in manifest:
        manifest = _of_function(manifest["workflow"])
    return TorchServe(manifest, os.path.dirname(os.path.dirname(os.path.abspath(hello["file"]))), hello)


def _of_function(workflow):
    """The manifest that an archive with this function alone would have."""
    handler = f"{workflow['handler']}:{api.parameter('workflow_function')}"
    return {"model": {"modelName": api.name(), "modelVersion": "1.0", "handler": handler}, "workflow": workflow}


def import_ts():
    """Makes modelmill/ts the package `ts`, before one that is installed."""
    package = os.path.join(os.path.dirname(os.path.abspath(api.__file__)), "ts")
    spec = importlib.util.spec_from_file_location(
        "ts", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    sys.modules["ts"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def _model_config(directory, described):
    name = described.get("configFile")
    if not name:
        return {}
    try:
        import yaml
    except ImportError:
        raise Error(
            f"'{name}' of the archive is YAML, which this Python can't read; {sys.executable} -m pip install pyyaml"
        ) from None
    with open(os.path.join(directory, name)) as file:
        return yaml.safe_load(file) or {}


def _gpu():
    device = api.device()
    return int(device.partition(":")[2] or 0) if device.startswith("cuda") else None


class Entry:
    """What is called with a batch: a function of the handler's module, or `handle` of an object of its class."""

    def __init__(self, handler):
        name, _, function = handler.partition(":")
        name = os.path.basename(name)
        self.name = name[:-3] if name.endswith(".py") else name
        self.module = self._import()
        self.instance = None
        if function or inspect.isfunction(getattr(self.module, "handle", None)):
            self.call = self._function(function or "handle")
        else:
            self.instance = self._class()()
            self.call = self.instance.handle

    def _import(self):
        try:
            return importlib.import_module(self.name)
        except ModuleNotFoundError as error:
            if error.name != self.name:
                raise
        try:
            return importlib.import_module("ts.torch_handler." + self.name)
        except ModuleNotFoundError as error:
            if error.name != "ts.torch_handler." + self.name:
                raise
            raise Error(
                f"handler '{self.name}' is neither a Python file of the archive nor one of TorchServe's: base_handler, "
                "image_classifier, image_segmenter, object_detector, text_classifier"
            ) from None

    def _function(self, name):
        if not callable(getattr(self.module, name, None)):
            raise Error(f"handler '{self.name}' has no function '{name}'")
        return getattr(self.module, name)

    def _class(self):
        from ts.utils.util import list_classes_from_module

        found = [one for one in list_classes_from_module(self.module) if callable(getattr(one, "handle", None))]
        if len(found) != 1:
            names = ", ".join(one.__name__ for one in found) or "none"
            raise Error(
                f"handler '{self.name}' must have a function 'handle', or one class with a method 'handle'; it has {names}"
            )
        return found[0]

    def initialize(self, context):
        if self.instance is None:
            return self.call(None, context)  # which TorchServe does so that the function can load its model
        return self.instance.initialize(context) if hasattr(self.instance, "initialize") else None


class TorchServe(Flavour):

    def __init__(self, manifest, directory, hello):
        self.manifest, self.directory = manifest, directory
        described = manifest["model"]
        self.handler = described.get("handler") or _DEFAULT
        self.batch_size = max(int(hello["config"].get("max_batch_size") or 1), 1)
        decodes = api.parameter("decode_input_request") or os.environ.get("TS_DECODE_INPUT_REQUEST") or "true"
        self.decodes = decodes.lower() == "true"
        self.envelope = api.parameter("service_envelope") or os.environ.get("TS_SERVICE_ENVELOPE")
        self.config = _model_config(directory, described)
        if int((self.config.get("torchrun") or {}).get("nproc-per-node", 1)) > 1:
            raise Error("model-config.yaml asks for several processes by torchrun, which modelmill doesn't start")
        self.streams = any(_mentions(path, _STREAMS) for path in glob.glob(os.path.join(glob.escape(directory), "*.py")))

    def describe(self):
        def tensor(name):
            return {"name": name, "dtype": "BYTES", "shape": [-1], "optional": False}

        return {
            "inputs": [tensor("data")],
            "outputs": [tensor("output")],
            "gather": False,
            "wants_info": True,
            "decoupled": self.streams,
            "concurrent": False,
            "max_batch_size": self.batch_size,
        }

    def make(self):
        """Loads the handler, with the archive's folder on the path and as the current one, as TorchServe does."""
        self.loop = asyncio.new_event_loop()  # one for all calls: what a handler makes in one serves the next
        asyncio.set_event_loop(self.loop)
        import_ts()
        from ts.context import Context
        from ts.metrics.metrics_store import MetricsStore

        sys.path.insert(0, self.directory)
        os.chdir(self.directory)
        name = api.name()
        self.context = Context(
            name, self.directory, self.manifest, self.batch_size, _gpu(), MetricsStore(name), self.config
        )
        try:
            entry = Entry(self.handler)
            initialized = entry.initialize(self.context)
            if inspect.isawaitable(initialized):
                self.loop.run_until_complete(initialized)
        except ModuleNotFoundError as error:
            raise Error(
                f"{error} in '{sys.executable}', which the handler imports; name it in the archive's requirementsFile, "
                "or a Python that has it with --python"
            ) from error
        self.call = _enveloped(self.envelope, entry.call) if self.envelope else entry.call

    def execute(self, batch, serving):
        inputs, batch.inputs = batch.inputs, ()
        calls = {False: [], True: []}  # by whether they explain
        alone = []  # a handler describes itself once in a call
        for number, arrays in enumerate(inputs):
            parameters = batch.info[number].get("parameters", {})
            try:
                rows = [rows_.row_of(data, parameters, self.decodes) for data in arrays[0].ravel().tolist()]
            except Exception as error:
                serving.fail(batch, number, error)
                continue
            if rows_.describes(parameters):
                alone.append([(number, rows)])
            else:
                calls[rows_.explains(parameters)].append((number, rows))
        inputs = None
        for requests in filter(None, [*calls.values(), *alone]):
            _Call(self, batch, serving, requests).run()


def _mentions(path, text):
    with open(path, "rb") as file:
        return text in file.read()


def _enveloped(name, call):
    from ts.torch_handler.request_envelope.base import BaseEnvelope

    try:
        module = importlib.import_module("ts.torch_handler.request_envelope." + name)
    except ModuleNotFoundError:
        raise Error(f"there is no service envelope '{name}'; there are body, json, kserve and kservev2") from None
    (kind,) = (
        one
        for one in vars(module).values()
        if inspect.isclass(one) and issubclass(one, BaseEnvelope) and one.__module__ == module.__name__
    )
    return kind(call).handle


class _Call:
    """One call of the handler with the rows of several requests, and the answers to them."""

    def __init__(self, model, batch, serving, requests):
        self.model, self.batch, self.serving = model, batch, serving
        self.numbers = [number for number, rows in requests for _ in rows]
        self.rows = [row for _, rows in requests for row in rows]
        self.context = model.context
        self.infos = {number: batch.info[number].get("parameters", {}) for number, _ in requests}

    def run(self):
        from ts.utils.util import PredictionException

        self._prepare()
        try:
            with execution(self.batch.number):
                begin = time.perf_counter()
                answers = self.model.call(self.rows, self.context)
                if inspect.isawaitable(answers):
                    answers = self.model.loop.run_until_complete(answers)
                took = (time.perf_counter() - begin) * 1000
            self.context.metrics.add_time("PredictionTime", round(took, 2), None, "ms")
            self._answer(answers)
        except PredictionException as error:
            for number in self._open():
                self._refuse(number, int(error.error_code), str(error.message))
        except Exception as error:
            if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
                error = Error(f"out of memory: {error}", code="RESOURCE_EXHAUSTED")
            for number in self._open():
                self.serving.fail(self.batch, number, error)
        finally:
            self.context.stream = None

    def _prepare(self):
        from ts.context import RequestProcessor

        ids = {number: self.batch.info[number].get("id") or str(uuid.uuid4()) for number in self.infos}
        self.context.request_ids = {at: ids[number] for at, number in enumerate(self.numbers)}
        self.context.request_processor = [
            RequestProcessor(rows_.headers_of(self.infos[number])) for number in self.numbers
        ]
        self.context.stream = self._stream

    def _open(self):
        return [number for number in self.infos if number in self.batch.open]

    def _checked(self, answers):
        if not isinstance(answers, (list, tuple)):
            raise Error(
                f"the handler must return a list with an answer for each request; it returned {type(answers).__name__}",
                code="INTERNAL",
            )
        if len(answers) != len(self.rows):
            raise Error(
                f"the handler returned {len(answers)} answers to a batch of {len(self.rows)}; there must be one for each",
                code="INTERNAL",
            )
        return [rows_.encode(answer) for answer in answers]

    def _answer(self, answers):
        encoded = self._checked(answers)
        for number in self._open():
            self._send(number, [at for at, owner in enumerate(self.numbers) if owner == number], encoded, True)

    def _stream(self, answers):
        if not self.model.streams:
            raise RuntimeError("a .py file of the archive itself must name send_intermediate_predict_response")
        encoded = self._checked(answers)
        batch = self.batch
        wanted = [number for number in self._open() if not self.serving.is_cancelled(batch, number)]
        if not wanted:
            raise Error("nobody waits for the answers any more", code="CANCELLED")  # ends the handler's call
        for number in wanted:
            self.serving.wait_until(
                lambda number=number: batch.unacknowledged[number] < _WINDOW or number in batch.cancelled
            )
            self._send(number, [at for at, owner in enumerate(self.numbers) if owner == number], encoded, False)

    def _send(self, number, places, encoded, final):
        """An answer of the request whose rows are at `places`."""
        statuses = [int(self.context.get_response_status(at)[0] or 200) for at in places]
        status = max(statuses)
        if status >= 400 and "headers" not in self.infos[number]:
            text = encoded[places[statuses.index(status)]][0].decode(errors="replace")
            return self.batch.fail(number, _code(status), text or f"the handler set the status {status}")
        array = np.empty(len(places), object)
        array[:] = [encoded[at][0] for at in places]
        headers = dict(self.context.get_response_headers(places[0]))
        parameters = {"content_type": headers.pop("content-type", None) or encoded[places[0]][1]}
        if status != 200:
            parameters["status"] = str(status)
        if headers:
            parameters["headers"] = json.dumps(headers)
        self.batch.answer(number, [0], [array], final, parameters)

    def _refuse(self, number, status, message):
        if "headers" not in self.infos[number]:
            return self.batch.fail(number, _code(status), message)
        array = np.empty(sum(owner == number for owner in self.numbers), object)
        array[:] = b""
        parameters = {"content_type": "text/plain; charset=utf-8", "status": str(status), "error": message}
        self.batch.answer(number, [0], [array], True, parameters)
