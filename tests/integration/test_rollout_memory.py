"""Rollouts of versions that take more memory than they may, or than those before them."""

import json

import pytest

import models
import rollouts
import servers
from rollouts import (
    BEHAVIOURS, Load, arguments, call, decisions, default, is_over, light_load, show, start, write_models,
)  # fmt: skip
from servers import wait_until


@pytest.fixture
def server(tmp_path):
    with rollouts.serving(tmp_path) as running:
        yield running


def test_a_gate_on_memory_is_refused_where_it_is_not_known(tmp_path):
    """Of a version that runs within the server; of workers it is."""
    repository = write_models(tmp_path / "models", BEHAVIOURS)
    models.save(models.scaled(1, (4,)), repository / "net/1/model.onnx")
    with servers.serving(tmp_path, *arguments(tmp_path)) as server:
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


def test_a_version_that_eats_memory_is_rolled_back(server):
    """Its worker is ended at the limit, and that is enough, whatever the share of errors is."""
    with Load(server) as load:
        wait_until(lambda: load.answered() > 50, "some traffic")
        start(server, 7, hold="1h", gates=["error_rate<=+90pp"])
        wait_until(lambda: is_over(server), "its end")
        harmed, answered = sum(load.bad.values()), load.answered()
        wait_until(lambda: load.answered() > answered + 300, "more traffic")
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
