"""Rollouts as they are asked for, shown and refused: by the API, and by the command line."""

import json

import pytest

import rollouts
import servers
from rollouts import BEHAVIOURS, Load, arguments, call, server_route, start, write_models


@pytest.fixture
def server(tmp_path):
    with rollouts.serving(tmp_path) as running:
        yield running


def test_a_route_keeps_its_sticky_key_and_comes_back_as_it_was(server):
    route = {"split": {"m@1": 100}, "sticky": "header:x-user-id"}
    assert server.request("PUT", "/admin/routes/reader", json.dumps(route).encode())[0] == 200
    status, answer = call(server, "POST", "/reader", {"to": "@no", "steps": "50,100"})
    assert status == 400 and "no version labelled 'no'" in answer["error"]
    assert call(server, "POST", "/reader", {"to": 2, "steps": "50,100"})[0] == 200
    placed = server.get_json("/admin/routes/reader")["route"]
    assert placed["split"] == {"m@1": 50, "m@2": 50} and placed["sticky"] == "header:x-user-id"
    body = json.dumps({"x": [1, 2, 3, 4]}).encode()

    def arm(user):
        headers = {"Content-Type": "application/json", "x-user-id": str(user)}
        return server.request("POST", "/predict/reader", body, headers)[2]["x-route-arm"]

    first = [arm(user) for user in range(30)]
    assert set(first) == {"m@1", "m@2"} and [arm(user) for user in range(30)] == first
    assert call(server, "POST", "/reader/abort")[0] == 200
    assert server.get_json("/admin/routes/reader")["route"]["split"] == {"m@1": 100}
    assert call(server, "POST", "/reader", {"to": 2})[0] == 200
    assert call(server, "POST", "/reader/promote")[1]["state"] == "promoted"
    after = server.get_json("/admin/routes/reader")["route"]
    assert after["split"] == {"m@2": 100} and after["sticky"] == "header:x-user-id"


def test_errors_paths_and_metrics(server):
    assert call(server, "GET")[1] == {"rollouts": []}
    for method, path, body, status, says in (
        ("GET", "/m", None, 404, "there has been no rollout of 'm'"),
        ("POST", "/m/pause", None, 404, "there has been no rollout of 'm'"),
        ("POST", "/nobody", {"to": 2}, 404, "no route and no model named 'nobody'"),
        ("POST", "/m", {"to": 9}, 400, "has no version 9"),
        ("POST", "/m", {"to": 1}, 400, "is what serves 'm' already"),
        ("POST", "/m", {"to": 2, "gates": ["p99<=fast"]}, 400, "neither a factor (1.1x) nor a time (50ms)"),
        ("POST", "/m", {"to": 2, "hold": 10}, 400, "is not a hold time"),
        ("GET", "/m/else", None, 404, "no such path"),
        ("PUT", "/m", {}, 405, "Not Allowed"),
        ("POST", "", {}, 405, "Not Allowed"),
        ("GET", "/m/pause", None, 405, "Not Allowed"),
    ):
        got, answer = call(server, method, path, body)
        assert got == status and says in answer["error"], (method, path, body, answer)
    start(server, 2)
    text = server.get("/metrics")[1].decode()
    assert 'modelmill_rollout_percent{route="m"} 20' in text
    assert call(server, "POST", "/m", {"to": 2})[0] == 400
    assert call(server, "POST", "/m/abort")[0] == 200
    text = server.get("/metrics")[1].decode()
    assert 'modelmill_rollouts_total{route="m",outcome="abort"} 1' in text
    assert "modelmill_rollout_percent{" not in text


def test_changes_need_the_management_token(tmp_path):
    write_models(tmp_path / "models", BEHAVIOURS)
    with servers.serving(tmp_path, *arguments(tmp_path), "--host=0.0.0.0") as server:
        assert call(server, "GET")[0] == 200
        for path in ("/m", "/m/pause", "/m/promote"):
            assert server.request("POST", f"/admin/rollouts{path}", b"{}")[0] == 401


def test_the_command_line(server):
    def run(*words, code=0):
        outcome = servers.run_cli("rollout", *words, "--server", server.url)
        assert outcome.returncode == code, outcome
        return outcome.stdout + outcome.stderr

    assert run("list") == "the server has had no rollouts\n"
    assert "--to is required" in run("start", "m", code=2)
    assert "only start takes" in run("pause", "m", "--to", "2", code=2)
    assert "NAME is required" in run("status", code=2)
    text = run("start", "m", "--to", "2", "--from", "1", "--steps", "20,50,100", "--hold", "1s", "--min-requests", "10",
               "--gate", "error_rate<=+20pp", "--gate", "p50<=10s", "--sticky", "header:x-user-id")  # fmt: skip
    assert "rollout #1 of m, from m@1 to m@2: running" in text and "error_rate<=+20pp" in text
    assert server_route(server)["sticky"] == "header:x-user-id"
    assert "m@2" in run("list") and "20%" in run("list")
    assert "copies to" not in text
    assert "paused" in run("pause", "m") and "running" in run("resume", "m")
    assert json.loads(run("status", "m", "--json"))["percent"] == 20
    with Load(server):
        lines = run("watch", "m", "--interval", "0.2").splitlines()
    assert len(lines) > 3 and "m promoted 100%" in lines[-1], lines
    history = run("history", "m")
    assert "promote" in history and "every gate is proven" in history
    run("start", "m", "--to", "3")
    with Load(server):
        assert "rolled back" in run("watch", "m", code=1)
    assert "rolled back already" in run("promote", "m", code=4)
    assert "--compare: 'compare' must be an object" in run("start", "m", "--to", "2", "--compare", "5", code=2)
    text = run("start", "m", "--to", "6", "--from", "1", "--steps", "shadow:10,50,100", "--gate", "disagreement<=2%",
               "--compare", '{"y": {"kind": "equal"}}')  # fmt: skip
    assert "step 1 (shadow 10%) of shadow:10@10m,50@10m,100@10m" in text
    assert "copies to m@6 of what m@1 answers: 0 answers compared" in text
    assert "cost: 'm@6' computes 10% of the requests in addition" in text
    assert "shadow 10%" in run("list")
    shown = servers.run_cli("route", "show", "m", "--server", server.url).stdout
    assert "shadow     m@6 10% of what m@1 answers" in shown
