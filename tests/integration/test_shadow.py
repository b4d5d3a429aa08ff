"""Shadows of routes: copies of answered requests, compared, bounded, and harmless to whoever asked."""

import json
import os
import signal
import threading

import pytest

import python_workers
import repositories
import servers
from changing_models import write_versions
from routes import call, metric, put, write_models
from servers import wait_until

GATE_PLUGINS = f"--backend-directory={servers.build_dir() / 'test_backends/server'}"
# Exits or answers as a file says, and says in another which process it is.
SHAKY = """
import os, pathlib

MODE = pathlib.Path({mode!r})

@modelmill.model
def shaky(x: int) -> int:
    MODE.with_name("pid").write_text(str(os.getpid()))
    mode = MODE.read_text()
    if mode == "exit":
        os._exit(3)
    return x + 1 if mode == "wrong" else x
"""
STEADY = """
@modelmill.model
def steady(x: int) -> int:
    return x
"""


def ask(server, name, values=(1, 2, 3, 4)):
    return server.post_json(f"/predict/{name}", {"x": list(values)})


def shadows(server, name):
    status, answer = call(server, "GET", f"/{name}/shadow")
    assert status == 200, answer
    return answer["shadow"]


def outcomes(server, name, copies):
    """How the route's one shadow does, once so many copies have had their outcome."""

    def look():
        [shadow] = shadows(server, name)
        return shadow["compared"] + shadow["shed"] + shadow["failed"] >= copies and shadow

    shadow = wait_until(look, f"{copies} copies had an outcome")
    assert shadow["compared"] + shadow["shed"] + shadow["failed"] == copies
    return shadow


@pytest.fixture
def server(tmp_path):
    with servers.serving(tmp_path, write_models(tmp_path / "models")) as running:
        yield running


def test_the_same_model_agrees(server):
    put(server, "reader", {"split": {"m@2": 100}, "shadow": [{"target": "m"}]})  # the newest is 2
    for value in range(20):
        assert ask(server, "reader", [value, 2, 3, 4]) == (200, {"y": [value * 2, 4, 6, 8]})
    shadow = outcomes(server, "reader", 20)
    assert (shadow["compared"], shadow["disagreed"], shadow["worst_distance"]) == (20, 0, 0)
    assert shadow["examples"] == [] and shadow["last_failure"] == ""
    assert shadow["latency_us"]["primary"]["p50"] > 0 and shadow["latency_us"]["shadow"]["p50"] > 0


def test_another_model_disagrees(server):
    put(server, "reader", {"split": {"m@1": 100}, "shadow": [{"target": "m@2", "share": "100%", "examples": 3}]})
    for value in (1, 7, 3, 5, 0):
        assert ask(server, "reader", [value, 0, 0, 0]) == (200, {"y": [value, 0, 0, 0]})
    shadow = outcomes(server, "reader", 5)
    assert (shadow["compared"], shadow["disagreed"]) == (5, 4)  # twice nothing is nothing
    # The difference is the value itself, of which 1e-5 + 1e-3 of it are allowed: the largest is the worst.
    assert [example["inputs"][0]["data"][0] for example in shadow["examples"]] == [7, 5, 3]
    worst = shadow["examples"][0]
    assert worst["distance"] == pytest.approx(7 / (1e-5 + 7e-3))
    assert worst["distance"] == worst["excess"] == shadow["worst_distance"]
    assert (worst["output"], worst["kind"], worst["limit"], worst["problem"]) == ("y", "tolerance", 1, "")
    assert (worst["arm"], worst["version"], worst["shadow_version"]) == ("m@1", 1, 2)
    assert worst["answer"] == [{"name": "y", "datatype": "FP32", "shape": [1, 4], "data": [7, 0, 0, 0]}]
    assert worst["shadow_answer"][0]["data"] == [14, 0, 0, 0]
    labels = {"route": "reader", "shadow": "m@2"}
    assert metric(server, "modelmill_shadow_compared_total", **labels) == 5
    assert metric(server, "modelmill_shadow_disagreed_total", **labels) == 4
    assert metric(server, "modelmill_shadow_shed_total", **labels) == 0
    assert metric(server, "modelmill_shadow_failed_total", **labels) == 0
    assert metric(server, "modelmill_shadow_worst_distance", **labels) == shadow["worst_distance"]
    assert metric(server, "modelmill_shadow_latency_us_count", **labels, of="primary") == 5
    # The route's state has the numbers and not what users sent.
    state = call(server, "GET", "/reader")[1]
    assert state["shadow"][0]["disagreed"] == 4 and "examples" not in state["shadow"][0]
    # By rules under which they agree; the counts go on, the worst begins anew.
    put(server, "reader", {"split": {"m@1": 100}, "shadow": [{"target": "m@2", "compare": {"y": {"kind": "top_k"}}}]})
    ask(server, "reader", [1, 0, 0, 0])
    shadow = outcomes(server, "reader", 6)
    assert (shadow["disagreed"], shadow["worst_distance"], shadow["examples"]) == (4, 0, [])


def test_every_protocol_and_a_share_of_nothing(server):
    put(server, "reader", {"split": {"m@1": 100}, "shadow": [{"target": "m@2", "share": 0}, {"target": "other"}]})
    assert server.post_json("/v1/models/reader:predict", {"instances": [[1, 2, 3, 4]]})[0] == 200
    assert server.post_json("/predictions/reader", [1, 2, 3, 4])[0] == 200
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}], "id": "mine"}
    assert server.post_json("/v2/models/reader/infer", body)[0] == 200
    wait_until(lambda: shadows(server, "reader")[1]["compared"] == 3, "all are compared")
    none, all_of_them = shadows(server, "reader")
    assert none["compared"] + none["shed"] + none["failed"] == 0
    assert all_of_them["disagreed"] == 3 and "mine" in {example["id"] for example in all_of_them["examples"]}


def test_the_document(server):
    route = {"split": {"m@1": 100}, "shadow": [{"target": "m@2", "share": "10%"}]}
    answer = put(server, "reader", route)
    assert answer["route"]["shadow"] == route["shadow"] and answer["shadow"][0]["target"] == "m@2"
    for shadow, says in (
        ([{"target": "nobody"}], "no model named 'nobody'"),
        ([{"target": "m@9"}], "has no version 9"),
        ([{"target": "m@2", "share": "many"}], "'share' must be"),
        ([{"target": "m@2", "compare": {"y": {"kind": "cosine"}}}], "equal, tolerance, top_k, kl or function"),
    ):
        status, answer = call(server, "PUT", "/reader", {"split": {"m@1": 100}, "shadow": shadow})
        assert status == 400 and says in answer["error"], answer
    put(server, "reader", {"split": {"m@1": 100}})
    assert "shadow" not in call(server, "GET", "/reader")[1]
    assert call(server, "POST", "/reader/undo")[1]["route"]["shadow"] == route["shadow"]
    assert call(server, "GET", "/nobody/shadow")[0] == 404
    assert server.request("PUT", "/admin/routes/reader/shadow", b"{}")[0] == 405


def test_the_command_line(server, tmp_path):
    def run(*arguments):
        outcome = servers.run_cli("route", *arguments, "--server", server.url)
        assert outcome.returncode == 0, outcome
        return outcome.stdout

    run("set", "reader", json.dumps({"split": {"m@1": 100}, "shadow": [{"target": "m@2"}]}))
    ask(server, "reader", [7, 0, 0, 0])
    outcomes(server, "reader", 1)
    assert "shadow     m@2 100%: 1 compared, 1 disagree (100%), 0 shed, 0 failed" in run("show", "reader")
    text = run("shadow", "reader")
    for line in ("answers    1 compared, 1 disagree", "worst      998.6 of what is allowed", "tolerance of 'y'",
                 "in       x FP32 [1,4] 7", "shadow   y FP32 [1,4] 14"):  # fmt: skip
        assert line in text, text
    assert json.loads(run("shadow", "reader", "--json"))["shadow"][0]["compared"] == 1
    run("set", "plain", json.dumps({"split": {"m@1": 100}}))
    assert "it has no shadow" in run("shadow", "plain")


def test_a_file_declares_it(tmp_path):
    write_versions(tmp_path / "models", "m", 1, 2)
    config = tmp_path / "modelmill.yaml"
    text = """
schema_version: 1
models:
  - {name: m, path: models/m, versions: all}
routes:
  - name: reader
    split: {m@1: 100}
    shadow:
      - target: m@2
        share: 50%
        compare: {y: {kind: tolerance, absolute: 1e-1}}
"""
    config.write_text(text)
    assert servers.run_cli("lint", config).returncode == 0
    with servers.serving(tmp_path, config) as server:
        [shadow] = call(server, "GET", "/reader")[1]["route"]["shadow"]
        assert shadow == {
            "target": "m@2", "share": "50%", "compare": {"y": {"kind": "tolerance", "absolute": 0.1, "relative": 0}},
        }  # fmt: skip
    config.write_text(text.replace("target: m@2", "target: n@2"))
    refused = servers.run_cli("lint", config)
    assert refused.returncode != 0 and "no model named 'n'" in refused.stdout + refused.stderr
    config.write_text(text.replace("kind: tolerance", "kind: near"))
    assert servers.run_cli("lint", config).returncode != 0


@pytest.fixture
def gated(tmp_path, gate, serve):
    """gated(*options): a server with `fast`, and `slow`, which does the same once `gate` is open."""

    def start(*options):
        folder = tmp_path / "models"
        repositories.add_identity(folder, "fast")
        repositories.add_gated_identity(folder, "slow", gate, "instance_group { count: 1 kind: KIND_CPU }")
        server = serve(folder, GATE_PLUGINS, *options)
        put(server, "reader", {"split": {"fast": 100}, "shadow": [{"target": "slow", "timeout": "100s"}]})
        return server

    return start


def infer(server, name, value):
    body = {"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32", "data": [value, 1]}]}
    status, answer = server.post_json(f"/v2/models/{name}/infer", body)
    assert status == 200, answer
    return answer["outputs"][0]["data"]


def test_the_answer_does_not_wait(gated, gate):
    """The shadow can't answer before the client has read its answer."""
    server = gated()
    gate.close()
    assert infer(server, "reader", 5) == [5, 1]
    assert shadows(server, "reader")[0]["compared"] == 0
    gate.open()
    assert outcomes(server, "reader", 1)["compared"] == 1
    server.assert_alive()
    server.stop()


def test_a_saturated_shadow(gated, gate):
    server = gated("--shadow-requests", 8)
    gate.close()
    wrong = []

    def client(number):
        for turn in range(25):
            value = number * 100 + turn
            if infer(server, "reader", value) != [value, 1]:
                wrong.append(value)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(60)
    assert not any(thread.is_alive() for thread in clients) and not wrong
    [shadow] = shadows(server, "reader")
    wait_until(lambda: shadows(server, "reader")[0]["shed"] == 92, "all but 8 are shed")
    assert shadow["compared"] == 0
    gate.open()
    shadow = outcomes(server, "reader", 100)
    assert (shadow["compared"], shadow["disagreed"], shadow["shed"], shadow["failed"]) == (8, 0, 92, 0)
    server.assert_alive()
    server.stop()


def test_bytes_are_bounded(gated, gate):
    server = gated("--shadow-bytes", 2_100_000)
    gate.close()
    big = {"inputs": [{"name": "INPUT0", "shape": [1, 100_000], "datatype": "FP32", "data": [1.0] * 100_000}]}
    for _ in range(6):  # of 400 KB, with as much for the answer
        assert server.post_json("/v2/models/reader/infer", big)[0] == 200
    wait_until(lambda: shadows(server, "reader")[0]["shed"] >= 4, "what has no room is shed")
    gate.open()
    shadow = outcomes(server, "reader", 6)
    assert shadow["compared"] >= 1 and shadow["failed"] == 0
    assert infer(server, "reader", 1) == [1, 1]
    assert outcomes(server, "reader", 7)["compared"] == shadow["compared"] + 1
    server.stop()


def test_others_come_first_at_the_shadows_model(gated, gate):
    """Copies that wait make way for requests of clients, and are never run before them."""
    server = gated("--max-queue-size", 4)
    gate.close()
    for value in range(4):  # one is run, two wait (half of the queue is theirs), one is shed
        assert infer(server, "reader", value) == [value, 1]
    wait_until(lambda: shadows(server, "reader")[0]["shed"] >= 1, "one is shed")
    answers = []
    clients = [threading.Thread(target=lambda v=v: answers.append(infer(server, "slow", v))) for v in range(10, 14)]
    for thread in clients:
        thread.start()
    wait_until(lambda: shadows(server, "reader")[0]["shed"] == 3, "four clients have the whole queue")
    gate.open()
    for thread in clients:
        thread.join(30)
    assert sorted(answers) == [[value, 1] for value in range(10, 14)]
    assert outcomes(server, "reader", 4)["compared"] == 1
    server.stop()


@pytest.fixture
def python(tmp_path, serve):
    """(server, mode): `steady`, shadowed by `shaky`, which does what the file says."""
    mode = tmp_path / "mode"
    mode.write_text("right")
    shaky = python_workers.write(tmp_path, "shaky", SHAKY.format(mode=str(mode)))
    steady = python_workers.write(tmp_path, "steady", STEADY)
    server = serve(shaky, steady)
    put(server, "reader", {"split": {"steady": 100}, "shadow": [{"target": "shaky", "timeout": "4s"}]})
    return server, mode


def answer_of(server, value):
    assert server.post_json("/predict/reader", {"x": value}) == (200, {"output": value})


def test_a_shadow_that_crashes(python):
    server, mode = python
    answer_of(server, 1)
    assert outcomes(server, "reader", 1)["compared"] == 1
    mode.write_text("exit")
    for value in range(5):
        answer_of(server, value)
        shadow = outcomes(server, "reader", value + 2)
    assert (shadow["compared"], shadow["failed"], shadow["disagreed"]) == (1, 5, 0)
    assert "shaky" in shadow["last_failure"]
    mode.write_text("wrong")

    def disagrees():
        answer_of(server, 7)
        return shadows(server, "reader")[0]["disagreed"] > 0

    wait_until(disagrees, "its worker is back")
    [shadow] = shadows(server, "reader")
    assert shadow["examples"][0]["kind"] == "equal"  # of whole numbers
    server.assert_alive()
    server.stop()


def test_a_shadow_that_hangs(python):
    server, mode = python
    answer_of(server, 1)
    assert outcomes(server, "reader", 1)["compared"] == 1
    hung = int(mode.with_name("pid").read_text())
    os.kill(hung, signal.SIGSTOP)
    try:
        for value in range(20):
            answer_of(server, value)
        shadow = outcomes(server, "reader", 21)
        assert shadow["compared"] == 1 and shadow["failed"] + shadow["shed"] == 20 and shadow["failed"] >= 1
        assert "no answer within 4.0 s" in shadow["last_failure"]
        answer_of(server, 1)
    finally:
        os.kill(hung, signal.SIGCONT)
    server.assert_alive()
    server.stop()
