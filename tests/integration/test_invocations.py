"""What SageMaker, Vertex AI and MLflow's scoring server ask: the same bodies, answered as each of their servers does."""

import gzip
import json

import numpy as np
import pytest
import tritonclient.http
from onnx import helper

import models
import repositories
import servers
from free_ports import free_ports

TARGET = "X-Amzn-SageMaker-Target-Model"
CSV = {"Content-Type": "text/csv"}
BINARY = "application/vnd.{}-triton.binary+json;json-header-size="
ROWS = [[1, 2, 3, 4], [5, 6, 7, 8]]
TWICE = [[2, 4, 6, 8], [10, 12, 14, 16]]
V2 = {"inputs": [{"name": "x", "shape": [2, 4], "datatype": "FP32", "data": ROWS}]}


def sums():
    """Inputs a (FP32) and n (INT64), a column each; outputs sum and n2 = 2n."""
    column = ("batch", 1)
    return models.model(
        "sums",
        [
            helper.make_node("Cast", ["n"], ["number"], to=models.FLOAT),
            helper.make_node("Add", ["a", "number"], ["sum"]),
            helper.make_node("Add", ["n", "n"], ["n2"]),
        ],
        [models.value("a", "FP32", column), models.value("n", "INT64", column)],
        [models.value("sum", "FP32", column), models.value("n2", "INT64", column)],
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("invocations")
    models.save(models.scaled(2), folder / "twice.onnx")
    models.save(sums(), folder / "sums.onnx")
    (folder / "modelmill.yaml").write_text(
        "schema_version: 1\n"
        f"models:\n  - {{path: {folder}/twice.onnx}}\n  - {{path: {folder}/sums.onnx}}\n"
        "routes:\n  - {name: way, split: {twice: 100}}\n"
    )
    return folder


@pytest.fixture(scope="module")
def server(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with servers.serving(folder, files / "modelmill.yaml", "--default-model=twice", "--access-log") as server:
        yield server


def invoke(server, body, headers=None, path="/invocations"):
    """(status, parsed reply)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, reply, _ = server.request("POST", path, data, headers or {"Content-Type": "application/json"})
    return status, json.loads(reply)


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ROWS},
        {"instances": [{"x": row} for row in ROWS]},
        {"inputs": ROWS},
        {"inputs": {"x": ROWS}, "params": {"a": 1}},
        {"dataframe_split": {"columns": ["a", "b", "c", "d"], "index": [0, 1], "data": ROWS}},
        {"dataframe_split": {"columns": ["x"], "data": [[row] for row in ROWS]}},
        {"dataframe_records": [dict(zip("abcd", row)) for row in ROWS]},
    ],
    ids=["rows", "named-rows", "tensor", "named-tensor", "split", "split-by-name", "records"],
)
def test_predictions(server, body):
    assert invoke(server, body) == (200, {"predictions": TWICE})


def test_csv_with_and_without_names(server):
    for text in (b"1,2,3,4\n5,6,7,8\n", b"a,b,c,d\n1,2,3,4\n5,6,7,8\n"):
        assert invoke(server, text, CSV) == (200, {"predictions": TWICE})


def test_v2_and_tensorflow_serving_answer_as_they_do(server):
    status, reply = invoke(server, V2)
    assert status == 200 and reply["model_name"] == "twice"
    assert reply["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [2, 4], "data": sum(TWICE, [])}]
    assert invoke(server, {"inputs": ROWS, "signature_name": "serving_default"}) == (200, {"outputs": TWICE})


def test_columns_by_name(server):
    body = {"dataframe_split": {"columns": ["n", "unused", "a"], "data": [[1, "x", 0.5], [2, "y", 1.5]]}}
    expected = [{"sum": [1.5], "n2": [2]}, {"sum": [3.5], "n2": [4]}]
    assert invoke(server, body, {TARGET: "sums"}) == (200, {"predictions": expected})
    csv = invoke(server, b"n,a\n1,0.5\n2,1.5\n", {TARGET: "sums", **CSV})
    assert csv == (200, {"predictions": expected})
    status, reply = invoke(server, {"dataframe_records": [{"a": 1}]}, {TARGET: "sums"})
    assert status == 400 and reply["error_code"] == "BAD_REQUEST" and "'a', 'n'" in reply["message"]


def test_whose_model_is_asked(server):
    for name in ("twice", "twice.tar.gz", "some/twice.tar.gz", "way"):
        assert invoke(server, {"instances": ROWS}, {TARGET: name}) == (200, {"predictions": TWICE}), name
    status, reply = invoke(server, {"instances": ROWS}, {TARGET: "none.tar.gz"})
    assert status == 404 and set(reply) == {"error", "error_code", "message"} and "none" in reply["error"]
    _, _, headers = server.request("POST", "/invocations", json.dumps({"instances": ROWS}).encode(), {TARGET: "way"})
    assert headers["x-served-model"] == "twice"


def test_several_models_need_a_name(serve, files):
    server = serve(files / "twice.onnx", files / "sums.onnx")
    status, reply = invoke(server, {"instances": ROWS})
    assert status == 400 and "'sums', 'twice'" in reply["message"] and "--default-model" in reply["message"]
    alone = serve(files / "twice.onnx")
    assert invoke(alone, {"instances": ROWS}) == (200, {"predictions": TWICE})


@pytest.mark.parametrize("cloud", ["sagemaker", "vertex-ai"])
def test_binary_tensors(server, cloud):
    tensor = tritonclient.http.InferInput("x", [2, 4], "FP32")
    tensor.set_data_from_numpy(np.array(ROWS, np.float32), binary_data=True)
    wanted = tritonclient.http.InferRequestedOutput("y", binary_data=True)
    body, length = tritonclient.http.InferenceServerClient.generate_request_body([tensor], outputs=[wanted])
    kind = BINARY.format(cloud)
    status, reply, headers = server.request("POST", "/invocations", body, {"Content-Type": f"{kind}{length}"})
    assert status == 200 and headers["Content-Type"].startswith(kind), reply
    length = int(headers["Content-Type"].removeprefix(kind))
    answer = tritonclient.http.InferenceServerClient.parse_response_body(reply, header_length=length)
    assert (answer.as_numpy("y") == TWICE).all()
    # What SageMaker lets through is the media type alone.
    assert headers["Inference-Header-Content-Length"] == (None if cloud == "sagemaker" else str(length))


def test_records_may_lack_keys(server):
    body = {"dataframe_records": [{"a": 1, "b": 2, "c": 3, "d": 4}, {"d": 8, "b": 6, "a": 5}]}
    status, reply = invoke(server, body)
    assert status == 200 and np.array_equal(reply["predictions"], [TWICE[0], [10, 12, np.nan, 16]], equal_nan=True)
    body = b'{"dataframe_records": [{"a": 1, "b": 2, "c": 3, "d": 4, "a": 5}]}'
    status, reply = invoke(server, body)
    assert status == 400 and "record 0 of 'dataframe_records' has 'a' twice" in reply["message"]


def test_a_truncated_body_is_told_of(server):
    status, reply = invoke(server, b'{"instances":[[1,2,3,4]')
    assert status == 400 and "no valid JSON" in reply["message"]


def test_large_and_compressed_bodies(server):
    """Read and written beside the loops."""
    rows = np.arange(40_000, dtype=np.float32).reshape(-1, 4)
    for body in (
        {"dataframe_split": {"columns": ["a", "b", "c", "d"], "data": rows.tolist()}},
        {"instances": rows.tolist()},
    ):
        data = json.dumps(body).encode()
        for sent, headers in ((data, {}), (gzip.compress(data), {"Content-Encoding": "gzip"})):
            status, reply, _ = server.request("POST", "/invocations", sent, headers)
            assert status == 200 and (np.array(json.loads(reply)["predictions"]) == rows * 2).all()


def test_hostile_bodies(server):
    """Each is an error of the client's, and the server lives."""
    pieces = [b"", b"{", b"[" * 100_000, b'{"dataframe_split":' * 5000, b'{"instances":[' + b"[" * 5000, b"\xff\xfe", b'"']
    pieces += [b'{"dataframe_records":[{"a":' + b"1" * 100_000 + b"}]}", b'{"dataframe_split":{"data":[[1],[[1]]]}}']
    # A table of little more than names: with a column for each record it would have 10^10 cells.
    pieces.append(json.dumps({"dataframe_records": [{f"c{i}": 1} for i in range(100_000)]}).encode())
    # Many columns, in another order in each record.
    names = [f"c{i}" for i in range(20_000)]
    orders = (names, names[::-1], names[1::2] + names[::2])
    pieces.append(json.dumps({"dataframe_records": [dict.fromkeys(order, 1) for order in orders]}).encode())
    for body in pieces:
        status, reply = invoke(server, body)
        assert status == 400 and 0 < len(reply["message"]) < 2000, body[:40]
    server.assert_alive()


def test_health_and_version(server):
    assert server.get("/health")[0] == 200 and server.get("/ping")[0] == 200
    assert server.get("/version")[1].decode() == server.get_json("/v2")["version"]
    paths = server.get_json("/openapi.json")["paths"]
    assert {"/invocations", "/health", "/version"} <= set(paths)


def test_calls_may_be_restricted(serve, files):
    server = serve(files / "twice.onnx", "--api", "inference=off")
    assert server.request("POST", "/invocations", b"{}")[0] == 403
    assert server.get("/health")[0] == 200


def vertex_environment(port, predict="/v1/endpoints/7/deployedModels/9:predict"):
    return {
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/9",
        "AIP_PREDICT_ROUTE": predict,
    }


def test_vertex_ai(serve, files):
    [port] = free_ports(1)
    env = vertex_environment(port)
    server = serve(files / "twice.onnx", port=None, env=env)
    assert server.port == port and "on every address of this machine" in server.stdout()
    assert server.get(env["AIP_HEALTH_ROUTE"])[0] == 200
    body = {"instances": ROWS, "parameters": {"confidence": 0.5}}
    assert invoke(server, body, path=env["AIP_PREDICT_ROUTE"]) == (200, {"predictions": TWICE})
    # TensorFlow Serving's paths beside it are as ever.
    assert server.post_json("/v1/models/twice:predict", {"instances": ROWS}) == (200, {"predictions": TWICE})


@pytest.mark.parametrize(
    "health, predict, told",
    [
        ("/health/ready", "/ping", {"AIP_PREDICT_ROUTE"}),
        ("/v2/repository/index", "/predict", {"AIP_HEALTH_ROUTE"}),
        ("/ping", "/v2/models/twice/infer", set()),  # they answer what is asked
    ],
)
def test_vertex_ai_may_name_paths_of_ours(serve, files, health, predict, told):
    server = serve(files / "twice.onnx", env={"AIP_HEALTH_ROUTE": health, "AIP_PREDICT_ROUTE": predict})
    if health.startswith("/health/"):
        assert server.get(health)[0] == 200 and server.get("/health/live")[0] == 404
    assert {name for name in ("AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE") if name in server.log()} == told


def test_vertex_ais_two_routes_may_be_one(serve, files):
    server = serve(files / "twice.onnx", env={"AIP_HEALTH_ROUTE": "/model", "AIP_PREDICT_ROUTE": "/model"})
    assert server.get("/model")[0] == 200
    assert server.post_json("/model", {})[0] == 400


def test_a_port_that_was_given_counts_more(serve, files):
    [port, other] = free_ports(2)
    server = serve(files / "twice.onnx", port=other, env=vertex_environment(port))
    assert server.port == other and "on every address of this machine" not in server.stdout()


@pytest.fixture
def as_triton(serve, tmp_path):
    repositories.add_identity(tmp_path / "models", "identity")

    def start(*arguments, env, **options):
        more = ["--model-repository=models", "--http-address=127.0.0.1", "--allow-metrics=false"]
        env = {"MODELMILL_BIND": "127.0.0.1", **env}
        return serve(*more, *arguments, personality="tritonserver", cwd=tmp_path, env=env, **options)

    return start


IDENTITY = {"inputs": [{"name": "INPUT0", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}


def test_tritons_sagemaker(as_triton):
    server = as_triton(
        "--allow-sagemaker=true", "--allow-http=false", "--allow-grpc=false", "--sagemaker-port=0",
        env={"SAGEMAKER_TRITON_DEFAULT_MODEL_NAME": "identity", "SAGEMAKER_TRITON_PING_MODE": "live"},
    )  # fmt: skip
    assert len(server.urls) == 1 and server.get("/ping")[0] == 200
    status, reply = invoke(server, IDENTITY)
    assert status == 200 and reply["outputs"][0]["data"] == [1, 2, 3, 4]
    assert "SAGEMAKER_TRITON_PING_MODE=live" in server.log() and "SAGEMAKER_TRITON_INFERENCE_TYPE" not in server.log()


def test_tritons_multi_model_endpoint(serve, tmp_path):
    """As SageMaker does it: nothing at the start, then archives that it has unpacked, one by one."""
    for name, factor in (("aaa", 2), ("bbb", 3)):
        folder = tmp_path / "repository" / name / "model"
        folder.mkdir(parents=True)
        models.save(models.scaled(factor), folder / "model.onnx")
    broken = tmp_path / "repository/ccc/model"
    broken.mkdir(parents=True)
    (broken / "model.onnx").write_bytes(b"no model")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    models.save(models.scaled(5), elsewhere / "model.onnx")
    (tmp_path / "dummy").mkdir()
    server = serve(
        "--model-repository=dummy", f"--model-repository={tmp_path / 'repository'}", "--model-control-mode=explicit",
        "--allow-sagemaker=true", "--allow-http=false", "--allow-grpc=false", "--allow-metrics=false", "--sagemaker-port=0",
        personality="tritonserver", cwd=tmp_path, check_ready=False,
        env={"MODELMILL_BIND": "127.0.0.1", "SAGEMAKER_MULTI_MODEL": "true", "SAGEMAKER_TRITON_PING_MODE": "live"},
    )  # fmt: skip

    def url(name):
        return str(tmp_path / "repository" / name / "model")

    def load(name, folder=None):
        return server.post_json("/models", {"model_name": name, "url": folder or url(name)})

    def ask(name):
        path = f"/models/{name}/invoke"
        return invoke(server, {"instances": ROWS}, {TARGET: "some/archive.tar.gz"}, path)

    servers.wait_until(lambda: server.get("/ping")[0] == 200, "it lives")
    assert server.get_json("/models") == {"models": []} and ask("aaa")[0] == 404
    assert load("aaa") == (200, {}) and load("bbb") == (200, {})
    assert ask("aaa") == (200, {"predictions": TWICE})
    assert ask("bbb")[1]["predictions"][0] == [3, 6, 9, 12]
    assert server.get_json("/models")["models"] == [{"modelName": name, "modelUrl": url(name)} for name in ("aaa", "bbb")]
    assert server.get_json("/models/bbb") == {"modelName": "bbb", "modelUrl": url("bbb")}
    status, reply = load("aaa")
    assert status == 409 and "loaded already" in reply["error"]
    status, reply = load("ccc")
    assert status == 400 and "ccc" in reply["error"]
    assert server.get("/models/ccc")[0] == 404 and server.get("/ping")[0] == 200
    status, reply = load("ddd", str(elsewhere))
    assert status == 400 and "is not below" in reply["error"]
    assert server.request("DELETE", "/models/aaa")[0] == 200 and server.request("DELETE", "/models/aaa")[0] == 404
    assert ask("aaa")[0] == 404 and ask("bbb")[0] == 200
    assert load("aaa") == (200, {}) and ask("aaa")[0] == 200
    assert "SAGEMAKER_TRITON_PING_MODE" not in server.log()
    # What TorchServe has at these paths is below its prefix.
    assert {one["modelName"] for one in server.get_json("/torchserve/models")["models"]} == {"aaa", "bbb"}
    assert server.request("POST", "/torchserve/models?url=aaa", b"")[0] == 403


def redirected(server, path, to, body=b"{}", **headers):
    return server.request("POST", path, body, {"X-Vertex-Ai-Triton-Redirect": to, **headers})


def test_tritons_vertex_ai(as_triton):
    [port] = free_ports(1)
    env = {"AIP_MODE": "PREDICTION", **vertex_environment(port, predict="/predict")}
    server = as_triton("--vertex-ai-default-model=identity", env=env)
    assert len(server.urls) == 1 and server.port == port
    assert server.get(env["AIP_HEALTH_ROUTE"])[0] == 200
    status, reply = invoke(server, IDENTITY, path="/predict")
    assert status == 200 and reply["outputs"][0]["data"] == [1, 2, 3, 4]
    body = json.dumps(IDENTITY).encode()
    assert json.loads(redirected(server, "/predict", "v2/models/identity/infer", body)[1])["outputs"] == reply["outputs"]
    assert redirected(server, "/predict", "v2/models/identity/ready")[0] == 200
    assert json.loads(redirected(server, "/predict", "v2/models/identity")[1])["name"] == "identity"
    assert b"nv_inference_request_success" in redirected(server, "/predict", "metrics")[1]
    assert redirected(server, "/predict", "admin/routes")[0] == 400
    assert redirected(server, "/predict", "v2/logging", b'{"log_info": false}')[0] == 400


def test_a_redirect_is_no_way_around_a_restriction(as_triton):
    [port] = free_ports(1)
    env = {"AIP_MODE": "PREDICTION", **vertex_environment(port, predict="/predict")}
    server = as_triton(
        "--http-restricted-api=model-config,inference:key=secret", "--vertex-ai-default-model=identity", env=env
    )
    body = json.dumps(IDENTITY).encode()
    config = "v2/models/identity/config"
    assert redirected(server, "/predict", config)[0] == 403
    assert redirected(server, "/predict", config, key="secret")[0] == 200
    assert redirected(server, "/predict", "v2/models/identity/ready")[0] == 200
    for path in ("/predict", "/invocations"):
        assert server.request("POST", path, body)[0] == 403, path
        assert server.request("POST", path, body, {"key": "secret"})[0] == 200, path
