"""Requests that nobody waits for any more: never run, counted by reason, and their places in the queue given to others."""

import contextlib
import json
import socket

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from servers import posted, wait_until
from test_observability import of, scrape, wait_pending

SLOW = {"model": "slow", "version": "1"}
V2 = ("/v2/models/slow/infer", {"inputs": [{"name": "INPUT0", "shape": [1, 4], "datatype": "FP32", "data": [3] * 4}]})
PREDICT = ("/predict/slow", {"INPUT0": [[3, 3, 3, 3]]})
RESET = socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"  # closing resets the connection


def infer_request():
    request = service_pb2.ModelInferRequest(model_name="slow", raw_input_contents=[np.ones(4, np.float32).tobytes()])
    request.inputs.add(name="INPUT0", datatype="FP32", shape=[1, 4])
    return request


@pytest.fixture
def slow(serve_gated, gate):
    """A model that is busy with a request until the test opens its gate; one runs, four may wait."""
    config = (
        "instance_group { count: 1 kind: KIND_CPU } "
        "dynamic_batching { default_queue_policy { max_queue_size: 4 } }"
    )
    server = serve_gated("slow", config)
    gate.close()
    yield server
    gate.open()
    server.stop()


@contextlib.contextmanager
def http_clients(server, path_and_body, count):
    path, value = path_and_body
    body = json.dumps(value).encode()
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(server.connect())
            client.sendall(posted(path, body))
            clients.append(client)
        yield clients


def leave_http(path_and_body, half=False):
    def run(server, stub):
        with http_clients(server, path_and_body, 3) as clients:
            wait_pending(server, 4)
            for client in clients:
                if half:
                    client.shutdown(socket.SHUT_WR)
                else:
                    client.setsockopt(*RESET)
                    client.close()
            wait_pending(server, 1)

    return run


def leave_grpc(server, stub):
    calls = [stub.ModelInfer.future(infer_request()) for _ in range(3)]
    wait_pending(server, 4)
    for call in calls:
        call.cancel()


def leave_stream(server, stub):
    call = stub.ModelStreamInfer(infer_request() for _ in range(3))
    wait_pending(server, 4)
    call.cancel()


def let_deadline_pass(server, stub):
    calls = [stub.ModelInfer.future(infer_request(), timeout=8) for _ in range(3)]
    wait_pending(server, 4)
    for call in calls:
        assert call.code() == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    "leave,reason",
    [
        (leave_http(V2), "client gone"),
        (leave_http(PREDICT), "client gone"),
        (leave_http(V2, half=True), "client gone"),
        (leave_grpc, "client gone"),
        (leave_stream, "client gone"),
        (let_deadline_pass, "deadline"),
    ],
    ids=["http", "predict", "http-half-closed", "grpc", "grpc-stream", "grpc-deadline"],
)
def test_given_up_in_the_queue(slow, stub, gate, leave, reason):
    """It leaves the queue while the model is still busy with another request, is counted, and is never run."""
    wanted = [stub.ModelInfer.future(infer_request()) for _ in range(2)]
    wait_pending(slow, 1)
    leave(slow, stub)
    wait_pending(slow, 1)
    assert not any(call.done() for call in wanted), "the places are free before their turn would have come"
    samples = scrape(slow)
    assert of(samples, "modelmill_request_cancelled_total", **SLOW) == 3  # counted before they are seen to wait no more
    # Which of the two clocks is first at the deadline is the machine's to say.
    assert reason == "deadline" or of(samples, "modelmill_request_cancelled_total", **SLOW, reason=reason) == 3
    assert of(samples, "nv_inference_request_failure", **SLOW, reason="CANCELED") == 3
    gate.open()
    for call in wanted:
        assert call.result(timeout=60).outputs
    # An execution is counted when the backend is done with it, a little after its answers; one too many would be later.
    wait_until(lambda: of(scrape(slow), "nv_inference_exec_count", **SLOW) >= 2, "two have been run")
    assert of(scrape(slow), "nv_inference_pending_request_count", **SLOW) == 0
    assert of(scrape(slow), "nv_inference_exec_count", **SLOW) == 2
