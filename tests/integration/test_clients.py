"""Triton's own clients, unmodified, over both protocols, synchronous and asynchronous: one behaviour four times."""

import re

import numpy as np
import pytest

import models
from clients import ROW, SIMPLE, InferenceServerException, assert_error, random_array, value_at

pytestmark = pytest.mark.conformance("tritonclient.{client}")


# ---- health, metadata, configuration, statistics ----------------------------------------------------------------


def test_health(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("simple")
    assert client.is_model_ready("versions", "3")
    for unknown in (("versions", "2"), ("no_such_model",)):
        if client.kind.startswith("grpc"):  # as Triton: over gRPC what does not exist is an error
            with pytest.raises(InferenceServerException, match="unknown model"):
                client.is_model_ready(*unknown)
        else:
            assert not client.is_model_ready(*unknown)


def test_server_metadata(client):
    metadata = client.json("get_server_metadata")
    assert metadata["name"] == "modelmill"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", metadata["version"])
    promised = {"classification", "model_configuration", "binary_tensor_data", "parameters", "statistics"}
    promised |= {"schedule_policy", "generate", "logging", "trace"}
    assert promised <= set(metadata["extensions"])


def test_model_metadata(client):
    metadata = client.json("get_model_metadata", "simple")
    assert metadata == {
        "name": "simple",
        "versions": metadata["versions"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "INPUT0", "datatype": "INT32", "shape": [-1, 16]},
            {"name": "INPUT1", "datatype": "INT32", "shape": [-1, 16]},
        ],
        "outputs": [
            {"name": "OUTPUT0", "datatype": "INT32", "shape": [-1, 16]},
            {"name": "OUTPUT1", "datatype": "INT32", "shape": [-1, 16]},
        ],
    }
    assert [str(version) for version in metadata["versions"]] == ["1"]


def test_model_metadata_of_versions(client):
    metadata = client.json("get_model_metadata", "versions")
    assert [str(version) for version in metadata["versions"]] == ["1", "3"]
    metadata = client.json("get_model_metadata", "latest")
    assert [str(version) for version in metadata["versions"]] == ["10"]


def test_metadata_of_unknown_model(client):
    with pytest.raises(InferenceServerException) as error:
        client.json("get_model_metadata", "no_such_model")
    assert_error(error, "NOT_FOUND", "Request for unknown model: 'no_such_model' is not found")
    with pytest.raises(InferenceServerException) as error:
        client.json("get_model_metadata", "versions", "2")
    assert_error(error, "NOT_FOUND", "Request for unknown model: 'versions' version 2 is not found")


def test_config_as_written(client):
    config = client.config("simple")
    assert config.name == "simple"
    assert config.platform == "onnxruntime_onnx"
    assert config.backend == "onnxruntime"
    assert config.max_batch_size == 8
    assert [(i.name, i.data_type, list(i.dims)) for i in config.input] == [("INPUT0", 8, [16]), ("INPUT1", 8, [16])]
    assert [o.name for o in config.output] == ["OUTPUT0", "OUTPUT1"]
    assert config.default_model_filename == "model.onnx"
    assert config.version_policy.latest.num_versions == 1
    assert config.instance_group and all(group.count > 0 for group in config.instance_group)


def test_config_filled_from_the_model(client):
    config = client.config("mlp")
    assert config.name == "mlp"
    assert config.backend == "onnxruntime"
    assert config.max_batch_size > 1
    assert config.HasField("dynamic_batching")
    assert [(i.name, i.data_type, list(i.dims)) for i in config.input] == [("x", 11, [64])]
    assert [(o.name, o.data_type, list(o.dims)) for o in config.output] == [("probabilities", 11, [10])]
    assert config.instance_group and all(group.count > 0 for group in config.instance_group)


def test_config_keeps_what_was_asked(client):
    config = client.config("batched")
    assert config.max_batch_size == 16
    assert list(config.dynamic_batching.preferred_batch_size) == [4, 8]
    assert config.dynamic_batching.max_queue_delay_microseconds == 500
    assert sum(group.count for group in config.instance_group) == 2
    assert config.parameters["intra_op_thread_count"].string_value == "1"
    assert client.config("unbatched").max_batch_size == 0
    assert not client.config("unbatched").HasField("dynamic_batching")
    assert client.config("versions").version_policy.HasField("all")
    labeled = client.config("labeled")
    assert labeled.output[0].label_filename == "fruit.txt"


def test_config_of_a_version(client):
    assert client.config("versions", "1").name == "versions"
    with pytest.raises(InferenceServerException) as error:
        client.config("versions", "2")
    assert_error(error, "NOT_FOUND", "'versions' version 2 is not found")


def test_statistics_add_up(client, main_server):
    main_server.settled_stats("versions", "1")
    before = client.json("get_inference_statistics", "versions", "1")["model_stats"][0]
    for rows in (1, 2, 3):
        client.infer("versions", {"x": np.ones((rows, 4), np.float32)}, model_version="1")
    with pytest.raises(InferenceServerException):
        client.infer("versions", {"x": np.ones((1, 5), np.float32)}, model_version="1")
    main_server.wait_executions(value_at(before, ("execution_count",)) + 3, "versions", "1")
    after = client.json("get_inference_statistics", "versions", "1")["model_stats"][0]
    assert after["name"] == "versions"
    assert int(after["version"]) == 1
    grown = lambda *path: value_at(after, path) - value_at(before, path)  # noqa: E731
    assert grown("inference_count") == 6
    assert grown("execution_count") == 3
    assert grown("inference_stats", "success", "count") == 3
    assert grown("inference_stats", "success", "ns") > 0
    for phase in ("queue", "compute_input", "compute_infer", "compute_output"):
        assert grown("inference_stats", phase, "count") == 3
    assert after["last_inference"] > 1_600_000_000_000
    sizes = {batch["batch_size"]: batch["compute_infer"]["count"] for batch in after["batch_stats"]}
    assert {1, 2, 3} <= set(sizes)


def test_statistics_of_all_models(client):
    stats = client.json("get_inference_statistics")["model_stats"]
    pairs = {(model["name"], str(model["version"])) for model in stats}
    assert {("simple", "1"), ("versions", "1"), ("versions", "3"), ("mlp", "1"), ("latest", "10")} <= pairs


# ---- inference --------------------------------------------------------------------------------------------------


def test_simple(client):
    result = client.infer("simple", SIMPLE)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), SIMPLE["INPUT0"] + 3)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), SIMPLE["INPUT0"] - 3)


@pytest.mark.parametrize("dtype", models.DTYPES)
def test_every_data_type(client, dtype):
    array = random_array(dtype, models.DTYPES[dtype][1], (3, 5))
    result = client.infer(f"identity_{dtype.lower()}", {"x": (array, dtype)})
    echo = result.as_numpy("y")
    assert echo.shape == (3, 5)
    np.testing.assert_array_equal(echo, array)


@pytest.mark.parametrize("dtype", models.DTYPES)
def test_no_elements(client, dtype):
    array = np.zeros((1, 0), models.DTYPES[dtype][1])
    result = client.infer(f"identity_{dtype.lower()}", {"x": (array, dtype)})
    assert result.as_numpy("y").shape == (1, 0)


def test_native_identity(client):
    array = np.random.default_rng(5).standard_normal((3, 1000)).astype(np.float32)
    result = client.infer("native_identity", {"INPUT0": array})
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), array)


def test_strings(client):
    left = np.array([["a", "grün"], ["", "日本"]], dtype=object)
    right = np.array([["b", "!"], ["x", "語"]], dtype=object)
    joined = client.infer("string_concat", {"left": left, "right": right}).as_numpy("joined")
    assert [[text.decode() for text in row] for row in joined] == [["ab", "grün!"], ["x", "日本語"]]


def test_scalars(client):
    result = client.infer("scalars", {"a": np.array(3, np.float32), "b": np.array(4, np.float32)})
    assert result.as_numpy("y").shape == ()
    assert float(result.as_numpy("y")) == 12


def test_one_megabyte(client):
    array = np.random.default_rng(6).standard_normal((1, 262144)).astype(np.float32)
    np.testing.assert_array_equal(client.infer("identity_fp32", {"x": array}).as_numpy("y"), array)


def test_twenty_megabytes(client):
    array = np.random.default_rng(7).standard_normal((5, 1 << 20)).astype(np.float32)
    np.testing.assert_array_equal(client.infer("native_identity", {"INPUT0": array}).as_numpy("OUTPUT0"), array)


def test_output_of_unknown_size(client):
    result = client.infer("non_zero", {"x": np.array([0, 5, 0, 7], np.float32)})
    np.testing.assert_array_equal(result.as_numpy("positions"), [[1, 3]])


def test_requested_outputs(client):
    result = client.infer("simple", SIMPLE, outputs=[client.output("OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), SIMPLE["INPUT0"] - 3)


def test_outputs_of_several_types(client):
    x = np.array([[1, 5, 2], [9, 0, 1]], np.float32)
    result = client.infer("two_outputs", {"x": x})
    np.testing.assert_array_equal(result.as_numpy("label"), [1, 0])
    np.testing.assert_allclose(result.as_numpy("scores").sum(axis=1), [1, 1], rtol=1e-6)


def test_request_id(client):
    response = client.infer("simple", SIMPLE, request_id="number 17").get_response()
    assert (response.id if client.is_grpc else response["id"]) == "number 17"
    response = client.infer("simple", SIMPLE).get_response()
    assert (response.id if client.is_grpc else response.get("id", "")) == ""


def test_model_and_version_in_the_answer(client):
    for version, shown in (("", "3"), ("1", "1"), ("3", "3")):
        response = client.infer("versions", ROW, model_version=version).get_response()
        name, number = (
            (response.model_name, response.model_version)
            if client.is_grpc
            else (response["model_name"], response["model_version"])
        )
        assert (name, number) == ("versions", shown)


def test_versions_differ(client):
    for version, factor in (("1", 1), ("3", 3), ("", 3)):
        result = client.infer("versions", ROW, model_version=version)
        np.testing.assert_array_equal(result.as_numpy("y"), ROW["x"] * factor)
    np.testing.assert_array_equal(client.infer("latest", ROW).as_numpy("y"), ROW["x"] * 10)


def test_parameters(client):
    parameters = {"text": "a", "number": 5, "flag": True}
    np.testing.assert_array_equal(client.infer("unbatched", ROW, parameters=parameters).as_numpy("y"), ROW["x"] * 2)


def test_priority_and_timeout(client):
    result = client.infer("unbatched", ROW, priority=1, timeout=5_000_000)
    np.testing.assert_array_equal(result.as_numpy("y"), ROW["x"] * 2)


def test_classification(client):
    x = np.array([[1, 5, 2], [9, 0, 1]], np.float32)
    scores = client.infer("labeled", {"x": x}).as_numpy("scores")
    result = client.infer("labeled", {"x": x}, outputs=[client.output("scores", class_count=2)])
    classes = result.as_numpy("scores")
    assert classes.shape == (2, 2)
    rows = [[text.decode().split(":") for text in row] for row in classes]
    assert [[(index, label) for _, index, label in row] for row in rows] == [
        [("1", "pear"), ("2", "plum")],
        [("0", "apple"), ("2", "plum")],
    ]
    for row, values in zip(rows, scores):
        np.testing.assert_allclose([float(text) for text, _, _ in row], np.sort(values)[::-1][:2], atol=1e-6)


def test_classification_without_labels(client):
    x = np.array([[1, 5, 2]], np.float32)
    classes = client.infer("two_outputs", {"x": x}, outputs=[client.output("scores", class_count=5)]).as_numpy("scores")
    assert classes.shape == (1, 3), "as many as there are"
    assert [text.decode().split(":")[1:] for text in classes[0]] == [["1"], ["2"], ["0"]]


def test_rows_beyond_the_servers_own_batches(client):
    """A request may be longer than the batches that the server makes by itself."""
    x = np.random.default_rng(8).standard_normal((500, 64)).astype(np.float32)
    alone = client.infer("mlp", {"x": x[:1]}).as_numpy("probabilities")
    whole = client.infer("mlp", {"x": x}).as_numpy("probabilities")
    assert whole.shape == (500, 10)
    np.testing.assert_allclose(whole[:1], alone, rtol=1e-4, atol=1e-5)
