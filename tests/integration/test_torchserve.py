"""TorchServe's protocol: its paths, its words, and its clients' ways to send things."""

import io
import json

import grpc
import numpy as np
import pytest

import archives
import models
import servers
import torchserve_protos
from servers import wait_until
from torchserve_protos import INFERENCE, MANAGEMENT, Stub


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    return torchserve_protos.messages(tmp_path_factory.mktemp("protos"))


@pytest.fixture
def store(tmp_path):
    """Three archives and a server that has loaded none of them."""
    folder = tmp_path / "store"
    archives.write(folder / "net_v1.mar", archives.mar_files("net", "1.0", 2))
    archives.write(folder / "net_v2.mar", archives.mar_files("net", "2.0", 3))
    archives.write(folder / "other.mar", archives.mar_files("other", "1.0", 5))
    with servers.serving(tmp_path, folder, "--model-control-mode=explicit") as server:
        yield server


def ask(server, method, path, body=None, **headers):
    """(status, what the JSON says)."""
    status, text, _ = server.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    return status, json.loads(text)


def factor(server, path):
    status, answer = ask(server, "POST", f"/predictions/{path}", b"[1, 1, 1, 1]", content_type="application/json")
    return answer[0] if status == 200 else answer["type"]


def multipart(**files):
    lines = []
    for name, content in files.items():
        lines += [b"--b", f'Content-Disposition: form-data; name="{name}"; filename="{name}"'.encode(), b"", content]
    return b"\r\n".join([*lines, b"--b--", b""])


def test_each_way_to_send_a_tensor(main_server):
    row = np.arange(64, dtype=np.float32)
    saved = io.BytesIO()
    np.save(saved, row)
    text = json.dumps(row.tolist()).encode()
    (expected,) = main_server.post_json("/predict/mlp", [row.tolist()])[1].values()
    expected = expected[0]
    for body, kind in [
        (text, "application/json"),
        (text, "application/x-www-form-urlencoded"),  # as curl calls everything
        (b"x=" + text, "application/x-www-form-urlencoded"),
        (saved.getvalue(), "application/x-npy"),
        (multipart(data=text), "multipart/form-data; boundary=b"),
        (multipart(anything=saved.getvalue()), "multipart/form-data; boundary=b"),
    ]:
        for method in ("POST", "PUT"):
            status, answer = ask(main_server, method, "/predictions/mlp", body, content_type=kind)
            assert status == 200, (kind, answer)
            np.testing.assert_allclose(answer, expected, rtol=1e-5, err_msg=kind)
    status, answer = ask(main_server, "POST", "/predictions/mlp/1.0", b'{"instances": [%s]}' % text)
    np.testing.assert_allclose(answer["predictions"], [expected], rtol=1e-5)


def test_what_it_says_of_itself(main_server):
    assert ask(main_server, "GET", "/ping") == (200, {"status": "Healthy"})
    assert ask(main_server, "OPTIONS", "/")[1]["openapi"] == "3.0.1"
    assert "/predictions/mlp" in ask(main_server, "OPTIONS", "/predictions/mlp")[1]["paths"]
    assert ask(main_server, "GET", "/models/mlp")[1][0]["modelUrl"] == "mlp.onnx"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", "/predictions/none", b"[1]", 404, "ModelNotFoundException"),
        ("POST", "/predictions/mlp/9", b"[1]", 404, "ModelVersionNotFoundException"),
        ("POST", "/predictions/mlp", b"[1]", 400, "BadRequestException"),
        ("POST", "/predictions/mlp", b"\x00\xff", 400, "BadRequestException"),
        ("POST", "/predictions/mlp", b"", 400, "BadRequestException"),
        ("POST", "/predictions", b"[1]", 404, "ResourceNotFoundException"),
        ("POST", "/predictions/%zz", b"[1]", 404, "ResourceNotFoundException"),
        ("DELETE", "/predictions/mlp", None, 405, "MethodNotAllowedException"),
        ("POST", "/models", None, 400, "BadRequestException"),
        ("POST", "/models?url=../mlp.onnx", None, 404, "ModelNotFoundException"),
        ("POST", "/models?url=http://127.0.0.1:1/m.mar", None, 404, "ModelNotFoundException"),
        ("PUT", "/models/mlp?min_worker=2&max_worker=1&synchronous=true", None, 400, "BadRequestException"),
        ("POST", "/none/predict", b"[1]", 404, "ModelNotFoundException"),
        ("POST", "/mlp/9/predict", b"[1]", 404, "ModelVersionNotFoundException"),
        ("DELETE", "/models/none", None, 404, "ModelNotFoundException"),
        ("PUT", "/models/mlp/7/set-default", None, 404, "ModelVersionNotFoundException"),
    ],
)  # fmt: skip
def test_errors_are_its_own(main_server, method, path, body, status, kind):
    answer = ask(main_server, method, path, body)
    assert answer[0] == status and answer[1]["code"] == status and answer[1]["type"] == kind, answer


def test_models_are_managed(store):
    assert ask(store, "GET", "/models") == (200, {"models": []})
    status, said = ask(store, "POST", "/models?url=net_v1.mar&initial_workers=1&synchronous=true")
    assert (status, said["status"]) == (200, 'Model "net" Version: 1.0 registered with 1 initial workers')
    assert factor(store, "net") == 2 and factor(store, "net/2.0") == "ModelVersionNotFoundException"
    assert ask(store, "POST", "/models?url=net_v1.mar")[1]["type"] == "ConflictStatusException"
    assert ask(store, "POST", "/models?url=net_v2.mar&initial_workers=1&batch_size=4&max_batch_delay=2")[0] == 200
    assert factor(store, "net/2.0") == 3 and factor(store, "net/1.0") == 2
    described = ask(store, "GET", "/models/net/all")[1]
    files = [(one["modelVersion"], one["modelUrl"]) for one in described]
    assert files == [("1.0", "net_v1.mar"), ("2.0", "net_v2.mar")]
    assert described[1]["batchSize"] == 4 and len(described[1]["workers"]) == 1

    assert ask(store, "PUT", "/models/net/1.0/set-default")[0] == 200
    assert factor(store, "net") == 2
    assert ask(store, "DELETE", "/models/net/1.0")[1]["type"] == "InvalidModelVersionException"
    assert ask(store, "DELETE", "/models/net/2.0")[0] == 200
    wait_until(lambda: factor(store, "net/2.0") == "ModelVersionNotFoundException", "version 2.0 is gone")
    assert factor(store, "net") == 2

    status, said = ask(store, "POST", "/models?url=other.mar&model_name=mine")
    assert status == 200 and '"mine" Version: 1.0 registered with 0 initial workers' in said["status"]
    assert factor(store, "mine") == 5 and factor(store, "other") == "ModelNotFoundException"
    assert [one["modelName"] for one in ask(store, "GET", "/models")[1]["models"]] == ["mine", "net"]
    assert ask(store, "GET", "/models?limit=1")[1]["nextPageToken"] == "1"
    assert ask(store, "DELETE", "/models/net")[0] == 200
    wait_until(lambda: factor(store, "net") == "ModelNotFoundException", "net is gone")
    assert [one["modelName"] for one in ask(store, "GET", "/models")[1]["models"]] == ["mine"]
    assert ask(store, "POST", "/models?url=net_v2.mar")[0] == 200
    assert factor(store, "net") == 3


def test_workers_are_scaled(store):
    assert ask(store, "POST", "/models?url=other.mar&initial_workers=2")[0] == 200
    workers = lambda: [len(one["workers"]) for one in ask(store, "GET", "/models/other")[1]]  # noqa: E731
    assert workers() == [2]
    said = ask(store, "PUT", "/models/other?min_worker=3&max_worker=3&synchronous=true")[1]
    assert said["status"] == "Workers scaled to 3 for model: other"
    assert workers() == [3]
    assert ask(store, "PUT", "/models/other/1.0?min_worker=1&max_worker=1")[0] == 202
    wait_until(lambda: workers() == [1], "one worker is left")
    assert factor(store, "other") == 5


def test_a_model_without_workers_answers_again_when_it_has_some(store, messages):
    assert ask(store, "POST", "/models?url=other.mar&initial_workers=2")[0] == 200
    said = ask(store, "PUT", "/models/other?min_worker=0&max_worker=0&synchronous=true")
    assert said == (200, {"status": "Workers scaled to 0 for model: other"})
    for path in ("/predictions/other", "/predictions/other/1.0", "/other/predict"):
        status, error = ask(store, "POST", path, b"[1, 1, 1, 1]")
        assert (status, error["code"], error["type"]) == (503, 503, "ServiceUnavailableException")
        assert "has no worker to serve inference request. Please use scale workers API" in error["message"]
    with grpc.insecure_channel(store.address) as channel:
        infer = Stub(channel, f"{INFERENCE}.InferenceAPIsService", messages)
        with pytest.raises(grpc.RpcError) as refused:
            infer.call("Predictions", "PredictionsRequest", "PredictionResponse", model_name="other", input={"data": b"[1]"})
    assert refused.value.code() == grpc.StatusCode.INTERNAL and "has no worker" in refused.value.details()
    (described,) = ask(store, "GET", "/models/other")[1]
    assert (described["workers"], described["minWorkers"], described["maxWorkers"]) == ([], 0, 0)
    assert ask(store, "GET", "/ping") == (200, {"status": "Healthy"})
    assert store.request("GET", "/v2/health/ready")[0] == 200
    assert store.request("GET", "/v2/models/other/ready")[0] == 400
    inputs = [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 1, 1, 1]}]
    assert store.post_json("/v2/models/other/infer", {"inputs": inputs})[0] == 503

    assert ask(store, "PUT", "/models/other?min_worker=2&max_worker=2&synchronous=true")[0] == 200
    assert len(ask(store, "GET", "/models/other")[1][0]["workers"]) == 2
    assert factor(store, "other") == 5 and store.request("GET", "/v2/models/other/ready")[0] == 200
    for path in ("/other/predict", "/other/1.0/predict"):
        assert ask(store, "POST", path, b"[1, 1, 1, 1]", content_type="application/json") == (200, [5, 5, 5, 5])


def test_a_refused_url_says_how_to_allow_it(store):
    status, error = ask(store, "POST", "/models?url=https://example.org/m.mar")
    assert (status, error["type"]) == (404, "ModelNotFoundException") and "example.org" in error["message"]


def test_who_may_not_load_may_not_register(tmp_path):
    path = models.save(models.scaled(2), tmp_path / "m.onnx")
    with servers.serving(tmp_path, path, "--model-control-mode=none") as server:
        for request in [("POST", "/models?url=m.onnx"), ("DELETE", "/models/m"), ("PUT", "/models/m?synchronous=true")]:
            assert ask(server, *request)[0] == 503
        assert factor(server, "m") == 2


def test_grpc(store, messages):
    with grpc.insecure_channel(store.address) as channel:
        manage = Stub(channel, f"{MANAGEMENT}.ManagementAPIsService", messages)
        infer = Stub(channel, f"{INFERENCE}.InferenceAPIsService", messages)
        done = manage.call(
            "RegisterModel", "RegisterModelRequest", "ManagementResponse",
            url="net_v1.mar", initial_workers=1, synchronous=True,
        )  # fmt: skip
        assert done.msg == 'Model "net" Version: 1.0 registered with 1 initial workers'
        listed = json.loads(manage.call("ListModels", "ListModelsRequest", "ManagementResponse").msg)
        assert listed["models"] == [{"modelName": "net", "modelUrl": "net_v1.mar"}]
        request = {"model_name": "net", "input": {"data": b"[1, 2, 3, 4]"}}
        one = infer.call("Predictions", "PredictionsRequest", "PredictionResponse", **request)
        assert json.loads(one.prediction) == [2, 4, 6, 8]
        many = infer.call("StreamPredictions", "PredictionsRequest", "PredictionResponse", streams=True, **request)
        assert [json.loads(answer.prediction) for answer in many] == [[2, 4, 6, 8]]
        health = infer.call("Ping", "google.protobuf.Empty", "TorchServeHealthResponse").health
        assert json.loads(health) == {"status": "Healthy"}
        with pytest.raises(grpc.RpcError) as error:
            infer.call("Predictions", "PredictionsRequest", "PredictionResponse", model_name="none")
        assert error.value.code() == grpc.StatusCode.INTERNAL and "ModelNotFoundException" in error.value.details()
        asked = [
            {"model_name": name, "sequence_id": id, "input": {"data": b"[1, 1, 1, %d]" % last}}
            for name, id, last in [("net", "a", 1), ("none", "b", 1), ("net", "a", 2)]
        ]
        told = infer.stream("StreamPredictions2", "PredictionsRequest", "PredictionResponse", asked)
        answers = [json.loads(one.prediction) for one in told if one.sequence_id == "a"]
        assert answers == [[2, 2, 2, 2], [2, 2, 2, 4]]
        (refused,) = [one.status for one in told if one.sequence_id == "b"]
        assert (refused.code, refused.message) == (grpc.StatusCode.INTERNAL.value[0], "Model not found: none")
        assert refused.details[0].type_url == "type.googleapis.com/google.rpc.ErrorInfo"
        manage.call("UnregisterModel", "UnregisterModelRequest", "ManagementResponse", model_name="net")


def test_metrics(main_server):
    factor(main_server, "none")
    ask(main_server, "POST", "/predictions/mlp", json.dumps([0.0] * 64).encode())
    told = (
        'ts_inference_requests_total{model_name="mlp",model_version="default"', 'Requests4XX{Level="Host"',
        "ts_queue_latency_microseconds{", 'WorkerLoadTime{WorkerName="W-0-mlp_1",Level="Host"', "WorkerThreadTime{",
    )  # fmt: skip
    page = lambda: main_server.get("/torchserve/metrics")[1].decode()  # noqa: E731
    wait_until(lambda: all(what in page() for what in told), "the page has all that was counted")
    for path in ("/torchserve/metrics?name[]=QueueTime", "/torchserve/metrics?name%5B%5D=QueueTime"):
        lines = main_server.get(path)[1].decode().splitlines()
        assert [line.partition("{")[0] for line in lines if line[0] != "#"] == ["QueueTime"]
    (loaded,) = [
        line for line in main_server.get("/metrics?name[]=nv_model_load_duration_secs")[1].decode().splitlines()
        if 'model="mlp"' in line
    ]  # fmt: skip
    assert float(loaded.rpartition(" ")[2]) > 0
