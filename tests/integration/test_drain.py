"""The stop as clients and load balancers see it: not ready first, a pause if one is asked for, then goodbye."""

import http.client
import json
import signal
import threading

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

import repositories
from servers import wait_until

BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 4], "datatype": "FP32", "data": [3] * 4}]})
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
FOREVER = 86_400


def infer_request(model):
    request = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=[np.ones(4, np.float32).tobytes()])
    request.inputs.add(name="INPUT0", datatype="FP32", shape=[1, 4])
    return request


@pytest.fixture
def start(serve, tmp_path):
    repositories.add_identity(tmp_path / "models", "echo")
    return lambda *options: serve(tmp_path / "models", *options)


class Worker(threading.Thread):
    """Asks again and again, and leaves when the server is not ready any more, as a load balancer would have it do."""

    def __init__(self, server):
        super().__init__()
        self.server, self.answers, self.error = server, 0, None

    def run(self):
        try:
            while self.is_ready():
                self.ask()
                self.answers += 1
        except Exception as error:  # noqa: BLE001
            self.error = error


class HttpWorker(Worker):
    def __init__(self, server):
        super().__init__(server)
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=60)

    def request(self, *arguments):
        # http.client connects again by itself after "Connection: close", and only then.
        self.connection.request(*arguments)
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def is_ready(self):
        return self.request("GET", "/v2/health/ready")[0] == 200

    def ask(self):
        status, body = self.request("POST", "/v2/models/echo/infer", BODY)
        assert status == 200 and json.loads(body)["outputs"][0]["data"] == [3] * 4


class GrpcWorker(Worker):
    def __init__(self, server):
        super().__init__(server)
        self.channel = grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.health = health_pb2_grpc.HealthStub(self.channel)
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)

    def is_ready(self):
        return self.health.Check(health_pb2.HealthCheckRequest()).status == SERVING

    def ask(self):
        assert self.stub.ModelInfer(infer_request("echo")).outputs[0].name == "OUTPUT0"


def test_clients_that_leave_when_it_is_not_ready_lose_nothing(start):
    server = start(f"--drain-delay={FOREVER}")
    workers = [kind(server) for kind in (HttpWorker, GrpcWorker) for _ in range(4)]
    for worker in workers:
        worker.start()
    wait_until(lambda: all(worker.answers > 20 for worker in workers), "some answers")
    server.terminate()
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive() and worker.error is None, worker.error
    wait_until(lambda: end_by_second_signal(server), "the second signal ends the delay")


def end_by_second_signal(server):
    """A signal within half a second of the first is taken for the same wish, so it is sent until it counts."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
        return False
    assert server.process.returncode == 128 + signal.SIGTERM
    return True


def test_during_the_delay_all_is_served_but_readiness(start):
    server = start(f"--drain-delay={FOREVER}")
    keep_alive = http.client.HTTPConnection(server.host, server.port, timeout=60)
    keep_alive.request("GET", "/v2/health/ready")
    reply = keep_alive.getresponse()
    assert (reply.status, reply.read(), reply.getheader("connection")) == (200, b'{"ready":true}', None)
    with grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == SERVING
        server.terminate()
        assert next(watch).status == NOT_SERVING

        def asked_to_leave():
            keep_alive.request("GET", "/v2/health/ready")
            reply = keep_alive.getresponse()
            assert reply.status == 400
            reply.read()
            return reply.getheader("connection") == "close"

        wait_until(asked_to_leave, "a connection that was there is asked to leave")
        assert server.get("/v2/health/live")[0] == 200, "a new connection is welcome"
        assert server.get("/v2/models/echo/ready")[0] == 200
        assert server.post_json("/v2/models/echo/infer", BODY.encode())[0] == 200
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert not stub.ServerReady(service_pb2.ServerReadyRequest()).ready
        assert stub.ModelInfer(infer_request("echo")).outputs
    assert server.process.poll() is None
    wait_until(lambda: end_by_second_signal(server), "the second signal ends the delay")


def test_after_the_delay_it_ends_in_order(start):
    server = start("--drain-delay=1")
    with grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == SERVING
        server.terminate()
        assert next(watch).status == NOT_SERVING
        with pytest.raises(grpc.RpcError) as ended:
            next(watch)
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "stopping" in ended.value.details()
    assert server.wait() == 0
    assert "cut off" not in server.log(), "a watcher of its health does not hold it up"


def refuses_connections(server):
    try:
        server.connect().close()
    except OSError:
        return True
    return False


def test_a_call_in_work_is_waited_for_and_a_new_one_finds_another_server(serve_gated, gate):
    server = serve_gated("slow", "instance_group { count: 1 kind: KIND_CPU }")
    gate.close()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    with grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        call = stub.ModelInfer.future(infer_request("slow"))
        connection.request("POST", "/v2/models/slow/infer", BODY)
        waiting = b'nv_inference_pending_request_count{model="slow",version="1"} 1\n'
        wait_until(lambda: waiting in server.get("/metrics")[1], "one runs and one waits")
        server.terminate()
        wait_until(lambda: refuses_connections(server), "it stops")
        gate.open()
        assert call.result(timeout=60).outputs
        reply = connection.getresponse()
        assert (reply.status, reply.getheader("connection")) == (200, "close")
    assert server.wait() == 0


def test_a_stream_is_given_until_the_bound(start):
    server = start("--drain-timeout=1")
    hold = threading.Event()

    def requests():
        yield infer_request("echo")
        hold.wait(60)

    with grpc.insecure_channel(server.address) as channel:
        call = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(requests())
        assert next(call).infer_response.outputs
        server.terminate()
        with pytest.raises(grpc.RpcError) as ended:
            next(call)
        assert ended.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        hold.set()
    assert server.wait() == 0
    assert "cut off by --drain-timeout" in server.log()
