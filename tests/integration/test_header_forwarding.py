"""Headers of V2 requests as parameters of their models: Triton's flags for it and modelmill's, by Triton's clients."""

import http.client
import json
import queue

import numpy as np
import pytest
import tritonclient.grpc

import clients
import triton_repository

ECHO = (
    'input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ] output [ { name: "said" data_type: TYPE_STRING dims: [ 1 ] } ]',
    """
    class TritonPythonModel:
        def execute(self, requests):
            return [
                pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("said", np.array([request.parameters().encode()], object))])
                for request in requests
            ]
    """,
)
HEADERS = {"x-user": "ann", "x-said": 'a "quoted" \\ word', "other": "stays"}
FORWARDED = {"x-user": "ann", "x-said": 'a "quoted" \\ word'}
X = {"x": np.ones(1, np.float32)}


@pytest.fixture
def models(tmp_path):
    triton_repository.add(tmp_path / "models", "echo", *ECHO)
    return tmp_path / "models"


def said(client, **options):
    # The clients for HTTP write into the headers that they are given.
    return json.loads(client.infer("echo", X, **{**options, "headers": dict(options["headers"])}).as_numpy("said")[0])


def triton_flags(models, *flags):
    address = "127.0.0.1"
    ports = [f"--{name}-{what}" for name in ("http", "grpc", "metrics") for what in ("port=0", f"address={address}")]
    return [f"--model-repository={models}", *ports, *flags]


def test_every_client_by_tritons_flags(serve, models):
    server = serve(
        *triton_flags(models, "--http-header-forward-pattern=^X-", "--grpc-header-forward-pattern=^x-"),
        personality="tritonserver",
    )
    for kind in clients.KINDS:
        url = server.urls[1 if kind.startswith("grpc") else 0].partition("://")[2]
        client = clients.Client(kind, url)
        assert said(client, headers=HEADERS) == FORWARDED, kind
        assert said(client, headers=HEADERS, parameters={"mine": 5}) == {**FORWARDED, "mine": 5}, kind
        client.close()


def generate(server, headers):
    """(status, what the JSON says); http.client leaves names of headers as they are."""
    connection = http.client.HTTPConnection(server.address, timeout=60)
    connection.request("POST", "/v2/models/echo/generate", b'{"x": 1}', headers)
    reply = connection.getresponse()
    body = json.loads(reply.read())
    connection.close()
    return reply.status, body


def test_streams_and_generate(serve, models):
    server = serve(models, "--forward-headers", "^x-")
    answers = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        client.start_stream(lambda result, error: answers.put((result, error)), headers=HEADERS)
        x = tritonclient.grpc.InferInput("x", [1], "FP32").set_data_from_numpy(X["x"])
        client.async_stream_infer("echo", [x])
        result, error = answers.get(timeout=60)
        client.stop_stream()
    assert error is None and json.loads(result.as_numpy("said")[0]) == FORWARDED
    status, body = generate(server, HEADERS)
    assert status == 200 and json.loads(body["said"]) == FORWARDED


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_nothing_is_forwarded_unless_it_is_said(serve, models, kind):
    flag = "--grpc-header-forward-pattern=^x-" if kind == "http" else "--http-header-forward-pattern=^x-"
    server = serve(*triton_flags(models, flag), personality="tritonserver")
    client = clients.Client(kind, server.urls[1 if kind == "grpc" else 0].partition("://")[2])
    assert said(client, headers=HEADERS) == {}
    client.close()


def test_names_that_mean_something_are_refused(serve, models):
    server = serve(models, "--forward-headers", "x-|priority")
    status, body = generate(server, {"priority": "1"})
    assert status == 400 and "Header 'priority' is reserved" in body["error"]
    client = clients.Client("grpc", server.address)
    with pytest.raises(clients.InferenceServerException, match="Header 'priority' is reserved"):
        said(client, headers={"priority": "1"})
    client.close()


def test_names_are_as_the_client_writes_them(serve, models):
    """Over HTTP/1.1; tritonclient.http sends what it is given."""
    server = serve(*triton_flags(models, "--http-header-forward-pattern=(?-i)^X-"), personality="tritonserver")
    client = clients.Client("http", server.urls[0].partition("://")[2])
    assert said(client, headers={"X-User": "ann", "X-TAG": "a", "x-other": "b"}) == {"X-User": "ann", "X-TAG": "a"}
    client.close()
