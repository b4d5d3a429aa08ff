"""Rollouts whose server is killed, at whatever moment: each decision is carried out once, and the end is the same."""

import random
import time

import pytest

import servers
from rollouts import (
    BEHAVIOURS, Load, arguments, call, decisions, default, is_over, light_load, make_default, server_route, show, start, without_holds, write_models,
)  # fmt: skip
from servers import wait_until


@pytest.fixture(autouse=True)
def repository(tmp_path):
    write_models(tmp_path / "models", BEHAVIOURS)


def test_kill_in_the_midst(tmp_path):
    first = servers.Server(tmp_path / "first", *arguments(tmp_path))
    try:
        make_default(first, 1)
        with Load(first, clients=2):
            start(first, 2, steps="20@1s,50@5s,100@1s", gates=["error_rate<=+20pp"])
            wait_until(lambda: show(first)["step"] == 2, "the second step")
    finally:
        first.kill()
    with servers.serving(tmp_path / "second", *arguments(tmp_path)) as second:
        state = show(second)
        assert (state["state"], state["step"], state["percent"]) == ("running", 2, 50)
        split = {"m@1": 50, "m@2": 50}
        assert server_route(second)["split"] == split
        with Load(second):
            wait_until(lambda: is_over(second), "its end")
        assert show(second)["state"] == "promoted" and default(second) == 2
        assert without_holds(second) == ["start", "step", "step", "promote"]
    with servers.serving(tmp_path / "third", *arguments(tmp_path)) as third:
        assert show(third)["state"] == "promoted" and default(third) == 2
        assert third.get_json("/admin/routes") == {"routes": []}


def test_kill_while_it_is_a_shadow(tmp_path):
    first = servers.Server(tmp_path / "first", *arguments(tmp_path))
    try:
        make_default(first, 1)
        with light_load(first):
            start(first, 2, steps="shadow:100@1h,50,100", gates=["disagreement<=20%"])
            wait_until(lambda: show(first)["copies"]["compared"] > 0, "answers that were compared")
            seen = show(first)["watched_seconds"]
            wait_until(lambda: show(first)["watched_seconds"] > seen + 2.5, "that they are kept")
    finally:
        first.kill()
    with servers.serving(tmp_path / "second", *arguments(tmp_path)) as second:
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
            wait_until(lambda: show(server)["percent"] == 100, "it has all of the traffic")
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
def test_kill_in_every_state(tmp_path, state):
    """Beside those of the other tests, and of the keeper's own, which end between a decision and its change of the route."""

    def all_that_is_known(server):
        rollout = {key: show(server)[key] for key in ("number", "state", "held", "step", "percent", "to", "from", "why")}
        return rollout, decisions(server), server.get_json("/admin/routes")["routes"], default(server)

    first = servers.Server(tmp_path / "first", *arguments(tmp_path))
    try:
        make_default(first, 1)
        reach(first, state)
        before = all_that_is_known(first)
    finally:
        first.kill()
    with servers.serving(tmp_path / "second", *arguments(tmp_path)) as second:
        assert all_that_is_known(second) == before
        if before[0]["state"] in ("running", "paused"):
            assert call(second, "POST", "/m/abort")[1]["state"] == "aborted"
            assert default(second) == 1 and second.get_json("/admin/routes") == {"routes": []}


def test_kills_at_any_moment(tmp_path):
    """Whatever it was about to do, it is done once, and the rollout comes to its end."""
    chance = random.Random(time.time_ns())
    pauses = [chance.uniform(0, 1.5) for _ in range(4)]
    print("seconds until the kills:", pauses)
    more = {"steps": "10,20,40,60,80,100", "hold": "300ms", "gates": ["error_rate<=+30pp"], "min_requests": 5}
    for number, pause in enumerate(pauses):
        server = servers.Server(tmp_path / f"server{number}", *arguments(tmp_path))
        try:
            if number == 0:
                make_default(server, 1)
                start(server, 2, **more)
            with Load(server, clients=2):
                time.sleep(pause)
        finally:
            server.kill()
    with servers.serving(tmp_path / "last", *arguments(tmp_path)) as last:
        with Load(last, clients=4):
            wait_until(lambda: is_over(last), "its end")
        assert without_holds(last) == ["start", "step", "step", "step", "step", "step", "promote"]
        assert show(last)["number"] == 1 and default(last) == 2
        assert last.get_json("/admin/routes") == {"routes": []}
