"""Models in every layout of docs/layouts.md, served by one look at a folder and asked by a real client."""

import json

import numpy as np
import pytest

import clients
import models
import repositories
import servers

MLMODEL = """
artifact_path: model
flavors:
  onnx:
    data: net.onnx
    onnx_version: 1.16.0
  python_function:
    loader_module: mlflow.onnx
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def save(factor, path):
    """A model that multiplies by `factor`, which tells it from the others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return models.save(models.scaled(factor), path)


def make_store(folder):
    """One model of each layout; what each multiplies by."""
    save(2, folder / "file.onnx")
    repositories.add(folder, "triton", models.scaled(3), repositories.UNBATCHED_CONFIG)
    save(4, folder / "own/net.onnx")
    write(folder / "own/modelmill.yaml", "batching: {max_size: 4}\nlabels: {stable: 1}\n")
    save(5, folder / "mlflow/net.onnx")
    write(folder / "mlflow/MLmodel", MLMODEL)
    save(6, folder / "mnt/net.onnx")
    settings = {"name": "mlserver", "implementation": "custom.Onnx", "parameters": {"uri": "./net.onnx", "version": "v7"}}
    write(folder / "mnt/model-settings.json", json.dumps(settings))
    for version, factor in (("1.0", 7), ("2.0", 8)):
        unpacked = folder / f"torchserve-{version}"
        save(factor, unpacked / "net.onnx")
        manifest = {"model": {"modelName": "torchserve", "modelVersion": version, "serializedFile": "net.onnx"}}
        write(unpacked / "MAR-INF/MANIFEST.json", json.dumps(manifest))
    write(folder / "flavour/MLmodel", "flavors: {sklearn: {pickled_model: model.pkl}}")
    return folder


def factor_of(client, name, version=""):
    return client.infer(name, {"x": np.ones((1, 4), np.float32)}, model_version=version).as_numpy("y")[0, 0]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    make_store(folder / "store")
    # One of the models can't be loaded, so the server never gets ready.
    server = servers.Server(folder / "log", folder / "store", check_ready=False)
    yield server
    server.stop()


@pytest.fixture
def client(store):
    client = clients.Client("grpc", store.address)
    yield client
    client.close()


EXPECTED = [
    ("file", "1", 2),
    ("triton", "1", 3),
    ("own", "1", 4),
    ("mlflow", "1", 5),
    ("mlserver", "7", 6),
    ("torchserve", "1", 7),
    ("torchserve", "2", 8),
]


@pytest.mark.parametrize("name,version,factor", EXPECTED)
def test_each_is_served(store, client, name, version, factor):
    servers.wait_until(lambda: client.is_model_ready(name, version), f"{name} is loaded")
    assert factor_of(client, name, version) == factor


def test_what_a_configuration_says_is_in_force(store, client):
    servers.wait_until(lambda: client.is_model_ready("own"), "it is loaded")
    assert store.get_json("/v2/models/own/config")["max_batch_size"] == 4
    assert store.get_json("/v2/models/triton/config")["max_batch_size"] == 0


def test_a_missing_file_is_that_models_problem(store, client):
    with pytest.raises(clients.InferenceServerException):
        factor_of(client, "flavour")
    assert "flavour/model.pkl' can't be read: No such file or directory" in store.log()


def test_a_list_of_models(serve, tmp_path):
    """Two models of one file, each with its own name and configuration; what isn't listed isn't served."""
    save(2, tmp_path / "models/net.onnx")
    save(3, tmp_path / "models/other.onnx")
    write(
        tmp_path / "modelmill.yaml",
        "schema_version: 1\nmodels:\n"
        "  - {name: a, path: models/net.onnx, batching: off}\n"
        "  - {name: b, path: models/net.onnx, batching: {max_size: 16, objective: {p99: 50ms}}, instances: 2}\n"
        "  - {name: broken, path: models/net.onnx, batchng: off}\n",
    )
    server = serve(tmp_path / "modelmill.yaml", check_ready=False)
    client = clients.Client("http", server.address)
    servers.wait_until(lambda: client.is_model_ready("a") and client.is_model_ready("b"), "both are loaded")
    assert factor_of(client, "b") == 2
    assert server.get_json("/v2/models/a/config")["max_batch_size"] == 0
    config = server.get_json("/v2/models/b/config")
    assert config["max_batch_size"] == 16
    assert config["instance_group"][0]["count"] == 2
    assert server.get("/v2/models/other/ready")[0] != 200
    assert "modelmill.yaml:5:43: unknown key 'batchng' in models[2]; did you mean 'batching'?" in server.log()
    client.close()


def test_a_mount_gets_a_name(serve, tmp_path):
    save(9, tmp_path / "mnt/models/model.onnx")
    server = serve(f"iris={tmp_path / 'mnt/models'}")
    client = clients.Client("http", server.address)
    assert factor_of(client, "iris") == 9
    client.close()


def test_two_repositories_with_one_name(serve, tmp_path):
    """Neither is served, the error names both, and the others are served."""
    for repository in ("one", "two"):
        repositories.add(tmp_path / repository, "twice", models.scaled(2))
    repositories.add(tmp_path / "two", "once", models.scaled(3))
    server = serve(tmp_path / "one", tmp_path / "two", check_ready=False)
    client = clients.Client("http", server.address)
    servers.wait_until(lambda: client.is_model_ready("once"), "the other one is loaded")
    assert factor_of(client, "once") == 3
    with pytest.raises(clients.InferenceServerException):
        factor_of(client, "twice")
    assert f"there are two models named 'twice': '{tmp_path}/one/twice' and '{tmp_path}/two/twice'" in server.log()
    client.close()
