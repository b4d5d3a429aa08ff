"""Metrics that add up, in a format that a strict parser takes; logs that a machine reads."""

import json
import math
import re

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.grpc import service_pb2, service_pb2_grpc

import models
from clients import Client, InferenceServerException
from servers import wait_until

SAMPLE = re.compile(
    r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\\\|\\"|\\n|[^"\\\n])*"(,|(?=\})))*\})? '
    r"([+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+)|NaN|[+-]Inf)( \d+)?$"
)


def scrape(server):
    """{name as on the page: {labels: value}} of a page that follows the format to the letter."""
    status, body, headers = server.get("/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain") and "version=0.0.4" in headers["Content-Type"]
    text = body.decode()
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith("# ") or SAMPLE.match(line), line
    samples = {}
    families = set()
    for family in text_string_to_metric_families(text):
        assert family.name not in families, f"{family.name} twice"
        families.add(family.name)
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram"), (family.name, family.type)
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            name = sample.name if f"\n{sample.name}" in text else sample.name.removesuffix("_total")
            series = samples.setdefault(name, {})
            assert labels not in series, (sample.name, labels)
            series[labels] = sample.value
    return samples


def of(samples, name, **labels):
    wanted = set(labels.items())
    return sum(value for key, value in samples.get(name, {}).items() if wanted <= set(key))


def wait_pending(server, count, model="slow"):
    """Until so many requests wait for the model."""
    wait_until(lambda: of(scrape(server), "nv_inference_pending_request_count", model=model) == count, f"{count} wait")


def test_counters_add_up(serve, tmp_path):
    server = serve(
        models.save(models.scaled(2), tmp_path / "twice.onnx"), models.save(models.gather(), tmp_path / "gather.onnx")
    )
    client = Client("grpc", server.address)
    for rows in (1, 2, 3, 4):
        client.infer("twice", {"x": np.ones((rows, 4), np.float32)})
    for _ in range(3):
        with pytest.raises(InferenceServerException):
            client.infer("twice", {"x": np.ones((1, 5), np.float32)})
    with pytest.raises(InferenceServerException):
        client.infer("gather", {"index": np.array([99], np.int64)})
    client.close()
    server.wait_executions(4, "twice")
    samples = scrape(server)
    twice = {"model": "twice", "version": "1"}
    assert of(samples, "nv_inference_request_success", **twice) == 4
    assert of(samples, "nv_inference_count", **twice) == 10
    assert of(samples, "nv_inference_exec_count", **twice) == 4
    assert of(samples, "nv_inference_pending_request_count", **twice) == 0
    assert of(samples, "nv_inference_request_failure", **twice, reason="OTHER") == 3
    assert of(samples, "nv_inference_request_failure", model="gather", version="1", reason="BACKEND") == 1
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    durations = {part: of(samples, f"nv_inference_{part}_duration_us", **twice) for part in ("request", *parts)}
    assert all(value >= 0 for value in durations.values())
    assert durations["request"] > 0 and durations["compute_infer"] > 0
    # Taking the outputs ends with the reply's hand-over, after the request itself is over.
    assert durations["request"] + 4 >= sum(durations[part] for part in parts[:-1])
    for part in ("queue", "compute_infer"):
        name = f"nv_inference_{part}_duration_histogram_us"
        assert of(samples, name + "_count", **twice) == 4
        assert of(samples, name + "_bucket", **twice, le="+Inf") == 4
        buckets = sorted(
            (float(dict(labels)["le"]), value)
            for labels, value in samples[name + "_bucket"].items()
            if ("model", "twice") in labels
        )
        assert [value for _, value in buckets] == sorted(value for _, value in buckets), "cumulative"
        assert buckets[-1][0] == math.inf
    assert of(samples, "modelmill_batch_size_count", **twice) == 4
    assert of(samples, "modelmill_batch_size_sum", **twice) == 10
    server.stop()


def test_every_version_has_its_series(main_server):
    client = Client("http", main_server.address)
    client.infer("versions", {"x": np.ones((1, 4), np.float32)}, model_version="1")
    client.infer("versions", {"x": np.ones((1, 4), np.float32)}, model_version="3")
    client.close()
    samples = scrape(main_server)
    versions = {dict(labels)["version"] for labels in samples["nv_inference_count"] if ("model", "versions") in labels}
    assert versions == {"1", "3"}
    for version in versions:
        assert of(samples, "nv_inference_request_success", model="versions", version=version) >= 1


def test_process_metrics(main_server):
    samples = scrape(main_server)
    assert of(samples, "process_resident_memory_bytes") > 1e6
    assert of(samples, "process_open_fds") > 5
    assert of(samples, "process_cpu_seconds_total") > 0
    [(labels, value)] = samples["modelmill_build_info"].items()
    assert value == 1 and "version" in dict(labels)


def test_wire_counts_requests_and_bytes(serve, tmp_path):
    server = serve(models.save(models.scaled(2), tmp_path / "twice.onnx"))
    before = scrape(server)
    with grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for _ in range(3):
            stub.ServerLive(service_pb2.ServerLiveRequest())
        server.request("POST", "/v2/models/twice/infer", b" " * 100_000)
        pages = []

        def are_over():
            """One has ended when all of its answer is sent, which the client may know before; this one hasn't."""
            pages.append(scrape(server))
            open_now = {one: of(pages[-1], "modelmill_wire_requests_open", protocol=one) for one in ("http1", "grpc")}
            return open_now == {"http1": 1, "grpc": 0}

        wait_until(are_over, "all requests but the scrape itself are over")
        after = pages[-1]
    name = "modelmill_wire_requests_total"
    assert of(after, name, protocol="grpc") - of(before, name, protocol="grpc") == 3
    assert of(after, name, protocol="http1") - of(before, name, protocol="http1") == 1 + len(pages)
    assert of(after, name, protocol="http2") == 0
    assert of(after, "modelmill_wire_received_bytes_total") - of(before, "modelmill_wire_received_bytes_total") > 100_000
    assert of(after, "modelmill_wire_sent_bytes_total") > of(before, "modelmill_wire_sent_bytes_total")
    server.stop()


def test_scraping_during_load(main_server):
    client = Client("http", main_server.address, concurrency=4)
    requests = [client.async_infer("mlp", client.inputs({"x": np.ones((1, 64), np.float32)})) for _ in range(200)]
    for _ in range(10):
        scrape(main_server)
    for request in requests:
        request.get_result()
    client.close()


def log_lines(server):
    return [json.loads(line) for line in server.log().splitlines()]


def test_log_is_json(main_server):
    lines = log_lines(main_server)
    assert lines
    for line in lines:
        assert isinstance(line, dict)
        assert {"level", "time"} <= set(line) or {"level", "ts"} <= set(line), line


def test_access_log_has_the_request_id(main_server):
    """The client's x-request-id is in the line of its request, whatever is in it."""
    for number, request_id in enumerate(["abc-123", 'quote" and \\ slash', "é".encode().decode("latin-1")]):
        main_server.request("GET", f"/v2/models/simple/ready?n={number}", headers={"X-Request-Id": request_id})
    wanted = {"abc-123", 'quote" and \\ slash'}

    def found():
        lines = [line for line in log_lines(main_server) if "access" in line.values()]
        return wanted <= {line.get("request_id") for line in lines} and lines

    lines = wait_until(found, "access lines of the requests")
    line = next(line for line in lines if line.get("request_id") == "abc-123")
    assert line["method"] == "GET"
    assert line["status"] == 200
    assert line["path"].startswith("/v2/models/simple/ready")


def test_access_log_of_grpc_calls(main_server):
    """A gRPC call has its line too, with the status that the client got."""
    with tritonclient.grpc.InferenceServerClient(main_server.address) as client:
        client.get_model_metadata("simple", headers={"x-request-id": "call-1"})
        with pytest.raises(InferenceServerException):
            client.get_model_metadata("no_such_model", headers={"x-request-id": "call-2"})

    def found():
        lines = {line.get("request_id"): line for line in log_lines(main_server) if "access" in line.values()}
        return {"call-1", "call-2"} <= set(lines) and lines

    lines = wait_until(found, "access lines of the calls")
    assert lines["call-1"]["path"] == "/inference.GRPCInferenceService/ModelMetadata"
    assert lines["call-1"]["protocol"] == "gRPC"
    assert lines["call-1"]["grpc_status"] == "OK"
    assert lines["call-2"]["grpc_status"] == "NOT_FOUND"


TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
IDENTITY = {"x-request-id": "seven", "traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
ROW = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1] * 4}]}


@pytest.mark.parametrize("path", ["/v2/models/versions/infer", "/v2/models/nope/infer", "/metrics", "/nope"])
def test_replies_carry_the_requests_identity(main_server, path):
    body = json.dumps(ROW).encode() if path.endswith("infer") else None
    method = "POST" if body else "GET"
    _, _, headers = main_server.request(method, path, body, IDENTITY)
    assert {name: headers[name] for name in IDENTITY} == IDENTITY
    _, _, headers = main_server.request(method, path, body, {"traceparent": IDENTITY["traceparent"].upper()})
    assert not set(IDENTITY) & {name.lower() for name in headers}, "what is malformed is ignored, and none is made up"


def test_grpc_answers_carry_the_calls_identity(main_server):
    with grpc.insecure_channel(main_server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = service_pb2.ModelInferRequest(model_name="versions", raw_input_contents=[b"\0" * 16])
        request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
        _, call = stub.ModelInfer.with_call(request, metadata=list(IDENTITY.items()))
        assert dict(call.initial_metadata()) == IDENTITY
        request.model_name = "nope"
        with pytest.raises(grpc.RpcError) as error:
            stub.ModelInfer(request, metadata=list(IDENTITY.items()))
        metadata = {**dict(error.value.initial_metadata() or ()), **dict(error.value.trailing_metadata())}
        assert IDENTITY.items() <= metadata.items()

    def found():
        lines = [line for line in log_lines(main_server) if line.get("trace_id") == TRACE_ID]
        return {"gRPC", "HTTP/1.1"} <= {line["protocol"] for line in lines}

    main_server.request("GET", "/v2", None, IDENTITY)
    wait_until(found, "access lines with the trace's id")


TIMING = re.compile(r"queue;dur=\d+\.\d{3}, compute;dur=\d+\.\d{3};desc=\"[a-z ]+, rows \d+\", total;dur=(\d+\.\d{3})")


def test_server_timing_when_the_client_asks(main_server):
    ask = {"x-server-timing": "1"}
    for path, value in (("/v2/models/versions/infer", ROW), ("/predict/versions", {"x": [[1] * 4]})):
        body = json.dumps(value).encode()
        status, _, headers = main_server.request("POST", path, body, ask)
        assert status == 200 and TIMING.fullmatch(headers["server-timing"]), headers.items()
        assert "server-timing" not in main_server.request("POST", path, body)[2]
    with grpc.insecure_channel(main_server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = service_pb2.ModelInferRequest(model_name="versions", raw_input_contents=[b"\0" * 16])
        request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
        response, call = stub.ModelInfer.with_call(request, metadata=list(ask.items()))
        assert response.outputs and TIMING.fullmatch(dict(call.trailing_metadata())["server-timing"])
        _, call = stub.ModelInfer.with_call(request)
        assert "server-timing" not in dict(call.trailing_metadata())


def test_server_timing_of_every_answer(serve, tmp_path):
    server = serve(models.save(models.scaled(2), tmp_path / "twice.onnx"), "--server-timing")
    _, _, headers = server.request("POST", "/v2/models/twice/infer", json.dumps(ROW).encode())
    assert TIMING.fullmatch(headers["server-timing"])
    broken = json.dumps({"inputs": []}).encode()
    _, _, headers = server.request("POST", "/v2/models/twice/infer", broken)
    assert re.fullmatch(r"total;dur=\d+\.\d{3}", headers["server-timing"]), "of what never came to the model"
    server.stop()


def test_no_access_log_unless_asked(serve, tmp_path):
    server = serve(models.save(models.scaled(2), tmp_path / "twice.onnx"))
    server.get("/v2/models/twice/ready")
    server.stop()
    assert "/v2/models/twice/ready" not in server.log()


def test_log_levels(serve, tmp_path):
    path = models.save(models.scaled(2), tmp_path / "twice.onnx")
    quiet = serve(path, "--log-level=off")
    quiet.stop()
    assert quiet.log() == ""
    loud = serve(path, "--log-level=debug", "--log-format=json")
    loud.stop()
    assert len(log_lines(loud)) > 0
