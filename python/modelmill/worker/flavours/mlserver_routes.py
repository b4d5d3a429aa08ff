"""Paths of a class's own: methods that mlserver's @custom_handler has marked.

What src/dialect/mlserver asks has the member "route": {"list": true}, which is answered by the paths that there are, or
{"method", "path", "query", "headers": [[name, value], ...], "peer", "scheme"} with the request's body as the only input.

As in MLServer a method's parameters say what it takes, in FastAPI's way. Where FastAPI is installed (MLServer itself brings
it) it serves the methods; elsewhere `Plain` does, which knows plain parameters and JSON.
"""

import asyncio
import importlib
import importlib.util
import inspect
import json
import re
import typing
import urllib.parse

from modelmill.errors import Error

from ..serving import log, traceback_text
from . import mlserver_values

_JSON = [["content-type", "application/json"]]
_SCALARS = (str, int, float, bool)
_MISSING = inspect.Parameter.empty


def of_model(model, own):
    """What serves the marked methods of the model; None where there are none."""
    try:
        custom = importlib.import_module("mlserver.handlers.custom")
    except ImportError:
        return None
    handlers = [(one.rest_method.upper(), one.rest_path, method) for one, method in custom.get_custom_handlers(model)]
    if not handlers:
        return None
    try:
        return FastApi(handlers, own) if importlib.util.find_spec("fastapi") else Plain(handlers)
    except Exception as error:
        paths = ", ".join(path for _, path, _ in handlers)
        raise Error(f"custom handlers of {type(model).__name__} ({paths}) can't be served: {error}") from error


class Routes:
    """`handlers`: a list of (method of HTTP, path, the class's method)."""

    def __init__(self, handlers):
        self.handlers = handlers

    async def answer(self, asked, body, gone):
        """(the body, {"status", "headers"}). `gone()` returns when nobody waits for it any more."""
        if asked.get("list"):
            return json.dumps(listed(self)).encode(), {"status": 200, "headers": _JSON}
        status, headers, content = await self.call(asked, body, gone)
        return content, {"status": status, "headers": [[name, value] for name, value in headers]}


def listed(routes):
    """`routes` None: of a model that has none."""
    return [{"method": method, "path": path} for method, path, _ in routes.handlers] if routes else []


class FastApi(Routes):
    def __init__(self, handlers, own):
        super().__init__(handlers)
        self.app = _own_app() if own else _mlserver_app()
        for method, path, handler in handlers:
            self.app.add_api_route(path, handler, methods=[method])

    async def call(self, asked, body, gone):
        client = _Client(body)
        watch = asyncio.ensure_future(gone())
        watch.add_done_callback(lambda _: client.gone.set())
        try:
            await self.app(_scope(asked, body), client.receive, client.send)
        except Exception as error:
            if client.gone.is_set():
                raise Error("nobody waits for the answer any more", code="CANCELLED") from error
            # What it has answered by then tells of it.
            if client.head is None:
                raise
            if not client.is_too_much():
                log.error("%s", traceback_text(error))
        finally:
            watch.cancel()
        if client.is_too_much():
            what = f"the answer of {asked['path']} is larger than {_MOST_BYTES >> 20} MiB"
            raise Error(f"{what}, the most that a path of a class's own gives; give it in parts", code="INTERNAL")
        if client.head is None:
            raise Error(f"the handler of {asked['path']} gave no answer", code="INTERNAL")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in client.head.get("headers", ())]
        headers = [one for one in headers if one[0].lower() not in _OF_THE_WIRE]
        return client.head["status"], headers, b"".join(client.pieces)


class _Client:
    """Whom the app, as ASGI has it, gets the request from and gives the answer to."""

    def __init__(self, body):
        self.asked = [{"type": "http.request", "body": body, "more_body": False}]
        self.gone = asyncio.Event()
        self.head, self.pieces, self.size = None, [], 0

    async def receive(self):
        if self.asked:
            return self.asked.pop()
        await self.gone.wait()  # a client that has sent all is still there
        return {"type": "http.disconnect"}

    async def send(self, message):
        if self.gone.is_set():
            raise OSError("nobody waits for the answer any more")
        if message["type"] == "http.response.start":
            self.head = message
        elif message["type"] == "http.response.body":
            piece = bytes(message.get("body", b""))
            self.size += len(piece)
            if self.is_too_much():
                self.pieces.clear()
                raise OSError("the answer is too large")
            self.pieces.append(piece)

    def is_too_much(self):
        return self.size > _MOST_BYTES


_MOST_BYTES = 256 << 20

_OF_THE_WIRE = {"content-length", "transfer-encoding", "connection"}
_NO_PAGES = {"docs_url": None, "redoc_url": None, "openapi_url": None}


def _mlserver_app():
    """As its REST server has it, without the paths that modelmill serves."""
    fastapi = importlib.import_module("fastapi")
    rest, errors, responses = (importlib.import_module(f"mlserver.rest.{name}") for name in ("app", "errors", "responses"))
    handlers = getattr(errors, "_EXCEPTION_HANDLERS", {})
    app = fastapi.FastAPI(default_response_class=responses.Response, exception_handlers=handlers, **_NO_PAGES)
    app.router.route_class = rest.APIRoute
    return app


def _own_app():
    fastapi, responses = importlib.import_module("fastapi"), importlib.import_module("fastapi.responses")
    app = fastapi.FastAPI(**_NO_PAGES)

    async def told(_request, error):
        return responses.JSONResponse({"error": str(error)}, status_code=error.status_code)

    app.add_exception_handler(importlib.import_module("mlserver.errors").MLServerError, told)
    return app


def _scope(asked, body):
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in asked["headers"]]
    headers.append((b"content-length", str(len(body)).encode()))
    host, _, port = asked.get("peer", "").rpartition(":")
    server = next((value.decode("latin-1") for name, value in headers if name == b"host"), "")
    name, _, server_port = server.rpartition(":")
    scheme = asked.get("scheme", "http")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": asked["method"],
        "scheme": scheme,
        "path": urllib.parse.unquote(asked["path"]),
        "raw_path": asked["path"].encode(),
        "query_string": asked.get("query", "").encode(),
        "root_path": "",
        "headers": headers,
        "client": (host, int(port)) if port.isdigit() else None,
        "server": (name, int(server_port)) if server_port.isdigit() else (server, 443 if scheme == "https" else 80),
        "state": {},
    }


class Refused(Exception):
    """What a client sent does not fit, in FastAPI's words."""

    def __init__(self, where, name, text):
        super().__init__(text)
        self.detail = [{"loc": [where, *([name] if name else [])], "msg": text}]


class Plain(Routes):
    """Parameters that are named in the path or plain are text; the others are the JSON body: one is all of it, of several
    each is a member."""

    def __init__(self, handlers):
        super().__init__(handlers)
        self.known = [_Method(method, path, handler) for method, path, handler in handlers]

    async def call(self, asked, body, gone):
        path = urllib.parse.unquote(asked["path"])
        for one in self.known:
            found = one.path.fullmatch(path) if one.method == asked["method"] else None
            if found:
                return await one.call(found.groupdict(), urllib.parse.parse_qs(asked.get("query", "")), body)
        return 404, _JSON, b'{"detail":"Not Found"}'


class _Method:
    def __init__(self, method, path, handler):
        self.method, self.handler = method, handler
        self.path = re.compile("".join(_pattern(part) for part in re.split(r"(\{[^}]*\})", path)))
        in_path = set(self.path.groupindex)
        try:
            hints = typing.get_type_hints(handler)
        except Exception:
            hints = {}
        self.texts, self.bodies = [], []  # (name, type, default)
        for name, parameter in inspect.signature(handler).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            kind = hints.get(name, str if name in in_path else _MISSING)
            if getattr(kind, "__module__", "").partition(".")[0] in ("starlette", "fastapi"):
                what = f"{name} of {handler.__name__} is a {kind.__name__}"
                raise Error(f"{what}, which needs FastAPI; name fastapi in a requirements.txt")
            into = self.texts if name in in_path or kind in (*_SCALARS, _MISSING) else self.bodies
            into.append((name, str if kind is _MISSING else kind, parameter.default))

    async def call(self, in_path, query, body):
        try:
            arguments = {**self._texts(in_path, query), **self._bodies(body)}
        except Refused as refused:
            return 422, _JSON, json.dumps({"detail": refused.detail}).encode()
        try:
            value = self.handler(**arguments)
            value = await value if inspect.isawaitable(value) else value
        except Exception as error:
            status = getattr(error, "status_code", None)
            if not isinstance(status, int):
                log.error("%s", traceback_text(error))
                return 500, [["content-type", "text/plain; charset=utf-8"]], b"Internal Server Error"
            return int(status), _JSON, json.dumps({"error": str(error)}).encode()
        return 200, _JSON, json.dumps(value, default=_jsonable).encode()

    def _texts(self, in_path, query):
        out = {}
        for name, kind, default in self.texts:
            where = "path" if name in in_path else "query"
            text = in_path.get(name, query.get(name, [None])[-1])
            if text is not None:
                out[name] = _converted(text, kind, where, name)
            elif default is _MISSING:
                raise Refused(where, name, "Field required")
        return out

    def _bodies(self, body):
        if not self.bodies:
            return {}
        try:
            sent = json.loads(body) if body.strip() else None
        except ValueError as error:
            raise Refused("body", None, f"JSON decode error: {error}") from None
        if len(self.bodies) > 1 and not isinstance(sent, dict):
            raise Refused("body", None, "an object with a member for each parameter is wanted")
        out = {}
        for name, kind, default in self.bodies:
            value = sent if len(self.bodies) == 1 else sent.get(name)
            if value is None and default is not _MISSING:
                continue
            if value is None:
                raise Refused("body", name, "Field required")
            out[name] = _made(value, kind, name)
        return out


def _pattern(part):
    """Of a piece of a path, "{name}" or "{name:path}" or what stands between."""
    if not part.startswith("{"):
        return re.escape(part)
    name, _, kind = part[1:-1].partition(":")
    return f"(?P<{name}>{'.*' if kind == 'path' else '[^/]+'})"


def _converted(text, kind, where, name):
    if kind is bool:
        if text.lower() in ("true", "1", "on", "yes"):
            return True
        if text.lower() in ("false", "0", "off", "no"):
            return False
        raise Refused(where, name, "Input should be a valid boolean")
    try:
        return kind(text) if kind in _SCALARS else text
    except ValueError:
        raise Refused(where, name, f"Input should be a valid {kind.__name__}, it is {text!r}") from None


def _made(value, kind, name):
    """A value of the body as the method wants it."""
    validate = getattr(kind, "model_validate", None) or getattr(kind, "parse_obj", None)
    plain = typing.get_origin(kind) or kind
    try:
        if validate:
            return validate(value)
        if plain in (list, dict) and not isinstance(value, plain):
            raise TypeError(f"Input should be a valid {plain.__name__}")
        return value
    except (TypeError, ValueError) as error:
        raise Refused("body", name, str(error)) from None


def _jsonable(value):
    dump = getattr(value, "model_dump", None) or getattr(value, "dict", None)
    return dump() if dump else mlserver_values.plain(value)
