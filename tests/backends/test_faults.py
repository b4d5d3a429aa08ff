"""What can be wrong with requests, models and the machine: told clearly, and the rest goes on."""

import json
import shutil

import numpy as np
import pytest

import changing_models
import servers
from clients import InferenceServerException, assert_error
from kit import NUMPY_TYPES, assert_close
from servers import run_cli


def other_type(dtype):
    return "INT64" if dtype != "INT64" else "FP32"


def wrong_requests(model):
    """(name of the fault, inputs, what the message has)"""
    right = model.draw()
    name, (dtype, shape) = next(iter(model.inputs.items()))
    another = other_type(dtype)
    yield "type", {**right, name: np.zeros(right[name].shape, NUMPY_TYPES[another])}, [f"'{name}'", another, dtype]
    yield "missing", {key: value for key, value in right.items() if key != name}, [name]
    yield "unknown", {**right, "nobody": np.zeros(1, np.float32)}, ["nobody"]
    yield "rank", {**right, name: right[name].reshape((1, *right[name].shape))}, [f"'{name}'", "shape"]
    for index, size in enumerate(shape):
        if index > 0 and size > 0:
            wrong = np.repeat(right[name], 2, axis=index)
            yield "shape", {**right, name: wrong}, [f"'{name}'", "shape"]


@pytest.mark.role("batches")
@pytest.mark.parametrize("client_kind", ["http", "grpc"])
def test_wrong_inputs(stand, model, client_kind):
    right = model.draw((2,))
    (expected,) = stand.answers(model, [right])
    with stand.client(client_kind) as client:
        for fault, arrays, texts in wrong_requests(model):
            if not arrays:
                continue  # a model of one input: clients send none at all as a malformed request
            with pytest.raises(InferenceServerException) as error:
                client.infer(model.name, arrays)
            assert_error(error, "INVALID_ARGUMENT", *texts)
            assert fault
        with pytest.raises(InferenceServerException) as error:
            client.infer(model.name, right, outputs=[client.output("nobody")])
        assert_error(error, "INVALID_ARGUMENT", "nobody")
        assert_close(model, stand.ask(client, model, right), expected)


@pytest.mark.role("fails")
@pytest.mark.parametrize("client_kind", ["http", "grpc"])
def test_an_execution_that_fails(stand, model, client_kind):
    """It is that request's error, in the framework's words, and the next one is answered."""
    right = model.draw()
    (expected,) = stand.answers(model, [right])
    with stand.client(client_kind) as client:
        for _ in range(3):
            with pytest.raises(InferenceServerException) as error:
                client.infer(model.name, model.bad)
            assert model.fails_with in error.value.message()
            assert_close(model, stand.ask(client, model, right), expected)


@pytest.mark.role("loads")
def test_a_file_that_is_no_model(stand, model, tmp_path):
    """The others are served, and why this one is not is told at its place and in the log."""
    kit = stand.kit
    repository = tmp_path / "models"
    shutil.copytree(stand.repository / model.name, repository / model.name)
    kit.break_model(repository / "broken/1")
    (repository / "broken/config.pbtxt").write_text(f'backend: "{kit.backend}"')
    server = servers.Server(tmp_path / "log", repository, check_ready=False, env=kit.environment())
    try:
        states = lambda: {name: state for (name, _), state in changing_models.states(server).items()}  # noqa: E731
        servers.wait_until(lambda: {state for state, _ in states().values()} == {"READY", "UNAVAILABLE"}, "both are decided")
        assert states()[model.name] == ("READY", "")
        assert kit.broken_text in states()["broken"][1], states()
        assert "broken" in server.log()
        server.stop()
    finally:
        server.kill()


@pytest.mark.role("loads")
def test_a_machine_without_the_runtime(stand, model, tmp_path):
    """doctor and the model's error name the command that installs it."""
    kit = stand.kit
    env = {kit.variable: str(tmp_path / "none.so")}
    report = json.loads(run_cli("doctor", "--json", env=env).stdout)
    (backend,) = [backend for backend in report["backends"] if backend["name"] == kit.backend]
    assert not backend["available"] and kit.install in backend["remedy"] and kit.variable in backend["remedy"]
    result = run_cli("serve", stand.repository / model.name, "--port", 0, env=env)
    assert result.returncode != 0
    assert kit.install in result.stderr and "none.so" in result.stderr, result.stderr


def test_doctor_shows_the_runtime(installed):
    kit = installed
    report = json.loads(run_cli("doctor", "--json", env=kit.environment()).stdout)
    (backend,) = [backend for backend in report["backends"] if backend["name"] == kit.backend]
    assert backend["available"], backend
    assert backend["runtime"] == kit.runtime
    assert backend["runtime_version"][:1].isdigit()
    assert str(kit.venv.resolve()) in str(backend["runtime_path"]) or str(kit.venv) in backend["runtime_path"]
