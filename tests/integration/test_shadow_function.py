"""Answers of shadows that a Python function compares: right, and harmless to whoever asked when it is not."""

import json
import re
import threading
import time

import grpc
import pytest

import python_workers
import servers
from changing_models import write_versions
from rollouts import Load
from routes import call, metric, put
from servers import wait_until
from test_admin_grpc import Admin, check_told_alike
from test_shadow import ask, outcomes, shadows

# What it does is in a file, so that it can change.
AGREE = """
import ctypes, os, pathlib, time

MODE = pathlib.Path({mode!r})

@modelmill.comparison(limit=2.5, timeout=4, memory_mb=300)
def agree(primary, shadow, inputs):
    mode = MODE.read_text()
    if mode == "raise":
        raise ValueError("the boxes are round")
    if mode == "refuse":
        raise modelmill.Error("these can't be compared")
    if mode == "nonsense":
        return "yes"
    if mode == "nan":
        return float("nan")
    if mode == "exit":
        os._exit(7)
    if mode == "leave":
        raise SystemExit(3)
    if mode == "hang":
        ctypes.PyDLL(None).sleep(1000)  # with Python's lock
    if mode == "hungry":
        kept = [np.ones(1 << 22) for _ in range(1000) if not time.sleep(0.01)]
    if mode == "slow":
        time.sleep(0.3)
    if mode == "bool":
        return bool((primary["y"] == shadow["y"]).all())
    far = np.abs(primary["y"] - shadow["y"]).max()
    return far, f"x is {{inputs['x'].ravel().tolist()}}"
"""
SAME_ORDER = """
@modelmill.comparison
def same_order(primary, shadow):
    return bool((primary["y"].argsort() == shadow["y"].argsort()).all())
"""
COMPARE = {"*": {"kind": "function", "model": "agree"}}


@pytest.fixture
def mode(tmp_path):
    mode = tmp_path / "mode"
    mode.write_text("right")
    return mode


@pytest.fixture
def server(tmp_path, mode):
    """The model m, of which version n multiplies by n; agree, which compares as the file says; and same_order."""
    folder = write_versions(tmp_path / "models", "m", 1, 2, 3)
    agree = python_workers.write(tmp_path, "agree", AGREE.format(mode=str(mode)))
    same_order = python_workers.write(tmp_path, "same_order", SAME_ORDER)
    with servers.serving(tmp_path, folder, agree, same_order, f"--state-dir={tmp_path / 'state'}") as running:
        yield running


def shadow_by(server, compare=None, **more):
    shadow = {"target": "m@2", "compare": COMPARE if compare is None else compare, **more}
    return put(server, "reader", {"split": {"m@1": 100}, "shadow": [shadow]})


def outcome(server, copies):
    """How the route's shadow does, once so many copies have had their outcome."""

    def look():
        [shadow] = shadows(server, "reader")
        return shadow["compared"] + shadow["shed"] + shadow["failed"] + shadow["not_compared"] >= copies and shadow

    return wait_until(look, f"{copies} copies had an outcome")


def test_it_says_how_far_answers_are(server):
    answer = shadow_by(server)
    assert answer["route"]["shadow"][0]["compare"] == COMPARE
    for value in (1, 7, 2, 5):
        assert ask(server, "reader", [value, 0, 0, 0]) == (200, {"y": [value, 0, 0, 0]})
    shadow = outcomes(server, "reader", 4)
    assert (shadow["compared"], shadow["disagreed"], shadow["not_compared"]) == (4, 2, 0)
    worst, second = shadow["examples"]
    assert (worst["distance"], worst["limit"], second["distance"]) == (7, 2.5, 5)
    assert worst["excess"] == shadow["worst_distance"] == pytest.approx(7 / 2.5)
    assert (worst["kind"], worst["output"], worst["problem"]) == ("function", "", "x is [7.0, 0.0, 0.0, 0.0]")
    assert worst["shadow_answer"][0]["data"] == [14, 0, 0, 0] and worst["shadow_version"] == 2
    assert shadow["last_comparison_failure"] == ""
    text = servers.run_cli("route", "shadow", "reader", "--server", server.url).stdout
    assert "function: 7, allowed 2.5 (x is [7.0, 0.0, 0.0, 0.0])" in text and "not compared" not in text


def test_it_says_whether_they_agree(server, mode):
    mode.write_text("bool")
    shadow_by(server)
    for value in (1, 0):
        assert ask(server, "reader", [value, 0, 0, 0])[0] == 200
    shadow = outcomes(server, "reader", 2)
    assert (shadow["compared"], shadow["disagreed"]) == (2, 1)
    assert (shadow["examples"][0]["distance"], shadow["examples"][0]["limit"]) == (1, 0)


def test_beside_other_kinds(server):
    """What disagrees without it is not asked of it."""
    shadow_by(server, {"y": {"kind": "equal"}, "z": {"kind": "function", "model": "agree@1"}})
    ask(server, "reader", [1, 0, 0, 0])
    shadow = outcomes(server, "reader", 1)
    assert shadow["disagreed"] == 1 and shadow["examples"][0]["kind"] == "equal"
    assert metric(server, "modelmill_shadow_not_compared_total", route="reader", shadow="m@2") == 0


FAULTS = {
    "raise": "ValueError: the boxes are round",
    "refuse": "these can't be compared",
    "nonsense": "'agree' returned str 'yes'; a comparison returns True where the answers agree",
    "nan": "'agree' returned float nan",
    "exit": "exited with status 7",
    "leave": "gave no answer to this request|exited with status 3",
    "hang": "no comparison by 'agree' within 2.0 s",
    "hungry": "more than the 300 that 'memory_mb' in its code allows",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_that_fails(server, mode, fault):
    shadow_by(server, timeout="60s")
    assert ask(server, "reader", [1, 0, 0, 0])[0] == 200
    assert outcome(server, 1)["compared"] == 1
    if fault == "hang":
        shadow_by(server, timeout="2s")  # the counts go on
    mode.write_text(fault)
    # Whoever asks gets the answer, whatever it does.
    for value in range(3):
        assert ask(server, "reader", [value, 2, 3, 4]) == (200, {"y": [value, 2, 3, 4]})
        shadow = outcome(server, value + 2)
    assert (shadow["compared"], shadow["failed"], shadow["disagreed"]) == (1, 0, 0), shadow
    assert shadow["not_compared"] >= 1 and shadow["last_failure"] == ""
    assert re.search(FAULTS[fault], shadow["last_comparison_failure"]) and "'agree'" in shadow["last_comparison_failure"], shadow
    text = servers.run_cli("route", "shadow", "reader", "--server", server.url).stdout
    assert f"{shadow['not_compared']} not compared" in text and "    comparison " in text
    mode.write_text("right")

    def compares_again():
        assert ask(server, "reader", [1, 0, 0, 0])[0] == 200
        return shadows(server, "reader")[0]["compared"] > 1

    wait_until(compares_again, "it compares again")
    if fault == "hang":  # what it was at is in the log
        wait_until(lambda: "in agree" in server.log(), "the place where it hung is in the log")
    server.assert_alive()


def test_a_slow_one_is_shed(server, mode):
    """What has no room is shed, and nobody who asks waits for it."""
    mode.write_text("slow")
    shadow_by(server, timeout="60s")
    wrong = []

    def client(number):
        for turn in range(100):
            value = number * 1000 + turn
            if ask(server, "reader", [value, 0, 0, 0]) != (200, {"y": [value, 0, 0, 0]}):
                wrong.append(value)

    begin = time.monotonic()
    clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(100)
    assert not any(thread.is_alive() for thread in clients) and not wrong
    [shadow] = shadows(server, "reader")
    # So many comparisons would take two minutes.
    assert shadow["compared"] <= (time.monotonic() - begin) / 0.3 + 1
    mode.write_text("right")
    shadow = outcomes(server, "reader", 400)
    assert shadow["compared"] >= 1 and shadow["shed"] >= 1 and shadow["failed"] == shadow["not_compared"] == 0
    server.assert_alive()


def test_what_compares_nothing_is_refused(server, tmp_path):
    for model, says in (
        ("m", "model 'm' compares no answers; a Python file whose function is marked with @modelmill.comparison"),
        ("agre", "there is no model named 'agre'"),
        ("agree@7", "model 'agree' has no version 7"),
        ("", "'model'"),
    ):
        shadow = {"target": "m@2", "compare": {"*": {"kind": "function", "model": model}}}
        status, answer = call(server, "PUT", "/reader", {"split": {"m@1": 100}, "shadow": [shadow]})
        assert status == 400 and says in answer["error"], answer
    # And what is no pair of answers is refused by it.
    body = {"inputs": [{"name": "comparison", "shape": [3], "datatype": "UINT8", "data": [1, 2, 3]}]}
    status, answer = server.post_json("/v2/models/agree/infer", body)
    assert status == 400 and "compares the answers of shadows" in answer["error"], answer


def test_over_grpc(server, tmp_path):
    with grpc.insecure_channel(server.address) as channel:
        admin = Admin(server, tmp_path, channel)
        shadow = {"target": "m@2", "compare": COMPARE}
        state = admin("SetRoute", route={"name": "reader", "split": {"m@1": 100}, "shadow": [shadow]})
        assert state.route.shadow[0].compare["*"].model == "agree"
        assert ask(server, "reader", [7, 0, 0, 0])[0] == 200
        outcomes(server, "reader", 1)
        _, message = check_told_alike(server, "routes/reader/shadow", lambda: admin("GetRouteShadows", name="reader"))
        [told] = message.shadow
        assert (told.compared, told.not_compared, told.examples[0].kind) == (1, 0, "function")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("@modelmill.comparison\ndef agree(a, b):\n    return True", "a comparison has (primary, shadow)"),
        ("@modelmill.comparison(limit=-1)\ndef agree(primary, shadow):\n    return True", "limit=-1.0"),
        ("@modelmill.comparison(timeout=0)\ndef agree(primary, shadow):\n    return True", "timeout=0.0"),
        ("@modelmill.comparison\nasync def agree(primary, shadow):\n    return True", "functions that are not async"),
        ("@modelmill.comparison\nclass agree:\n    pass", "functions that are not async"),
    ],
)
def test_what_is_marked_wrongly_is_not_served(tmp_path, code, says):
    result = servers.run_cli("serve", python_workers.write(tmp_path, "agree", code), "--port", 0)
    assert result.returncode == 1
    assert says in result.stderr and "model 'agree'" in result.stderr, result.stderr


def test_a_file_declares_it(tmp_path, mode):
    write_versions(tmp_path / "models", "m", 1, 2)
    python_workers.write(tmp_path, "agree", AGREE.format(mode=str(mode)))
    text = """
schema_version: 1
models:
  - {name: m, path: models/m, versions: all}
  - {name: agree, path: agree.py}
routes:
  - name: reader
    split: {m@1: 100}
    shadow:
      - target: m@2
        compare: {"*": {kind: function, model: agree}}
"""
    config = tmp_path / "modelmill.yaml"
    config.write_text(text)
    assert servers.run_cli("lint", config).returncode == 0
    with servers.serving(tmp_path, config) as server:
        assert ask(server, "reader", [9, 0, 0, 0])[0] == 200
        assert outcomes(server, "reader", 1)["disagreed"] == 1
    config.write_text(text.replace("model: agree}", "model: agre}"))
    refused = servers.run_cli("lint", config)
    assert refused.returncode != 0 and "no model named 'agre'" in refused.stdout + refused.stderr


def rollout(server, *arguments):
    return servers.run_cli("rollout", *arguments, "--server", server.url)


def start(server, to, **more):
    options = {"from": "1", "steps": "shadow:100@1s,50,100", "hold": "1s", "min-requests": 10, "compare": "function:agree", **more}
    arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    started = rollout(server, "start", "m", "--to", to, "--gate", "disagreement<=20%", *arguments)
    assert started.returncode == 0, started


def state_of(server):
    return server.get_json("/admin/rollouts/m")


def make_default(server, version):
    assert server.request("PUT", "/admin/models/m/default", json.dumps({"version": version}).encode())[0] == 200


def test_it_decides_rollouts(server):
    """Of [1, 2, 3, 4] twice as much is 4 off, and three times as much 8: more than it allows, in shadow and with traffic."""
    make_default(server, 1)
    with Load(server, clients=2, pause=0.005) as load:
        start(server, "2", steps="shadow:100@1h,50,100")
        wait_until(lambda: state_of(server)["state"] == "rolled back", "its end")
        assert "gate disagreement<=20% is breached: 100.00%" in state_of(server)["why"]
        start(server, "2", steps="50,100", hold="1h")
        wait_until(lambda: state_of(server)["state"] == "rolled back", "its end")
    assert state_of(server)["compare"] == COMPARE and not load.bad
    assert "gate disagreement<=20% is breached: 100.00%" in state_of(server)["why"]


def test_it_lets_pass_what_it_finds_the_same(server):
    """Version 3 is 8 off, but its order is the same."""
    make_default(server, 1)
    with Load(server, clients=2, pause=0.005) as load:
        start(server, "3", compare="function:same_order")
        wait_until(lambda: state_of(server)["state"] != "running", "its end")
    assert state_of(server)["state"] == "promoted", state_of(server)
    assert not load.bad and load.lost == 0


def test_one_that_fails_holds_a_rollout(server, mode):
    mode.write_text("raise")
    make_default(server, 1)
    with Load(server, clients=2, pause=0.005) as load:
        start(server, "2")
        wait_until(lambda: state_of(server)["held"], "it holds")
    state = state_of(server)
    assert state["state"] == "running" and "could not be compared" in state["why"]
    assert state["canary"]["errors"] == 0 < state["copies"]["not_compared"] and state["copies"]["compared"] == 0
    assert "not compared" in rollout(server, "status", "m").stdout
    assert rollout(server, "abort", "m").returncode == 0
    assert not load.bad and load.lost == 0
