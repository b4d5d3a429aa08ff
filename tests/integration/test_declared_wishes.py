"""Rollouts and experiments in modelmill.yaml: the file is the wish, and what becomes of it is told beside it."""

import json

import pytest
import servers
from changing_models import write_version
from servers import wait_until

MODELS = """schema_version: 1
models:
  - {name: m, path: models/m, versions: all, default_version: 1}
routes:
  - name: r
    split: {m@1: 50, m@2: 50}
    sticky: header:x-user-id
"""
ROLLOUT = """rollouts:
  - name: m
    to: {to}
    steps: [20, 100]
    hold: 1h
    gates: [error_rate<=1%]
"""
EXPERIMENT = """experiments:
  - {{name: x, route: r, goal: {goal}, guardrails: [refund<=+0.5pp], margin: 0.01, window: 1s}}
"""


@pytest.fixture
def file(tmp_path):
    """Of the model m, whose version n multiplies by n."""
    for version in (1, 2, 3):
        write_version(tmp_path / "models", "m", version)
    return tmp_path / "modelmill.yaml"


def write(file, text):
    making = file.with_name("new")
    making.write_text(text)
    making.rename(file)


@pytest.fixture
def serve_file(tmp_path, file):
    def start(name="one"):
        return servers.serving(tmp_path / name, file, f"--state-dir={tmp_path / 'state'}")

    return start


def call(server, method, path):
    status, answer, _ = server.request(method, f"/admin/{path}", b"" if method == "POST" else None)
    return status, json.loads(answer)


def show(server, path="rollouts/m"):
    return server.get_json(f"/admin/{path}")


def wish(server, path="rollouts/m"):
    return show(server, path)["wish"]


def split(server, route="m"):
    status, answer = call(server, "GET", f"routes/{route}")
    return answer["route"]["split"] if status == 200 else None


def command(server, *words):
    outcome = servers.run_cli(*words, "--server", server.url)
    return outcome.returncode, outcome.stdout + outcome.stderr


def test_a_rollout_begins_and_ends_with_its_wish(serve_file, file):
    write(file, MODELS + ROLLOUT.format(to=2))
    with serve_file() as server:
        state = show(server)
        assert (state["state"], state["to"], state["percent"]) == ("running", "m@2", 20)
        assert split(server) == {"m@1": 80, "m@2": 20}
        told = state["wish"]
        assert told["place"] == f"{file}:9:5" and (told["state"], told["rollout"]) == ("running", 1)
        assert told["plan"] == {"to": "2", "steps": "20,100", "hold": "1h", "gates": ["error_rate<=1%"]}
        code, text = command(server, "rollout", "status", "m")
        assert code == 0 and f"the wish of {file}:9:5: running" in text and "the file wants it" not in text
        # A mistake, of form or of meaning, leaves all as it is.
        write(file, MODELS + ROLLOUT.format(to=2) + "  - nonsense\n")
        wait_until(lambda: "what a changed file declares beside models is not taken" in server.log(), "it is told")
        write(file, MODELS + ROLLOUT.format(to=2).replace("<=1%", "<=often"))
        wait_until(lambda: "often" in server.log(), "it is told")
        assert (show(server)["state"], wish(server)["state"]) == ("running", "running")
        # Another target takes its place.
        write(file, MODELS + ROLLOUT.format(to=3))
        wait_until(lambda: split(server) == {"m@1": 80, "m@3": 20}, "the other rollout runs")
        assert show(server)["number"] == 2
        # Ended by hand it is not begun again, though the file changes elsewhere.
        assert call(server, "POST", "rollouts/m/abort")[0] == 200
        write(file, "# Moved.\n" + MODELS + ROLLOUT.format(to=3))
        wait_until(lambda: wish(server)["place"] == f"{file}:10:5", "the file was read again")
        assert (show(server)["number"], wish(server)["state"], split(server)) == (2, "aborted", None)
    with serve_file("two") as server:
        assert (show(server)["number"], wish(server)["state"], split(server)) == (2, "aborted", None)
        write(file, MODELS + ROLLOUT.format(to=2))
        wait_until(lambda: split(server) == {"m@1": 80, "m@2": 20}, "a new wish")
        assert call(server, "POST", "rollouts/m/promote")[0] == 200
        wait_until(lambda: wish(server)["state"] == "promoted", "the wish is told of as it is")
    with serve_file("three") as server:
        assert (show(server)["number"], wish(server)["state"], split(server)) == (3, "promoted", None)
        assert show(server)["state"] == "promoted"
        assert server.get_json("/admin/models/m")["default_version"] == 2
        write(file, MODELS + ROLLOUT.format(to=3))
        wait_until(lambda: split(server) == {"m@2": 80, "m@3": 20}, "a new wish")
        write(file, MODELS)
        wait_until(lambda: split(server) is None and wish(server) is None, "the wish is gone")
        state = show(server)
        assert state["state"] == "aborted" and "the file does not want it any more" in state["why"]


def test_a_wish_waits_for_what_it_needs(serve_file, file, tmp_path):
    write(file, MODELS + ROLLOUT.format(to=4))
    with serve_file() as server:
        state = show(server)
        assert (state["number"], state["state"]) == (0, "waiting") and "has no version 4" in state["why"]
        assert [one["state"] for one in server.get_json("/admin/rollouts")["rollouts"]] == ["waiting"]
        code, text = command(server, "rollout", "status", "m")
        assert code == 0 and "no rollout of m to 4 yet" in text and "waiting" in text
        code, text = command(server, "rollout", "list")
        assert code == 0 and "waiting" in text
        write_version(tmp_path / "models", "m", 4)
        wait_until(lambda: split(server) == {"m@1": 80, "m@4": 20}, "the version is there, and the rollout runs")
        wait_until(lambda: wish(server)["state"] == "running", "the wish is told of as it is")
    write(file, MODELS + ROLLOUT.format(to=1))
    with serve_file("two") as server:
        assert (wish(server)["state"], split(server)) == ("reached", None)


def test_an_experiment_begins_with_its_wish_and_ends_by_hand(serve_file, file):
    write(file, MODELS + EXPERIMENT.format(goal="purchase"))
    with serve_file() as server:
        state = show(server, "experiments/x")
        assert (state["state"], state["wish"]["state"], state["wish"]["experiment"]) == ("running", "running", 1)
        assert state["definition"]["guardrails"] == ["refund<=+0.5pp"] and state["started_by"] == f"{file}:9:5"
        code, text = command(server, "experiment", "status", "x")
        assert code == 0 and f"the wish of {file}:9:5: running" in text
        write(file, MODELS + EXPERIMENT.format(goal="click"))
        wait_until(lambda: wish(server, "experiments/x")["state"] == "waiting", "another wish waits")
        state = show(server, "experiments/x")
        assert state["number"] == 1 and "runs already" in state["wish"]["why"]
        assert call(server, "POST", "experiments/x/stop")[0] == 200
        wait_until(lambda: show(server, "experiments/x")["number"] == 2, "it has begun")
        assert show(server, "experiments/x")["definition"]["goal"] == "click"
        assert call(server, "POST", "experiments/x/stop")[0] == 200
    with serve_file("two") as server:
        state = show(server, "experiments/x")
        assert (state["number"], state["state"], state["wish"]["state"]) == (2, "stopped", "stopped")
        write(file, MODELS)
        wait_until(lambda: wish(server, "experiments/x") is None, "the wish is gone")
        assert show(server, "experiments/x")["state"] == "stopped"


def test_mistakes_are_found_before_anything_runs(file):
    for text, says in (
        (ROLLOUT.format(to=2).replace("<=1%", "<=often"), f"{file}:9:5: error: rollout 'm': "),
        (ROLLOUT.format(to=2).replace("hold: 1h", "hold: long"), "is not a hold time"),
        (ROLLOUT.format(to=2).replace("to: 2", "too: 2"), "unknown key 'too' in rollouts[0]; did you mean 'to'?"),
        (EXPERIMENT.format(goal="g").replace("window: 1s", "window: 1"), f"{file}:9:5: error: experiment 'x': 'window'"),
        (EXPERIMENT.format(goal="g") + "  - {name: x, route: r, goal: h}\n", "experiment 'x' is declared twice"),
    ):
        write(file, MODELS + text)
        outcome = servers.run_cli("lint", file)
        assert outcome.returncode != 0 and says in outcome.stdout, (says, outcome.stdout)
    write(file, MODELS + ROLLOUT.format(to=2).replace("<=1%", "<=often"))
    outcome = servers.run_cli("serve", file, "--port=0")
    assert outcome.returncode == 1 and f"{file}:9:5" in outcome.stderr and "often" in outcome.stderr
    write(file, MODELS + ROLLOUT.format(to=2) + EXPERIMENT.format(goal="g"))
    outcome = servers.run_cli("lint", file)
    assert outcome.returncode == 0 and "1 model without a problem" in outcome.stdout, outcome.stdout
