"""Experiments: arms of a route compared by what users did, over API and command line, across kills, to the deployment."""

import json
import uuid

import clients
import numpy as np
import pytest
import servers
from changing_models import write_versions
from servers import wait_until

ROUTE = {"split": {"m@1": 50, "m@2": 50}, "sticky": "header:x-user-id"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def repository(tmp_path):
    """The model m, of which version n multiplies by n."""
    return write_versions(tmp_path / "models", "m", 1, 2)


def arguments(tmp_path, repository):
    return (repository, f"--state-dir={tmp_path / 'state'}")


@pytest.fixture
def server(tmp_path, repository):
    with servers.serving(tmp_path, *arguments(tmp_path, repository)) as running:
        set_route(running, ROUTE)
        yield running


def set_route(server, route, name="r"):
    assert server.request("PUT", f"/admin/routes/{name}", json.dumps(route).encode())[0] == 200


def split(server, name="r"):
    return server.get_json(f"/admin/routes/{name}")["route"]["split"]


def call(server, method, path="", body=None):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    status, answer, _ = server.request(method, f"/admin/experiments{path}", data)
    return status, json.loads(answer)


def start(server, name="x", **more):
    status, answer = call(server, "POST", f"/{name}", {"route": "r", "goal": "purchase", **more})
    assert status == 200, answer
    return answer


def show(server, name="x"):
    return server.get_json(f"/admin/experiments/{name}")


def outcomes(server, batch, name="x"):
    status, answer = call(server, "POST", f"/{name}/outcomes", batch)
    assert status == 200, answer
    return answer


def predict(server, user=None, request=None, route="r"):
    """The arm that a request gets."""
    headers = dict(JSON)
    if user is not None:
        headers["x-user-id"] = str(user)
    if request is not None:
        headers["x-request-id"] = request
    status, answer, got = server.request("POST", f"/predict/{route}", b'{"x": [1, 2, 3, 4]}', headers)
    assert status == 200, answer
    return got["x-route-arm"]


def arms(state):
    return {arm["arm"]: arm for arm in state["results"]["arms"]}


def exposed(server):
    return {name: arm["exposed"] for name, arm in arms(show(server)).items()}


def buy(server, users, better="m@2"):
    """Of the users of the better arm four in five buy, of the others one in five; told at once, some at a time."""
    seen = {"m@1": 0, "m@2": 0}
    for begin in range(0, len(users), 20):
        batch = []
        for user in users[begin : begin + 20]:
            arm = predict(server, user)
            seen[arm] += 1
            if (seen[arm] % 5 != 0) == (arm == better):
                batch.append({"user": user})
        assert outcomes(server, batch)["unknown"] == 0
    return seen


def test_outcomes_by_user_and_by_request(server):
    start(server, guardrails=["refund<=+1pp", "basket>=-2"])
    by_user = {f"user-{i}": predict(server, f"user-{i}", request=f"q-{i}") for i in range(40)}
    assert {predict(server, user) for user, arm in by_user.items() if arm == "m@1"} == {"m@1"}  # sticky
    counted = {arm: list(by_user.values()).count(arm) for arm in ("m@1", "m@2")}
    assert exposed(server) == counted and min(counted.values()) > 0
    one = next(user for user, arm in by_user.items() if arm == "m@1")
    assert outcomes(server, {"user": one})["accepted"] == 1
    assert outcomes(server, {"user": one})["accepted"] == 1  # buys again: it is still one user that bought
    # By the id of a request, which leads to its user.
    two = next(i for i in range(40) if by_user[f"user-{i}"] == "m@2")
    batch = {"outcomes": [
        {"request": f"q-{two}", "metric": "purchase"},
        {"request": f"q-{two}", "metric": "basket", "value": 20.5, "id": "o-1"},
        {"user": f"user-{two}", "metric": "basket", "value": 4.5, "id": "o-2"},
        {"user": f"user-{two}", "metric": "basket", "value": 4.5, "id": "o-2"},
        {"user": "nobody"},
        {"request": "none"},
        {"user": one, "at": 1000000000},
        {"user": one, "metric": "refund", "value": False},
    ]}  # fmt: skip
    assert outcomes(server, batch) == {"accepted": 4, "duplicate": 1, "unknown": 2, "late": 1, "deferred": 0}
    state = show(server)
    assert {name: arm["so_far"] for name, arm in arms(state).items()} == {"m@1": 1, "m@2": 1}
    guardrails = {(one["guardrail"], one["arm"]): one for one in state["results"]["guardrails"]}
    assert guardrails["basket>=-2", "m@2"]["so_far"] == 25
    assert guardrails["basket>=-2", "m@2"]["state"] == "open"
    assert state["results"]["counts"] == {
        "accepted": 6, "duplicate": 1, "unknown": 2, "late": 1, "keyless": 0, "full": 0,
    }  # fmt: skip
    predict(server)  # without a user
    assert show(server)["results"]["counts"]["keyless"] == 1
    assert exposed(server) == counted
    assert state["decision"] == "running" and state["unit"] == "user"
    metrics = server.get("/metrics")[1].decode()
    assert f'modelmill_experiment_users{{experiment="x",arm="m@1"}} {counted["m@1"]}' in metrics
    assert 'modelmill_experiment_outcomes_total{experiment="x",result="accepted"} 6' in metrics


def test_every_dialect_exposes(server):
    start(server)
    x = np.array([[1, 2, 3, 4]], np.float32)
    for kind, address, user in (("http", server.url.removeprefix("http://"), "a"), ("grpc", server.address, "b")):
        with clients.Client(kind, address) as client:
            client.infer("r", {"x": x}, request_id=kind, headers={"x-user-id": user})
    body = json.dumps({"instances": [[1, 2, 3, 4]]}).encode()
    assert server.request("POST", "/v1/models/r:predict", body, {**JSON, "x-user-id": "c"})[0] == 200
    assert sum(exposed(server).values()) == 3
    assert outcomes(server, [{"request": "http"}, {"request": "grpc"}, {"user": "c"}])["accepted"] == 3


def test_a_winner_is_deployed_and_taken_back(server):
    start(server, window="10s", min_users=50, users=300, margin=0.05)
    seen = buy(server, [f"user-{i}" for i in range(300)])
    wait_until(lambda: show(server)["decision"] != "running", "a decision")
    wait_until(lambda: sum(arm["counted"] for arm in arms(show(server)).values()) == 300, "that all windows are over")
    state = show(server)
    assert (state["decision"], state["arm"]) == ("winner", "m@2"), state
    difference = arms(state)["m@2"]["difference"]
    assert 0 < difference["low"] < 0.6 < difference["high"]
    assert {name: arm["counted"] for name, arm in arms(state).items()} == seen
    assert 0 < state["results"]["power"] < 1
    assert outcomes(server, {"user": "user-1"})["late"] == 1
    assert split(server) == ROUTE["split"]
    status, answer = call(server, "POST", "/x/deploy")
    assert status == 200 and (answer["state"], answer["deployed"]) == ("deployed", "m@2")
    assert split(server) == {"m@2": 100}
    assert {predict(server, f"user-{i}") for i in range(20)} == {"m@2"}
    history = server.get_json("/admin/routes/r/history")["history"]
    assert history[0]["by"] == "experiment 'x'"
    assert server.request("POST", "/admin/routes/r/undo", b"")[0] == 200
    assert split(server) == ROUTE["split"]
    assert arms(show(server))["m@2"]["counted"] == seen["m@2"]  # the numbers stay


def test_the_rule_deploys_a_winner(server):
    start(server, goal="purchase:lower", window="10s", min_users=50, users=300, deploy_winner=True)
    buy(server, [f"user-{i}" for i in range(300)])
    wait_until(lambda: show(server)["state"] == "deployed", "the deployment")
    assert split(server) == {"m@1": 100}
    assert show(server)["ended_by"] == "modelmill"


def test_kills_lose_nothing_that_was_answered(tmp_path, repository):
    first = servers.Server(tmp_path / "first", *arguments(tmp_path, repository))
    try:
        set_route(first, ROUTE)
        start(first, goal="basket:mean")
        assigned = {f"user-{i}": predict(first, f"user-{i}", request=f"q-{i}") for i in range(30)}
        batch = [{"user": f"user-{i}", "value": i + 0.5, "id": f"o-{i}"} for i in range(15)]
        assert outcomes(first, batch)["accepted"] == 15
        before = show(first)
    finally:
        first.kill()
    second = servers.Server(tmp_path / "second", *arguments(tmp_path, repository))
    try:
        assert show(second) == before
        # Nobody is counted again, or gets another arm; ids and requests are still known.
        assert {user: predict(second, user) for user in assigned} == assigned
        assert exposed(second) == {name: arm["exposed"] for name, arm in arms(before).items()}
        again = [*batch[:5], {"request": "q-20", "value": 100}]
        assert outcomes(second, again) == {"accepted": 1, "duplicate": 5, "unknown": 0, "late": 0, "deferred": 0}
        predict(second, "new")
        after = show(second)
        assert sum(arm["exposed"] for arm in arms(after).values()) == 31
        assert sum(arm["so_far"] for arm in arms(after).values()) == sum(i + 0.5 for i in range(15)) + 100
        assert call(second, "POST", "/x/deploy", {"arm": "m@2"})[0] == 200
    finally:
        second.kill()
    with servers.serving(tmp_path / "third", *arguments(tmp_path, repository)) as third:
        assert show(third)["deployed"] == "m@2" and split(third) == {"m@2": 100}
        assert arms(show(third)) == arms(after)


def sum_of(server, key):
    return sum(arm[key] for arm in arms(show(server)).values())


def test_processes_that_share_the_state_count_together(tmp_path, repository):
    """Users wander between two servers, outcomes come to either; one is killed, another one takes its place."""
    first = servers.Server(tmp_path / "first", *arguments(tmp_path, repository))
    second = servers.Server(tmp_path / "second", *arguments(tmp_path, repository))
    third = None
    try:
        set_route(first, ROUTE)
        wait_until(lambda: second.request("GET", "/admin/routes/r")[0] == 200, "the route in the other process")
        start(first, goal="basket:mean", window="1h")
        wait_until(lambda: show(second)["state"] == "running", "the experiment in the other process")

        def is_counted():
            predict(second, "probe")
            return "probe" if sum_of(first, "exposed") > 0 else None

        wait_until(is_counted, "that the other process counts as well")
        assigned = {}
        for i in range(40):
            serving, other = (first, second) if i % 2 == 0 else (second, first)
            assigned[f"user-{i}"] = predict(serving, f"user-{i}", request=f"q-{i}")
            # Its second request comes to the other process: it gets the same arm, and is the same user.
            assert predict(other, f"user-{i}", request=f"again-{i}") == assigned[f"user-{i}"]
            who = {"request": f"q-{i}"} if i % 4 < 2 else {"user": f"user-{i}"}
            told = outcomes(other, {**who, "value": i + 0.5, "id": f"o-{i}"})
            assert told["accepted"] + told["deferred"] == 1, told
            outcomes(serving, {**who, "value": i + 0.5, "id": f"o-{i}"})  # sent again, elsewhere
        expected = sum(i + 0.5 for i in range(40))
        counts = {name: [*assigned.values(), predict(first, "probe")].count(name) for name in ("m@1", "m@2")}
        for server in (first, second):
            wait_until(lambda server=server: sum_of(server, "so_far") == expected, "the outcomes of all")
            assert exposed(server) == counts
        wait_until(lambda: show(first)["results"]["counts"]["duplicate"] == 40, "what was sent again")
        wait_until(lambda: show(second)["results"] == show(first)["results"], "that both say the same")
        # Whoever decides dies. What it counted stays, the other one goes on, and it comes back with nothing forgotten.
        first.kill()
        predict(second, "late")
        wait_until(lambda: sum_of(second, "exposed") == 42, "that the other process decides")
        third = servers.Server(tmp_path / "third", *arguments(tmp_path, repository))
        assert predict(third, "user-0") == assigned["user-0"]
        assert sum_of(third, "so_far") == expected
        told = outcomes(third, {"request": "q-0", "value": 100})
        assert told == {"accepted": 0, "duplicate": 0, "unknown": 0, "late": 0, "deferred": 1}
        wait_until(lambda: sum_of(second, "so_far") == expected + 100, "the outcome that came to the third")
        assert sum_of(second, "exposed") == 42
        # Any process ends it, once.
        assert call(third, "POST", "/x/deploy", {"arm": "m@2"})[0] == 200
        wait_until(lambda: split(second) == {"m@2": 100}, "the deployment in the other process")
        history = second.get_json("/admin/routes/r/history")["history"]
        assert [entry["by"] for entry in history].count("experiment 'x'") == 1
        wait_until(lambda: show(second)["deployed"] == "m@2", "that the other process knows its end")
        assert sum_of(second, "so_far") == expected + 100
        folder = tmp_path / "state" / "experiments"
        wait_until(lambda: not list(folder.iterdir()), "that nothing is left")
    finally:
        for server in (first, second, third):
            if server:
                server.kill()


def test_requests_stand_for_themselves_without_a_sticky_key(server):
    set_route(server, {"split": ROUTE["split"]})
    assert start(server)["unit"] == "request"
    ids = [str(uuid.uuid4()) for _ in range(20)]
    assigned = {one: predict(server, request=one) for one in ids}
    predict(server)
    state = show(server)
    assert sum(arm["exposed"] for arm in arms(state).values()) == 20 and state["results"]["counts"]["keyless"] == 1
    assert outcomes(server, [{"request": one} for one in ids if assigned[one] == "m@2"])["unknown"] == 0
    assert arms(show(server))["m@2"]["so_far"] == list(assigned.values()).count("m@2")
    status, answer = call(server, "POST", "/x/outcomes", {"user": "ann"})
    assert status == 400 and "no sticky key" in answer["error"]


def test_a_changed_route_stops_the_counting(server):
    start(server)
    predict(server, "a")
    set_route(server, {**ROUTE, "split": {"m@1": 80, "m@2": 20}})
    predict(server, "b")
    state = show(server)
    assert sum(arm["exposed"] for arm in arms(state).values()) == 1 and "was changed" in state["note"]
    # Rules leave the split's users as they are, and whom they send elsewhere is not counted.
    set_route(server, {**ROUTE, "rules": [{"when": "header:x-user-id", "is": "staff", "to": "m@2"}]})
    predict(server, "staff")
    predict(server, "c")
    state = show(server)
    assert sum(arm["exposed"] for arm in arms(state).values()) == 2 and state["note"] == ""
    assert call(server, "POST", "/x/stop")[1]["state"] == "stopped"
    predict(server, "d")
    assert sum(exposed(server).values()) == 2


def test_mistakes_are_named(server):
    plan = {"route": "r", "goal": "purchase"}
    for method, path, body, status, says in (
        ("GET", "/x", None, 404, "there has been no experiment 'x'"),
        ("POST", "/x/stop", None, 404, "there has been no experiment 'x'"),
        ("POST", "/x", b"no", 400, "must be a JSON object"),
        ("POST", "/x", {**plan, "route": "none"}, 404, "there is no route 'none'"),
        ("POST", "/x", {**plan, "control": "m@9"}, 400, "'m@9' is none of the arms: m@1, m@2"),
        ("POST", "/x", {**plan, "window": "1"}, 400, "from 1s to 30d"),
        ("POST", "/x", {**plan, "guardrails": ["refund<=1"]}, 400, "guardrail 'refund<=1'"),
        ("POST", "/x", {**plan, "alhpa": 0.1}, 400, "did you mean 'alpha'"),
        ("GET", "/x/outcomes", None, 405, "Not Allowed"),
        ("PUT", "/x", {}, 405, "Not Allowed"),
        ("GET", "/x/else", None, 404, "no such path"),
    ):
        got, answer = call(server, method, path, body)
        assert got == status and says in answer["error"], (method, path, body, answer)
    start(server)
    for path, body, says in (
        ("/x", plan, "runs already"),
        ("/y", plan, "experiment 'x' runs on the route 'r' already"),
        ("/x/outcomes", [{"user": "a"}, {"user": "a", "metric": "clicks"}], "outcome 2 of the list"),
        ("/x/outcomes", b"[", "outcomes must be JSON"),
        ("/x/outcomes", [{"user": "a"}] * 10_001, "10000 outcomes are the most"),
        ("/x/deploy", {"arm": "m@9"}, "'m@9' is none of the arms"),
        ("/x/deploy", None, "has no winner"),
    ):
        got, answer = call(server, "POST", path, body)
        assert got == 400 and says in answer["error"], (path, answer)
    set_route(server, {"split": {"m@1": 100}}, "one")
    got, answer = call(server, "POST", "/z", {**plan, "route": "one"})
    assert got == 400 and "gives all to 'm@1'" in answer["error"]


def test_changes_need_the_management_token(tmp_path, repository):
    with servers.serving(tmp_path, repository, "--host=0.0.0.0", f"--state-dir={tmp_path / 'state'}") as server:
        assert call(server, "GET")[0] == 200
        for path in ("/x", "/x/outcomes", "/x/deploy", "/x/stop"):
            assert server.request("POST", f"/admin/experiments{path}", b"{}")[0] == 401


def test_the_command_line(server, tmp_path):
    def run(*words, code=0, **options):
        outcome = servers.run_cli("experiment", *words, "--server", server.url, **options)
        assert outcome.returncode == code, outcome
        return outcome.stdout + outcome.stderr

    assert run("list") == "the server has had no experiments\n"
    assert "--route is required" in run("start", "x", code=2)
    assert "--goal is required" in run("start", "x", "--route", "r", code=2)
    assert "only start takes" in run("status", "x", "--goal", "g", code=2)
    assert "--user or --request is required" in run("outcome", "x", code=2)
    assert "only deploy takes --arm" in run("stop", "x", "--arm", "m@1", code=2)
    text = run("start", "x", "--route", "r", "--goal", "basket:mean", "--guardrail", "refund<=+1pp", "--window", "1d",
               "--margin", "0.5", "--alpha", "0.1", "--min-users", "50", "--users", "1000", "--control", "m@2")  # fmt: skip
    assert "experiment x on the route r: running" in text and "goal basket:mean, by user, window 1d" in text
    assert "m@2 (control)" in text and "refund<=+1pp" in text
    definition = json.loads(run("status", "x", "--json"))["definition"]
    assert definition["alpha"] == 0.1 and definition["users"] == 1000 and definition["control"] == "m@2"
    predict(server, "ann", request="q-1")
    assert run("outcome", "x", "--user", "ann", "--value", "12.5") == (
        "1 accepted, 0 duplicate, 0 of nobody known, 0 late\n"
    )
    assert "1 accepted" in run("outcome", "x", "--request", "q-1", "--metric", "refund", "--id", "o1")
    assert "1 duplicate" in run("outcome", "x", "--request", "q-1", "--metric", "refund", "--id", "o1")
    file = tmp_path / "outcomes.json"
    file.write_text(json.dumps([{"user": "ann", "value": 2}, {"user": "bob"}]))
    assert "1 accepted, 0 duplicate, 1 of nobody known" in run("outcome", "x", file)
    assert "1 accepted" in run("outcome", "x", "-", input='{"user": "ann"}')
    assert "is not a number" in run("outcome", "x", "--user", "ann", "--value", "much", code=4)
    assert "has no winner (running)" in run("deploy", "x", code=4)
    assert "m@1 was deployed" in run("deploy", "x", "--arm", "m@1")
    assert split(server) == {"m@1": 100}
    assert "deployed" in run("list") and "is deployed already" in run("stop", "x", code=4)
