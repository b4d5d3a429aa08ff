"""Every protocol on the one port, at the same time: curl with both versions of HTTP, and gRPC."""

import concurrent.futures
import json
import subprocess

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

ROUNDS = 10
INFER = "/v2/models/versions/infer"


def curl(main_server, version, value):
    body = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [value] * 4}]})
    result = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "60", version, "-w", "\n%{http_version}", "-d", body,
         main_server.url + INFER],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    reply, _, spoken = result.stdout.rpartition("\n")
    return json.loads(reply)["outputs"][0]["data"], spoken


def over_curl(main_server, version, spoken):
    for i in range(ROUNDS):
        assert curl(main_server, version, i) == ([3 * i] * 4, spoken)
    return ROUNDS


def over_grpc(main_server):
    with grpc.insecure_channel(main_server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for i in range(ROUNDS * 20):
            request = service_pb2.ModelInferRequest(model_name="versions")
            request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
            request.raw_input_contents.append(np.full(4, i, np.float32).tobytes())
            [raw] = stub.ModelInfer(request, timeout=60).raw_output_contents
            np.testing.assert_array_equal(np.frombuffer(raw, np.float32), np.full(4, 3 * i, np.float32))
    return ROUNDS


def test_all_at_once(main_server):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        together = [
            pool.submit(over_curl, main_server, "--http1.1", "1.1"),
            pool.submit(over_curl, main_server, "--http2-prior-knowledge", "2"),
            pool.submit(over_grpc, main_server),
            pool.submit(over_grpc, main_server),
        ]
        assert [each.result() for each in together] == [ROUNDS] * 4
