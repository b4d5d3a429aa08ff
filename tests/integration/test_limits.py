"""Clients that are slow, greedy or hostile, beside normal ones that must not notice."""

import contextlib
import gzip
import json
import os
import re
import resource
import subprocess
import threading

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

import models
from servers import run_cli, wait_until
from test_grpc_wire import row_request

ROW = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).encode()


def refused(server, limit):
    page = server.get("/metrics")[1].decode()
    return int(float(re.search(rf'modelmill_wire_refused_total{{limit="{limit}"}} (\S+)', page).group(1)))


def infer(server):
    return server.request("POST", "/v2/models/mlp/infer", ROW)[0]


@pytest.fixture
def mlp(tmp_path):
    return models.save(models.mlp((4, 8, 2)), tmp_path / "mlp.onnx")


def test_slow_clients_are_cut_and_others_served(serve, mlp):
    server = serve(mlp, "--header-timeout=3", "--stall-timeout=3", "--idle-timeout=3")
    normal = []
    done = threading.Event()

    def ask():
        while not done.is_set():
            normal.append(infer(server))

    with grpc.insecure_channel(server.address) as channel, contextlib.ExitStack() as stack:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        quiet = threading.Semaphore(0)

        def requests():
            quiet.acquire()
            yield row_request(1, model="mlp")

        answers = stub.ModelStreamInfer(requests())  # says nothing for longer than every timeout
        asking = threading.Thread(target=ask)
        asking.start()
        try:
            slow = [stack.enter_context(server.connect()) for _ in range(4)]
            slow[1].sendall(b"POST /v2/models/mlp/infer HTTP/1.1\r\nHost:")
            slow[2].sendall(b"POST /v2/models/mlp/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            slow[3].sendall(b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n")
            ends = [connection.makefile("rb").read() for connection in slow]
        finally:
            done.set()
            asking.join()
        assert ends[0] == b""
        assert b" 408 " in ends[1] and b"--header-timeout" in ends[1]
        assert b" 408 " in ends[2] and b"--stall-timeout" in ends[2]
        assert b" 200 " in ends[3] and b" 408 " not in ends[3]
        assert set(normal) == {200}
        assert refused(server, "header timeout") == 2
        assert refused(server, "stall") == 1
        assert refused(server, "idle") >= 1
        quiet.release()
        assert next(answers).infer_response.model_name == "mlp"
    server.stop()


def test_a_reply_nobody_reads_is_cut(serve, mlp):
    server = serve(mlp, "--stall-timeout=1")
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as connection:
        connection.settimeout(0.5)
        with contextlib.suppress(OSError):  # until both ends' buffers are full, or the server has cut it
            while True:
                connection.sendall(request * 1000)
        wait_until(lambda: refused(server, "stall") == 1, "the connection is not cut")
    assert infer(server) == 200
    server.stop()


def test_bombs_are_refused(serve, mlp):
    server = serve(mlp, "--max-inflated-bytes=1000000")
    bomb = gzip.compress(b" " * 50_000_000)
    for path in ("/v2/models/mlp/infer", "/predict/mlp"):
        status, body, _ = server.request("POST", path, bomb, {"Content-Encoding": "gzip"})
        assert status == 429, body
        assert b"--max-inflated-bytes" in body
    with grpc.insecure_channel(server.address, compression=grpc.Compression.Gzip) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(row_request(model="mlp", id="x" * 50_000_000))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert stub.ModelInfer(row_request(model="mlp")).model_name == "mlp"
    assert refused(server, "inflated") == 3
    server.stop()


def test_what_the_wire_refuses_has_an_access_line(serve, mlp):
    server = serve(mlp, "--max-body-bytes=1000", "--max-headers=20", "--access-log", "--log-format=json")
    many = [part for i in range(40) for part in ("-H", f"x-{i}: 1")]
    for version, name in (("--http1.1", "HTTP/1.1"), ("--http2-prior-knowledge", "HTTP/2")):
        for arguments, status in ((["-d", "x" * 2000], 413), (many, 431)):
            url = f"{server.url}/v2/models/mlp/{status}"
            command = ["curl", "-s", version, "--noproxy", "*", "-o", os.devnull, "-w", "%{http_code}", *arguments, url]
            assert subprocess.run(command, capture_output=True, timeout=60).stdout.decode() == str(status)

            def told_of(status=status, name=name):
                lines = [json.loads(line) for line in server.log().splitlines()]
                return [line for line in lines if line.get("status") == status and line["protocol"] == name]

            told = wait_until(told_of, "its line")
            assert len(told) == 1
            assert told[0]["scheme"] == "http" and told[0]["peer"].startswith("127.0.0.1:") and told[0]["bytes"] > 50
            assert status == 431 or told[0]["path"] == "/v2/models/mlp/413"
    server.stop()


def test_connections_beyond_the_limit_are_told(serve, mlp):
    server = serve(mlp, "--max-connections=2")

    def taken_in():
        """A connection that has been answered: those that have gone before may still be counted."""
        connection = server.connect()
        with contextlib.suppress(OSError):
            connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            if b" 200 " in connection.recv(100):
                return connection
        connection.close()
        return None

    with wait_until(taken_in, "a first is taken in"), wait_until(taken_in, "a second is taken in"):
        with server.connect() as third:
            answer = third.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 503 ") and b"retry-after" in answer
    wait_until(lambda: infer(server) == 200, "there is room again")
    server.stop()


def test_without_file_descriptors_clients_wait(serve, mlp):
    server = serve(mlp)
    before = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    with server.connect() as working:
        stream = working.makefile("rb")
        working.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in stream.readline()
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (0, before[1]))
        with server.connect() as waiting:
            waiting.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            wait_until(lambda: "accepting connections pauses" in server.log(), "nothing is logged")
            working.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b" 200 " in stream.read()
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, before)
            assert b" 200 " in waiting.makefile("rb").read()
    assert server.log().count("accepting connections pauses") == 1
    server.stop()


def test_limits_out_of_range_are_refused(mlp):
    for option in ("--max-connections=0", "--max-headers=1", "--max-header-bytes=10", "--max-message-bytes=3000000000"):
        done = run_cli("serve", mlp, option)
        assert done.returncode != 0
        assert option.partition("=")[0] in done.stderr and "must be between" in done.stderr
