"""Routes: names over versions and models, asked by every dialect, changed by API and command line, and kept."""

import concurrent.futures
import json
import struct
import threading

import clients
import grpc
import numpy as np
import pytest
import repositories
import servers
import sticky_users
from changing_models import control, write_version, write_versions

HALF = {"split": {"m@1": 50, "m@2": 50}}


@pytest.fixture
def repository(tmp_path):
    """The model m, of which version n multiplies by n, and the model `other`, which multiplies by 10."""
    folder = write_versions(tmp_path / "models", "m", 1, 2)
    write_version(folder, "other", 10)
    return folder


@pytest.fixture
def server(tmp_path, repository):
    with servers.serving(tmp_path, repository) as running:
        yield running


def call(server, method, path="", body=None):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    status, answer, _ = server.request(method, f"/admin/routes{path}", data)
    return status, json.loads(answer)


def put(server, name, route):
    status, answer = call(server, "PUT", f"/{name}", route)
    assert status == 200, answer
    return answer


def predict(server, name, headers=None, query=""):
    """(factor, headers) of an answer."""
    body = json.dumps({"x": [1, 2, 3, 4]}).encode()
    status, answer, got = server.request(
        "POST", f"/predict/{name}{query}", body, {"Content-Type": "application/json", **(headers or {})}
    )
    assert status == 200, answer
    return json.loads(answer)["y"][0], got


def factor(server, name, **options):
    return predict(server, name, **options)[0]


def metric(server, name, **labels):
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    for line in server.get("/metrics")[1].decode().splitlines():
        if line.startswith(f"{name}{{{text}}} "):
            return float(line.rpartition(" ")[2])
    return None


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


BAD = [
    ({"split": {"m@1": 60, "m@2": 30}}, "sum to 90"),
    ({"split": {"nobody": 100}}, "no model named 'nobody'"),
    ({"split": {"othr": 100}}, "did you mean 'other'?"),
    ({"split": {"m@9": 100}}, "model 'm' has no version 9; its versions: 1, 2"),
    ({"split": {"m@stable": 100}}, "no version labelled 'stable'"),
    ({"split": {"first": 100}}, "a route leads to models that are served, not to other routes"),
    ({"split": {"m": 100}, "rules": [{"when": "header:a", "to": "nobody"}]}, "no model named 'nobody'"),
    ({"split": {"m": 100}, "stiky": "header:a"}, "did you mean 'sticky'?"),
    (b"{", "must be a JSON object"),
    (b"", "must be a JSON object"),
    (b"\xff\x00", "must be a JSON object"),
]


def test_a_bad_route_changes_nothing(server):
    put(server, "first", {"split": {"m@1": 100}})
    for route, says in BAD:
        status, answer = call(server, "PUT", "/first", route)
        assert status == 400 and says in answer["error"], (route, answer)
    assert factor(server, "first") == 1
    assert len(call(server, "GET", "/first/history")[1]["history"]) == 1
    for method, path, status in (
        ("GET", "/nobody", 404), ("DELETE", "/nobody", 404), ("POST", "/nobody/undo", 404),
        ("GET", "/nobody/history", 404), ("GET", "/first/else", 404), ("POST", "/first", 405), ("PUT", "", 405),
        ("PUT", "/a%2Fb", 400), ("PUT", "/%00", 400), ("PUT", f"/{'x' * 300}", 400),
    ):  # fmt: skip
        assert call(server, method, path, HALF if method == "PUT" else None)[0] == status, (method, path)


def test_history_and_undo(server):
    put(server, "reader", {"split": {"m@1": 100}})
    put(server, "reader", {"split": {"m@1": 100}})  # the same again is no change
    put(server, "reader", HALF)
    assert call(server, "DELETE", "/reader")[0] == 200
    assert server.request("POST", "/predict/reader", b"{}")[0] == 404
    assert "undo brings it back" in call(server, "GET", "/reader")[1]["error"]
    changes = call(server, "GET", "/reader/history")[1]["history"]
    assert [(c["number"], c["what"], c["by"]) for c in changes] == [
        (3, "delete", "127.0.0.1"), (2, "set", "127.0.0.1"), (1, "set", "127.0.0.1"),
    ]  # fmt: skip
    assert call(server, "POST", "/reader/undo")[1]["route"]["split"] == HALF["split"]
    assert call(server, "POST", "/reader/undo")[1]["route"]["split"] == {"m@1": 100}
    assert call(server, "POST", "/reader/undo")[1]["route"] is None
    status, answer = call(server, "POST", "/reader/undo")
    assert status == 400 and "taken back already" in answer["error"]
    put(server, "reader", {"split": {"other": 100}})
    assert call(server, "POST", "/reader/undo")[1]["route"] is None
    assert call(server, "GET")[1] == {"routes": []}


def test_the_command_line(server, tmp_path):
    def run(*arguments, code=0):
        outcome = servers.run_cli("route", *arguments, "--server", server.url)
        assert outcome.returncode == code, outcome
        return outcome.stdout + outcome.stderr

    assert run("list") == "the server has no routes\n"
    assert "m@1 50%, m@2 50%" in run("set", "reader", json.dumps(HALF))
    file = tmp_path / "route.json"
    file.write_text(json.dumps({"split": {"other": 100}, "sticky": "cookie:u"}))
    assert "cookie:u" in run("set", "reader", file)
    assert "other 100%" in run("list") and "#2 set at 20" in run("show", "reader")
    assert json.loads(run("show", "reader", "--json"))["route"]["split"] == {"other": 100}
    assert "#1" in run("history", "reader")
    assert "m@1 50%" in run("undo", "reader")
    assert "not there any more" in run("delete", "reader")
    assert "no model named" in run("set", "reader", '{"split": {"x": 100}}', code=4)
    assert "can't read" in run("set", "reader", tmp_path / "none.json", code=4)
    assert "NAME is required" in run("undo", code=2)
    assert "none of list|show" in run("lst", code=2)


def test_routes_survive_restart_and_kill(tmp_path, repository):
    arguments = (repository, f"--state-dir={tmp_path / 'state'}")
    first = servers.Server(tmp_path / "first", *arguments)
    try:
        put(first, "reader", {"split": {"m@1": 100}})
        put(first, "reader", {"split": {"m@2": 100}})
        stop = threading.Event()
        acknowledged = [0]

        def change():
            try:
                for number in range(1, 1000):
                    put(first, "busy", {"split": {"m@1": number % 100, "m@2": 100 - number % 100}})
                    acknowledged[0] = number
            except (OSError, AssertionError, ValueError):
                stop.set()

        thread = threading.Thread(target=change)
        thread.start()
        servers.wait_until(lambda: acknowledged[0] > 5, "some changes")
    finally:
        first.kill()
        thread.join()
    with servers.serving(tmp_path / "second", *arguments) as second:
        assert factor(second, "reader") == 2
        last = call(second, "GET", "/busy/history")[1]["history"][0]
        # What was acknowledged is there; the one in flight may be.
        assert last["number"] in (acknowledged[0], acknowledged[0] + 1)
        assert last["route"]["split"]["m@1"] == last["number"] % 100
        assert call(second, "POST", "/reader/undo")[0] == 200
        assert factor(second, "reader") == 1
    with servers.serving(tmp_path / "third", *arguments) as third:
        assert factor(third, "reader") == 1


def test_another_process_that_shares_the_state_sees_changes(tmp_path, repository):
    arguments = (repository, f"--state-dir={tmp_path / 'state'}")
    with servers.serving(tmp_path / "first", *arguments) as first:
        put(first, "reader", {"split": {"m@1": 100}})
        with servers.serving(tmp_path / "second", *arguments) as second:
            assert factor(second, "reader") == 1
            put(first, "reader", {"split": {"m@2": 100}})
            servers.wait_until(lambda: factor(second, "reader") == 2, "the change of the other")
            put(second, "reader", {"split": {"m@1": 100}})
            servers.wait_until(lambda: factor(first, "reader") == 1, "the change of the other")


def test_changes_need_the_management_token(tmp_path, repository):
    with servers.serving(tmp_path, repository, "--host=0.0.0.0", f"--state-dir={tmp_path / 'state'}") as server:
        assert call(server, "GET")[0] == 200
        for method, path in (("PUT", "/reader"), ("DELETE", "/reader"), ("POST", "/reader/undo")):
            assert server.request(method, f"/admin/routes{path}", b"{}")[0] == 401


def test_routes_of_a_file(tmp_path, repository):
    file = tmp_path / "modelmill.yaml"

    def write(split, more=""):
        making = tmp_path / "new"
        making.write_text(f"""
schema_version: 1
models:
  - {{name: m, path: models/m, versions: all}}
  - {{name: other, path: models/other}}
routes:
  - name: reader
    split: {split}
    sticky: header:x-user-id
    rules: [{{when: header:x-tier, is: 1, to: other}}]
{more}""")
        making.rename(file)

    write("{m@1: 100, m@2: 0}")
    assert "2 models without a problem" in servers.run_cli("lint", file).stdout
    arguments = (file, f"--state-dir={tmp_path / 'state'}")
    with servers.serving(tmp_path / "first", *arguments) as server:
        assert factor(server, "reader") == 1 and factor(server, "reader", headers={"x-tier": "1"}) == 10
        write("{m@1: 0, m@2: 100}")
        servers.wait_until(lambda: factor(server, "reader") == 2, "the file's new wish")
        wish = call(server, "GET", "/reader")[1]["wish"]
        assert wish["state"] == "in force" and "modelmill.yaml" in wish["place"]
        write("{m@1: 0, m@2: 50}")
        servers.wait_until(lambda: "sum to 50" in server.log(), "the mistake is told")
        assert factor(server, "reader") == 2
        put(server, "reader", {"split": {"other": 100}})
        write("{m@1: 0, m@2: 100}")
        state = call(server, "GET", "/reader")[1]
        assert state["route"]["split"] == {"other": 100}
        assert state["wish"]["state"] == "changed since" and state["wish"]["route"]["split"] == {"m@1": 0, "m@2": 100}
        shown = servers.run_cli("route", "show", "reader", "--server", server.url)
        assert "changed since; it wants m@1 0%, m@2 100%" in shown.stdout, shown.stdout + shown.stderr
    with servers.serving(tmp_path / "second", *arguments) as server:
        assert factor(server, "reader") == 10  # the file has not changed since
        changes = call(server, "GET", "/reader/history")[1]["history"]
        assert [change["what"] for change in changes] == ["set", "declare", "declare"]
        assert "modelmill.yaml" in changes[1]["by"]
    write("{nobody: 100}")
    outcome = servers.run_cli("lint", file)
    assert outcome.returncode != 0 and "no model named 'nobody'" in outcome.stdout + outcome.stderr
    outcome = servers.run_cli("serve", file, "--port=0")
    assert outcome.returncode == 1 and "modelmill.yaml:7:5" in outcome.stderr and "nobody" in outcome.stderr


def ask_identity(server, name):
    """(status, answer, headers) of one V2 request over HTTP."""
    body = {"id": "7", "inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
    status, answer, headers = server.request("POST", f"/v2/models/{name}/infer", json.dumps(body).encode())
    return status, json.loads(answer), headers


ONE = "instance_group { count: 1 kind: KIND_CPU }"
ROOM_FOR_ONE = "dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
CONSTANT = {"outputs": [{"name": "OUTPUT0", "datatype": "FP32", "shape": [1, 2], "data": [0, 0.5]}]}


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory):
    """The models slow, which takes 300 ms for each request and has room for two of them, and quick."""
    folder = tmp_path_factory.mktemp("fallbacks")
    repositories.add_slow_identity(folder / "models", "slow", 300, ONE + ROOM_FOR_ONE)
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
