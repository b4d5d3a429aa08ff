"""Budgets of GPUs' memory, on a backend that shows four GPUs of 1,000 MiB that are not there."""

import concurrent.futures
import json

import numpy as np
import pytest

import repositories
from clients import Client
from repositories import parameters
from servers import build_dir, run_cli, wait_until
from test_observability import of, scrape

MIB = 1 << 20
PLUGINS = f"--backend-directory={build_dir() / 'test_backends/server'}"


def group(count, *gpus):
    return f"instance_group {{ count: {count} kind: KIND_GPU gpus: {list(gpus)} }}\n"


@pytest.fixture
def add(tmp_path, gate):
    """add(name, group, parameter=value...): a model of the backend `devices`; gives the folder of all."""

    def make(name, where, **values):
        repositories.add_gated_identity(tmp_path / "models", name, gate, where + parameters(**values), backend="devices")
        return tmp_path / "models"

    return make


def explain(server, model):
    return server.get_json(f"/explain/{model}")


def ask(server, model):
    client = Client("grpc", server.address)
    try:
        return int(client.infer(model, {"INPUT0": np.zeros((1, 4), np.float32)}).as_numpy("OUTPUT0")[0, 0])
    finally:
        client.close()


def held(server, gpu):
    return of(scrape(server), "modelmill_device_memory_held_bytes", gpu=str(gpu)) / MIB


def served(server):
    status, index = server.post_json("/v2/repository/index", {"ready": True})
    assert status == 200
    return sorted(model["name"] for model in index)


def load(server, model):
    """(status, the error or nothing)."""
    status, body, _ = server.request("POST", f"/v2/repository/models/{model}/load", b"{}")
    return status, json.loads(body)["error"] if status != 200 else ""


def unload(server, model):
    status, body, _ = server.request("POST", f"/v2/repository/models/{model}/unload", b"{}")
    assert status == 200, body


def test_what_is_held_is_shown_and_given_back(serve, add):
    folder = add("m", group(2, 0, 2), takes_mib=100, weights_mib=50)
    server = serve(folder, PLUGINS)
    assert explain(server, "m")["devices"] == [
        {"gpu": gpu, "bytes": 250 * MIB, "held_bytes": 250 * MIB, "budget_bytes": 900 * MIB} for gpu in (0, 2)
    ]
    metrics = scrape(server)
    for gpu in "02":
        assert of(metrics, "modelmill_device_memory_budget_bytes", gpu=gpu) == 900 * MIB
        assert of(metrics, "modelmill_device_memory_held_bytes", gpu=gpu) == 250 * MIB
        assert of(metrics, "modelmill_model_device_memory_bytes", model="m", version="1", gpu=gpu) == 250 * MIB
        assert of(metrics, "nv_gpu_memory_total_bytes", gpu_uuid=f"GPU-fake-{gpu}") == 1000 * MIB
        assert of(metrics, "nv_gpu_memory_used_bytes", gpu_uuid=f"GPU-fake-{gpu}") == 250 * MIB
    text = run_cli("explain", "m", "--server", server.url).stdout
    assert "250.0 MiB of this model; 250.0 MiB of a budget of 900.0 MiB are held" in text
    unload(server, "m")
    wait_until(lambda: held(server, 0) == 0, "given back")
    assert "modelmill_model_device_memory_bytes{" not in server.get("/metrics")[1].decode()
    wait_until(lambda: of(scrape(server), "nv_gpu_memory_used_bytes", gpu_uuid="GPU-fake-0") == 0, "the GPU has it back")
    server.stop()


@pytest.mark.parametrize("known", [{"takes_mib": 500}, {"instance_memory": "500MiB"}])
def test_what_does_not_fit_is_refused_with_the_numbers(serve, add, known):
    """By what the backend tells, and by what the configuration declares."""
    add("first", group(1, 1), **known)
    folder = add("second", group(1, 1), **known)
    server = serve(folder, PLUGINS, "--model-control-mode=explicit", "--load-model=first")
    status, answer = load(server, "second")
    assert status != 200
    assert "of gpu 1, of whose budget of 900.0 MiB" in answer
    assert "500.0 MiB by model 'first' version 1" in answer and "raise --device-memory" in answer
    assert ask(server, "first") == 1 and held(server, 1) == 500
    assert of(scrape(server), "modelmill_device_memory_refused_total", gpu="1") == 1
    unload(server, "first")
    wait_until(lambda: held(server, 1) == 0, "given back")
    assert load(server, "second")[0] == 200
    assert ask(server, "second") == 1
    server.stop()


def test_the_operators_budget(serve, add):
    add("first", group(1, 1), takes_mib=500)
    folder = add("second", group(1, 1), takes_mib=500)
    server = serve(folder, PLUGINS, "--device-memory=1=1000MiB", "--device-memory=400MiB")
    assert served(server) == ["first", "second"]
    assert of(scrape(server), "modelmill_device_memory_budget_bytes", gpu="1") == 1000 * MIB
    server.stop()


def test_the_least_recently_used_makes_room(serve, add):
    add("old", group(1, 0), takes_mib=400)
    add("new", group(1, 0), takes_mib=400)
    folder = add("third", group(1, 0), takes_mib=400)
    server = serve(folder, PLUGINS, "--load-on-demand")
    assert served(server) == []
    assert ask(server, "old") == 0 and ask(server, "new") == 0
    assert ask(server, "third") == 0
    assert served(server) == ["new", "third"] and held(server, 0) == 800
    assert ask(server, "old") == 0, "it loads again"
    assert served(server) == ["old", "third"]
    assert "model is put away to make room" in server.log()
    server.stop()


def test_what_is_pinned_stays(serve, add):
    add("old", group(1, 0), takes_mib=600)
    folder = add("new", group(1, 0), takes_mib=600)
    (folder / "old/modelmill.yaml").write_text("pinned: true\n")
    server = serve(folder, PLUGINS, "--load-on-demand")
    assert ask(server, "old") == 0
    status, answer = load(server, "new")
    assert status != 200 and "600.0 MiB by model 'old' version 1" in answer
    assert served(server) == ["old"]
    server.stop()


def test_instances_that_follow_the_load_go_where_there_is_room(serve, add, gate):
    add("big", group(1, 0), takes_mib=700)
    folder = add("m", group(1, 0, 1), takes_mib=300, min_instances=1, max_instances=6)
    server = serve(folder, PLUGINS, "--model-control-mode=explicit", "--load-model=big")
    assert load(server, "m")[0] == 200
    assert explain(server, "m")["instances"]["places"] == ["gpu 1", "gpu 1"], "gpu 0 had no room"
    gate.close()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(ask, server, "m") for _ in range(16)]
        wait_until(lambda: explain(server, "m")["instances"]["count"] == 3, "one more")
        wait_until(lambda: "held_back" in explain(server, "m")["instances"], "no further one")
        instances = explain(server, "m")["instances"]
        assert instances["places"] == ["gpu 1"] * 3
        for gpu in (0, 1):
            assert f"needs 300.0 MiB of gpu {gpu}, of whose budget of 900.0 MiB" in instances["held_back"]
        assert "held back   no further instance: " in run_cli("explain", "m", "--server", server.url).stdout
        wait_until(lambda: "instances are held back" in server.log(), "it is logged")
        unload(server, "big")
        wait_until(lambda: explain(server, "m")["instances"]["count"] > 3, "gpu 0 has room now", 60)
        assert "gpu 0" in explain(server, "m")["instances"]["places"]
        gate.open()
        assert {answer.result() for answer in answers} <= {0, 1}
    server.stop()


def test_budgets_in_modelmill_yaml(serve, tmp_path, add):
    folder = add("m", group(1, 0), instance_memory="100MiB")
    listing = tmp_path / "modelmill.yaml"
    listing.write_text(f"models: [{{path: {folder / 'm'}}}]\ndevice_memory: {{0: 150MiB, 1: 1GiB}}\n")
    server = serve(listing, PLUGINS)
    assert explain(server, "m")["devices"][0]["budget_bytes"] == 150 * MIB
    listing.write_text(f"models: [{{path: {folder / 'm'}}}]\ndevice_memory: 200MiB\n")
    wait_until(lambda: explain(server, "m")["devices"][0]["budget_bytes"] == 200 * MIB, "read again")
    server.stop()
    server = serve(listing, PLUGINS, "--device-memory=0=300MiB")
    assert explain(server, "m")["devices"][0]["budget_bytes"] == 300 * MIB, "the option comes first"
    server.stop()


def test_what_makes_no_sense(tmp_path, add):
    folder = add("m", group(1, 0), instance_memory="much")
    result = run_cli("serve", folder, "--port=0", PLUGINS)
    assert result.returncode != 0
    assert "parameter 'instance_memory' is 'much', but must be a size" in result.stdout + result.stderr
    for option in ("much", "x=1GiB", "-1=1GiB", "0="):
        result = run_cli("serve", folder, f"--device-memory={option}")
        assert result.returncode != 0 and "--device-memory" in result.stderr
    result = run_cli("serve", folder, "--device-memory=1GiB", "--device-memory=2GiB")
    assert "is given twice for all GPUs" in result.stderr
