"""Bodies of calls as the dictionaries that TorchServe's handlers get, and their answers as bytes."""

import email.message
import functools
import json
import logging
import urllib.parse

from modelmill.errors import Error

log = logging.getLogger("modelmill")

_FORM = "application/x-www-form-urlencoded"
# Parameters of a request that are no header of it.
_OWN = {"content_type", "query", "headers", "explain"}
_SCALARS = {float, int, str, bool, type(None)}


@functools.lru_cache(maxsize=256)
def _kind(content_type):
    message = email.message.Message()
    message["content-type"] = content_type
    return message.get_content_type(), message.get_param("boundary"), message.get_content_charset() or "utf-8"


def _value(data, content_type, decodes):
    """A body or a part of a form by its type; the bytes of what isn't what it is called, as TorchServe has it."""
    if not content_type or not decodes:
        return bytearray(data)
    kind, _, charset = _kind(content_type)
    try:
        if kind == "application/json":
            return json.loads(data)
        if kind.startswith("text/"):
            return data.decode(charset)
    except (ValueError, LookupError):
        log.warning("a body that is called %s is none, so the handler gets its bytes", kind)
    return bytearray(data)


def _untold(data, decodes):
    """A body of which nobody said what it is."""
    if decodes and data.lstrip()[:1] in (b"{", b"["):
        try:
            return json.loads(data)
        except ValueError:
            pass
    return bytearray(data)


def _parts(data, boundary, decodes):
    """(name, value) of the parts of a multipart body."""
    if not boundary:
        raise Error("the Content-Type of a multipart body must have a boundary")
    marker = b"\r\n--" + boundary.encode()
    pieces = (b"\r\n" + data).split(marker)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise Error("the multipart body is cut off, or has another boundary than its Content-Type")
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        headers = email.message_from_bytes(head.lstrip())
        name = headers.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise Error("a part of the multipart body has no name")
        yield name, _value(content, headers.get("content-type"), decodes)


def row_of(data, parameters, decodes=True):
    """The dictionary of one body. Unless it `decodes`, JSON and text stay bytes."""
    row = {name: value.encode() for name, value in json.loads(parameters.get("query") or "{}").items()}
    content_type = parameters.get("content_type")
    if content_type is None and "headers" not in parameters:
        return {**row, "body": _untold(data, decodes)}
    kind, boundary, _ = _kind(content_type or "")
    if content_type and kind.startswith("multipart/"):
        return {**row, **dict(_parts(data, boundary, decodes))}
    if content_type and kind == _FORM:
        # curl -d says so of whatever it sends.
        value = _untold(data, decodes)
        if not isinstance(value, bytearray):
            return {**row, "body": value}
        fields = urllib.parse.parse_qsl(data.decode(errors="replace"), keep_blank_values=True)
        return {**row, **{name: bytearray(text.encode()) for name, text in fields}}
    return {**row, "body": _value(data, content_type, decodes)}


def headers_of(parameters):
    """What context.get_request_header() finds."""
    headers = json.loads(parameters.get("headers") or "{}")
    headers.update({name: str(value) for name, value in parameters.items() if name not in _OWN})
    if parameters.get("content_type"):
        headers["content-type"] = parameters["content_type"]
    headers["explain"] = "True" if explains(parameters) else "False"
    return headers


def explains(parameters):
    return parameters.get("explain") in (True, "true", "True")


def describes(parameters):
    """Whether the handler is asked what it says of its model, as TorchServe asks it."""
    # Headers are read for each request once more than need be only where that may be.
    return '"describe"' in (parameters.get("headers") or "") and headers_of(parameters).get("describe") == "True"


def encode(value):
    """(bytes, Content-Type) of what a handler has returned for a request."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), "application/octet-stream"
    if isinstance(value, str):
        return value.encode(), "text/plain; charset=utf-8"
    try:
        return _indented(value, "\n").encode(), "application/json"
    except (TypeError, ValueError, RecursionError) as error:
        raise Error(f"the handler's answer can't be sent: {error}", code="INTERNAL") from None


def _indented(value, margin):
    """The text of json.dumps(value, indent=2), which without an indent runs in C: so lists of scalars do. `margin`: the
    line's end and what the lines begin with."""
    inner = margin + "  "
    kind = type(value)
    if hasattr(value, "tolist"):
        return _indented(value.tolist(), margin)
    if kind in (list, tuple) and value:
        if _SCALARS.issuperset(map(type, value)):
            text = json.dumps(value, separators=("," + inner, ": "))[1:-1]
        else:
            text = ("," + inner).join([_indented(one, inner) for one in value])
        return f"[{inner}{text}{margin}]"
    if kind is dict and value and all(type(name) is str for name in value):
        text = ("," + inner).join([f"{json.dumps(name)}: {_indented(one, inner)}" for name, one in value.items()])
        return f"{{{inner}{text}{margin}}}"
    return json.dumps(value, indent=2, default=_plain).replace("\n", margin)


def _plain(value):
    if hasattr(value, "tolist"):  # of numpy and torch
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is neither bytes, text nor JSON")
