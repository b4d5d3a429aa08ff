"""Tensors in shared memory, with Triton's clients as they are, and with clients that do what they should not."""

import base64
import contextlib
import json
import mmap
import os
import queue
import threading
import uuid

import numpy as np
import pytest
from tritonclient.utils import serialize_byte_tensor
from tritonclient.utils import shared_memory as shm

import clients
import models
import servers
from clients import SIMPLE, InferenceServerException, assert_error

SIZE = 64  # of a row of 16 INT32
SUM, DIFFERENCE = SIMPLE["INPUT0"] + SIMPLE["INPUT1"], SIMPLE["INPUT0"] - SIMPLE["INPUT1"]


def new_key():
    return f"/modelmill_test_{uuid.uuid4().hex}"


@contextlib.contextmanager
def region(client, name, size, key=None):
    """A region that is made and registered, as in Triton's examples."""
    handle = shm.create_shared_memory_region(name, key or new_key(), size, create_only=True)
    try:
        client.register_system_shared_memory(name, handle._shm_key, size)
        yield handle
    finally:
        client.unregister_system_shared_memory(name)
        shm.destroy_shared_memory_region(handle)


def regions(client):
    """{name: (key, offset, size)}"""
    status = client.json("get_system_shared_memory_status")
    listed = status.get("regions", {}).values() if client.is_grpc else status
    return {entry["name"]: (entry["key"], entry.get("offset", 0), entry["byte_size"]) for entry in listed}


def shared_input(client, name, shape, dtype, *place):
    tensor = client.module.InferInput(name, list(shape), dtype)
    tensor.set_shared_memory(*place)
    return tensor


def shared_output(client, name, *place):
    output = client.module.InferRequestedOutput(name)
    output.set_shared_memory(*place)
    return output


def simple_inputs(client, name):
    return [shared_input(client, f"INPUT{i}", (1, 16), "INT32", name, SIZE, i * SIZE) for i in (0, 1)]


def read(handle, row):
    return shm.get_contents_as_numpy(handle, np.int32, [1, 16], row * SIZE)


def fill(handle):
    shm.set_shared_memory_region(handle, [SIMPLE["INPUT0"], SIMPLE["INPUT1"]])


def test_inputs_and_outputs(client):
    with region(client, "in", 2 * SIZE) as inputs, region(client, "out", 2 * SIZE) as outputs:
        fill(inputs)
        assert regions(client) == {"in": (inputs._shm_key, 0, 128), "out": (outputs._shm_key, 0, 128)}
        wanted = [shared_output(client, "OUTPUT0", "out", SIZE), shared_output(client, "OUTPUT1", "out", SIZE, SIZE)]
        for _ in range(3):
            result = client.infer_tensors("simple", simple_inputs(client, "in"), outputs=wanted)
            answer = result.get_output("OUTPUT0")
            assert list(answer.shape if client.is_grpc else answer["shape"]) == [1, 16]
            np.testing.assert_array_equal(read(outputs, 0), SUM)
            np.testing.assert_array_equal(read(outputs, 1), DIFFERENCE)
    assert regions(client) == {}


def test_mixed_with_data_in_the_request(client):
    """One input and one output in shared memory, the other ones not."""
    with region(client, "mixed", 2 * SIZE) as handle:
        fill(handle)
        inputs = client.inputs(SIMPLE)
        inputs[1] = shared_input(client, "INPUT1", (1, 16), "INT32", "mixed", SIZE, SIZE)
        for binary in (True, False):
            wanted = [client.output("OUTPUT1", binary=binary), shared_output(client, "OUTPUT0", "mixed", SIZE)]
            result = client.infer_tensors("simple", inputs, outputs=wanted)
            np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), DIFFERENCE)
            np.testing.assert_array_equal(read(handle, 0), SUM)


def test_strings(client):
    texts = np.array([b"", b"one", "zwölf".encode(), b"\x00\xff" * 50], dtype=object)
    serialized = serialize_byte_tensor(texts)
    size = len(serialized.item())
    with region(client, "texts", 2 * size) as handle:
        shm.set_shared_memory_region(handle, [serialized])
        inputs = [shared_input(client, "x", (1, 4), "BYTES", "texts", size)]
        client.infer_tensors("identity_bytes", inputs, outputs=[shared_output(client, "y", "texts", size, size)])
        back = shm.get_contents_as_numpy(handle, np.object_, [4], size)
        assert list(back) == list(texts)


def test_streams(main_server):
    """With large tensors among small ones: their answers come in the order of the requests."""
    client = clients.Client("grpc", main_server.address)
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    with region(client, "streamed", 2 * SIZE) as handle:
        fill(handle)
        for number in range(20):
            wanted = [shared_output(client, "OUTPUT0", "streamed", SIZE, SIZE)] if number % 2 else None
            inputs = simple_inputs(client, "streamed") if number == 0 else client.inputs(SIMPLE)
            client.async_stream_infer("simple", inputs, outputs=wanted, request_id=str(number))
        for number in range(20):
            result, error = answers.get(timeout=60)
            assert error is None, error
            assert result.get_response().id == str(number)
        np.testing.assert_array_equal(read(handle, 1), SUM)
        client.stop_stream()
    client.close()


def test_large_tensors(client, main_server):
    """Those that no event loop copies, on a stream too."""
    rows = np.random.default_rng(1).standard_normal((60, 4000), dtype=np.float32)
    with region(client, "large", 2 * rows.nbytes) as handle:
        shm.set_shared_memory_region(handle, [rows])
        tensors = [shared_input(client, "INPUT0", rows.shape, "FP32", "large", rows.nbytes)]
        wanted = [shared_output(client, "OUTPUT0", "large", rows.nbytes, rows.nbytes)]
        client.infer_tensors("native_identity", tensors, outputs=wanted)
        np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.float32, rows.shape, rows.nbytes), rows)
        if client.kind != "grpc":
            return
        answers = queue.Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        for number in range(10):
            small = client.inputs({"INPUT0": rows[:1, :4]})
            client.async_stream_infer("native_identity", small if number % 2 else tensors, request_id=str(number))
        for number in range(10):
            result, error = answers.get(timeout=60)
            assert error is None, error
            assert result.get_response().id == str(number)
        client.stop_stream()


def test_wrong_regions(client):
    with pytest.raises(InferenceServerException) as error:
        client.register_system_shared_memory("none", "/modelmill_test_not_there", 64)
    assert_error(error, "INTERNAL", "Unable to open shared memory region: '/modelmill_test_not_there'")
    for key in ("/../etc/passwd", "..", "/", "a/b"):
        with pytest.raises(InferenceServerException) as error:
            client.register_system_shared_memory("none", key, 64)
        assert_error(error, "INVALID_ARGUMENT", "invalid shm key")
    with region(client, "r", 2 * SIZE) as handle:
        for size, offset in ((2 * SIZE + 1, 0), (1, 2 * SIZE), (2**63, 2**63)):
            with pytest.raises(InferenceServerException) as error:
                client.register_system_shared_memory("other", handle._shm_key, size, offset)
            assert_error(error, "INVALID_ARGUMENT", "failed to register shared memory region 'other': invalid args")
        with pytest.raises(InferenceServerException, match="shared memory region 'r' already in manager"):
            client.register_system_shared_memory("r", handle._shm_key, SIZE)
        for inputs, text in (
            (simple_inputs(client, "nobody"), "Unable to find shared memory region: 'nobody'"),
            ([shared_input(client, "INPUT0", (1, 16), "INT32", "r", SIZE, 2 * SIZE)], "Invalid offset for"),
            ([shared_input(client, "INPUT0", (1, 16), "INT32", "r", SIZE, SIZE + 1)], "Invalid offset + byte size for"),
        ):
            with pytest.raises(InferenceServerException) as error:
                client.infer_tensors("simple", inputs)
            assert text in error.value.message()
        with pytest.raises(InferenceServerException) as error:
            outputs = [shared_output(client, "OUTPUT0", "r", SIZE - 1)]
            client.infer_tensors("simple", client.inputs(SIMPLE), outputs=outputs)
        assert_error(error, "INTERNAL", "(63 bytes) should be at least 64 bytes to hold the results")
    with pytest.raises(InferenceServerException) as error:
        client.get_system_shared_memory_status("r")
    assert_error(error, "NOT_FOUND", "Unable to find system shared memory region: 'r'")


def test_cuda_memory_as_without_gpus(client):
    assert not (client.json("get_cuda_shared_memory_status") or {})
    with pytest.raises(InferenceServerException) as error:
        client.register_cuda_shared_memory("gpu", base64.b64encode(bytes(64)).decode(), 0, 64)
    assert_error(error, "INVALID_ARGUMENT", "failed to register CUDA shared memory region: 'gpu', GPUs not supported")
    client.unregister_cuda_shared_memory()


def test_announced(client):
    extensions = client.json("get_server_metadata")["extensions"]
    assert "system_shared_memory" in extensions
    assert "cuda_shared_memory" not in extensions


class OwnMemory:
    """A shared memory object whose size changes while it is registered; mapped by nobody but the test."""

    def __init__(self, size):
        self.key = new_key()
        self.path = "/dev/shm" + self.key
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self.resize(size)

    def resize(self, size):
        os.ftruncate(self.file, size)

    def close(self):
        os.close(self.file)
        os.unlink(self.path)


@pytest.fixture
def own_memory():
    memory = OwnMemory(1 << 20)
    yield memory
    memory.close()


@contextlib.contextmanager
def load(server, kind, name, outcomes, threads=4):
    """Requests whose input and output overlap in region `name`, for as long as the body runs; outcomes[text] counts."""
    going = threading.Event()
    going.set()
    lock = threading.Lock()

    def ask():
        client = clients.Client(kind, server.address)
        shape = (40, 4000)
        size = 40 * 4000 * 4
        while going.is_set():
            inputs = [shared_input(client, "INPUT0", shape, "FP32", name, size, 1000)]
            outputs = [shared_output(client, "OUTPUT0", name, size, 99)]
            try:
                client.infer_tensors("native_identity", inputs, outputs=outputs)
                text = "ok"
            except InferenceServerException as error:
                text = error.message()
            with lock:
                outcomes[text] = outcomes.get(text, 0) + 1
        client.close()

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        going.clear()
        for thread in running:
            thread.join()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_region_that_its_client_cuts_off(main_server, own_memory, kind):
    """While requests read and write it. Through a mapping each of these would be the end of the server."""
    with clients.Client(kind, main_server.address) as client:
        client.register_system_shared_memory("cut", own_memory.key, 1 << 20)
        outcomes = {}
        with load(main_server, kind, "cut", outcomes):
            for _ in range(300):
                own_memory.resize(0)
                own_memory.resize(5000)
                own_memory.resize(1 << 20)
            servers.wait_until(lambda: outcomes.get("ok", 0) > 20, "requests succeed again")
            own_memory.resize(0)
            servers.wait_until(lambda: any("has become smaller" in text for text in outcomes), "requests fail")
        assert all(text == "ok" or "has become smaller" in text for text in outcomes), outcomes
        client.unregister_system_shared_memory("cut")
        np.testing.assert_array_equal(client.infer("simple", SIMPLE).as_numpy("OUTPUT0"), SUM)
    main_server.assert_alive()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_unregistered_and_registered_under_load(main_server, own_memory, kind):
    with clients.Client(kind, main_server.address) as client:
        outcomes = {}
        with load(main_server, kind, "fleeting", outcomes):
            for _ in range(200):
                client.register_system_shared_memory("fleeting", own_memory.key, 1 << 20)
                client.infer("simple", SIMPLE)
                client.unregister_system_shared_memory("fleeting")
            client.register_system_shared_memory("fleeting", own_memory.key, 1 << 20)
            servers.wait_until(lambda: outcomes.get("ok", 0) > 20, "requests succeed")
            client.unregister_system_shared_memory()
        missing = "Unable to find shared memory region: 'fleeting'"
        assert set(outcomes) <= {"ok", missing} and outcomes.get(missing), outcomes
        assert regions(client) == {}


def test_memory_that_is_gone_is_let_go(main_server):
    """The server keeps a region's memory no longer than it is registered."""
    with clients.Client("http", main_server.address) as client:
        key = new_key()
        handle = shm.create_shared_memory_region("gone", key, 1 << 20, create_only=True)
        client.register_system_shared_memory("gone", key, 1 << 20)
        shm.destroy_shared_memory_region(handle)
        folder = f"/proc/{main_server.process.pid}/fd"

        def is_open():
            links = [os.path.join(folder, file) for file in os.listdir(folder)]
            return any(key in os.readlink(link) for link in links if os.path.lexists(link))

        assert is_open()
        client.unregister_system_shared_memory("gone")
        assert not is_open()
        with open(f"/proc/{main_server.process.pid}/maps") as maps:
            assert key not in maps.read()


@pytest.fixture
def mlp(tmp_path):
    return models.save(models.mlp(), tmp_path / "mlp.onnx")


def test_off_until_allowed(serve, mlp):
    server = serve(mlp)
    for kind in ("http", "grpc"):
        with clients.Client(kind, server.address) as client:
            assert regions(client) == {}
            assert "system_shared_memory" not in client.json("get_server_metadata")["extensions"]
            disabled = "Client shared memory is disabled.*--allow-client-shm"
            with pytest.raises(InferenceServerException, match=disabled):
                client.register_system_shared_memory("r", "/k", 1)
            with pytest.raises(InferenceServerException, match=disabled):
                client.unregister_system_shared_memory()


def test_only_allowed_keys(serve, mlp, own_memory):
    other = OwnMemory(64)
    server = serve(mlp, "--allow-client-shm", own_memory.key[:-5], "--allow-client-shm", "/another_")
    with clients.Client("http", server.address) as client:
        for key in (own_memory.key, own_memory.key.lstrip("/"), "//" + own_memory.key):
            client.register_system_shared_memory("r", key, 64)
            client.unregister_system_shared_memory("r")
        with pytest.raises(InferenceServerException, match="does not begin as --allow-client-shm"):
            client.register_system_shared_memory("r", other.key, 64)
    other.close()


@pytest.mark.parametrize("value", ["true", "", "/a/b", "../x"])
def test_prefixes_that_are_none(mlp, value):
    result = servers.run_cli("serve", mlp, f"--allow-client-shm={value}")
    assert result.returncode == 2
    assert "--allow-client-shm" in result.stderr


def test_registering_is_management(serve, mlp, own_memory, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("boss secret\n")
    server = serve(mlp, "--allow-client-shm", "/", "--token-file", tokens, "--api", "management=token")
    body = json.dumps({"key": own_memory.key, "byte_size": 64}).encode()
    path = "/v2/systemsharedmemory/region/r/register"
    assert server.request("POST", path, body)[0] == 401
    assert server.request("POST", path, body, {"Authorization": "Bearer secret"})[0] == 200
    assert server.get_json("/v2/systemsharedmemory/status")[0]["name"] == "r"


def test_what_is_written_is_seen_by_a_mapping(main_server, own_memory):
    with mmap.mmap(own_memory.file, 4 * SIZE) as memory, clients.Client("http", main_server.address) as client:
        memory[: 2 * SIZE] = SIMPLE["INPUT0"].tobytes() + SIMPLE["INPUT1"].tobytes()
        client.register_system_shared_memory("mapped", own_memory.key, 3 * SIZE, 0)
        outputs = [shared_output(client, "OUTPUT0", "mapped", SIZE, 2 * SIZE)]
        client.infer_tensors("simple", simple_inputs(client, "mapped"), outputs=outputs)
        assert memory[2 * SIZE : 3 * SIZE] == SUM.tobytes()
        assert memory[3 * SIZE : 4 * SIZE] == bytes(SIZE)
        client.unregister_system_shared_memory("mapped")
