"""What only some of Triton's clients can: JSON beside binary data, compression, calls in the background, streams."""

import json

import numpy as np
import pytest

import models
import repositories
from clients import SIMPLE, Client, InferenceServerException, random_array
from servers import wait_until
from test_observability import of, scrape


@pytest.fixture
def http(main_server):
    client = Client("http", main_server.address, concurrency=8)
    yield client
    client.close()


@pytest.fixture
def grpc(main_server):
    client = Client("grpc", main_server.address)
    yield client
    client.close()


@pytest.mark.conformance("tritonclient.http")
@pytest.mark.parametrize("dtype", [dtype for dtype in models.DTYPES if dtype not in ("FP16", "BF16")])
@pytest.mark.parametrize("in_binary", [True, False])
@pytest.mark.parametrize("out_binary", [True, False])
def test_http_json_and_binary(http, dtype, in_binary, out_binary):
    array = random_array(dtype, models.DTYPES[dtype][1], (2, 3))
    if dtype == "BYTES":  # JSON holds text only
        array = np.array([[b"", b"a", "größe".encode()], [b'quote"', b"back\\slash", "日本".encode()]], dtype=object)
    result = http.infer(
        f"identity_{dtype.lower()}", {"x": array}, outputs=[http.output("y", binary=out_binary)], binary=in_binary
    )
    echo = result.as_numpy("y")
    if dtype == "BYTES" and not out_binary:
        echo = np.array(
            [[text.encode() if isinstance(text, str) else text for text in row] for row in echo], dtype=object
        )
    np.testing.assert_array_equal(echo, array)


@pytest.mark.conformance("tritonclient.http")
def test_http_mixed_json_and_binary(http):
    inputs = http.inputs({"INPUT0": SIMPLE["INPUT0"]}, binary=False) + http.inputs({"INPUT1": SIMPLE["INPUT1"]})
    for first_binary in (True, False):
        outputs = [http.output("OUTPUT0", binary=first_binary), http.output("OUTPUT1", binary=not first_binary)]
        result = http._client.infer("simple", inputs, outputs=outputs)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), SIMPLE["INPUT0"] + 3)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), SIMPLE["INPUT0"] - 3)


@pytest.mark.conformance("tritonclient.http")
def test_http_async_infer(http):
    pending = [
        (value, http.async_infer("versions", http.inputs({"x": np.full((1, 4), value, np.float32)})))
        for value in range(50)
    ]
    for value, request in pending:
        np.testing.assert_array_equal(request.get_result().as_numpy("y"), np.full((1, 4), value * 3))


def sent_bytes(server):
    return of(scrape(server), "modelmill_wire_sent_bytes_total")


@pytest.mark.conformance("tritonclient.http")
@pytest.mark.parametrize("request_algorithm", [None, "gzip", "deflate"])
@pytest.mark.parametrize("response_algorithm", [None, "gzip", "deflate"])
def test_http_compression(http, request_algorithm, response_algorithm):
    array = np.zeros((4, 4096), np.float32)
    result = http.infer(
        "identity_fp32",
        {"x": array},
        request_compression_algorithm=request_algorithm,
        response_compression_algorithm=response_algorithm,
    )
    np.testing.assert_array_equal(result.as_numpy("y"), array)


@pytest.mark.conformance("tritonclient.grpc")
def test_grpc_async_infer(grpc):
    answers = {}
    for value in range(50):
        grpc.async_infer(
            "versions",
            grpc.inputs({"x": np.full((1, 4), value, np.float32)}),
            callback=lambda result, error, value=value: answers.__setitem__(value, (result, error)),
        )
    wait_until(lambda: len(answers) == 50, "50 answers")
    for value, (result, error) in answers.items():
        assert error is None
        np.testing.assert_array_equal(result.as_numpy("y"), np.full((1, 4), value * 3))


@pytest.mark.conformance("tritonclient.grpc")
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_grpc_compression(grpc, main_server, algorithm):
    """Both ways: what the server sends is small, too."""
    array = np.zeros((4, 1 << 18), np.float32)
    before = sent_bytes(main_server)
    result = grpc.infer("identity_fp32", {"x": array}, compression_algorithm=algorithm)
    np.testing.assert_array_equal(result.as_numpy("y"), array)
    assert sent_bytes(main_server) - before < array.nbytes / 4
    grpc.infer("identity_fp32", {"x": array})
    # Counted when the system has taken them, which the client may know before.
    wait_until(lambda: sent_bytes(main_server) - before > array.nbytes, "what was sent is counted")


@pytest.mark.conformance("tritonclient.grpc")
def test_grpc_stream(grpc):
    answers = []
    grpc.start_stream(callback=lambda result, error: answers.append((result, error)))
    for value in range(30):
        grpc.async_stream_infer(
            "versions", grpc.inputs({"x": np.full((1, 4), value, np.float32)}), request_id=str(value)
        )
    wait_until(lambda: len(answers) == 30, "30 answers")
    grpc.stop_stream()
    seen = set()
    for result, error in answers:
        assert error is None
        value = int(result.get_response().id)
        np.testing.assert_array_equal(result.as_numpy("y"), np.full((1, 4), value * 3))
        seen.add(value)
    assert seen == set(range(30))


@pytest.mark.conformance("tritonclient.grpc")
def test_grpc_stream_goes_on_after_an_error(grpc):
    answers = []
    grpc.start_stream(callback=lambda result, error: answers.append((result, error)))
    grpc.async_stream_infer("simple", grpc.inputs({"INPUT0": SIMPLE["INPUT0"]}), request_id="bad")
    wait_until(lambda: len(answers) == 1, "the error")
    grpc.async_stream_infer("simple", grpc.inputs(SIMPLE), request_id="good")
    wait_until(lambda: len(answers) == 2, "the answer after it")
    grpc.stop_stream()
    assert "expected 2 inputs but got 1 inputs for model 'simple'" in answers[0][1].message()
    np.testing.assert_array_equal(answers[1][0].as_numpy("OUTPUT1"), SIMPLE["INPUT0"] - 3)


@pytest.mark.conformance("tritonclient.grpc")
def test_grpc_stream_with_final_flag(grpc):
    answers = []
    grpc.start_stream(callback=lambda result, error: answers.append((result, error)))
    grpc.async_stream_infer("simple", grpc.inputs(SIMPLE), enable_empty_final_response=True)
    wait_until(lambda: answers, "an answer")
    grpc.stop_stream()
    result, error = answers[0]
    assert error is None
    assert result.get_response().parameters["triton_final_response"].bool_param is True


@pytest.mark.conformance("tritonclient.grpc")
def test_grpc_deadline_of_the_client(grpc, serve, tmp_path):
    repositories.add_slow_identity(tmp_path / "models", "slow", 1000)
    server = serve(tmp_path / "models")
    slow = Client("grpc", server.address)
    with pytest.raises(InferenceServerException) as error:
        slow.infer("slow", {"INPUT0": np.ones((1, 4), np.float32)}, client_timeout=0.05)
    slow.close()
    assert "Deadline Exceeded" in error.value.message() or "DEADLINE" in str(error.value.status())
    np.testing.assert_array_equal(grpc.infer("simple", SIMPLE).as_numpy("OUTPUT1"), SIMPLE["INPUT0"] - 3)


@pytest.mark.conformance("tritonclient.grpc.aio")
@pytest.mark.conformance("tritonclient.grpc.aio")
async def test_aio_stream(main_server):
    import tritonclient.grpc.aio as aio

    async def requests():
        for value in range(10):
            tensor = aio.InferInput("x", [1, 4], "FP32")
            tensor.set_data_from_numpy(np.full((1, 4), value, np.float32))
            yield {"model_name": "versions", "inputs": [tensor], "request_id": str(value)}

    client = aio.InferenceServerClient(main_server.address)
    try:
        seen = set()
        async for result, error in client.stream_infer(requests()):
            assert error is None
            value = int(result.get_response().id)
            np.testing.assert_array_equal(result.as_numpy("y"), np.full((1, 4), value * 3))
            seen.add(value)
        assert seen == set(range(10))
    finally:
        await client.close()


def test_json_config_is_what_curl_sees(main_server):
    config = main_server.get_json("/v2/models/simple/config")
    assert config["max_batch_size"] == 8
    assert config["input"][0]["data_type"] == "TYPE_INT32"
    assert json.dumps(config)
