"""The page at / by which models are tried: what its own script makes of a form, sent to the server."""

import json
import re
import subprocess

import pytest

import models
import servers

pytestmark = pytest.mark.conformance("Node")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A model that gives back what it gets, for each data type, and one without rows."""
    folder = tmp_path_factory.mktemp("page")
    for dtype in models.DTYPES:
        models.save(models.identity(dtype), folder / f"models/{dtype.lower()}.onnx")
    models.save(models.scalars(), folder / "models/scalars.onnx")
    with servers.serving(folder, folder / "models") as server:
        yield server


@pytest.fixture(scope="module")
def made(server, tmp_path_factory):
    """made(cases): what the page's own script sends."""
    script = tmp_path_factory.mktemp("page") / "page.js"
    status, body, _ = server.request("GET", "/", headers={"Accept": "text/html"})
    assert status == 200
    script.write_text(re.search(r"<script>(.*)</script>", body.decode(), re.DOTALL)[1])

    def run(cases):
        command = ["node", servers.ROOT / "tests/conformance/page_requests.js", script]
        result = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return run


def case(signature, *values, shapes=None):
    fields = [{"shape": shape, "value": value} for shape, value in zip(shapes or ["1, 2"] * len(values), values)]
    return {"model": signature["name"], "version": "1", "signature": signature, "fields": fields or None}


@pytest.mark.parametrize("dtype", models.DTYPES)
def test_what_the_page_sends_is_answered(server, made, dtype):
    signature = server.get_json(f"/v2/models/{dtype.lower()}/versions/1")
    typed = {"BYTES": '["größe", "☃"]', "BOOL": "[true, false]"}.get(dtype, "[1, 0]")
    cases = [case(signature), case(signature, "ones"), case(signature, "random"), case(signature, typed)]
    cases.append(case(signature, f"[{typed}, {typed}]"))
    for i, request in enumerate(made(cases)):
        assert "error" not in request, request
        status, reply = server.post_json("/" + request["path"], request["body"].encode())
        assert status == 200, (request, reply)
        rows = reply["y"] if "y" in reply else reply["outputs"][0]["data"]
        if i >= 3:
            flat = [one for row in rows for one in row] if isinstance(rows[0], list) else rows
            assert flat == json.loads(typed) * (i - 2), request
        assert request["path"].startswith("predict/" if dtype in ("FP16", "BF16") else "v2/models/")


def test_what_stands_in_the_form_is_read_as_it_stands(server, made):
    signature = server.get_json("/v2/models/int64/versions/1")
    texts = server.get_json("/v2/models/bytes/versions/1")
    scalars = server.get_json("/v2/models/scalars/versions/1")
    large, text, flat, pair, words, ragged, wrong, broken, shape = made(
        [
            case(signature, "[9223372036854775807, -9223372036854775808]"),
            case(texts, "just words, \"quoted\"", shapes=["1, 1"]),
            case(signature, "[1, 2, 3, 4, 5, 6]", shapes=["2 x 3"]),
            case(scalars, "2.5", "4", shapes=["", ""]),
            case(scalars, "ones", "zeros", shapes=["", ""]),
            case(signature, "[[1, 2], [3]]"),
            case(signature, "[[[1]]]"),
            case(signature, "[1, 2"),
            case(signature, "zeros", shapes=["1, two"]),
        ]
    )
    assert "9223372036854775807, -9223372036854775808" in large["body"]
    answers = [server.post_json("/" + one["path"], one["body"].encode()) for one in (large, text, flat, pair, words)]
    data = [reply["outputs"][0]["data"] for status, reply in answers]
    assert data == [[2**63 - 1, -(2**63)], ['just words, "quoted"'], [1, 2, 3, 4, 5, 6], [10.0], [0.0]]
    assert answers[2][1]["outputs"][0]["shape"] == [2, 3]
    assert "not equally long" in ragged["error"] and "expected [-1,-1]" in wrong["error"]
    assert "x is no JSON" in broken["error"] and "the shape is 1, two" in shape["error"]


DOCS = """
const vm = require("vm"), page = vm.createContext({});
vm.runInContext(require("fs").readFileSync(process.argv[1], "utf8"), page);
page.document_ = JSON.parse(require("fs").readFileSync(0, "utf8"));
const forms = `Object.entries(document_.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) =>
  [method, filledPath(path, { model: "int64", version: "1", region: "r" }), bodyOf(one, document_.components.schemas)]))`;
console.log(vm.runInContext(`JSON.stringify(${forms})`, page));
"""


def test_what_the_forms_of_the_docs_begin_with_is_understood(server, tmp_path):
    status, body, _ = server.request("GET", "/v2/models/int64/docs", headers={"Accept": "text/html"})
    assert status == 200
    script = tmp_path / "docs.js"
    script.write_text(re.search(r"<script>(.*)</script>", body.decode(), re.DOTALL)[1])
    for path in ("/v2/docs", "/v2/models/int64/docs"):
        document = server.request("GET", f"{path}/dataplane.json")[1]
        result = subprocess.run(["node", "-e", DOCS, script], input=document, capture_output=True, timeout=60)
        assert result.returncode == 0, result.stderr
        forms = json.loads(result.stdout)
        assert len(forms) > 8 and ["get", "/v2/models/int64/ready", None] in forms
        for method, asked, text in forms:
            # What changes the server, and what classes of MLServer's or handlers of TorchServe's alone have.
            if re.search("trace|repository|logging|memory|infer_stream|explain", asked):
                continue
            status, reply = server.request(method.upper(), asked, text.encode() if text is not None else None)[:2]
            assert status < 500 and status not in (404, 405), (asked, status, reply)
            if path != "/v2/docs" and asked.endswith("/infer"):
                assert status == 200, reply
