"""The protocol over HTTP, as plainly as can be: a connection for each request, and JSON as Python reads it."""

import json
import urllib.error
import urllib.parse
import urllib.request

HEADER_LENGTH = "Inference-Header-Content-Length"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def is_error(self):
        return self.status >= 400

    def json(self):
        """The body, which must be a JSON document in full."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise AssertionError(f"status {self.status}, and the body is no JSON: {self.body[:200]!r}") from error

    def parts(self):
        """(the JSON, the bytes behind it) of the binary extension."""
        length = self.headers.get(HEADER_LENGTH)
        if length is None:
            return self.json(), b""
        return json.loads(self.body[: int(length)]), self.body[int(length) :]

    def __str__(self):
        return f"status {self.status}: {self.body[:300]!r}"


class HttpServer:
    """The server at `url`."""

    def __init__(self, url, headers):
        self.url, self._headers = url, headers
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, method, path, body=None, headers=None, timeout=60):
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers={**self._headers, **(headers or {})}
        )
        try:
            with self._opener.open(request, timeout=timeout) as reply:
                return Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, value):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", path, body, {"Content-Type": "application/json"})

    def infer(self, model, request, version=""):
        return self.post(model_path(model, version) + "/infer", request)

    def infer_binary(self, model, request, data):
        """The JSON with raw tensors behind it."""
        head = json.dumps(request).encode()
        headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
        return self.ask("POST", model_path(model) + "/infer", head + data, headers)


def model_path(model, version=""):
    path = f"/v2/models/{urllib.parse.quote(model, safe='')}"
    return path + (f"/versions/{urllib.parse.quote(version, safe='')}" if version else "")
