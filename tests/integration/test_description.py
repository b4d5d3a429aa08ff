"""What the server says of itself: OpenAPI, the services' protos, and the page at / by which models are tried."""

import base64
import hashlib
import json
import re
import shutil
import subprocess

import openapi_spec_validator
import pytest

import models
import servers

# How the parts of the server say that a path is none of theirs.
UNKNOWN = re.compile(r"no such path|Malformed request|Invalid URL|Requested resource is not found|Not Found")
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A model that gives back what it gets, for each data type, and one without rows."""
    folder = tmp_path_factory.mktemp("description")
    for dtype in models.DTYPES:
        models.save(models.identity(dtype), folder / f"models/{dtype.lower()}.onnx")
    models.save(models.scalars(), folder / "models/scalars.onnx")
    with servers.serving(folder, folder / "models") as server:
        yield server


@pytest.fixture(scope="module")
def document(server):
    return server.get_json("/openapi.json")


def test_the_document_is_openapi(document):
    openapi_spec_validator.validate(document)
    assert document["openapi"] == "3.1.0" and document["info"]["title"] == "modelmill"


def test_the_document_says_what_models_take(server, document):
    schema = document["paths"]["/predict/fp32"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema, alone = schema["anyOf"]
    rows, row = schema["properties"]["x"]["anyOf"]
    assert alone == schema["properties"]["x"], "the one input without its name"
    assert rows["items"]["items"] == row["items"] == {"type": "number"} and schema["required"] == ["x"]
    assert "/predict/scalars" in document["paths"]


def segment(path):
    return path.split("/")[1]


def test_every_part_of_the_server_is_in_the_document(server, document):
    status, body, _ = server.get("/nothing/here")
    assert status == 404
    known = re.findall(r"/([\w.-]*)", json.loads(body)["error"].partition("begin with")[2])
    assert len(known) > 15
    assert set(known) - {segment(path) for path in document["paths"]} == set()


def test_every_path_of_the_document_answers(serve, tmp_path):
    """Each is known, by the method that is written; what is sent is empty, so most of it is refused."""
    models.save(models.mlp(), tmp_path / "m.onnx")
    server = serve(tmp_path / "m.onnx", "--allow-client-shm=/mm_")
    paths = server.get_json("/openapi.json")["paths"]
    values = {"model": "m", "version": "1", "label": "l", "file": "grpc_service.proto", "region": "r", "workflow": "w"}
    order = ["get", "post", "put", "delete"]  # what takes the model away comes last
    asked = sorted(((method, path) for path in paths for method in paths[path]), key=lambda one: order.index(one[0]))
    assert len(asked) > 90
    unload = [one for one in asked if one[1].endswith("/unload")]
    for method, path in [one for one in asked if one not in unload] + unload:
        filled = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "x"), path)
        body = b"{}" if "requestBody" in paths[path][method] else b"" if method in ("post", "put") else None
        status, reply, headers = server.request(method.upper(), filled, body, {"Content-Type": "application/json"})
        what = (method, filled, status, reply[:300])
        assert status != 405 and not (status == 404 and UNKNOWN.search(reply.decode())), what
        if status == 200 and method == "get":
            types = paths[path][method]["responses"]["200"].get("content", {"": {}})
            assert any(one == "*/*" or (headers["Content-Type"] or "").startswith(one) for one in types), what
    assert server.get_json("/v2/health/live") == {"live": True}
    server.stop()


def test_the_protos_compile(server, tmp_path):
    protoc = shutil.which("protoc")
    assert protoc, "protoc is what the server itself is built with"
    files = server.get_json("/protos")["files"]
    assert {"grpc_service.proto", "tf_serving_api.proto", "torchserve_inference.proto"} <= set(files)
    for file in files:
        status, text, headers = server.get(f"/protos/{file}")
        assert status == 200 and headers["Content-Type"].startswith("text/plain")
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(text)
    command = [protoc, f"-I{tmp_path}", f"--python_out={tmp_path}", *files]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "ModelInferRequest" in (tmp_path / "grpc_service_pb2.py").read_text()


def parts(server, path="/"):
    """(the page, its script, the headers)."""
    status, body, headers = server.request("GET", path, headers=HTML)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    page = body.decode()
    return page, re.search(r"<script>(.*)</script>", page, re.DOTALL)[1], headers


@pytest.mark.parametrize("path", ["/", "/v2/docs", "/v2/models/fp32/docs", "/v2/models/fp32/versions/1/docs"])
def test_the_page_needs_nothing_else(server, path):
    page, script, headers = parts(server, path)
    assert len(page) < 30_000
    assert not re.search(r"https?:|//cdn|@import|url\(| src=", page)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    policy = headers["Content-Security-Policy"]
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy


def test_a_program_gets_text(server):
    status, text, headers = server.get("/")
    assert status == 200 and b"openapi.json" in text and headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/v2/docs", "/v2/models/fp32/docs", "/v2/models/fp32/versions/1/docs"])
def test_mlservers_documents_are_openapi_and_true(server, path):
    document = server.get_json(f"{path}/dataplane.json")
    openapi_spec_validator.validate(document)
    base = path.removesuffix("/docs")
    assert all(one == base or one.startswith(f"{base}/") for one in document["paths"])
    asked = 0
    for one, methods in document["paths"].items():
        example = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        if "get" in methods and "{" not in one:
            assert server.request("GET", one)[0] == 200, one
            asked += 1
        if example and one.endswith("/infer"):
            assert server.post_json(one, example)[0] == 200
            asked += 1
    assert asked > 3
    assert server.get("/v2/models/nobody/docs/dataplane.json")[0] == 404
