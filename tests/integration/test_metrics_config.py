"""Which metrics there are, as Triton's --metrics-config says; and the pages of Triton and TensorFlow Serving, parsed by Prometheus' own client."""

import json
import math

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

import models
import servers
from clients import Client
from free_ports import free_ports
from personalities import status

PHASES = ("request", "queue", "compute_input", "compute_infer", "compute_output")
CONFIG = """backend: "onnxruntime"
metric_tags { key: "team" value: "vision" }
model_metrics {
  metric_control {
    metric_identifier { family: "nv_inference_first_response_histogram_ms" }
    histogram_options { buckets: [0.5, 60000] }
  }
}
"""


def families(text):
    """Those of a page by name, each name once."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found, f"{family.name} twice"
        found[family.name] = family
    return found


def value(family, name=None, **labels):
    """Of the one sample of a family that has a name and these labels, and perhaps more."""
    [found] = [
        sample.value
        for sample in family.samples
        if sample.name == (name or family.name) and labels.items() <= sample.labels.items()
    ]
    return found


def infer(address, rows, model="twice"):
    client = Client("http", address)
    for count in rows:
        client.infer(model, {"x": np.ones((count, 4), np.float32)})
    client.close()


class Triton:
    """A tritonserver with one model, on free ports of the loopback."""

    def __init__(self, serve, folder, *arguments):
        models.save(models.scaled(2), folder / "twice/1/model.onnx")
        (folder / "twice/config.pbtxt").write_text(CONFIG)
        self.server = serve(
            f"--model-repository={folder}",
            *(f"--{kind}-address=127.0.0.1" for kind in ("http", "grpc", "metrics")),
            *(f"--{kind}-port=0" for kind in ("http", "grpc", "metrics")),
            *arguments,
            personality="tritonserver",
        )
        self.http, _, self.metrics = self.server.urls

    def infer(self, rows):
        infer(self.http.removeprefix("http://"), rows)

    def page(self):
        code, text = status(self.metrics, "/metrics")
        assert code == 200
        return families(text)


def test_summaries_of_triton(serve, tmp_path):
    settings = ("summary_latencies=true", "counter_latencies=false", "histogram_latencies=true", "summary_quantiles=0.5:0.05,0.75:0.01,1:0")
    triton = Triton(serve, tmp_path / "models", *(f"--metrics-config={setting}" for setting in settings))
    empty = triton.page()["nv_inference_queue_summary_us"]
    assert math.isnan(value(empty, quantile="0.75")) and value(empty, "nv_inference_queue_summary_us_count") == 0
    triton.infer([1, 2, 3])
    servers.wait_until(
        lambda: value(triton.page()["nv_inference_compute_output_summary_us"], "nv_inference_compute_output_summary_us_count") == 3,
        "the outputs are counted",
    )
    page = triton.page()
    labels = {"model": "twice", "version": "1", "_team": "vision"}
    for phase in PHASES:
        name = f"nv_inference_{phase}_summary_us"
        family = page[name]
        assert family.type == "summary" and family.documentation
        assert {sample.labels["quantile"] for sample in family.samples if sample.name == name} == {"0.5", "0.75", "1"}
        assert value(family, name + "_count", **labels) == 3
        assert value(family, name + "_sum", **labels) >= 0
        median, most = value(family, quantile="0.5", **labels), value(family, quantile="1", **labels)
        assert 0 <= median <= most
        assert f"nv_inference_{phase}_duration_us" not in page
    request = page["nv_inference_request_summary_us"]
    longest = value(request, quantile="1")
    # The longest of three is between a third of them all and all of them.
    total = value(request, "nv_inference_request_summary_us_sum")
    assert total / 3 * 0.98 <= longest <= total * 1.02
    first = page["nv_inference_first_response_histogram_ms"]
    name = "nv_inference_first_response_histogram_ms_bucket"
    bounds = [sample.labels["le"] for sample in first.samples if sample.name == name]
    assert bounds == ["0.5", "60000", "+Inf"] and value(first, name, le="60000", **labels) == 3
    assert value(page["nv_pinned_memory_pool_total_bytes"]) == value(page["nv_pinned_memory_pool_used_bytes"]) == 0


def test_metrics_of_triton_without_a_word(serve, tmp_path):
    triton = Triton(serve, tmp_path / "models")
    triton.infer([1])
    page = triton.page()
    for phase in PHASES:
        assert page[f"nv_inference_{phase}_duration_us"].type == "counter"
        assert page[f"nv_inference_{phase}_duration_histogram_us"].type == "histogram"
        assert f"nv_inference_{phase}_summary_us" not in page
    assert "nv_inference_first_response_histogram_ms" not in page, "it has one answer"
    assert "nv_cpu_utilization" in page


def test_less_of_triton(serve, tmp_path):
    flags = ("--metrics-config=histogram_latencies=false", "--allow-cpu-metrics=false", "--allow-gpu-metrics=false", "--metrics-config=what=ever")
    triton = Triton(serve, tmp_path / "models", *flags)
    triton.infer([1])
    page = triton.page()
    assert not [name for name in page if name.endswith(("_histogram_us", "_histogram_ms")) or name.startswith(("nv_cpu", "nv_gpu"))]
    assert value(page["nv_inference_request_duration_us"], "nv_inference_request_duration_us_total") > 0
    assert "a setting of tritonserver is ignored" in triton.server.log()


def test_our_own_command_line(serve, tmp_path):
    path = models.save(models.scaled(2), tmp_path / "twice.onnx")
    server = serve(path, "--metrics-config=summary_latencies=true")
    infer(server.address, [1, 1])
    server.wait_executions(2, "twice")
    page = families(server.get("/metrics")[1].decode())
    queue = page["nv_inference_queue_summary_us"]
    assert {sample.labels.get("quantile") for sample in queue.samples} == {"0.5", "0.9", "0.95", "0.99", "0.999", None}
    assert value(queue, "nv_inference_queue_summary_us_count", model="twice") == 2
    assert "nv_inference_queue_duration_us" in page and "nv_pinned_memory_pool_total_bytes" not in page
    server.stop()


@pytest.mark.parametrize("setting", ["summary_latencies", "summary_latencies=maybe", "summary_quantiles=0.5", "summary_quantiles=2:0.1"])
def test_a_setting_that_is_none(setting, tmp_path):
    result = servers.run_cli("serve", tmp_path, f"--metrics-config={setting}")
    assert result.returncode != 0 and "--metrics-config" in result.stderr and setting in result.stderr


def test_series_of_tensorflow_serving(serve, tmp_path):
    half = tmp_path / "models/half"
    models.save(models.scaled(2), half / "1/model.onnx")
    (tmp_path / "monitoring").write_text("prometheus_config { enable: true }")
    (tmp_path / "batching").write_text("max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8 thread_pool_name { value: 'pool' }")
    port, rest_port = free_ports(2)
    serve(
        *("--model_name=half", f"--model_base_path={half}", f"--port={port}", f"--rest_api_port={rest_port}"),
        *("--enable_batching", "--batching_parameters_file=batching", "--monitoring_config_file=monitoring"),
        personality="tensorflow_model_server",
        env={"MODELMILL_BIND": "127.0.0.1"},
        cwd=tmp_path,
        check_ready=False,
    )
    url = f"http://127.0.0.1:{rest_port}"
    servers.wait_until(lambda: "AVAILABLE" in status(url, "/v1/models/half")[1], "half is available")
    prefix = ":tensorflow:serving:batching_session:"

    def page():
        return families(status(url, "/monitoring/prometheus/metrics")[1])

    before = page()
    for rows in (1, 3):
        body = json.dumps({"instances": [[1, 2, 3, 4]] * rows}).encode()
        assert status(url, "/v1/models/half:predict", "POST", body=body)[0] == 200

    def runs(found):
        return value(found[prefix + "wrapped_run_count"], prefix + "wrapped_run_count_total")

    servers.wait_until(lambda: runs(page()) == runs(before) + 2, "both are counted")
    after = page()

    def grown(name, end, **labels):
        """Since before the requests."""
        was = before[prefix + name].samples if prefix + name in before else []
        own = [s.value for s in was if s.name == prefix + name + end and labels.items() <= s.labels.items()]
        return value(after[prefix + name], prefix + name + end, **labels) - sum(own)

    assert grown("queuing_latency", "_count", thread_pool_name="pool") == 2
    assert grown("input_batch_size", "_sum") == 4
    assert grown("processed_batch_size", "_bucket", le="4") == 2
    assert grown("processed_batch_size", "_bucket", le="2") == 0
    assert grown("padding_size", "_sum", execution_batch_size="4") == 4, "three rows beside the one, and one beside the three"
    assert value(after[":tensorflow:core:graph_run_time_usecs_histogram"], ":tensorflow:core:graph_run_time_usecs_histogram_count") == runs(after)
    attempts = after[":tensorflow:cc:saved_model:load_attempt_count"]
    name = ":tensorflow:cc:saved_model:load_attempt_count_total"
    assert value(attempts, name, model_path=str(half / "1"), status="success") == 1
    # The next version can't be loaded.
    broken = half / "2"
    broken.mkdir()
    (broken / "model.onnx").write_bytes(b"no model")

    def failures():
        found = page()[":tensorflow:cc:saved_model:load_attempt_count"]
        return [s for s in found.samples if s.labels == {"model_path": str(broken), "status": "fail"} and s.value >= 1]

    servers.wait_until(failures, "the failure is counted")
    assert value(page()[":tensorflow:cc:saved_model:load_latency"], ":tensorflow:cc:saved_model:load_latency_total") > 0
