"""modelmill as tensorflow_model_server: every flag from the table in the docs, ports, metrics, TLS and exit codes."""

import json
import re
import shutil

import grpc
import pytest

import models
import repositories
import servers
from certificates import Authority
from free_ports import free_ports
from personalities import flags_of, ignored_in, run_as, status

TF_SERVING = flags_of("flags-tensorflow-model-server.md")
TF_ALONE = {"version", "port", "rest_api_port", "grpc_socket_path", "ssl_config_file", "tensorflow_session_parallelism", "model_config_file"}
TF_ROWS = [row for row in TF_SERVING if row[0] not in TF_ALONE]
TF_CHUNKS = [TF_ROWS[i::3] for i in range(3)]


@pytest.fixture(scope="module")
def tf_place(tmp_path_factory):
    """A folder with the base path and the files that the examples of TensorFlow Serving's table name."""
    folder = tmp_path_factory.mktemp("tf_place")
    models.save(models.mlp((4, 8, 3)), folder / "models/half/1/model.onnx")
    (folder / "models.config").write_text(
        'model_config_list { config { name: "half" base_path: "models/half" model_platform: "tensorflow" } }'
    )
    (folder / "batching.config").write_text("max_batch_size { value: 4 }")
    (folder / "monitoring.config").write_text('prometheus_config { enable: true path: "/own/metrics" }')
    authority = Authority(folder / "ca")
    certificate, key = authority.sign("localhost")
    pem = {name: json.dumps(path.read_text()) for name, path in (("key", key), ("cert", certificate))}
    (folder / "ssl.config").write_text(
        f"server_key: {pem['key']} server_cert: {pem['cert']} custom_ca: {json.dumps(authority.certificate.read_text())}"
        " client_verify: true"
    )
    return folder


class TfServer:
    """A tensorflow_model_server on free ports of the loopback."""

    def __init__(self, serve, place, *arguments, base=True):
        self.port, self.rest_port = free_ports(2)
        named = ["--model_name=half", "--model_base_path=models/half"] if base else []
        self.server = serve(
            *[*named, *arguments, f"--port={self.port}", f"--rest_api_port={self.rest_port}"],
            personality="tensorflow_model_server",
            env={"MODELMILL_BIND": "127.0.0.1"},
            cwd=place,
            check_ready=False,
        )
        self.url = f"http://127.0.0.1:{self.rest_port}"
        servers.wait_until(self.is_available, "half is available")

    def is_available(self):
        code, text = status(self.url, "/tfserving/v1/models/half")
        return code == 200 and "AVAILABLE" in text

    def predict(self):
        body = json.dumps({"instances": [[1, 2, 3, 4]]}).encode()
        code, text = status(self.url, "/v1/models/half:predict", "POST", body=body)
        assert code == 200 and len(json.loads(text)["predictions"]) == 1, text


def is_serving(channel):
    """gRPC's health service, asked without its package."""
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    return check(b"", timeout=60) == b"\x08\x01"


@pytest.mark.parametrize("rows", TF_CHUNKS, ids=range(len(TF_CHUNKS)))
def test_every_flag_of_tensorflow_serving(serve, tf_place, rows):
    more = ["--enable_batching"] if any(flag == "batching_parameters_file" for flag, _, _ in rows) else []
    started = TfServer(serve, tf_place, *[f"--{flag}={value}" for flag, value, _ in rows], *more)
    started.predict()
    expected = [flag for flag, _, taken in rows if taken == "ignored"]
    assert sorted(ignored_in(started.server.log())) == sorted(f"--{flag}" for flag in expected)


def test_ports_of_tensorflow_serving(serve, tf_place):
    started = TfServer(serve, tf_place, "--tensorflow_session_parallelism=1", "--monitoring_config_file=monitoring.config")
    started.predict()
    counted = ':tensorflow:serving:runtime_latency_count{model_name="half",API="Predict",runtime="onnxruntime"} 1'
    servers.wait_until(lambda: counted in status(started.url, "/own/metrics")[1], "it is counted")
    page = status(started.url, "/own/metrics")[1]
    assert ":tensorflow:serving:request_count" in page
    # Warming up is running too.
    assert float(re.search(r"^:tensorflow:core:graph_runs (.*)$", page, re.MULTILINE)[1]) >= 1
    assert status(started.url, "/monitoring/prometheus/metrics")[0] == status(started.url, "/")[0] == 404
    with grpc.insecure_channel(f"127.0.0.1:{started.port}") as channel:
        assert is_serving(channel)
    assert status(f"http://127.0.0.1:{started.port}", "/v1/models/half")[0] == 404
    # What TensorFlow Serving has not can't change the server.
    assert status(started.url, "/v2/repository/models/half/unload", "POST", body=b"{}")[0] == 403


def test_metrics_are_off_without_their_file(serve, tf_place):
    started = TfServer(serve, tf_place)
    assert status(started.url, "/monitoring/prometheus/metrics")[0] == 404 and status(started.url, "/metrics")[0] == 404


def test_a_model_config_file_and_a_socket(serve, tf_place, tmp_path):
    path = tmp_path / "grpc.sock"
    started = TfServer(serve, tf_place, "--model_config_file=models.config", f"--grpc_socket_path={path}", base=False)
    started.predict()
    with grpc.insecure_channel(f"unix:{path}") as channel:
        assert is_serving(channel)


def test_models_say_how_they_are_batched(serve, tf_place):
    own = tf_place / "own/half/1"
    models.save(models.mlp((4, 8, 3)), own / "model.onnx")
    (own / "batching_params.pbtxt").write_text("max_batch_size { value: 3 } batch_timeout_micros { value: 1000 }")
    here = ["--model_name=half", "--model_base_path=own/half", "--enable_batching", "--batching_parameters_file=batching.config"]

    def largest(*flags):
        started = TfServer(serve, tf_place, *here, *flags, base=False)
        return json.loads(status(started.url, "/v2/models/half/config")[1])["max_batch_size"]

    assert largest() == 4
    assert largest("--enable_per_model_batching_parameters") == 3


def test_parameters_of_sessions(serve, tf_place):
    started = TfServer(serve, tf_place, "--saved_model_tags=serve,gpu", "--tensorflow_inter_op_parallelism=2")
    said = json.loads(status(started.url, "/v2/models/half/config")[1])["parameters"]
    assert said["TF_GRAPH_TAG"]["string_value"] == "serve,gpu" and said["TF_NUM_INTER_THREADS"]["string_value"] == "2"
    started.predict()


def test_new_versions_are_taken(serve, tf_place):
    started = TfServer(serve, tf_place)
    models.save(models.mlp((4, 8, 3)), tf_place / "models/half/2/model.onnx")
    try:
        servers.wait_until(
            lambda: '"version": "2"' in status(started.url, "/tfserving/v1/models/half")[1].replace('":"', '": "'), "version 2"
        )
    finally:
        shutil.rmtree(tf_place / "models/half/2")


def test_loads_that_fail_are_tried_again(serve, tf_place, tmp_path):
    """A version whose files can't be used is LOADING as long as it is tried, and AVAILABLE once they can."""
    models.save(models.mlp((4, 8, 3)), tmp_path / "half/1/model.onnx")
    started = TfServer(
        serve, tf_place, "--model_name=half", f"--model_base_path={tmp_path / 'half'}", "--load_retry_interval_micros=1", base=False
    )
    states = lambda: {
        int(version["version"]): (version["state"], version["status"]["error_message"])
        for version in json.loads(status(started.url, "/v1/models/half")[1])["model_version_status"]
    }
    broken = tmp_path / "half/2/model.onnx"
    broken.parent.mkdir()
    broken.write_bytes(b"no model")
    servers.wait_until(lambda: states().get(2, ("",))[0] == "END", "the last of the tries has failed")
    assert "half" in states()[2][1] and states()[1][0] == "AVAILABLE"
    assert started.server.log().count("model not loaded; it is tried again") == 5


def test_tls_of_tensorflow_serving(serve, tf_place):
    started = TfServer(serve, tf_place, "--ssl_config_file=ssl.config")
    started.predict()  # HTTP is plain, as there
    read = lambda name: (tf_place / "ca" / name).read_bytes()
    given = grpc.ssl_channel_credentials(read("ca.pem"), read("localhost.key"), read("localhost.pem"))
    with grpc.secure_channel(f"localhost:{started.port}", given) as channel:
        assert is_serving(channel)
    with grpc.secure_channel(f"localhost:{started.port}", grpc.ssl_channel_credentials(read("ca.pem"))) as channel:
        with pytest.raises(grpc.RpcError):
            is_serving(channel)


def test_wrong_command_lines_of_tensorflow_serving(tf_place, tmp_path):
    repositories.add_configured(tmp_path, "broken", "")
    (tmp_path / "broken/1/model.onnx").write_bytes(b"no model")
    for arguments, text in (
        (["--model_nam=x"], "unknown argument: --model_nam=x; did you mean '--model_name'?"),
        (["--port=many"], "Couldn't interpret value many for flag port."),
        (["--port", "8500"], "needs a value, as --port=8500"),
        ([], "Both --model_base_path and --model_config_file are empty!"),
        (["--model_base_path=/m", "--use_alts_credentials"], "ALTS is not spoken"),
        (
            [f"--model_base_path={tmp_path / 'broken'}", f"--port={free_ports(1)[0]}", "--max_num_load_retries=0"],
            "Failed to start server. Error: ",
        ),
        (["--help"], "--rest_api_port"),
    ):
        result = run_as("tensorflow_model_server", *arguments)
        assert result.returncode == 255 and text in result.stdout + result.stderr, (arguments, result)
    result = run_as("tensorflow_model_server", "--version")
    assert result.returncode == 0 and result.stdout.startswith("TensorFlow ModelServer: ")
