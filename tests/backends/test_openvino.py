"""What OpenVINO has beyond what every backend has: its parameters, formats of others, and models that must be refused."""

import concurrent.futures
import contextlib
import pathlib
import shutil
import subprocess
import time

import numpy as np
import pytest

import models
import servers
from clients import Client
from repositories import parameters
from servers import run_cli
from stand import make_models

ROW = np.array([[1, 2, 3, 4]], np.float32)


@pytest.fixture
def openvino(stand_of):
    return stand_of("openvino")


@pytest.fixture
def serve_one(openvino, tmp_path):
    """serve_one(name, config, *arguments): (a client, the server) of one of the side's special models."""
    with contextlib.ExitStack() as stack:

        def start(name, config="", *arguments):
            folder = tmp_path / "models" / name
            shutil.copytree(make_models(openvino.kit) / name, folder)
            (folder / "config.pbtxt").write_text(f'backend: "openvino"\n{config}')
            environment = openvino.kit.environment()
            server = stack.enter_context(servers.serving(tmp_path / "server", folder, *arguments, env=environment))
            return stack.enter_context(contextlib.closing(Client("grpc", server.address))), server

        yield start


def refusal(openvino, tmp_path, name, config=""):
    """What the server says of a model that it can't load."""
    folder = tmp_path / "models" / name
    shutil.copytree(make_models(openvino.kit) / name, folder)
    (folder / "config.pbtxt").write_text(f'backend: "openvino"\n{config}')
    result = run_cli("serve", folder, "--port", 0, env=openvino.kit.environment())
    assert result.returncode != 0
    assert f"model '{name}'" in result.stderr, result.stderr
    return result.stderr


def test_a_file_of_one_row_is_batched_when_the_configuration_says_so(serve_one):
    client, server = serve_one("one_row", "max_batch_size: 8")
    assert server.get_json("/v2/models/one_row")["inputs"][0]["shape"] == [-1, 4]
    rows = np.repeat(ROW, 5, axis=0)
    np.testing.assert_array_equal(client.infer("one_row", {"x": rows}).as_numpy("y"), rows * 2)


def test_the_rows_of_a_file_stay_when_the_parameter_says_so(openvino, tmp_path):
    text = refusal(openvino, tmp_path, "one_row", "max_batch_size: 8\n" + parameters(SKIP_OV_DYNAMIC_BATCHSIZE="YES"))
    assert "input 'x' has shape [1,4]" in text


PADDED = "max_batch_size: 4\n" + parameters(SKIP_OV_DYNAMIC_BATCHSIZE="YES", ENABLE_BATCH_PADDING="YES")


def test_batches_of_a_fixed_size_are_filled_up_when_the_parameter_says_so(serve_one):
    client, server = serve_one("four_rows", PADDED)
    for rows in (1, 3, 4):
        x = np.arange(4 * rows, dtype=np.float32).reshape(rows, 4)
        np.testing.assert_array_equal(client.infer("four_rows", {"x": x}).as_numpy("y"), x * 2)
    assert server.get_json("/v2/models/four_rows")["inputs"][0]["shape"] == [-1, 4]
    padded = 'modelmill_padded_rows_total{model="four_rows",version="1"} %d\n' % (3 + 1)
    servers.wait_until(lambda: padded in metrics_of(server), "the rows that were added are counted")
    with pytest.raises(Exception, match="4"):
        client.infer("four_rows", {"x": np.zeros((5, 4), np.float32)})


def test_batches_of_another_size_than_the_files_cannot_be_filled_up(openvino, tmp_path):
    text = refusal(openvino, tmp_path, "one_row", PADDED)
    assert "ENABLE_BATCH_PADDING fills batches up to max_batch_size, 4 rows, but 'x' has shape [1,4]" in text


EXTENSION = """
#include <openvino/core/extension.hpp>
OPENVINO_CREATE_EXTENSIONS(std::vector<ov::Extension::Ptr>{});
"""


def test_a_library_of_operators_is_loaded(serve_one, openvino, tmp_path):
    package = pathlib.Path(openvino.kit.runtime_path()).parent.parent
    source, library = tmp_path / "extension.cc", tmp_path / "libextension.so"
    source.write_text(EXTENSION)
    command = ["g++", "-std=c++17", "-O0", "-shared", "-fPIC", f"-I{package / 'include'}", source, "-o", library]
    subprocess.run(list(map(str, command)), check=True, timeout=300)
    client, _ = serve_one("rows_alone", parameters(CPU_EXTENSION_PATH=library))
    np.testing.assert_array_equal(client.infer("rows_alone", {"x": ROW}).as_numpy("y"), np.cumsum(ROW, 1))


def metrics_of(server):
    return server.get("/metrics")[1].decode()


def test_shapes_of_the_configuration(serve_one):
    dims = 'input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, 7 ] } ]\n'
    client, server = serve_one("one_row", dims + parameters(RESHAPE_IO_LAYERS="YES"))
    assert server.get_json("/v2/models/one_row")["inputs"][0]["shape"] == [3, 7]
    x = np.ones((3, 7), np.float32)
    np.testing.assert_array_equal(client.infer("one_row", {"x": x}).as_numpy("y"), x * 2)


def test_an_input_of_any_rank_needs_a_shape(openvino, tmp_path):
    assert "input 'x' may have any number of dimensions" in refusal(openvino, tmp_path, "any_rank")


def test_an_input_of_any_rank_with_a_shape(serve_one):
    client, _ = serve_one("any_rank", 'input [ { name: "x" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]')
    np.testing.assert_array_equal(client.infer("any_rank", {"x": ROW}).as_numpy("y"), ROW * 2)


def test_a_model_that_keeps_state_is_refused(openvino, tmp_path):
    assert "keeps state between requests" in refusal(openvino, tmp_path, "stateful")


def test_ports_without_names_have_their_layers_names(serve_one):
    client, server = serve_one("no_names")
    shown = server.get_json("/v2/models/no_names")
    (given,), (returned,) = shown["inputs"], shown["outputs"]
    np.testing.assert_array_equal(client.infer("no_names", {given["name"]: ROW}).as_numpy(returned["name"]), ROW * 2)


@pytest.mark.parametrize("name,batched", [("rows_alone", True), ("rows_depend", False), ("outer", False)])
def test_batches_only_where_rows_are_independent(serve_one, name, batched):
    _, server = serve_one(name)
    assert (server.get_json(f"/v2/models/{name}/config")["max_batch_size"] > 0) == batched


@pytest.mark.parametrize(
    "values",
    [
        {"NUM_STREAMS": "2"},
        {"NUM_STREAMS": "auto", "PERFORMANCE_HINT": "latency"},
        {"PERFORMANCE_HINT": "THROUGHPUT"},
        {"INFERENCE_NUM_THREADS": "2"},
        {"HINT_BF16": "YES", "TARGET_DEVICE": "cpu"},
        {},
    ],
)
def test_however_it_is_run_answers_are_right(serve_one, values):
    client, server = serve_one("rows_alone", parameters(**values))

    def ask(number):
        x = np.full((1 + number % 4, 4), number, np.float32)
        with contextlib.closing(Client("grpc", server.address)) as own:
            return np.array_equal(own.infer("rows_alone", {"x": x}).as_numpy("y"), np.cumsum(x, 1))

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(64)))


def ask_until_compiled(client, server, x, most=1_000_000):
    """Asks `mlp` again and again until it has a model for the shape of `x`, or `most` times; whether it has."""
    said = f"is compiled for a shape that comes often: 'x' [{x.shape[0]},64]"
    deadline = time.monotonic() + 120
    for number in range(most):
        if number % 100 == 0 and said in server.log():
            return True
        assert time.monotonic() < deadline, server.text()
        client.infer("mlp", {"x": x})
    return False


@pytest.mark.parametrize("fixed", [True, False])
def test_shapes_that_come_often_get_models_of_their_own(serve_one, fixed):
    """Answers stay what they were; a shape that comes later, and one that comes rarely, are answered as before."""
    client, server = serve_one("mlp", parameters(FIXED_SHAPES="YES" if fixed else "NO"))
    random = np.random.default_rng(7)
    asked = [random.standard_normal((rows, 64)).astype(np.float32) for rows in (1, 2, 5)]
    first = [client.infer("mlp", {"x": x}).as_numpy("probabilities") for x in asked]
    assert ask_until_compiled(client, server, asked[0], 1_000_000 if fixed else 4_000) == fixed
    for _ in range(50):
        for x, expected in zip(asked, first):
            np.testing.assert_allclose(client.infer("mlp", {"x": x}).as_numpy("probabilities"), expected, rtol=1e-5)
    x = random.standard_normal((9, 64)).astype(np.float32)
    assert client.infer("mlp", {"x": x}).as_numpy("probabilities").shape == (9, 10)


def test_what_is_compiled_later_is_the_model_that_was_loaded(serve_one, tmp_path):
    """Whatever has become of its files."""
    client, server = serve_one("mlp", "", "--model-control-mode=none")
    x = np.random.default_rng(7).standard_normal((1, 64)).astype(np.float32)
    expected = client.infer("mlp", {"x": x}).as_numpy("probabilities")
    (weights,) = (tmp_path / "models/mlp").glob("**/*.bin")
    weights.write_bytes(b"")
    assert ask_until_compiled(client, server, x)
    for _ in range(50):
        np.testing.assert_allclose(client.infer("mlp", {"x": x}).as_numpy("probabilities"), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "values,texts",
    [
        ({"INFERENCE_NUM_THREADS": "-3"}, ["INFERENCE_NUM_THREADS", "from 0"]),
        ({"NUM_STREAMS": "many"}, ["OpenVINO", "MANY"]),
        ({"TARGET_DEVICE": "TOASTER"}, ["TOASTER"]),
        ({"RESHAPE_IO_LAYERS": "MAYBE"}, ["RESHAPE_IO_LAYERS", "YES or NO"]),
        ({"FIXED_SHAPES": "2"}, ["FIXED_SHAPES", "YES or NO"]),
        ({"HINT_BF16": "MAYBE"}, ["HINT_BF16", "YES or NO"]),
        ({"CPU_EXTENSION_PATH": "/nowhere/libextension.so"}, ["CPU_EXTENSION_PATH", "/nowhere/libextension.so"]),
    ],
)
def test_wrong_parameters(openvino, tmp_path, values, texts):
    error = refusal(openvino, tmp_path, "rows_alone", parameters(**values))
    for text in texts:
        assert text in error


def test_onnx_files_by_name(openvino, tmp_path):
    """ONNX Runtime has them by default; `backend` chooses, and the answers are the same."""
    for name in ("onnxruntime", "openvino"):
        models.save(models.mlp(), tmp_path / "models" / name / "1/model.onnx")
        config = f'backend: "{name}"\ndefault_model_filename: "model.onnx"'
        (tmp_path / "models" / name / "config.pbtxt").write_text(config)
    models.save(models.mlp(), tmp_path / "models/plain/1/model.onnx")
    (tmp_path / "models/plain/config.pbtxt").write_text("")
    x = np.random.default_rng(1).standard_normal((5, 64)).astype(np.float32)
    environment = openvino.kit.environment()
    with servers.serving(tmp_path / "server", tmp_path / "models", "--runtime=default", env=environment) as server:
        assert server.get_json("/v2/models/plain/config")["backend"] == "onnxruntime"
        assert server.get_json("/v2/models/openvino/config")["backend"] == "openvino"
        with contextlib.closing(Client("grpc", server.address)) as client:
            one, other = (client.infer(n, {"x": x}).as_numpy("probabilities") for n in ("onnxruntime", "openvino"))
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_file_on_its_own(openvino, tmp_path):
    shutil.copytree(openvino.version_folder(openvino.kit.model("mlp")), tmp_path / "m")
    environment = openvino.kit.environment()
    with servers.serving(tmp_path / "server", tmp_path / "m/model.xml", env=environment) as server:
        status, answer = server.post_json("/predict/model", {"x": [[0.5] * 64]})
        assert status == 200 and abs(sum(answer["probabilities"][0]) - 1) < 1e-5
