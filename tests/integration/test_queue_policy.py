"""Queues as config.pbtxt describes them: levels of priority, and what each of them allows."""

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from servers import wait_until
from test_observability import wait_pending

THREE_LEVELS = """
instance_group { count: 1 kind: KIND_CPU }
dynamic_batching {
  priority_levels: 3
  default_priority_level: 2
  default_queue_policy { max_queue_size: 3 }
  priority_queue_policy { key: 3 value { max_queue_size: 1 allow_timeout_override: true } }
}
"""


def request(name, priority=None, timeout=None):
    out = service_pb2.ModelInferRequest(
        model_name="slow", id=name, raw_input_contents=[np.ones(4, np.float32).tobytes()]
    )
    out.inputs.add(name="INPUT0", datatype="FP32", shape=[1, 4])
    if priority is not None:
        out.parameters["priority"].uint64_param = priority
    if timeout is not None:
        out.parameters["timeout"].int64_param = timeout
    return out


@pytest.fixture
def slow(serve_gated, gate):
    server = serve_gated("slow", THREE_LEVELS)
    gate.close()
    yield server
    gate.open()
    server.stop()


def wait_running(server):
    wait_until(lambda: server.get_json("/explain/slow")["instances"]["busy"] == 1, "one runs")


def test_levels_of_priority(slow, stub, gate):
    """The highest level first, whoever came first; each level refuses by its own bound."""
    answered = []
    calls = []

    def send(name, **parameters):
        call = stub.ModelInfer.future(request(name, **parameters))
        call.add_done_callback(lambda call: answered.append(call.result().id))
        calls.append(call)

    send("running")
    wait_running(slow)
    for name, priority in (("c", 3), ("b1", 0), ("b2", None), ("b3", 9), ("a", 1)):
        send(name, priority=priority)
        wait_pending(slow, len(calls) - 1)
    for priority, most in ((3, 1), (2, 3)):
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(request("refused", priority))
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert f"Exceeds maximum queue size: {most} requests of the same priority" in refused.value.details()
    gate.open()
    wait_until(lambda: len(answered) == len(calls), "all are answered")
    assert answered == ["running", "a", "b1", "b2", "b3", "c"]


def test_a_level_may_let_requests_set_their_timeout(slow, stub, gate):
    running = stub.ModelInfer.future(request("running"))
    wait_running(slow)
    above = stub.ModelInfer.future(request("above", 2, timeout=1))
    with pytest.raises(grpc.RpcError) as late:
        stub.ModelInfer(request("late", 3, timeout=1))
    assert late.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "Request timeout expired" in late.value.details()
    gate.open()
    assert running.result().id == "running" and above.result().id == "above"


def test_levels_are_told(slow):
    batching = slow.get_json("/v2/models/slow/config")["dynamic_batching"]
    assert batching["priority_levels"] == 3 and batching["default_priority_level"] == 2
    assert batching["priority_queue_policy"]["3"]["max_queue_size"] == 1
    assert "schedule_policy" in slow.get_json("/v2")["extensions"]
