"""Fallbacks of routes: from what fails, is late, has no room or is gone, to other models and to constants."""

import concurrent.futures
import json
import struct

import grpc
import numpy as np
import pytest

import clients
import repositories
import servers
from changing_models import control
from routes import ask_identity, call, metric, put

ONE = "instance_group { count: 1 kind: KIND_CPU }"
ROOM_FOR_ONE = "dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
CONSTANT = {"outputs": [{"name": "OUTPUT0", "datatype": "FP32", "shape": [1, 2], "data": [0, 0.5]}]}


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory):
    """The models slow, which takes a second for each request and has room for two of them, and quick."""
    folder = tmp_path_factory.mktemp("fallbacks")
    repositories.add_slow_identity(folder / "models", "slow", 1_000, ONE + ROOM_FOR_ONE)
    repositories.add_identity(folder / "models", "quick")
    with servers.serving(folder, folder / "models") as running:
        yield running


def test_a_timeout_falls_back(slow_server):
    fallback = {"fallback": {"to": ["quick"], "timeout": "20ms"}, "breaker": {"failures": 5, "open": "600s"}}
    put(slow_server, "safe", {"split": {"slow": 100}, **fallback})
    status, answer, headers = ask_identity(slow_server, "safe")
    assert status == 200 and answer["outputs"][0]["data"] == [1, 2] and answer["id"] == "7"
    assert headers["x-route-fallback"] == "timeout" and headers["x-served-model"] == "quick"
    assert answer["parameters"]["route_fallback"] == "timeout" and answer["model_name"] == "safe"
    for kind in clients.KINDS:
        client = clients.Client(kind, slow_server.address)
        answer = client.infer("safe", {"INPUT0": np.array([[1, 2]], np.float32)})
        assert answer.as_numpy("OUTPUT0").tolist() == [[1, 2]]
        client.close()
    left = {"route": "safe", "arm": "slow", "reason": "timeout"}
    assert metric(slow_server, "modelmill_route_fallbacks_total", **left) == 5
    # Five failures one after the other have opened the breaker.
    assert metric(slow_server, "modelmill_route_breaker_state", route="safe", arm="slow") == 2
    assert ask_identity(slow_server, "safe")[2]["x-route-fallback"] == "open"


def test_overload_falls_back(serve_gated, gate, tmp_path):
    """Of eight at once one or two have room: the first may have begun before another comes, or not."""
    repositories.add_identity(tmp_path / "models", "quick")
    server = serve_gated("slow", ONE + ROOM_FOR_ONE)
    fallback = {"fallback": {"to": ["quick"], "on": ["overload"]}, "breaker": {"failures": 100}}
    put(server, "busy", {"split": {"slow": 100}, **fallback})
    gate.close()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask_identity, server, "busy") for _ in range(8)]
        servers.wait_until(lambda: sum(one.done() for one in asked) >= 6, "the others are answered meanwhile")
        gate.open()
    told = [one.result()[2].get("x-route-fallback") for one in asked]
    assert all(one.result()[0] == 200 for one in asked)
    assert set(told) == {None, "overload"} and told.count("overload") >= 6


def test_what_is_gone_falls_back_and_at_last_to_a_constant(slow_server):
    put(slow_server, "gone", {"split": {"quick": 100}, "fallback": {"answer": CONSTANT}})
    assert control(slow_server, "quick", "unload")[0] == 200
    try:
        status, answer, headers = ask_identity(slow_server, "gone")
        assert status == 200 and answer["outputs"][0]["data"] == [0, 0.5] and headers["x-route-arm"] == "answer"
        status, answer, _ = slow_server.request("POST", "/v1/models/gone:predict", b'{"instances": [[1, 2]]}')
        assert (status, json.loads(answer)) == (200, {"predictions": [[0, 0.5]]})
        status, answer, _ = slow_server.request("POST", "/predict/gone", b'{"INPUT0": [1, 2]}')
        assert (status, json.loads(answer)["OUTPUT0"]) == (200, [[0, 0.5]])
        status, answer, _ = slow_server.request("POST", "/v2/models/gone/generate", b'{"INPUT0": [1, 2]}')
        assert (status, json.loads(answer)["OUTPUT0"]) == (200, [0, 0.5])
        client = clients.Client("grpc", slow_server.address)
        answer = client.infer("gone", {"INPUT0": np.array([[1, 2]], np.float32)})
        assert answer.as_numpy("OUTPUT0").tolist() == [[0, 0.5]]
        client.close()
        value = {"outputs": [{"name": "OUTPUT0", "datatype": "FP32", "shape": [1, 1], "data": [0.5]}]}
        put(slow_server, "gone", {"split": {"quick": 100}, "fallback": {"answer": value}})
        with grpc.insecure_channel(slow_server.address) as channel:
            regress = channel.unary_unary("/tensorflow.serving.PredictionService/Regress")
            # A RegressionRequest of model_spec {name: "gone"} and an example without features.
            answer, call = regress.with_call(b"\x0a\x06\x0a\x04gone\x12\x04\x0a\x02\x0a\x00")
        assert struct.pack("<f", 0.5) in answer and dict(call.initial_metadata())["x-route-arm"] == "answer"
    finally:
        assert control(slow_server, "quick", "load")[0] == 200


def test_bad_fallbacks_are_refused(slow_server):
    for route, says in (
        ({"fallback": {}}, "it leads nowhere"),
        ({"fallback": {"to": ["slow"]}}, "it would fall back to itself"),
        ({"fallback": {"to": ["quick", "quick"]}}, "stands there twice"),
        ({"fallback": {"to": ["nobody"]}}, "no model named 'nobody'"),
        ({"fallback": {"to": ["quick"], "on": ["bad luck"]}}, "a list of error, timeout and overload"),
        ({"fallback": {"to": ["quick"], "timeout": 20}}, "'timeout' must be a text"),
        ({"fallback": {"to": ["quick"], "timeout": "1ms", "on": ["error"]}}, "'timeout' means nothing"),
        ({"fallback": {"answer": {"outputs": []}}}, "an answer must be an object with 'outputs'"),
        ({"fallback": {"answer": {"outputs": [{**CONSTANT["outputs"][0], "data": [1]}]}}}, "its shape needs 2"),
        ({"fallback": {"to": ["quick"]}, "breaker": {"failures": 0}}, "'failures' must be a whole number"),
        ({"breaker": {"failures": 1}}, "'breaker' means nothing without 'fallback'"),
    ):
        status, answer = call(slow_server, "PUT", "/bad", {"split": {"slow": 100}, **route})
        assert status == 400 and says in answer["error"], (route, answer)
