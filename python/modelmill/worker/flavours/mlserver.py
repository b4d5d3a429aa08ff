"""Classes derived from mlserver.MLModel, which a model-settings.json names. Where the environment has MLServer's package,
the class gets the objects of that; elsewhere those of modelmill/mlserver, which stands for it."""

import contextlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
import uuid

import numpy as np

from modelmill import api
from modelmill.errors import Error

from .. import readiness
from ..serving import execution, log, traceback_text
from . import mlserver_metrics, mlserver_routes, mlserver_values
from .flavour import Flavour

_REQUEST, _ANSWER = "modelmill_request", "modelmill_answer"  # parameters, see src/dialect/kserve_v2/open_request.h
_ROUTE = "modelmill_route"  # and src/dialect/mlserver/route_call.h
_WINDOW = 16  # answers of a stream that the server has yet to take
_CODES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 422: "FAILED_PRECONDITION", 500: "INTERNAL"}  # as there, of gRPC


def load(hello):
    with open(hello["file"], encoding="utf-8") as file:
        described = json.load(file)
    return MLServer(described, hello)


def import_mlserver():
    """The environment's own package `mlserver`; where there is none, modelmill/mlserver takes its place."""
    if importlib.util.find_spec("mlserver") is None:
        package = os.path.join(os.path.dirname(os.path.abspath(api.__file__)), "mlserver")
        spec = importlib.util.spec_from_file_location(
            "mlserver", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
        )
        sys.modules["mlserver"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    try:
        return importlib.import_module("mlserver")
    except Exception as error:
        raise Error(
            f"the package mlserver of '{sys.executable}' can't be imported ({type(error).__name__}: {error}); install it anew "
            "there, or remove it, and modelmill's own takes its place"
        ) from error


def _remedy(error, own):
    """What to do when the class's module imports something that there isn't."""
    missing = getattr(error, "name", None) or ""
    if own and missing.partition(".")[0] == "mlserver":
        return Error(
            f"{error}: modelmill's own package 'mlserver' does not have that; where MLServer itself is installed it is used "
            "instead: name mlserver in a requirements.txt beside model-settings.json, or a Python that has it with --python"
        )
    return Error(
        f"{error} in '{sys.executable}', which the model's code imports; name it in a requirements.txt beside "
        "model-settings.json, or a Python that has it with --python"
    )


class MLServer(Flavour):
    concurrent = True  # predict() is a coroutine

    def __init__(self, described, hello):
        self.described, self.file = described, hello["file"]
        self.folder = os.path.dirname(os.path.abspath(self.file))
        self.model = self.package = self.routes = None

    def make(self):
        self.package = import_mlserver()
        self.own = getattr(self.package, "__modelmill__", False)
        self.types = importlib.import_module("mlserver.types")
        mlserver_values.prepare(self.package, self.own)
        mlserver_metrics.take_over(self.package)
        settings = self._settings()
        sys.path.insert(0, self.folder)
        self.model = self._class()(settings)

    def _settings(self):
        """As MLServer's repository reads them."""
        settings = self.package.ModelSettings.parse_file(self.file)
        settings.name = api.name()
        if not settings.parameters:
            settings.parameters = importlib.import_module("mlserver.settings").ModelParameters()
        if not settings.parameters.uri:
            settings.parameters.uri = self.folder
        return settings

    def _class(self):
        module, _, name = str(self.described.get("implementation", "")).rpartition(".")
        try:
            found = importlib.import_module(module)
        except ImportError as error:
            raise _remedy(error, self.own) from error
        kind = getattr(found, name, None)
        if not inspect.isclass(kind) or not issubclass(kind, self.package.MLModel):
            raise Error(f"'implementation' is {module}.{name}, which is no class derived from mlserver.MLModel")
        return kind

    def start(self):
        return [self._load()]

    async def _load(self):
        model, name = self.model, type(self.model).__name__
        with self._context():
            try:
                loaded = await _awaited(model.load())
            except ImportError as error:
                raise _remedy(error, self.own) from error
            model.ready = loaded
            if not loaded:
                raise Error(f"load() of {name} returned {loaded!r}, so the model is not ready; it must return True")
            self.streams = type(model).predict_stream is not self.package.MLModel.predict_stream
            await importlib.import_module("mlserver.batching").load_batching(model)
        self.routes = mlserver_routes.of_model(model, self.own)
        for route in mlserver_routes.listed(self.routes):
            log.info("custom handler of %s: %s %s", name, route["method"], route["path"])
        readiness.watch(lambda: bool(model.ready))

    def stop(self):
        return [self._unload()]

    async def _unload(self):
        with self._context():
            await _awaited(self.model.unload())

    def _context(self):
        """What mlserver.log() and the log's lines look at, where that version of the package has it."""
        with contextlib.suppress(ImportError):
            return importlib.import_module("mlserver.context").model_context(self.model.settings)
        return contextlib.nullcontext()

    def describe(self):
        return {
            "inputs": [_described(tensor) for tensor in self.model.inputs or ()],
            "outputs": [_described(tensor) for tensor in self.model.outputs or ()],
            "gather": False,
            "wants_info": True,
            "open": True,
            "decoupled": self.streams,
            "concurrent": True,
            "max_batch_size": 0,
            "platform": self.model.settings.platform or "",
        }

    async def execute(self, batch, serving):
        inputs, batch.inputs = list(batch.inputs)[::-1], ()
        for number in range(len(batch.rows)):
            call = _Call(self, batch, serving, number)
            try:
                call.read()
                with execution(batch.number), self._context():
                    await call.run(inputs.pop())
            except Exception as error:
                call.fail(error)


async def _awaited(value):
    return await value if inspect.isawaitable(value) else value


def _described(tensor):
    """Of a MetadataTensor."""
    return {
        "name": tensor.name,
        "dtype": mlserver_values.datatype_of(tensor),
        "shape": [int(size) for size in tensor.shape],
        "optional": True,
    }


class _Call:
    """A request on its way through the class."""

    def __init__(self, flavour, batch, serving, number):
        self.flavour, self.batch, self.serving, self.number = flavour, batch, serving, number
        self.info = batch.info[number]
        self.plain = dict(self.info.get("parameters", {}))
        self.id = self.info.get("id") or str(uuid.uuid4())

    def read(self):
        """What the client said beside its tensors."""
        said = self.plain.pop(_REQUEST, "{}")
        try:
            self.beside = json.loads(said)
        except (TypeError, ValueError):
            self.beside = None
        if not isinstance(self.beside, dict):
            raise Error(f"the parameter '{_REQUEST}' is the server's own; give it another name")

    async def run(self, arrays):
        model, route = self.flavour.model, self.beside.get("route")
        if not model.ready and not (route and route.get("list")):
            raise importlib.import_module("mlserver.errors").MLServerError(f"Model {model.name} is not ready yet.")
        if route:
            return await self._route(route, next(iter(arrays.values())))
        try:
            request = self._request(arrays)
        except (TypeError, ValueError) as error:  # pydantic's are of these
            raise Error(f"the request can't be given to {type(model).__name__}: {error}") from error
        del arrays  # so that nothing here keeps the inputs' memory when the answer is given
        if self.flavour.streams and self.beside.get("stream"):
            return await self._stream(model.predict_stream(_only(request)))
        answer = model.predict(request)
        del request
        self._answer(await _awaited(answer), True)

    def _request(self, arrays):
        types, said = self.flavour.types, self.beside
        parameters = {**_of_protocol(self.info), **self.plain, **said.get("parameters", {})}
        if "headers" in said:
            parameters["headers"] = said["headers"]
        inputs = []
        for name, array, dtype in zip(self.info["inputs"], arrays.values(), self.batch.dtypes(self.number)):
            about = said.get("inputs", {}).get(name)
            shape = said.get("shapes", {}).get(name, array.shape)
            inputs.append(mlserver_values.request_input(types, name, array, dtype, shape, about, said.get("json")))
        more = {"parameters": types.Parameters(**parameters)} if parameters else {}
        if outputs := self.info.get("outputs"):
            beside = said.get("outputs", {})
            more["outputs"] = [
                types.RequestOutput(name=name, **({"parameters": types.Parameters(**beside[name])} if name in beside else {}))
                for name in outputs
            ]
        return types.InferenceRequest(id=self.id, inputs=inputs, **more)

    async def _route(self, asked, body):
        """A path of the class's own."""
        routes = self.flavour.routes
        if routes is None and not asked.get("list"):
            raise Error("the class has no paths of its own", code="NOT_FOUND")
        routes = routes or mlserver_routes.Routes([])
        content, head = await routes.answer(asked, bytes(body.ravel()[0]), self._gone)
        array = np.empty(1, object)
        array[0] = content
        parameters = {"parameters": {_ROUTE: json.dumps(head)}, "outputs": ["body"]}
        self.batch.answer(self.number, range(1), [array], True, parameters)

    async def _gone(self):
        await self.serving.wait_until(lambda: self.number in self.batch.cancelled)

    async def _stream(self, answers):
        batch, number = self.batch, self.number
        try:
            async for response in answers:
                await self.serving.wait_until(
                    lambda: batch.unacknowledged[number] < _WINDOW or number in batch.cancelled
                )
                if self.serving.is_cancelled(batch, number):
                    break
                self._answer(response, False)
        finally:
            if hasattr(answers, "aclose"):
                await answers.aclose()
        if number in batch.open:
            batch.finish(number)

    def _answer(self, response, final):
        names, arrays, beside = [], [], []
        for output in response.outputs:
            names.append(output.name)
            arrays.append(mlserver_values.array_of(output))
            beside.append(mlserver_values.dumped(output.parameters))
        said = {"outputs": beside}
        if not self.info.get("id"):
            said["id"] = self.id  # the server has the request's own
        if response.model_version:
            said["version"] = str(response.model_version)
        if parameters := mlserver_values.dumped(response.parameters):
            if headers := parameters.pop("headers", None):
                said["headers"] = {name: str(value) for name, value in headers.items()}
            said["parameters"] = parameters
        parameters = {"parameters": {_ANSWER: json.dumps(said, default=mlserver_values.plain)}, "outputs": names}
        self.batch.answer(self.number, range(len(names)), arrays, final, parameters)

    def fail(self, error):
        """As MLServer answers it: what has a status has it, all else is 500."""
        if self.number not in self.batch.open:
            return log.error("%s", traceback_text(error))
        status = getattr(error, "status_code", None)
        if isinstance(error, Error) or not isinstance(status, int) or not 400 <= status < 600:
            return self.serving.fail(self.batch, self.number, error)
        if status >= 500:
            log.error("%s", traceback_text(error))
        text = str(getattr(error, "detail", None) or error)
        answer = json.dumps({"status": int(status)})
        self.batch.fail(self.number, _CODES.get(int(status), "UNKNOWN"), text, {_ANSWER: answer})


async def _only(request):
    yield request


def _of_protocol(info):
    """Parameters that the server has taken for itself, as the client sent them."""
    found = {}
    if "sequence" in info:
        found["sequence_id"] = info["sequence"]
        found["sequence_start"], found["sequence_end"] = bool(info.get("flags", 0) & 1), bool(info.get("flags", 0) & 2)
    if info.get("priority"):
        found["priority"] = info["priority"]
    if info.get("timeout_us"):
        found["timeout"] = info["timeout_us"]
    return found
