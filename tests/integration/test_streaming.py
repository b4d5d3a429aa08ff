"""Zero, one or many answers to a request: the generate extension over HTTP, streams over gRPC, and clients that do not read."""

import contextlib
import json
import pathlib
import queue
import re
import socket
import subprocess

import aiohttp
import grpc
import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

import repositories
import servers
from servers import wait_until
from test_observability import of, scrape

ENDLESS = 1_000_000_000
HTTP_VERSIONS = ["--http1.1", "--http2-prior-knowledge"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`repeat` answers as often as the parameter `responses` says, and `text` too, with strings; `plain` once."""
    folder = tmp_path_factory.mktemp("streaming")
    repositories.add_repeating_identity(folder / "models", "repeat")
    repositories.add_repeating_identity(folder / "models", "text", "TYPE_STRING")
    repositories.add_identity(folder / "models", "plain")
    with servers.serving(folder, folder / "models") as server:
        yield server


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def curl_events(server, path, body, *options):
    """(status, events, content type) of a stream as `curl -N` has it."""
    run = subprocess.run(
        ["curl", "-sS", "-N", "-i", *options, server.url + path, "-d", json.dumps(body)],
        capture_output=True,
        timeout=60,
        check=True,
    )
    head, _, text = run.stdout.decode().partition("\r\n\r\n")
    content_type = re.search(r"(?im)^content-type: (.*?)\r?$", head)[1]
    events = text.split("\n\n")
    assert events.pop() == "", text
    assert all(event.startswith("data: ") for event in events), text
    return int(head.split()[1]), [json.loads(event[6:]) for event in events], content_type


@pytest.mark.parametrize("version", HTTP_VERSIONS)
@pytest.mark.parametrize("count", [0, 1, 5, 2000])
def test_generate_stream(server, version, count):
    body = {"id": "me", "INPUT0": [1.5, 2.5], "parameters": {"responses": count}}
    status, events, content_type = curl_events(server, "/v2/models/repeat/generate_stream", body, version)
    assert (status, content_type) == (200, "text/event-stream; charset=utf-8")
    assert events == [
        {"id": "me", "model_name": "repeat", "model_version": "1", "index": str(i), "OUTPUT0": [1.5, 2.5]}
        for i in range(count)
    ]


def test_generate_takes_one_answer(server):
    status, reply = server.post_json("/v2/models/text/versions/1/generate", {"INPUT0": "hé", "id": "7"})
    assert status == 200
    assert reply == {"id": "7", "model_name": "text", "model_version": "1", "index": "0", "OUTPUT0": "hé"}
    for count in [0, 2, ENDLESS]:
        status, reply = server.post_json("/v2/models/text/generate", {"INPUT0": "x", "responses": count})
        assert status == 500
        assert "generate expects model to produce exactly 1 response" in reply["error"]


def test_a_model_that_answers_once(server):
    status, reply = server.post_json("/v2/models/plain/generate", {"INPUT0": [1, 2, 3]})
    assert (status, reply["OUTPUT0"]) == (200, [1, 2, 3])
    _, events, _ = curl_events(server, "/v2/models/plain/generate_stream", {"INPUT0": 4})
    assert [event["OUTPUT0"] for event in events] == [4]


def test_generate_errors(server):
    for kind in ["generate", "generate_stream"]:
        for body, message in [
            (b"{", "failed to parse the request JSON buffer"),
            ({"INPUT0": ["x"]}, "input 'INPUT0' takes FP32"),
            ({"INPUT0": 1, "other": {"a": 1}}, "'other' is no input of this model"),
            ({}, "expected 1 inputs but got 0"),
        ]:
            status, reply = server.post_json(f"/v2/models/repeat/{kind}", body)
            assert status == 400 and message in reply["error"], reply
        assert server.post_json(f"/v2/models/nobody/{kind}", {})[0] == 404
        assert server.get(f"/v2/models/repeat/{kind}")[0] == 405
    # The model itself refuses: an event, with the status of the error.
    status, events, _ = curl_events(server, "/v2/models/repeat/generate_stream", {"INPUT0": 1, "responses": "x"})
    assert status == 400 and "parameter 'responses'" in events[0]["error"]


async def test_aiohttp_reads_events_as_they_come(server):
    async with aiohttp.ClientSession() as session:
        body = {"INPUT0": list(range(100)), "responses": ENDLESS}
        async with session.post(server.url + "/v2/models/repeat/generate_stream", json=body) as reply:
            for i in range(1000):
                event = (await reply.content.readuntil(b"\n\n")).decode()
                assert json.loads(event.removeprefix("data: "))["index"] == str(i)


def fp32(shape):
    return tritonclient.grpc.InferInput("INPUT0", shape, "FP32").set_data_from_numpy(np.ones(shape, np.float32))


@pytest.mark.parametrize("count", [0, 1, 300])
@pytest.mark.parametrize("empty_final", [False, True])
def test_tritonclient_streams_a_decoupled_model(server, count, empty_final):
    answers = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer(
            "repeat", [fp32([3])], parameters={"responses": count}, enable_empty_final_response=empty_final
        )
        client.async_stream_infer("plain", [fp32([1, 3])], request_id="end")
        indices, ended, finals = [], False, 0
        while len(indices) < count or not ended or finals < empty_final:
            result, error = answers.get(timeout=60)
            assert error is None
            response = result.get_response()
            if response.id == "end":
                ended = True
            elif response.outputs:
                indices.append(int(response.parameters["index"].string_param))
            else:
                finals += response.parameters["triton_final_response"].bool_param
        client.stop_stream()
    assert indices == list(range(count))
    assert finals == empty_final and answers.empty()


# ---- clients that do not read --------------------------------------------------------------------------------------


def resident_bytes(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def wait_idle(server):
    """Nothing is made any more: the server uses no processor time during many looks in a row."""
    seen = []

    def idle():
        seen.append(server.cpu_seconds())
        return len(seen) > 30 and seen[-1] == seen[-30]

    wait_until(idle, "the server is at work although nobody reads")


def serves_again(server):
    """The model's only instance is free again."""
    status, reply = server.post_json("/v2/models/repeat/generate", {"INPUT0": 1})
    assert (status, reply["OUTPUT0"]) == (200, 1)


@contextlib.contextmanager
def unread_http(server, count=100_000):
    """A client of generate_stream that never reads; about 400 KB an event."""
    body = json.dumps({"INPUT0": [1.5] * count, "responses": ENDLESS}).encode()
    with server.connect() as client:
        client.sendall(servers.posted("/v2/models/repeat/generate_stream", body))
        assert client.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/1.1 200"
        yield client


def stream_request(responses=ENDLESS, elements=100_000):
    request = service_pb2.ModelInferRequest(
        model_name="repeat", raw_input_contents=[np.ones(elements, np.float32).tobytes()]
    )
    request.inputs.add(name="INPUT0", datatype="FP32", shape=[elements])
    request.parameters["responses"].int64_param = responses
    return request


def test_a_model_waits_for_its_reader_over_http(server):
    serves_again(server)
    before = resident_bytes(server)
    with unread_http(server):
        wait_idle(server)
        assert resident_bytes(server) - before < 64 << 20
    serves_again(server)


def test_a_model_waits_for_its_reader_over_grpc(server, stub):
    call = stub.ModelStreamInfer(iter([stream_request()]))
    for i in range(3):
        assert next(call).infer_response.parameters["index"].string_param == str(i)
    wait_idle(server)
    for i in range(3, 500):
        assert next(call).infer_response.parameters["index"].string_param == str(i)
    call.cancel()
    serves_again(server)


def test_requests_given_up_leave_the_queue_of_a_busy_model(server, stub):
    labels = {"model": "repeat", "version": "1"}

    def waiting():
        return of(scrape(server), "nv_inference_pending_request_count", **labels)

    with unread_http(server):
        call = stub.ModelStreamInfer(stream_request(responses=1) for _ in range(3))
        wait_until(lambda: waiting() == 3, "three wait")
        call.cancel()
        wait_until(lambda: waiting() == 0, "none waits although the model is still busy")
    serves_again(server)


def test_a_reader_that_stalls_is_cut(serve, tmp_path):
    repositories.add_repeating_identity(tmp_path / "models", "repeat")
    server = serve(tmp_path / "models", "--stall-timeout", "1")
    with unread_http(server):
        serves_again(server)
    server.stop()


def test_stopping_does_not_wait_for_a_reader_that_stalls(serve, tmp_path):
    repositories.add_repeating_identity(tmp_path / "models", "repeat")
    server = serve(tmp_path / "models", "--drain-timeout", "1")
    with unread_http(server):
        wait_idle(server)
        server.stop()
