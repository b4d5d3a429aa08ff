"""Changes of routes: by the API, the command line and a file, kept over restarts, and refused where they are wrong."""

import json
import threading

import pytest

import servers
from routes import call, factor, put, write_models

HALF = {"split": {"m@1": 50, "m@2": 50}}


@pytest.fixture
def repository(tmp_path):
    return write_models(tmp_path / "models")


@pytest.fixture
def server(tmp_path, repository):
    with servers.serving(tmp_path, repository) as running:
        yield running


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
