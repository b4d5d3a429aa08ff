"""Rollouts under load: what is good is promoted, what is not is rolled back, whatever happens to the server meanwhile."""

import json
import random
import threading
import time

import pytest

import models
import servers
import triton_repository
from servers import wait_until

CONFIG = triton_repository.FP32_4 + " version_policy { all { } } parameters { key: \"memory_limit_mb\" value { string_value: \"400\" } }"
# Version 1 answers what it gets; the others do so too, but for what BEHAVIOUR does.
CODE = """
import os
import time

class TritonPythonModel:
    def execute(self, requests):
        more = 0
        {behaviour}
        x = [pb_utils.get_input_tensor_by_name(r, "x").as_numpy() for r in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", one + more)]) for one in x]
"""
HEAD = "import numpy as np\nimport triton_python_backend_utils as pb_utils\n"
BEHAVIOURS = {
    1: "time.sleep(0.002)",
    2: "time.sleep(0.002)",
    3: "raise ValueError('a bad version')",
    4: "time.sleep(0.1)",
    5: "if pb_utils.get_input_tensor_by_name(requests[0], 'x').as_numpy().flat[0] == 1: os._exit(1)",
    6: "more = 1",
    7: "globals().setdefault('kept', []).append(np.ones(20 << 17)); time.sleep(0.002)",  # 20 MiB more each time
    8: "globals().setdefault('kept', np.ones(150 << 17)); time.sleep(0.002)",
}


def write_models(folder, behaviours, config=CONFIG):
    for version, behaviour in behaviours.items():
        place = folder / "m" / str(version)
        place.mkdir(parents=True)
        (place / "model.py").write_text(HEAD + CODE.format(behaviour=behaviour))
    (folder / "m" / "config.pbtxt").write_text(f'backend: "python" {config}\n')
    return folder


@pytest.fixture
def repository(tmp_path):
    """The model m: version 2 is as good as 1, 3 fails, 4 is slow, 5 dies, 6 answers otherwise, 7 takes ever more memory, 8 much."""
    return write_models(tmp_path / "models", BEHAVIOURS)


def arguments(tmp_path, repository):
    return (repository, f"--state-dir={tmp_path / 'state'}")


@pytest.fixture
def server(tmp_path, repository):
    with servers.serving(tmp_path, *arguments(tmp_path, repository)) as running:
        make_default(running, 1)
        yield running


def make_default(server, version):
    status, answer, _ = server.request("PUT", "/admin/models/m/default", json.dumps({"version": version}).encode())
    assert status == 200, answer


def default(server):
    return server.get_json("/admin/models/m")["default_version"]


def call(server, method, path="", body=None):
    data = None if body is None else json.dumps(body).encode()
    status, answer, _ = server.request(method, f"/admin/rollouts{path}", data)
    return status, json.loads(answer)


def start(server, to, **more):
    body = {"to": to, "from": 1, "steps": "20,50,100", "hold": "1s", "min_requests": 10, **more}
    status, answer = call(server, "POST", "/m", body)
    assert status == 200, answer
    return answer


def show(server):
    return server.get_json("/admin/rollouts/m")


def is_over(server):
    return show(server)["state"] not in ("running", "paused")


def decisions(server):
    """Oldest first."""
    return [entry["what"] for entry in reversed(call(server, "GET", "/m/history")[1]["history"])]


def without_holds(server):
    """Of tests in which it depends on the machine whether there is enough traffic at all times."""
    return [what for what in decisions(server) if what != "hold"]


class Load:
    """Requests from some clients while a block runs; what they got is counted by version."""

    def __init__(self, server, clients=6, pause=0.0):
        self.server = server
        self.pause = pause  # after each answer
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.good, self.bad, self.lost = {}, {}, 0
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self):
        body = json.dumps({"x": [1, 2, 3, 4]}).encode()
        while not self.over.is_set():
            try:
                status, _, headers = self.server.request(
                    "POST", "/predict/m", body, {"Content-Type": "application/json"}
                )
            except OSError:
                with self.lock:
                    self.lost += 1
                time.sleep(0.05)
                continue
            version = headers.get("x-served-version", "none")
            with self.lock:
                counts = self.good if status == 200 else self.bad
                counts[version] = counts.get(version, 0) + 1
            self.over.wait(self.pause)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def answered(self):
        return sum(self.good.values()) + sum(self.bad.values())


def test_a_version_that_fails_is_rolled_back_at_once(server):
    """Long before its step is over; how soon, the keeper's own tests say, by their clock."""
    with Load(server) as load:
        wait_until(lambda: load.answered() > 50, "some traffic")
        start(server, 3, hold="1h")
        wait_until(lambda: is_over(server), "its end")
        harmed = sum(load.bad.values())
        wait_until(lambda: load.answered() > 500, "more traffic")
    state = show(server)
    assert state["state"] == "rolled back" and ("breached" in state["why"] or "burst" in state["why"])
    assert set(load.bad) == {"3"} and load.good.keys() <= {"1", "none"}
    canary, baseline = state["canary"], state["baseline"]
    assert canary["errors"] == canary["requests"] > 0 and baseline["errors"] == 0
    # No more than its share was harmed, and a few that were on their way, and none since.
    assert harmed <= sum(load.bad.values()) <= harmed + 6
    assert harmed <= 0.4 * (canary["requests"] + baseline["requests"]) + 12
    assert decisions(server) == ["start", "roll back"]
    assert server.get_json("/admin/routes") == {"routes": []} and default(server) == 1


def test_a_slow_version_is_rolled_back(server):
    with Load(server):
        start(server, 4, hold="1h", gates=["p95<=2x"])
        wait_until(lambda: is_over(server), "its end")
    state = show(server)
    assert state["state"] == "rolled back" and "gate p95<=2x is breached" in state["why"]
    assert "computing at equal batch sizes" in state["why"]
    assert state["canary"]["p50_us"] > 90_000


def test_a_good_version_is_promoted(server):
    with Load(server) as load:
        start(server, 2, gates=["error_rate<=+20pp", "p50<=5x"])
        wait_until(lambda: is_over(server), "its end")
        state = show(server)
        assert state["state"] == "promoted", state
        assert without_holds(server) == ["start", "step", "step", "promote"]
        served = load.good["2"]
        wait_until(lambda: load.good.get("2", 0) > served or default(server) == 2, "version 2 serves")
        before = load.good.get("none", 0)
        wait_until(lambda: load.good.get("none", 0) > before + 20, "requests that go along no route")
    assert not load.bad and load.lost == 0
    assert default(server) == 2
    entries = call(server, "GET", "/m/history")[1]["history"]
    assert [e["percent"] for e in entries if e["what"] != "hold"] == [100, 100, 50, 20]
    assert all(e["numbers"]["canary"]["requests"] >= 10 for e in entries if e["what"] in ("step", "promote"))
    proof = next(e for e in entries if e["what"] == "step")
    assert {g["state"] for g in proof["numbers"]["gates"]} == {"proven"}


def light_load(server):
    """Leaves room for copies, which come after all clients."""
    return Load(server, clients=2, pause=0.005)


def test_a_shadow_that_answers_otherwise_is_rolled_back(server):
    with light_load(server) as load:
        begun = start(server, 6, steps="shadow:50,50,100", hold="1h", gates=["disagreement<=5%"])
        assert begun["shadow"] and begun["percent"] == 0
        wait_until(lambda: is_over(server), "its end")
    state = show(server)
    assert state["state"] == "rolled back" and "gate disagreement<=5% is breached: 100.00%" in state["why"]
    assert load.good.keys() <= {"1", "none"} and not load.bad  # no client has met it
    assert decisions(server) == ["start", "roll back"]
    end, begin = call(server, "GET", "/m/history")[1]["history"]
    copies = end["numbers"]["copies"]
    assert (copies["to"], copies["of"]) == ("m@6", "m@1") and copies["disagreed"] == copies["compared"] > 0
    assert "its copies cost: 'm@6' computes 50% of the requests as a shadow, and 'm@1' computes 50%" in begin["why"]
    assert server.get_json("/admin/routes") == {"routes": []} and default(server) == 1


def test_a_version_that_answers_otherwise_is_rolled_back(server):
    with light_load(server) as load:
        start(server, 6, hold="1h", gates=["disagreement<=5%"])
        wait_until(lambda: is_over(server), "its end")
    state = show(server)
    assert state["state"] == "rolled back" and "gate disagreement<=5% is breached: 100.00%" in state["why"]
    assert load.good["6"] > 0 and not load.bad
    copies = call(server, "GET", "/m/history")[1]["history"][0]["numbers"]["copies"]
    assert (copies["to"], copies["of"], copies["percent"]) == ("m@1", "m@6", 20)
    assert copies["cost"] == "'m@1' computes 20% of the requests in addition"
    assert server.get_json("/admin/routes") == {"routes": []} and default(server) == 1


def test_a_shadow_that_answers_the_same_is_promoted(server):
    with light_load(server) as load:
        start(server, 2, steps="shadow:50@2s,20,50,100", gates=["error_rate<=+20pp", "disagreement<=20%"])
        wait_until(lambda: show(server)["step"] > 1, "the first step with traffic")
        wait_until(lambda: is_over(server), "its end")
    state = show(server)
    assert state["state"] == "promoted", state
    assert not load.bad and load.lost == 0 and default(server) == 2
    assert without_holds(server) == ["start", "step", "step", "step", "promote"]
    steps = [e for e in reversed(call(server, "GET", "/m/history")[1]["history"]) if e["what"] == "step"]
    assert [e["numbers"]["copies"]["to"] for e in steps] == ["m@2", "m@1", "m@1"]
    assert all(e["numbers"]["copies"]["compared"] >= 10 for e in steps)
    assert {g["state"] for g in steps[-1]["numbers"]["gates"]} == {"proven"}


def test_between_models_of_two_backends(tmp_path, repository):
    """From a model of Python to one of ONNX, which says the same."""
    models.save(models.scaled(1, (4,)), repository / "net/1/model.onnx")
    with servers.serving(tmp_path, *arguments(tmp_path, repository)) as server:
        assert server.request("PUT", "/admin/routes/m", json.dumps({"split": {"m@1": 100}}).encode())[0] == 200
        with light_load(server) as load:
            start(server, "net", **{"from": "m@1"}, gates=["error_rate<=+20pp", "disagreement<=20%"])
            wait_until(lambda: is_over(server), "its end")
        assert show(server)["state"] == "promoted", show(server)
        assert server_route(server)["split"] == {"net": 100}
        assert not load.bad and load.lost == 0
        proof = [e for e in call(server, "GET", "/m/history")[1]["history"] if e["what"] == "step"][0]["numbers"]
        assert proof["copies"]["compared"] >= 10 and proof["copies"]["disagreed"] == 0


def test_a_gate_on_memory_is_refused_where_it_is_not_known(tmp_path, repository):
    """Of a version that runs within the server; of workers it is."""
    models.save(models.scaled(1, (4,)), repository / "net/1/model.onnx")
    with servers.serving(tmp_path, *arguments(tmp_path, repository)) as server:
        assert server.request("PUT", "/admin/routes/m", json.dumps({"split": {"m@1": 100}}).encode())[0] == 200
        for gate in ("memory<=1.5x", "memory<=2GiB"):
            body = {"to": "net", "from": "m@1", "gates": [gate]}
            status, answer = call(server, "POST", "/m", body)
            assert status == 400, answer
            assert f"gate '{gate}' can't be kept: 'net' runs within the server (backend 'onnxruntime')" in answer["error"]
        status, answer = call(server, "POST", "/m", {"to": "m@1", "from": "net", "gates": ["memory<=2GiB"]})
        assert "runs within the server" not in json.dumps(answer)
        start(server, "m@2", **{"from": "m@1"}, gates=["memory<=2GiB"], hold="1h")
        assert call(server, "POST", "/m/abort")[0] == 200


def test_answers_are_compared_as_it_is_said(server):
    """The largest stays the largest."""
    with light_load(server):
        start(server, 6, steps="shadow:100@1h,50,100", gates=["disagreement<=5%"], compare={"y": {"kind": "top_k"}})
        wait_until(lambda: show(server)["copies"]["compared"] > 20, "answers that were compared")
    state = show(server)
    assert state["state"] == "running" and state["copies"]["disagreed"] == 0
    assert state["compare"] == {"y": {"kind": "top_k", "k": 1}}
    text = server.get("/metrics")[1].decode()
    assert 'modelmill_rollout_percent{route="m"} 0' in text
    assert 'modelmill_rollout_copied_percent{route="m"} 100' in text
    assert server_route(server)["split"] == {"m@1": 100}


def test_a_crash_of_the_version_rolls_back(server):
    with Load(server) as load:
        start(server, 5, hold="1h", gates=["error_rate<=+90pp"])
        wait_until(lambda: is_over(server), "its end")
        served = load.answered()
        wait_until(lambda: load.answered() > served + 100, "version 1 serves")
    state = show(server)
    assert state["state"] == "rolled back" and "breached" not in state["why"], state
    assert set(load.bad) <= {"5"} and default(server) == 1
    server.assert_alive()


def test_one_crash_of_one_of_several_workers_rolls_back(tmp_path):
    """The other one answers all the while, so that the version can be asked at any time, and one error is little."""
    died = tmp_path / "died"
    code = f"if not os.path.exists({str(died)!r}): open({str(died)!r}, 'w').close(); os._exit(3)"
    config = CONFIG + " instance_group { count: 2 kind: KIND_CPU }"
    folder = write_models(tmp_path / "models", {1: "time.sleep(0.002)", 2: code}, config)
    with servers.serving(tmp_path, *arguments(tmp_path, folder)) as server:
        make_default(server, 1)
        with Load(server, clients=1, pause=0.005) as load:
            start(server, 2, hold="1h", gates=["error_rate<=+90pp"])
            wait_until(lambda: is_over(server), "its end")
        state = show(server)
        assert state["state"] == "rolled back" and "exited with status 3" in state["why"], state
        assert state["canary"]["crashes"] == 1 and sum(load.bad.values()) <= 1


def test_a_version_that_eats_memory_is_rolled_back(server):
    """Its worker is ended at the limit, and that is enough, whatever the share of errors is."""
    with Load(server) as load:
        wait_until(lambda: load.answered() > 50, "some traffic")
        start(server, 7, hold="1h", gates=["error_rate<=+90pp"])
        wait_until(lambda: is_over(server), "its end")
        harmed = sum(load.bad.values())
        wait_until(lambda: load.answered() > 1_000, "more traffic")
    state = show(server)
    assert state["state"] == "rolled back", state
    assert "MiB of memory, more than the 400 that the model's parameter 'memory_limit_mb' allows" in state["why"]
    assert 'modelmill_process_failures_total{model="m",version="7"} ' in server.get("/metrics")[1].decode()
    assert state["canary"]["crashes"] >= 1 and state["baseline"]["crashes"] == 0 == state["baseline"]["errors"]
    # No more than its share was harmed, of that only what it was at, and none since.
    assert set(load.bad) <= {"7"} and load.lost == 0 and load.good["7"] > 0
    assert harmed <= sum(load.bad.values()) <= harmed + 6
    answered = state["canary"]["requests"] + state["baseline"]["requests"]
    assert state["canary"]["errors"] <= 0.4 * answered + 12 and harmed <= 0.4 * answered + 12
    assert decisions(server) == ["start", "roll back"]
    assert server.get_json("/admin/routes") == {"routes": []} and default(server) == 1
    server.assert_alive()


def test_a_shadow_that_eats_memory_is_rolled_back(server):
    """No client meets it."""
    with light_load(server) as load:
        start(server, 7, steps="shadow:100,50,100", hold="1h", gates=["error_rate<=+90pp"])
        wait_until(lambda: is_over(server), "its end")
    state = show(server)
    assert state["state"] == "rolled back" and "'memory_limit_mb' allows" in state["why"], state
    assert not load.bad and load.good.keys() <= {"1", "none"}


def test_a_version_that_takes_more_memory_is_rolled_back(server):
    """Which answers everything, and as fast."""
    with Load(server, clients=2, pause=0.005) as load:
        start(server, 8, hold="1h", gates=["memory<=1.5x"])
        wait_until(lambda: is_over(server), "its end")
    state = show(server)
    assert state["state"] == "rolled back" and "gate memory<=1.5x is breached: canary " in state["why"], state
    # It may have been looked at while it was still filling its 150 MiB.
    assert state["canary"]["memory_bytes"] > 1.5 * state["baseline"]["memory_bytes"] > 1 << 20
    assert state["canary"]["crashes"] == 0 and not load.bad and load.good["8"] > 0
    metrics = server.get("/metrics")[1].decode()
    assert 'modelmill_process_memory_bytes{model="m",version="8"} ' in metrics


def test_a_version_that_takes_as_much_memory_is_promoted(server):
    with Load(server, clients=2, pause=0.005):
        start(server, 2, gates=["memory<=2x", "memory<=300MiB"])
        wait_until(lambda: is_over(server), "its end")
    assert show(server)["state"] == "promoted", show(server)


def test_pause_resume_and_abort(server):
    with Load(server, clients=2) as load:

        def after(more):
            before = load.answered()
            wait_until(lambda: load.answered() >= before + more, f"{more} answers more")
            return show(server)

        start(server, 2)
        assert call(server, "POST", "/m/pause")[1]["state"] == "paused"
        at = after(20)  # those that were on their way are counted
        now = after(1_000)
        assert (now["step"], now["canary"]["requests"]) == (at["step"], at["canary"]["requests"]) and at["step"] == 1
        assert call(server, "POST", "/m/resume")[1]["state"] == "running"
        wait_until(lambda: show(server)["step"] == 2, "the next step")
        # The default gates need more than there is.
        wait_until(lambda: show(server)["held"], "that it is held")
        assert "not enough traffic" in show(server)["why"]
        assert call(server, "POST", "/m/abort")[1]["state"] == "aborted"
    assert default(server) == 1 and server.get_json("/admin/routes") == {"routes": []}
    assert without_holds(server) == ["start", "pause", "resume", "step", "abort"] and "hold" in decisions(server)
    for action in ("pause", "resume", "abort", "promote"):
        assert call(server, "POST", f"/m/{action}")[0] == 400


def test_kill_in_the_midst(tmp_path, repository):
    first = servers.Server(tmp_path / "first", *arguments(tmp_path, repository))
    try:
        make_default(first, 1)
        with Load(first, clients=2):
            start(first, 2, steps="20@1s,50@5s,100@1s", gates=["error_rate<=+20pp"])
            wait_until(lambda: show(first)["step"] == 2, "the second step")
    finally:
        first.kill()
    with servers.serving(tmp_path / "second", *arguments(tmp_path, repository)) as second:
        state = show(second)
        assert (state["state"], state["step"], state["percent"]) == ("running", 2, 50)
        split = {"m@1": 50, "m@2": 50}
        assert server_route(second)["split"] == split
        with Load(second):
            wait_until(lambda: is_over(second), "its end")
        assert show(second)["state"] == "promoted" and default(second) == 2
        assert without_holds(second) == ["start", "step", "step", "promote"]
    with servers.serving(tmp_path / "third", *arguments(tmp_path, repository)) as third:
        assert show(third)["state"] == "promoted" and default(third) == 2
        assert third.get_json("/admin/routes") == {"routes": []}


def test_kill_while_it_is_a_shadow(tmp_path, repository):
    first = servers.Server(tmp_path / "first", *arguments(tmp_path, repository))
    try:
        make_default(first, 1)
        with light_load(first):
            start(first, 2, steps="shadow:100@1h,50,100", gates=["disagreement<=20%"])
            wait_until(lambda: show(first)["copies"]["compared"] > 0, "answers that were compared")
            seen = show(first)["watched_seconds"]
            wait_until(lambda: show(first)["watched_seconds"] > seen + 2.5, "that they are kept")
    finally:
        first.kill()
    with servers.serving(tmp_path / "second", *arguments(tmp_path, repository)) as second:
        state = show(second)
        assert (state["state"], state["step"], state["shadow"], state["percent"]) == ("running", 1, True, 0)
        kept = state["copies"]["compared"]
        assert kept > 0 and state["watched_seconds"] > 1
        route = server_route(second)
        assert route["split"] == {"m@1": 100}
        assert route["shadow"] == [{"target": "m@2", "share": "100%", "of": "m@1"}]
        with light_load(second):
            wait_until(lambda: show(second)["copies"]["compared"] > kept, "more answers that were compared")
        assert decisions(second) == ["start"] and show(second)["copies"]["disagreed"] == 0


def reach(server, state):
    """Brings a rollout to 2 there."""
    if state == "at 100":
        start(server, 2, steps="50@1s,100@1h", gates=["error_rate<=+20pp"])
        with Load(server, clients=4):
            wait_until(lambda: show(server)["percent"] == 100, "it has all of the traffic", 60)
    elif state == "held":
        start(server, 2)
        wait_until(lambda: show(server)["held"], "it is held, for there is no traffic")
    elif state == "rolled back":
        start(server, 3, hold="1h")
        with Load(server, clients=2):
            wait_until(lambda: is_over(server), "its end")
    else:
        start(server, 2, hold="1h")
        action = {"paused": "pause", "aborted": "abort", "promoted": "promote"}[state]
        assert call(server, "POST", f"/m/{action}")[0] == 200


@pytest.mark.parametrize("state", ["at 100", "held", "paused", "rolled back", "aborted", "promoted"])
def test_kill_in_every_state(tmp_path, repository, state):
    """Beside those of the tests before, and of the keeper's own, which end between a decision and its change of the route."""

    def all_that_is_known(server):
        rollout = {key: show(server)[key] for key in ("number", "state", "held", "step", "percent", "to", "from", "why")}
        return rollout, decisions(server), server.get_json("/admin/routes")["routes"], default(server)

    first = servers.Server(tmp_path / "first", *arguments(tmp_path, repository))
    try:
        make_default(first, 1)
        reach(first, state)
        before = all_that_is_known(first)
    finally:
        first.kill()
    with servers.serving(tmp_path / "second", *arguments(tmp_path, repository)) as second:
        assert all_that_is_known(second) == before
        if before[0]["state"] in ("running", "paused"):
            assert call(second, "POST", "/m/abort")[1]["state"] == "aborted"
            assert default(second) == 1 and second.get_json("/admin/routes") == {"routes": []}


def test_kills_at_any_moment(tmp_path, repository):
    """Whatever it was about to do, it is done once, and the rollout comes to its end."""
    chance = random.Random(time.time_ns())
    pauses = [chance.uniform(0, 1.5) for _ in range(4)]
    print("seconds until the kills:", pauses)
    more = {"steps": "10,20,40,60,80,100", "hold": "300ms", "gates": ["error_rate<=+30pp"], "min_requests": 5}
    for number, pause in enumerate(pauses):
        server = servers.Server(tmp_path / f"server{number}", *arguments(tmp_path, repository))
        try:
            if number == 0:
                make_default(server, 1)
                start(server, 2, **more)
            with Load(server, clients=2):
                time.sleep(pause)
        finally:
            server.kill()
    with servers.serving(tmp_path / "last", *arguments(tmp_path, repository)) as last:
        with Load(last, clients=4):
            wait_until(lambda: is_over(last), "its end", 60)
        assert without_holds(last) == ["start", "step", "step", "step", "step", "step", "promote"]
        assert show(last)["number"] == 1 and default(last) == 2
        assert last.get_json("/admin/routes") == {"routes": []}


def server_route(server):
    return server.get_json("/admin/routes/m")["route"]


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


def test_changes_need_the_management_token(tmp_path, repository):
    with servers.serving(tmp_path, repository, "--host=0.0.0.0", f"--state-dir={tmp_path / 'state'}") as server:
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
