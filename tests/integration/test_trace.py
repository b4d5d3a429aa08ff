"""Traces of requests, and their settings changed by Triton's clients."""

import json

import numpy as np
import pytest

import clients
import models
import servers
from clients import ROW, InferenceServerException

ORDER = [
    "REQUEST_START",
    "QUEUE_START",
    "COMPUTE_START",
    "COMPUTE_END",
    "REQUEST_END",
]


def read(path):
    """{id: what the file tells of it}"""
    traces = {}
    for entry in json.loads(path.read_text()):
        trace = traces.setdefault(entry["id"], {"times": [], "tensors": []})
        if "model_name" in entry:
            trace.update({key: entry[key] for key in ("model_name", "model_version", "request_id") if key in entry})
        for stamp in entry.get("timestamps", []):
            trace["times"].append((stamp["ns"], stamp["name"]))
            if "batch_size" in stamp:
                trace["batch"] = (stamp["name"], stamp["batch_size"], stamp["cut_reason"])
        if "tensor" in entry:
            trace["tensors"].append((entry["activity"], entry["tensor"]))
    return traces


@pytest.fixture
def repository(tmp_path):
    for name in ("mlp", "other"):
        models.save(models.scaled(2), tmp_path / "models" / f"{name}.onnx")
    return tmp_path / "models"


def test_from_the_command_line(serve, repository, tmp_path):
    file = tmp_path / "trace.json"
    options = [f"triton,file={file}", "level=TIMESTAMPS", "level=TENSORS", "rate=2"]
    server = serve(repository, *(f"--trace-config={option}" for option in options))
    for kind in ("http", "grpc"):
        with clients.Client(kind, server.address) as client:
            for number in range(4):
                client.infer("mlp", ROW, request_id=f"{kind}-{number}")
    server.stop()
    traces = read(file)
    assert sorted(trace["request_id"] for trace in traces.values()) == ["grpc-1", "grpc-3", "http-1", "http-3"]
    for trace in traces.values():
        assert (trace["model_name"], trace["model_version"]) == ("mlp", 1)
        assert [name for _, name in trace["times"]] == ORDER
        assert sorted(trace["times"]) == trace["times"]
        assert trace["batch"] == ("COMPUTE_START", 1, "idle instance")
        (activity, tensor), (_, answer) = trace["tensors"]
        assert activity == "TENSOR_QUEUE_INPUT"
        assert (tensor["name"], tensor["shape"], tensor["dtype"]) == ("x", "1,4", "FP32")
        np.testing.assert_array_equal(np.fromstring(tensor["data"], sep=","), ROW["x"][0])
        assert trace["tensors"][1][0] == "TENSOR_BACKEND_OUTPUT"
        assert len(answer["data"].split(",")) == np.prod([int(size) for size in answer["shape"].split(",")])


@pytest.fixture
def traced(serve, repository, tmp_path):
    server = serve(repository, f"--trace-config=triton,file={tmp_path / 'trace.json'}")
    server.trace_file = tmp_path / "trace.json"
    return server


def plain(client, answer):
    if not client.is_grpc:
        return answer
    values = {name: setting["value"] for name, setting in answer["settings"].items()}
    return {name: value if name == "trace_level" else value[0] for name, value in values.items()}


def settings(client, model=None):
    options = {"as_json": True} if client.is_grpc else {}
    return plain(client, client.get_trace_settings(model_name=model, **options))


def update(client, changes, model=None):
    options = {"as_json": True} if client.is_grpc else {}
    return plain(client, client.update_trace_settings(model_name=model, settings=changes, **options))


@pytest.mark.parametrize("kind", clients.KINDS)
def test_settings(traced, kind):
    first = {
        "trace_level": ["OFF"],
        "trace_rate": "1000",
        "trace_count": "-1",
        "log_frequency": "0",
        "trace_file": str(traced.trace_file),
        "trace_mode": "triton",
    }
    with clients.Client(kind, traced.address) as client:
        assert settings(client) == settings(client, "mlp") == first
        own = {**first, "trace_level": ["TIMESTAMPS"], "trace_rate": "1", "log_frequency": "2"}
        changes = {"trace_level": ["TIMESTAMPS"], "trace_rate": "1", "log_frequency": "2"}
        assert update(client, changes, "mlp") == own
        assert settings(client) == settings(client, "other") == first
        for _ in range(5):
            client.infer("mlp", ROW)
            client.infer("other", ROW)
        numbered = [traced.trace_file.with_name(f"trace.json.{number}") for number in (0, 1)]
        for path in numbered:
            servers.wait_until(lambda path=path: path.exists() and path.read_text().endswith("]"), f"{path} is there")
            traces = read(path)
            assert len(traces) == 2
            assert {trace["model_name"] for trace in traces.values()} == {"mlp"}
        # What all have counts for the model where it has nothing of its own.
        assert update(client, {"trace_count": "1"})["trace_count"] == "1"
        assert settings(client, "mlp")["trace_count"] == "1"
        client.infer("mlp", ROW)
        assert settings(client, "mlp")["trace_count"] == "0"
        assert update(client, {"trace_count": None})["trace_count"] == "-1"
        cleared = {"trace_level": None, "trace_rate": None, "log_frequency": None}
        assert update(client, cleared, "mlp") == first


@pytest.mark.parametrize("kind", clients.KINDS)
def test_refusals(traced, kind, tmp_path):
    with clients.Client(kind, traced.address) as client:
        before = settings(client)
        for changes, why in (
            ({"trace_file": str(tmp_path / "other")}, "trace file location can not be updated through network"),
            ({"trace_level": ["OFF", "TIMESTAMPS"]}, "Expect only one trace level 'OFF' is specified"),
            ({"trace_rate": "fast"}, "Unable to parse 'trace_rate', got: fast"),
            ({"trace_count": "-2"}, "Expecting value >= -1"),
            ({"trace_level": ["TIMESTAMPS"], "trace_rate": "0"}, "sample rate must be non-zero"),
        ):
            with pytest.raises(InferenceServerException) as error:
                update(client, changes)
            assert why in error.value.message()
        with pytest.raises(InferenceServerException, match="unknown model"):
            settings(client, "nobody")
        assert settings(client) == before
        assert "trace" in client.json("get_server_metadata")["extensions"]


def test_without_a_file(serve, repository):
    server = serve(repository)
    with (
        clients.Client("http", server.address) as client,
        pytest.raises(InferenceServerException, match="trace file name is not given.*--trace-config triton,file=FILE"),
    ):
        update(client, {"trace_level": ["TIMESTAMPS"]})


def test_a_file_that_cannot_be_written(serve, repository, tmp_path):
    """Is told in the log; the requests are answered."""
    options = [f"triton,file={tmp_path}/no_folder/trace.json", "level=TIMESTAMPS", "rate=1", "triton,log-frequency=1"]
    server = serve(repository, *(f"--trace-config={option}" for option in options))
    with clients.Client("http", server.address) as client:
        for _ in range(3):
            client.infer("mlp", ROW)
    servers.wait_until(lambda: "traces cannot be written" in server.log(), "it is logged")
    assert server.log().count("traces cannot be written") == 1
    server.stop()


@pytest.mark.parametrize("setting", ["rate=0", "level=ALL", "mode=jaeger", "file=x", "level=TIMESTAMPS"])
def test_settings_that_are_none(repository, setting):
    result = servers.run_cli("serve", repository, f"--trace-config={setting}")
    assert result.returncode == 2
    assert "--trace-config" in result.stderr
