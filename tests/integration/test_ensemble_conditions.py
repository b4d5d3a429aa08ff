"""Pipelines whose steps have conditions, against numpy and the members' own counts."""

import clients
import models
import numpy as np
import onnx
import pytest
import servers
from changing_models import states


def affine(factor, offset):
    """y = factor * x + offset, rows of two."""
    nodes = [
        onnx.helper.make_node("Mul", ["x", "factor"], ["scaled"]),
        onnx.helper.make_node("Add", ["scaled", "offset"], ["y"]),
    ]
    return models.model(
        "affine",
        nodes,
        [models.value("x", "FP32", ("batch", 2))],
        [models.value("y", "FP32", ("batch", 2))],
        {"factor": np.float32(factor), "offset": np.float32(offset)},
    )


def largest():
    """The larger of each row's two."""
    return models.model(
        "largest",
        [onnx.helper.make_node("ReduceMax", ["x", "axes"], ["s"], keepdims=1)],
        [models.value("x", "FP32", ("batch", 2))],
        [models.value("s", "FP32", ("batch", 1))],
        {"axes": np.array([1], np.int64)},
    )


YAML = """
models:
  - {path: score.onnx}
  - {path: large.onnx}
  - {path: middle.onnx}
  - {path: small.onnx}
  - name: choice
    ensemble:
      steps:
        - {model: score, inputs: {x: in}, outputs: {s: score}}
        - {model: large, when: {tensor: score, above: 10}, inputs: {x: in}, outputs: {y: out}}
        - {model: middle, when: {tensor: score, above: 5, of: any}, inputs: {x: in}, outputs: {y: out}}
        - {model: small, when: otherwise, inputs: {x: in}, outputs: {y: out}}
  - name: chain
    ensemble:
      steps:
        - {model: score, inputs: {x: in}, outputs: {s: score}}
        - {model: large, when: {tensor: score, above: 10}, inputs: {x: in}, outputs: {y: inner}}
        - {model: middle, inputs: {x: inner}, outputs: {y: out}}
        - {model: small, when: otherwise, inputs: {x: in}, outputs: {y: out}}
"""


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    for name, model in {
        "score": largest(),
        "large": affine(100, 0),
        "middle": affine(10, 0),
        "small": affine(1, 0.5),
    }.items():
        models.save(model, folder / f"{name}.onnx")
    (folder / "modelmill.yaml").write_text(YAML)
    return folder


# Rows of which all, some and none are above the bounds.
CASES = [
    ([[11, 0], [0, 12]], "large"),
    ([[11, 0], [0, 2]], "middle"),
    ([[6, 0], [0, 2]], "middle"),
    ([[1, 0], [0, 5]], "small"),
]


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_the_first_alternative_that_suits_runs_alone(tmp_path, repository, kind):
    formulas = {"large": lambda x: 100 * x, "middle": lambda x: 10 * x, "small": lambda x: x + 0.5}
    with servers.serving(tmp_path, repository) as server:
        client = clients.Client(kind, server.address)
        for rows, model in CASES:
            x = np.array(rows, np.float32)
            before = {name: server.executions(name) for name in formulas}
            answer = client.infer("choice", {"in": x})
            np.testing.assert_allclose(answer.as_numpy("out"), formulas[model](x), err_msg=model)
            servers.wait_until(lambda m=model, b=before: server.executions(m) == b[m] + 1, f"{model} is counted")
            for other in set(formulas) - {model}:
                assert server.executions(other) == before[other], f"{other} ran too"
        metadata = client.json("get_model_metadata", "choice")
        assert [one["name"] for one in metadata["outputs"]] == ["out"]


def test_what_follows_in_a_branch_goes_with_it(tmp_path, repository):
    with servers.serving(tmp_path, repository) as server:
        client = clients.Client("http", server.address)
        high, low = np.array([[20, 30]], np.float32), np.array([[2, 3]], np.float32)
        np.testing.assert_allclose(client.infer("chain", {"in": high}).as_numpy("out"), 1000 * high)
        np.testing.assert_allclose(client.infer("chain", {"in": low}).as_numpy("out"), low + 0.5)
        explained = servers.run_cli("explain", "choice", "--server", server.url)
        assert "when score above 10" in explained.stdout and "otherwise" in explained.stdout


def test_what_can_not_be_is_told(tmp_path, repository):
    shown = servers.run_cli("lint", "--effective", repository)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "when: {tensor: score, above: 5.0, of: any}" in shown.stdout
    file = repository / "modelmill.yaml"
    file.write_text(YAML.replace("when: {tensor: score, above: 10}", "when: {tensor: scor, above: 10}"))
    bad = servers.run_cli("lint", repository)
    assert bad.returncode != 0 and "'scor'" in bad.stdout + bad.stderr
    file.write_text(YAML.replace("when: otherwise, ", "when: {tensor: score, below: 3}, "))
    server = servers.Server(tmp_path / "log", repository, check_ready=False)
    try:
        why = {name: reason for (name, _), (_, reason) in states(server).items()}
        assert "output 'out' may be written by nobody" in why["choice"]
        assert why["small"] == ""
    finally:
        server.kill()
