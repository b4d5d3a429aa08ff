"""Rollouts that compare answers: of copies that nobody gets, and of copies beside what clients get."""

import json

import pytest

import models
import rollouts
import servers
from rollouts import (
    BEHAVIOURS, arguments, call, decisions, default, is_over, light_load, server_route, show, start, without_holds, write_models,
)  # fmt: skip
from servers import wait_until


@pytest.fixture
def server(tmp_path):
    with rollouts.serving(tmp_path) as running:
        yield running


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


def test_between_models_of_two_backends(tmp_path):
    """From a model of Python to one of ONNX, which says the same."""
    repository = write_models(tmp_path / "models", BEHAVIOURS)
    models.save(models.scaled(1, (4,)), repository / "net/1/model.onnx")
    with servers.serving(tmp_path, *arguments(tmp_path)) as server:
        assert server.request("PUT", "/admin/routes/m", json.dumps({"split": {"m@1": 100}}).encode())[0] == 200
        with light_load(server) as load:
            start(server, "net", **{"from": "m@1"}, gates=["error_rate<=+20pp", "disagreement<=20%"])
            wait_until(lambda: is_over(server), "its end")
        assert show(server)["state"] == "promoted", show(server)
        assert server_route(server)["split"] == {"net": 100}
        assert not load.bad and load.lost == 0
        proof = [e for e in call(server, "GET", "/m/history")[1]["history"] if e["what"] == "step"][0]["numbers"]
        assert proof["copies"]["compared"] >= 10 and proof["copies"]["disagreed"] == 0


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
