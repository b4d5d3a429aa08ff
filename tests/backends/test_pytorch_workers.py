"""Models of PyTorch's that Python workers run: by a torch that there is no plugin file for, or because the user wants it."""

import base64
import contextlib
import json
import pathlib

import numpy as np
import pytest

import python_workers
import servers
from changing_models import control
from clients import Client
from kit import assert_close, same
from kits.pytorch import KIT
from repositories import parameter
from stand import BATCHING, FrameworkProcess, answer, make_models, put
from test_pytorch import config, explicit, fake_torch, load, ports, refusal, serving, without_plugin_file

COMPARED = (
    "identity_bool", "identity_uint16", "identity_fp16", "identity_bf16", "scalar", "attend", "wide", "half", "cnn", "add_sub",
    "strings", "packed",
)  # fmt: skip


@pytest.fixture(scope="module")
def made():
    return make_models(KIT)


@pytest.fixture(scope="module")
def framework():
    process = FrameworkProcess(KIT)
    yield process
    process.close()


@pytest.fixture
def workers(tmp_path):
    return without_plugin_file(tmp_path)


def wish(value):
    return parameter("runtime", value)


@pytest.fixture(scope="module")
def server_of_all(made, tmp_path_factory):
    """By the wish of their configurations; nothing is loaded yet."""
    folder = tmp_path_factory.mktemp("workers")
    for name in (*COMPARED, "pick", "refuse"):
        model = KIT.model(name)
        batching = BATCHING if "batches" in model.roles else ""
        put(made, name, folder / "models" / name, f'backend: "pytorch"\n{batching}{wish("python")}{model.config}')
    with explicit(folder, folder / "models", (KIT.environment(), ("--python", KIT.venv))) as server:
        yield server


@pytest.mark.parametrize("name", COMPARED)
def test_answers_are_torchs_own(server_of_all, made, framework, name):
    """Of requests one after another, and of those that a batch is made of."""
    model, server = KIT.model(name), server_of_all
    load(server, name)
    requests = [model.draw(sizes, seed) for seed, sizes in enumerate(model.sizes)]
    identity = "identity" in model.roles
    expected = requests if identity else framework.answers(made / name / "1", requests)
    with contextlib.closing(Client("grpc", server.address)) as client:
        for arrays, right in zip(requests, expected):
            result = client.infer(name, arrays)
            if identity:
                assert same(result.as_numpy("y"), right["x"]), (name, right)
            else:
                assert_close(model, {output: result.as_numpy(output) for output in model.outputs}, right, name)
    assert server.get_json(f"/explain/{name}")["backend"] == "pytorch"
    assert len(python_workers.of(server)) == 1
    unload(server, name)


def unload(server, name):
    assert control(server, name, "unload") == (200, "")
    servers.wait_until(lambda: not python_workers.of(server), "its worker has gone")


@pytest.mark.parametrize("name", ["pick", "refuse"])
def test_a_request_that_fails_is_told_in_torchs_words(server_of_all, name):
    model, server = KIT.model(name), server_of_all
    load(server, name)
    ((key, bad),) = model.bad.items()
    for _ in range(2):
        status, reply = server.post_json(f"/predict/{name}", {key: bad.tolist()})
        assert status == 400 and model.fails_with in reply["error"], reply
        right = model.draw()
        assert np.shape(answer(server, name, {key: right[key].tolist()})["OUTPUT__0"]) == right[key].shape
    unload(server, name)


def test_a_torch_without_a_plugin_file_serves_all_the_same(made, framework, workers, tmp_path):
    """Without a configuration, and with Triton's; who runs them and why is told where people look."""
    put(made, "mlp", tmp_path / "models/bare")
    put(made, "mlp", tmp_path / "models/triton", 'platform: "pytorch_libtorch"\nmax_batch_size: 8\n')
    x = KIT.model("mlp").draw((5,), 3)
    (right,) = framework.answers(made / "mlp/1", [x])
    with serving(tmp_path, tmp_path / "models", way=workers) as server:
        for model in ("bare", "triton"):
            got = answer(server, model, {"input": x["input"].tolist()})["OUTPUT__0"]
            np.testing.assert_allclose(got, right["OUTPUT__0"], rtol=1e-5, atol=1e-6)
            assert server.get_json(f"/v2/models/{model}")["platform"] == "pytorch_libtorch"
        assert ports(server, "bare", "inputs") == {"input": ("FP32", [-1, 64])}
        assert server.get_json("/v2/models/bare/config")["max_batch_size"] == 64, "its rows were tried out"
        assert "is torch 2.3.1+cu121, but this build of modelmill serves with torch 2." in server.log()
        explained = server.get_json("/explain/bare")
        assert explained["backend"] == "pytorch" and explained["runtimes"]["chosen"]["backend"] == "python"
        (out,) = [one for one in explained["runtimes"]["candidates"] if one["excluded"]]
        assert out["backend"] == "pytorch"
        assert "torch 2.3.1+cu121" in out["excluded"] and "pip install torch==2." in out["excluded"]
        text = servers.run_cli("explain", "bare", "--server", server.url).stdout
        assert "pytorch" in text and "is out: " in text and "torch 2.3.1+cu121" in text and "was chosen" in text
        assert len(python_workers.of(server)) == 2


def test_the_environment_of_the_torch_that_was_named_runs_the_workers(made, tmp_path):
    """What is set for the plugin leads to the right Python, without --python."""
    other = fake_torch(tmp_path / "other", "2.3.1")
    (other / "bin").mkdir()
    python = other / "bin/python3"
    python.write_text(f'#!/bin/sh\nexec {KIT.python} "$@"\n')
    python.chmod(0o755)
    library = next(other.glob("lib/python3*/site-packages/torch/lib/libtorch_cpu.so"))
    for named in (other, library):
        folder = tmp_path / named.name
        with serving(folder, made / "mlp", way=({KIT.variable: str(named)}, ())) as server:
            assert np.shape(answer(server, "mlp", {"input": [[0.5] * 64]})["OUTPUT__0"]) == (1, 10)


def test_the_operator_may_want_workers_and_a_configuration_not(made, tmp_path):
    put(made, "mlp", tmp_path / "models/free")
    put(made, "mlp", tmp_path / "models/own", wish("pytorch"))
    with serving(tmp_path, tmp_path / "models", "--runtime=python", way=(KIT.environment(), ("--python", KIT.venv))) as server:
        x = {"input": [[0.5] * 64]}
        np.testing.assert_allclose(answer(server, "free", x)["OUTPUT__0"], answer(server, "own", x)["OUTPUT__0"], rtol=1e-5)
        assert len(python_workers.of(server)) == 1
        assert server.get_json("/explain/free")["runtimes"]["chosen"]["backend"] == "python"
        assert "runtimes" not in server.get_json("/explain/own")


def test_one_that_wants_the_plugin_is_told_what_is_missing(made, workers, tmp_path):
    put(made, "mlp", tmp_path / "models/own", wish("pytorch"))
    with explicit(tmp_path, tmp_path / "models", workers) as server:
        assert "is torch 2.3.1+cu121" in refusal(server, "own")
        assert python_workers.of(server) == []


def test_state_is_one_workers(made, workers, tmp_path):
    put(made, "counter", tmp_path / "models/counter", config({"x": ("FP32", [1])}, {}))
    put(made, "counter", tmp_path / "models/many", "instance_group { count: 4 }" + config({"x": ("FP32", [1])}, {}))
    with explicit(tmp_path, tmp_path / "models", workers) as server:
        load(server, "counter")
        assert [answer(server, "counter", {"x": [0]})["OUTPUT__0"] for _ in range(4)] == [[0], [1], [2], [3]]
        assert "neither batched nor warmed up" in server.log()
        assert "can have one instance only" in refusal(server, "many")


def threads_of(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


def test_threads_are_as_configured(made, workers, tmp_path):
    """Torch's own threads inside an operator, beside those that Python has anyway."""
    few = parameter("INTRA_OP_THREAD_COUNT", 1)
    many = parameter("INTRA_OP_THREAD_COUNT", 7) + parameter("INTER_OP_THREAD_COUNT", 2)
    for name, settings in (("few", few), ("many", many)):
        put(made, "slow", tmp_path / "models" / name, settings + config({"x": ("FP32", [1, 16])}, {}))
    counts = {}
    with explicit(tmp_path, tmp_path / "models", workers) as server:
        for name in ("few", "many"):
            before = set(python_workers.of(server))
            load(server, name)
            answer(server, name, {"x": [[0.5] * 16]})
            (pid,) = set(python_workers.of(server)) - before
            counts[name] = threads_of(pid)
    assert counts["many"] >= counts["few"] + 6, counts


def test_what_lies_beside_a_model_is_not_installed_for_it(made, workers, tmp_path):
    """Nor for one that a client sent: what it names would be code."""
    put(made, "mlp", tmp_path / "models/own")
    (tmp_path / "models/own/1/requirements.txt").write_text("no-such-package-of-anybody\n")
    with explicit(tmp_path, tmp_path / "models", workers) as server:
        load(server, "own")
        content = base64.b64encode((made / "mlp/1/model.pt").read_bytes()).decode()
        listed = base64.b64encode(b"no-such-package-of-anybody\n").decode()
        files = {"file:1/model.pt": content, "file:1/requirements.txt": listed}
        parameters = {"config": json.dumps({"backend": "pytorch"}), **files}
        body = json.dumps({"parameters": parameters}).encode()
        status, reply, _ = server.request("POST", "/v2/repository/models/sent/load", body)
        assert status == 200, reply
        for model in ("own", "sent"):
            assert np.shape(answer(server, model, {"input": [[0.5] * 64]})["OUTPUT__0"]) == (1, 10)
