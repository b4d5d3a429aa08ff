"""Routes: names over versions and models, asked by every dialect."""

import json
import threading

import grpc
import numpy as np
import pytest

import clients
import servers
import sticky_users
from routes import factor, metric, predict, put, write_models

HALF = {"split": {"m@1": 50, "m@2": 50}}


@pytest.fixture
def repository(tmp_path):
    return write_models(tmp_path / "models")


@pytest.fixture
def server(tmp_path, repository):
    with servers.serving(tmp_path, repository) as running:
        yield running


def test_nobody_leaves_an_arm_that_grows(server):
    """The soak test has ten times as many."""
    sticky_users.check_nobody_leaves(server, 10_000)


def test_every_dialect_goes_along_a_route(server):
    put(server, "reader", {"split": {"m@1": 0, "m@2": 100}})
    value, headers = predict(server, "reader")
    assert value == 2
    assert (headers["x-route-arm"], headers["x-served-model"], headers["x-served-version"]) == ("m@2", "m", "2")
    for kind in clients.KINDS:
        client = clients.Client(kind, server.address)
        answer = client.infer("reader", clients.ROW)
        assert answer.as_numpy("y").tolist() == [[2, 4, 6, 8]]
        reply = answer.get_response(as_json=True) if client.is_grpc else answer.get_response()
        assert (reply["model_name"], reply["model_version"]) == ("reader", "2")
        told = {key: next(iter(v.values())) if client.is_grpc else v for key, v in reply["parameters"].items()}
        assert {**told, "served_version": int(told["served_version"])} == {
            "route_arm": "m@2", "served_model": "m", "served_version": 2,
        }  # fmt: skip
        client.close()
    status, answer, headers = server.request("POST", "/v1/models/reader:predict", b'{"instances": [[1, 2, 3, 4]]}')
    assert (status, json.loads(answer)) == (200, {"predictions": [[2, 4, 6, 8]]})
    assert headers["x-route-arm"] == "m@2"
    status, answer, headers = server.request(
        "POST", "/predictions/reader", b"[1, 2, 3, 4]", {"Content-Type": "application/json"}
    )
    assert (status, json.loads(answer)) == (200, [2, 4, 6, 8]) and headers["x-served-version"] == "2"
    with grpc.insecure_channel(server.address) as channel:
        predictions = channel.unary_unary("/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions")
        data = b"[1, 2, 3, 4]"
        field = b"\x0a\x04data\x12" + bytes([len(data)]) + data
        message = b"\x0a\x06reader\x1a" + bytes([len(field)]) + field
        answer, call = predictions.with_call(message)
        assert b"8" in answer and dict(call.initial_metadata())["x-route-arm"] == "m@2"
    assert metric(server, "modelmill_route_requests_total", route="reader", arm="m@2") == 8
    assert metric(server, "modelmill_route_failures_total", route="reader", arm="m@2") == 0
    # A plain name tells nothing of routes.
    assert "x-route-arm" not in predict(server, "m")[1]


def test_a_route_over_the_name_of_its_model(server):
    put(server, "m", {"split": {"m@1": 100}})
    assert factor(server, "m") == 1
    assert factor(server, "m/versions/2") == 2
    assert server.get_json("/v2/models/m")["name"] == "m"


def test_clients_can_ask_what_a_route_takes(server):
    put(server, "reader", HALF)
    for kind in clients.KINDS:
        client = clients.Client(kind, server.address)
        assert client.is_model_ready("reader")
        about = client.get_model_metadata("reader", **({"as_json": True} if client.is_grpc else {}))
        assert about["name"] == "reader" and about["inputs"][0]["name"] == "x"
        client.get_model_config("reader")
        client.close()
    assert b"model m, version" in server.get("/predict/reader")[1]
    assert server.get_json("/explain/m")["routes"] == [{"name": "reader", "arms": ["m@1", "m@2"]}]
    assert server.get_json("/explain/reader")["model"] == "m" and server.get_json("/explain/other")["routes"] == []
    assert "reader (m@1, m@2)" in servers.run_cli("explain", "m", "--server", server.url).stdout


def test_rules_weights_and_sticky_keys(server):
    put(server, "reader", {
        "split": {"m@1": 50, "m@2": 50}, "sticky": "header:X-User-Id",
        "rules": [{"when": "header:x-tier", "is": "gold", "to": "other"},
                  {"when": "cookie:beta", "to": "m@2"},
                  {"when": "parameter:tenant", "is": "a b", "to": "other"}],
    })  # fmt: skip
    assert factor(server, "reader", headers={"X-Tier": "gold"}) == 10
    assert factor(server, "reader", headers={"X-Tier": "silver", "Cookie": "a=1; beta=1"}) == 2
    assert server.request("POST", "/v1/models/reader:predict?tenant=a%20b", b'{"instances": [[1, 2, 3, 4]]}')[1] != b""
    seen = {user: factor(server, "reader", headers={"X-User-Id": str(user)}) for user in range(40)}
    assert set(seen.values()) == {1, 2}
    assert all(factor(server, "reader", headers={"X-User-Id": str(user)}) == value for user, value in seen.items())
    put(server, "reader", {"split": {"m@1": 20, "m@2": 80}, "sticky": "header:x-user-id"})
    after = {user: factor(server, "reader", headers={"X-User-Id": str(user)}) for user in range(40)}
    assert all(after[user] == 2 for user, value in seen.items() if value == 2)
    assert {factor(server, "reader") for _ in range(60)} == {1, 2}  # without a key: by chance


def test_rules_see_parameters_of_v2_requests(server):
    put(server, "reader", {"split": {"m@1": 100}, "rules": [{"when": "parameter:tenant", "is": "7", "to": "other"}]})
    for kind in clients.KINDS:
        client = clients.Client(kind, server.address)
        for tenant, value in ((7, 10), ("7", 10), (8, 1)):
            answer = client.infer("reader", clients.ROW, parameters={"tenant": tenant})
            assert answer.as_numpy("y")[0, 0] == value, (kind, tenant)
        client.close()


def test_streams_go_along_a_route(server):
    put(server, "reader", {"split": {"m@2": 100}})
    client = clients.Client("grpc", server.address)
    answers, came = [], threading.Event()

    def take(result, error):
        answers.append(error or result)
        came.set()

    client.start_stream(take)
    tensor = client.module.InferInput("x", [1, 4], "FP32")
    tensor.set_data_from_numpy(np.ones((1, 4), np.float32))
    client.async_stream_infer("reader", [tensor])
    assert came.wait(60)
    client.stop_stream()
    client.close()
    assert answers[0].as_numpy("y").tolist() == [[2, 2, 2, 2]]
    assert answers[0].get_response().parameters["route_arm"].string_param == "m@2"
