"""Tensors in the memory of a GPU that a client has, by Triton's clients. There is no GPU: the driver is a made-up one."""

import base64
import os
import pathlib
import subprocess

import numpy as np
import pytest

import clients
import models
import servers
from clients import assert_error

SOURCE = pathlib.Path(__file__).with_name("fake_cuda.c")
SIZE = 16  # of a row


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("cuda")
    compiler = [os.environ.get("CC", "cc"), "-std=gnu99", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*compiler, str(SOURCE), "-o", str(made / "libcuda.so.1")], check=True, timeout=60)
    return made


@pytest.fixture(scope="module")
def server(folder):
    if pathlib.Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU, whose driver is another")
    model = models.save(models.scaled(2), folder / "double.onnx")
    env = {"LD_LIBRARY_PATH": f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}"}
    with servers.serving(folder, model, "--allow-client-shm=/", env=env) as server:
        yield server


@pytest.fixture(params=clients.KINDS)
def client(request, server):
    with clients.Client(request.param, server.address) as client:
        yield client
        client.unregister_cuda_shared_memory()


class Memory:
    """A GPU's, of so many bytes."""

    def __init__(self, name, content):
        self.path = pathlib.Path("/dev/shm") / f"fake_cuda_{os.getpid()}_{name}"
        self.path.write_bytes(content)
        self.handle = base64.b64encode(str(self.path).encode().ljust(64, b"\0"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.path.unlink()


def test_inputs_and_outputs(client):
    row = np.array([[1, 2, 3, 4]], np.float32)
    (name,) = [one["name"] for one in client.json("get_model_metadata", "double")["inputs"]]
    (answer,) = [one["name"] for one in client.json("get_model_metadata", "double")["outputs"]]
    with Memory("in", row.tobytes()) as given, Memory("out", bytes(SIZE)) as taken:
        client.register_cuda_shared_memory("in", given.handle, 0, SIZE)
        client.register_cuda_shared_memory("out", taken.handle, 0, SIZE)
        listed = client.json("get_cuda_shared_memory_status")
        regions = listed["regions"].values() if client.is_grpc else listed
        assert sorted(region["name"] for region in regions) == ["in", "out"]
        x = client.module.InferInput(name, [1, 4], "FP32")
        x.set_shared_memory("in", SIZE)
        y = client.module.InferRequestedOutput(answer)
        y.set_shared_memory("out", SIZE)
        client.infer_tensors("double", [x], outputs=[y])
        assert np.frombuffer(taken.path.read_bytes(), np.float32).tolist() == [2, 4, 6, 8]
        client.unregister_cuda_shared_memory("in")
        with pytest.raises(clients.InferenceServerException) as error:
            client.infer_tensors("double", [x], outputs=[y])
        assert_error(error, "NOT_FOUND", "Unable to find shared memory region: 'in'")


def test_handles_that_open_nothing(client):
    nobodys = base64.b64encode(b"/dev/shm/nobody".ljust(64, b"\0"))
    with pytest.raises(clients.InferenceServerException) as error:
        client.register_cuda_shared_memory("r", nobodys, 0, SIZE)
    assert_error(error, "INVALID_ARGUMENT", "opens nothing on GPU 0: CUDA_ERROR_INVALID_HANDLE")
    with Memory("small", bytes(8)) as memory, pytest.raises(clients.InferenceServerException) as error:
        client.register_cuda_shared_memory("r", memory.handle, 0, SIZE)
    assert_error(error, "INVALID_ARGUMENT", "its memory has 8 bytes")


def test_announced(client):
    assert "cuda_shared_memory" in client.json("get_server_metadata")["extensions"]
