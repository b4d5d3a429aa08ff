"""Real models out of packages: what comes over the wire is what ONNX Runtime gives in Python."""

import concurrent.futures
import functools

import numpy as np
import onnxruntime
import pytest

from clients import KINDS, Client
from repositories import REAL_MODELS, package_file

ALONE = {"rtol": 1e-6, "atol": 1e-6}
BATCHED = {"rtol": 1e-4, "atol": 1e-5}


@functools.lru_cache
def session(name):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(package_file(*REAL_MODELS[name])), options, providers=["CPUExecutionProvider"]
    )


def expected(name, arrays):
    outputs = session(name).get_outputs()
    return dict(zip((output.name for output in outputs), session(name).run(None, arrays)))


def assert_same(result, name, arrays, tolerance):
    for output, value in expected(name, arrays).items():
        np.testing.assert_allclose(result.as_numpy(output), value, **tolerance)


@pytest.fixture(params=KINDS)
def client(request, real_server):
    client = Client(request.param, real_server.address)
    yield client
    client.close()


def magika_input(rows, seed=0):
    return {"bytes": np.random.default_rng(seed).integers(0, 257, (rows, 2048), dtype=np.int32)}


def image(rows, height, width, seed=0):
    return {"x": np.random.default_rng(seed).standard_normal((rows, 3, height, width)).astype(np.float32)}


@pytest.mark.parametrize("rows", [1, 3])
def test_magika(client, rows):
    assert_same(client.infer("magika", magika_input(rows)), "magika", magika_input(rows), ALONE)


@pytest.mark.parametrize("size", [(1, 64, 96), (2, 96, 64), (1, 160, 160)], ids=str)
def test_text_detection(client, size):
    assert_same(client.infer("ocr_det", image(*size)), "ocr_det", image(*size), ALONE)


@pytest.mark.parametrize("width", [48, 100, 320])
def test_text_recognition(client, width):
    assert_same(client.infer("ocr_rec", image(1, 48, width)), "ocr_rec", image(1, 48, width), ALONE)


@pytest.mark.parametrize("rows", [1, 4])
def test_text_direction(client, rows):
    assert_same(client.infer("ocr_cls", image(rows, 48, 192)), "ocr_cls", image(rows, 48, 192), ALONE)


def test_voice_activity_keeps_its_state(client):
    """A scalar input, and a state that the client carries from call to call."""
    random = np.random.default_rng(4)
    state = here = np.zeros((2, 1, 128), np.float32)
    for _ in range(5):
        sound = random.standard_normal((1, 512)).astype(np.float32)
        rate = np.array(16000, np.int64)
        result = client.infer("silero_vad", {"input": sound, "state": state, "sr": rate})
        local = expected("silero_vad", {"input": sound, "state": here, "sr": rate})
        np.testing.assert_allclose(result.as_numpy("output"), local["output"], **ALONE)
        np.testing.assert_allclose(result.as_numpy("stateN"), local["stateN"], **ALONE)
        state, here = result.as_numpy("stateN"), local["stateN"]


def test_signatures(real_server):
    inputs = {
        name: {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in metadata["inputs"]}
        for name in REAL_MODELS
        for metadata in [real_server.get_json(f"/v2/models/{name}")]
    }
    assert inputs["magika"] == {"bytes": ("INT32", [-1, 2048])}
    assert inputs["ocr_det"] == {"x": ("FP32", [-1, 3, -1, -1])}
    assert inputs["silero_vad"]["sr"] == ("INT64", [])


def at_once(address, kind, requests, threads=16):
    """The results of `requests`, (model, arrays), sent by many clients at a time."""

    def work(part):
        client = Client(kind, address)
        try:
            return [client.infer(model, arrays) for model, arrays in part]
        finally:
            client.close()

    parts = [requests[i::threads] for i in range(threads)]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(work, parts))
    ordered = [None] * len(requests)
    for i, part in enumerate(results):
        ordered[i::threads] = part
    return ordered


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_magika_from_many_clients(real_server, kind):
    before = real_server.stats("magika")
    requests = [("magika", magika_input(1, seed)) for seed in range(64)]
    for result, (name, arrays) in zip(at_once(real_server.address, kind, requests), requests):
        assert_same(result, name, arrays, BATCHED)
    after = real_server.stats("magika")
    assert after["inference_count"] - before["inference_count"] == 64


def test_unequal_shapes_from_many_clients(real_server):
    """Requests of unequal shape never share a batch, and each gets its own answer."""
    requests = [("ocr_rec", image(1, 48, 32 * (1 + seed % 4), seed)) for seed in range(32)]
    requests += [("ocr_det", image(1, 32 * (1 + seed % 3), 64, seed)) for seed in range(24)]
    for result, (name, arrays) in zip(at_once(real_server.address, "grpc", requests), requests):
        assert_same(result, name, arrays, BATCHED)
