"""Ensembles with members that give any number of answers, by Triton's clients."""

import contextlib
import json
import queue
import re
import time

import numpy as np
import pytest
import servers
import tritonclient.grpc
from servers import wait_until
from triton_repository import add
from tritonclient.utils import InferenceServerException

NUMBERS = """model_transaction_policy { decoupled: true }
input [ { name: "count" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "number" data_type: TYPE_INT32 dims: [ 1 ] } ]"""
COUNTING = """
    import threading

    class TritonPythonModel:
        def execute(self, requests):
            for request in requests:
                count = int(request.inputs()[0].as_numpy().ravel()[0])
                threading.Thread(target=self.work, args=(request, request.get_response_sender(), count)).start()

        def work(self, request, sender, count):
            sent = 0
            for number in range(abs(count)):
                if request.is_cancelled():
                    break
                sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("number", np.array([number], np.int32))]))
                sent += 1
            if count < 0:
                sender.send(pb_utils.InferenceResponse(error=pb_utils.TritonError("enough", pb_utils.TritonError.INVALID_ARG)))
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            print(f"counted {sent} of {count}", flush=True)
"""
SQUARED = """instance_group [ { count: 3 kind: KIND_CPU } ]
input [ { name: "x" data_type: TYPE_INT32 dims: [ 1 ] } ] output [ { name: "y" data_type: TYPE_INT32 dims: [ 1 ] } ]"""
SQUARING = """
    import time

    class TritonPythonModel:
        def execute(self, requests):
            return [self.one(request.inputs()[0].as_numpy()) for request in requests]

        def one(self, x):
            if x[0] == 13:
                return pb_utils.InferenceResponse(error=pb_utils.TritonError("unlucky", pb_utils.TritonError.INTERNAL))
            time.sleep(0.02 if x[0] % 3 == 0 else 0)
            return pb_utils.InferenceResponse([pb_utils.Tensor("y", x * x)])
"""
ADDED = """input [ { name: "a" data_type: TYPE_INT32 dims: [ 1 ] }, { name: "b" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "sum" data_type: TYPE_INT32 dims: [ 1 ] } ]"""
ADDING = """
    class TritonPythonModel:
        def execute(self, requests):
            return [
                pb_utils.InferenceResponse(
                    [pb_utils.Tensor("sum", sum(pb_utils.get_input_tensor_by_name(r, n).as_numpy() for n in "ab"))]
                )
                for r in requests
            ]
"""


def step(model, inputs, outputs):
    def maps(key, names):
        return " ".join(f"{key} {{ key: '{k}' value: '{v}' }}" for k, v in names.items())

    return f"{{ model_name: '{model}' model_version: -1 {maps('input_map', inputs)} {maps('output_map', outputs)} }}"


def write_ensemble(folder, name, outputs, *steps, more=""):
    (folder / name / "1").mkdir(parents=True)
    declared = " ".join(f"output {{ name: '{o}' data_type: TYPE_INT32 dims: [ 1 ] }}" for o in outputs)
    (folder / name / "config.pbtxt").write_text(
        "platform: 'ensemble' input { name: 'COUNT' data_type: TYPE_INT32 dims: [ 1 ] } "
        f"{declared} ensemble_scheduling {{ {more} step [ {', '.join(steps)} ] }}"
    )


COUNT = step("numbers", {"count": "COUNT"}, {"number": "part"})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble_streams")
    models = folder / "models"
    add(models, "numbers", NUMBERS, COUNTING)
    add(models, "again", NUMBERS, COUNTING)
    add(models, "square", SQUARED, SQUARING)
    add(models, "add", ADDED, ADDING)
    square = step("square", {"x": "part"}, {"y": "OUT"})
    write_ensemble(models, "squares", ["OUT"], COUNT, square, more="max_inflight_requests: 8")
    write_ensemble(models, "sums", ["OUT", "part"], COUNT, step("add", {"a": "part", "b": "COUNT"}, {"sum": "OUT"}))
    write_ensemble(
        models, "triangle", ["OUT"], COUNT, step("again", {"count": "part"}, {"number": "piece"}), step("square", {"x": "piece"}, {"y": "OUT"})
    )
    with servers.serving(folder, models) as server:
        yield server


@contextlib.contextmanager
def streaming(server):
    answers = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        yield client, answers
        client.stop_stream()


def count_input(count):
    return [tritonclient.grpc.InferInput("COUNT", [1], "INT32").set_data_from_numpy(np.array([count], np.int32))]


def ask(server, model, count, **options):
    """The answers of one request until its last one, by output, and the error that ended it."""
    out, error = {}, None
    with streaming(server) as (client, answers):
        client.async_stream_infer(model, count_input(count), enable_empty_final_response=True, **options)
        final = False
        while not final:
            result, error = answers.get(timeout=60)
            if error is not None:
                break
            response = result.get_response()
            for output in response.outputs:
                out.setdefault(output.name, []).append(int(result.as_numpy(output.name)[0]))
            final = response.parameters["triton_final_response"].bool_param
    return out, error


@pytest.mark.parametrize("count", [0, 1, 12])
def test_each_answer_flows_through_the_next_step_in_order(server, count):
    """Every third takes longer than those behind it."""
    out, error = ask(server, "squares", count)
    assert error is None
    assert out.get("OUT", []) == [n * n for n in range(count)]


def test_what_came_before_goes_with_each_answer(server):
    out, error = ask(server, "sums", 5)
    assert error is None
    assert out == {"OUT": [5, 6, 7, 8, 9], "part": [0, 1, 2, 3, 4]}


def test_one_behind_another(server):
    out, error = ask(server, "triangle", 4)
    assert error is None
    assert out["OUT"] == [0, 0, 1, 0, 1, 4]


def test_an_error_of_a_step_ends_it(server):
    out, error = ask(server, "squares", 500)
    assert "in ensemble 'squares', model 'square': unlucky" in str(error)
    assert out["OUT"] == [n * n for n in range(13)], "what came before it was heard"
    out, error = ask(server, "sums", 3)
    assert error is None, "the next request is served"


def test_an_error_of_the_decoupled_member_ends_it(server):
    out, error = ask(server, "sums", -3)
    assert "in ensemble 'sums', model 'numbers': enough" in str(error)
    assert len(out.get("part", [])) <= 3


def test_it_is_decoupled_itself(server):
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        assert client.get_model_config("squares").config.model_transaction_policy.decoupled
        with pytest.raises(InferenceServerException, match="decoupled"):
            client.infer("squares", count_input(1))
    status, body = server.post_json("/v2/models/squares/generate", {"COUNT": 1})
    assert (status, body["OUT"]) == (200, 0)
    status, text = server.request(
        "POST", "/v2/models/squares/generate_stream", json.dumps({"COUNT": 4}).encode(), {"Content-Type": "application/json"}
    )[:2]
    assert status == 200
    events = [json.loads(line[6:]) for line in text.decode().splitlines() if line.startswith("data: ")]
    assert [event["OUT"] for event in events] == [0, 1, 4, 9]
    explained = servers.run_cli("explain", "squares", "--server", server.url)
    assert "any number of times" in explained.stdout, explained.stdout + explained.stderr


def test_a_client_that_goes_cancels_the_members(server):
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        answers = queue.Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer("sums", count_input(1_000_000))
        assert answers.get(timeout=60)[1] is None
        client.stop_stream(cancel_requests=True)
    wait_until(lambda: re.search(r"counted \d+ of 1000000", server.log()), "the member sees that nobody wants more")
    assert int(re.search(r"counted (\d+) of 1000000", server.log())[1]) < 1_000_000


def test_requests_side_by_side_have_their_own_answers(server):
    with streaming(server) as (client, answers):
        for count in range(1, 9):
            client.async_stream_infer("sums", count_input(count), request_id=str(count), enable_empty_final_response=True)
        out, left, end = {}, 8, time.monotonic() + 60
        while left and time.monotonic() < end:
            result, error = answers.get(timeout=60)
            assert error is None
            response = result.get_response()
            if response.outputs:
                out.setdefault(response.id, []).append(int(result.as_numpy("OUT")[0]))
            left -= response.parameters["triton_final_response"].bool_param
    assert out == {str(count): [n + count for n in range(count)] for count in range(1, 9)}
