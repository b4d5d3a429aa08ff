"""Models whose executions take resources of the server's before they begin (Triton's rate limiter)."""

import concurrent.futures
import json

import pytest

import models
import repositories
import servers
import triton_repository
from changing_models import states
from servers import wait_until
from triton_repository import FP32_4

BODY = {"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}


def group(*resources, priority=1):
    named = " ".join(f'resources {{ name: "{name}" count: {count} }}' for name, count in resources)
    return f"instance_group {{ count: 1 kind: KIND_CPU rate_limiter {{ {named} priority: {priority} }} }}"


@pytest.fixture
def serve_models(serve, tmp_path, gate):
    """serve_models({name: config}, *arguments): models that a gate holds up; `free` is held up by none."""

    def start(configs, *arguments, **options):
        for name, config in configs.items():
            repositories.add_gated_identity(tmp_path / "models", name, gate, config)
        other = repositories.Gate(tmp_path / "other")
        repositories.add_gated_identity(tmp_path / "models", "free", other)
        folder = servers.build_dir() / "test_backends/server"
        return serve(tmp_path / "models", "--backend-directory", folder, *arguments, **options)

    return start


def infer(server, model):
    status, answer = server.post_json(f"/v2/models/{model}/infer", BODY)
    assert status == 200, answer
    return answer["outputs"][0]["data"]


def busy(server, model):
    return server.get_json(f"/explain/{model}")["instances"]["busy"]


def waiting(server, model):
    return server.get_json(f"/explain/{model}")["pending"]


def test_models_that_share_a_resource_run_one_after_the_other(serve_models, gate):
    configs = {"a": group(("R", 1)), "b": group(("R", 1)), "c": group(("S", 3))}
    server = serve_models(configs, "--rate-limit=execution_count")
    gate.close()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        first = pool.submit(infer, server, "a")
        wait_until(lambda: busy(server, "a") == 1, "a runs")
        others = [pool.submit(infer, server, name) for name in ("b", "b", "c", "c")]
        wait_until(lambda: busy(server, "c") == 1 and waiting(server, "b") == 2, "c needs another resource, and runs")
        for _ in range(3):
            assert infer(server, "free") == [1, 2]
        assert busy(server, "b") == 0 and waiting(server, "b") == 2
        gate.open()
        assert all(answer.result() == [1, 2] for answer in [first, *others])
    wait_until(lambda: busy(server, "a") == busy(server, "b") == 0, "nothing runs any more")


def test_what_waits_for_a_resource_can_be_unloaded(serve_models, gate):
    configs = {"a": group(("R", 1)), "b": group(("R", 1))}
    server = serve_models(configs, "--rate-limit=execution_count", "--rate-limit-resource=R:1", "--drain-timeout=60")
    gate.close()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        first = pool.submit(infer, server, "a")
        wait_until(lambda: busy(server, "a") == 1, "a runs")
        with pytest.raises(OSError):
            server.request("POST", "/v2/models/b/infer", json.dumps(BODY).encode(), timeout=1)
        wait_until(lambda: waiting(server, "b") == 0, "what nobody wants any more is dropped")
        assert server.request("POST", "/v2/repository/models/b/unload", b"{}")[0] == 200
        wait_until(lambda: states(server)["b", "1"][0] == "UNAVAILABLE", "b is gone while another has what it waited for")
        gate.open()
        assert first.result() == [1, 2]


def test_without_the_option_nothing_waits(serve_models, gate):
    server = serve_models({"a": group(("R", 1)), "b": group(("R", 1))})
    assert server.log().count("what executions take of resources has no effect") == 2
    gate.close()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(infer, server, name) for name in ("a", "b")]
        wait_until(lambda: busy(server, "a") == busy(server, "b") == 1, "both run")
        gate.open()
        assert all(answer.result() == [1, 2] for answer in answers)


def test_instances_that_could_never_run_are_refused(serve_models, tmp_path):
    both = group(("R", 1)).replace('name: "R"', 'name: "G" global: true')
    configs = {"few": group(("R", 2)), "many": group(("R", 3)), "none": group(("Q", 1)), "global": both}
    declared = ["--rate-limit-resource=R:2:0", "--rate-limit-resource=G:1:4"]
    server = serve_models(configs, "--rate-limit=execution_count", *declared, check_ready=False)
    wait_until(lambda: all(reason or state == "READY" for state, reason in states(server).values()), "all was tried")
    reasons = {name: reason for (name, _), (state, reason) in states(server).items() if state != "READY"}
    assert set(reasons) == {"many", "none"}
    assert "resource count for 'R' on device 0 is limited to 2" in reasons["many"]
    assert "the minimum required count is 3" in reasons["many"] and "--rate-limit-resource R:3" in reasons["many"]
    assert "resource count for 'Q' on device 0 is limited to 0" in reasons["none"]
    assert infer(server, "few") == infer(server, "global") == [1, 2]


def test_a_name_is_of_devices_or_global(serve_models):
    configs = {"a": group(("R", 1)), "b": group(("R", 1)).replace('"R"', '"R" global: true')}
    server = serve_models(configs, "--rate-limit=execution_count", check_ready=False)
    wait_until(lambda: all(reason or state == "READY" for state, reason in states(server).values()), "all was tried")
    (reason,) = [reason for state, reason in states(server).values() if state != "READY"]
    assert "'R' is present as both global and device-specific resource" in reason


OUTER = """
    class TritonPythonModel:
        def execute(self, requests):
            responses = []
            for request in requests:
                answer = pb_utils.InferenceRequest(
                    model_name="inner", inputs=request.inputs(), requested_output_names=["y"]
                ).exec()
                assert not answer.has_error(), answer.error()
                responses.append(pb_utils.InferenceResponse(answer.output_tensors()))
            return responses
"""
INNER = """
    class TritonPythonModel:
        def execute(self, requests):
            return [
                pb_utils.InferenceResponse([pb_utils.Tensor("y", request.inputs()[0].as_numpy() * 2)]) for request in requests
            ]
"""


def test_a_model_that_calls_another_shares_what_it_holds(serve, tmp_path):
    """The inner one can't wait for what its caller gives back only after it."""
    for name, code in (("outer", OUTER), ("inner", INNER)):
        triton_repository.add(tmp_path / "models", name, f"{FP32_4} {group(('R', 1))}", code)
    server = serve(tmp_path / "models", "--rate-limit=execution_count")
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [4], "data": [1, 2, 3, 4]}]}

    def ask(model):
        status, answer = server.post_json(f"/v2/models/{model}/infer", body)
        assert status == 200, answer
        return answer["outputs"][0]["data"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, ["outer", "inner"] * 20))
    assert answers == [[2, 4, 6, 8]] * 40


BODY_4 = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
BATCHED_OUTER = """
    import threading

    class TritonPythonModel:
        def ask(self, request):
            request = pb_utils.InferenceRequest(model_name="inner", inputs=request.inputs(), requested_output_names=["y"])
            self.answers.append(request.exec())

        def execute(self, requests):
            assert len(requests) == 2
            self.answers = []
            self.ask(requests[0])
            thread = threading.Thread(target=self.ask, args=(requests[1],))
            thread.start()
            thread.join()
            assert not any(answer.has_error() for answer in self.answers)
            return [pb_utils.InferenceResponse(answer.output_tensors()) for answer in self.answers]
"""


def test_a_batch_and_a_thread_call_with_what_their_execution_holds(serve, tmp_path):
    """What is asked there is asked for no single request."""
    batching = "dynamic_batching { preferred_batch_size: 2 max_queue_delay_microseconds: 60000000 }"
    config = f"max_batch_size: 2 {FP32_4} {group(('R', 1))}"
    triton_repository.add(tmp_path / "models", "outer", f"{config} {batching}", BATCHED_OUTER)
    triton_repository.add(tmp_path / "models", "inner", config, INNER)
    server = serve(tmp_path / "models", "--rate-limit=execution_count")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: server.post_json("/v2/models/outer/infer", BODY_4), range(2)))
    assert [answer["outputs"][0]["data"] for _, answer in answers] == [[2, 4, 6, 8]] * 2


BETWEEN = """
    import pathlib, time

    class TritonPythonModel:
        def execute(self, requests):
            for _ in range(600):
                if pathlib.Path("MARK").exists():
                    break
                time.sleep(0.1)
            answer = pb_utils.InferenceRequest(
                model_name="inner", inputs=requests[0].inputs(), requested_output_names=["y"]
            ).exec()
            assert not answer.has_error(), answer.error()
            return [pb_utils.InferenceResponse(answer.output_tensors())]
"""
HOLDER = """
    import pathlib

    class TritonPythonModel:
        def execute(self, requests):
            pathlib.Path("MARK").touch()
            answer = pb_utils.InferenceRequest(
                model_name="between", inputs=requests[0].inputs(), requested_output_names=["y"]
            ).exec()
            assert not answer.has_error(), answer.error()
            return [pb_utils.InferenceResponse(answer.output_tensors())]
"""


def test_who_takes_nothing_does_not_keep_a_holder_waiting(serve, tmp_path):
    """The one instance of `between` calls for what `holder` holds, while that waits for the instance."""
    mark = tmp_path / "mark"
    for name, config, code in (
        ("holder", group(("R", 1)), HOLDER),
        ("between", "instance_group { count: 1 kind: KIND_CPU }", BETWEEN),
        ("inner", group(("R", 1)), INNER),
    ):
        triton_repository.add(tmp_path / "models", name, f"{FP32_4} {config}", code.replace("MARK", str(mark)))
    server = serve(tmp_path / "models", "--rate-limit=execution_count")
    body = {"inputs": [{**BODY_4["inputs"][0], "shape": [4]}]}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(server.post_json, "/v2/models/between/infer", body)
        wait_until(lambda: busy(server, "between") == 1, "between runs")
        second = pool.submit(server.post_json, "/v2/models/holder/infer", body)
        for status, answer in (first.result(), second.result()):
            assert status == 200 and answer["outputs"][0]["data"] == [2, 4, 6, 8], answer


def test_what_may_wait_never_runs_on_loops(serve, tmp_path):
    repositories.add(tmp_path / "models", "m", models.scaled(2), group(("R", 1)))
    server = serve(tmp_path / "models", "--rate-limit=execution_count")
    for _ in range(200):
        status, answer = server.post_json(
            "/v2/models/m/infer", {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
        )
        assert status == 200 and answer["outputs"][0]["data"] == [2, 4, 6, 8], answer
    assert server.get_json("/explain/m")["on_loop"] == "never"
