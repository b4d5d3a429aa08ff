"""Rollouts under load: what is good is promoted, what is not is rolled back."""

import pytest

import rollouts
import servers
from rollouts import (
    CONFIG, Load, arguments, call, decisions, default, is_over, make_default, show, start, without_holds, write_models,
)  # fmt: skip
from servers import wait_until


@pytest.fixture
def server(tmp_path):
    with rollouts.serving(tmp_path) as running:
        yield running


def test_a_version_that_fails_is_rolled_back_at_once(server):
    """Long before its step is over; how soon, the keeper's own tests say, by their clock."""
    with Load(server) as load:
        wait_until(lambda: load.answered() > 50, "some traffic")
        start(server, 3, hold="1h")
        wait_until(lambda: is_over(server), "its end")
        harmed, answered = sum(load.bad.values()), load.answered()
        wait_until(lambda: load.answered() > answered + 300, "more traffic")
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
        start(server, 4, hold="1h", gates=["p50<=2x"])
        wait_until(lambda: is_over(server), "its end")
    state = show(server)
    assert state["state"] == "rolled back" and "gate p50<=2x is breached" in state["why"]
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
    write_models(tmp_path / "models", {1: "time.sleep(0.002)", 2: code}, config)
    with servers.serving(tmp_path, *arguments(tmp_path)) as server:
        make_default(server, 1)
        with Load(server, clients=1, pause=0.005) as load:
            start(server, 2, hold="1h", gates=["error_rate<=+90pp"])
            wait_until(lambda: is_over(server), "its end")
        state = show(server)
        assert state["state"] == "rolled back" and "exited with status 3" in state["why"], state
        assert state["canary"]["crashes"] == 1 and sum(load.bad.values()) <= 1


def test_pause_resume_and_abort(server):
    with Load(server, clients=2) as load:

        def after(more):
            before = load.answered()
            wait_until(lambda: load.answered() >= before + more, f"{more} answers more")
            return show(server)

        start(server, 2)
        assert call(server, "POST", "/m/pause")[1]["state"] == "paused"
        at = after(20)  # those that were on their way are counted
        now = after(300)
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
