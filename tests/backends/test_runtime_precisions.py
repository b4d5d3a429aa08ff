"""Lower precisions than a model's own, which a user allows together with a tolerance."""

import contextlib
import time

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import models
import servers
from clients import Client

ROWS = np.random.default_rng(5).standard_normal((4, 64), np.float32)


def with_int8_weights(proto):
    """The same model with its matrices as int8 and a scale; what a tool that quantises weights makes of it."""
    proto = onnx.ModelProto.FromString(proto.SerializeToString())
    for initializer in list(proto.graph.initializer):
        weights = numpy_helper.to_array(initializer)
        if weights.ndim != 2:
            continue
        name = initializer.name
        scale = np.float32(np.abs(weights).max() / 127)
        proto.graph.initializer.remove(initializer)
        whole = np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)
        proto.graph.initializer.append(numpy_helper.from_array(whole, name + "_int8"))
        proto.graph.initializer.append(numpy_helper.from_array(scale, name + "_scale"))
        node = helper.make_node("DequantizeLinear", [name + "_int8", name + "_scale"], [name])
        proto.graph.node.insert(0, node)
    return proto


@pytest.fixture
def environment(stand_of):
    return stand_of("openvino").kit.environment()


@pytest.fixture
def serve(environment, tmp_path):
    """serve(options...): a context with a client and the server of `mlp`, beside whose file its int8 variant lies."""
    folder = tmp_path / "models"
    models.save(models.mlp(), folder / "mlp.onnx")
    models.save(with_int8_weights(models.mlp()), folder / "mlp.int8.onnx")

    @contextlib.contextmanager
    def start(*options):
        arguments = [folder / "mlp.onnx", "--state-dir", tmp_path / "state", *options]
        with servers.serving(tmp_path / "server", *arguments, env=environment) as server:
            with contextlib.closing(Client("grpc", server.address)) as client:
                yield client, server

    return start


def ask(client):
    return client.infer("mlp", {"x": ROWS}).as_numpy("probabilities")


def compared(client, server):
    """What explain tells of the runtimes, once they were compared."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        ask(client)
        found = server.get_json("/explain/mlp")
        if "runtimes" in found:
            return found["runtimes"]
    raise AssertionError("the runtimes were never compared")


def of(runtimes, precision, backend):
    found = [c for c in runtimes["candidates"] if c.get("precision", "") == precision and c["backend"] == backend]
    assert found, runtimes
    return found


def test_each_that_is_allowed_is_measured_or_says_why_not(serve):
    with serve("--runtime-precisions", "bf16,int8", "--runtime-tolerance", "0.1") as (client, server):
        runtimes = compared(client, server)
        text = servers.run_cli("explain", "mlp", "--server", server.url).stdout
    assert runtimes["tolerance"] == 0.1
    for backend in ("onnxruntime", "openvino"):
        for candidate in of(runtimes, "int8", backend):
            assert candidate["excluded"] == ""
            assert 1e-4 < candidate["distance"] <= 0.1
            assert candidate["sizes"][0]["rows_per_second"] > 0
        for candidate in of(runtimes, "", backend):
            assert candidate["distance"] < 1e-4
    for candidate in of(runtimes, "bf16", "openvino"):
        if candidate["excluded"]:
            assert "has no bf16 arithmetic; OpenVINO says that it has FP32" in candidate["excluded"]
        else:
            assert 1e-4 < candidate["distance"] <= 0.1
    assert not [c for c in runtimes["candidates"] if c.get("precision") == "bf16" and c["backend"] == "onnxruntime"]
    assert "openvino in int8, " in text and "openvino in bf16, " in text


def test_one_beyond_the_tolerance_is_refused_with_the_numbers(serve):
    with serve("--runtime-precisions", "int8", "--runtime-tolerance", "0.0002") as (client, server):
        runtimes = compared(client, server)
        text = servers.run_cli("explain", "mlp", "--server", server.url).stdout
    for candidate in of(runtimes, "int8", "onnxruntime") + of(runtimes, "int8", "openvino"):
        assert candidate["distance"] > 0.0002
        assert "output 'probabilities' differs from the reference's by 0.0" in candidate["excluded"]
        assert "more than the tolerance of 0.0002" in candidate["excluded"]
        assert candidate["sizes"] == []
    assert runtimes["chosen"].get("precision", "") == ""
    assert "is out: output 'probabilities' differs" in text


def test_nothing_is_lowered_unasked(serve):
    with serve() as (client, server):
        runtimes = compared(client, server)
    assert not [candidate for candidate in runtimes["candidates"] if "precision" in candidate]


def test_one_can_be_pinned(serve):
    with serve("--runtime=default") as (client, server):
        expected = ask(client)
    with serve("--runtime=openvino:int8") as (client, server):
        answer = ask(client)
        assert server.get_json("/explain/mlp")["backend"] == "openvino"
        assert server.get_json("/v2/models/mlp/config")["default_model_filename"] == "mlp.int8.onnx"
    assert not np.array_equal(answer, expected)
    np.testing.assert_allclose(answer, expected, atol=0.05)


def test_flags_that_make_no_sense_are_refused(serve, tmp_path):
    file = tmp_path / "models" / "mlp.onnx"
    result = servers.run_cli("serve", file, "--runtime-precisions", "int8", "--port", 0)
    assert result.returncode != 0 and "--runtime-tolerance" in result.stderr
    arguments = ["--runtime-precisions", "int4", "--runtime-tolerance", "0.1", "--port", 0]
    result = servers.run_cli("serve", file, *arguments)
    assert result.returncode != 0 and "'int4' is no precision; there are bf16, fp16 and int8" in result.stderr
