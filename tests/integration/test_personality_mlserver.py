"""modelmill as mlserver: every setting from the table in the docs, its ports, the environment and exit codes."""

import json
import re

import numpy as np
import pytest
import tritonclient.grpc

import archives
from free_ports import free_ports
from personalities import DOCS, run_as, status
from servers import wait_until

ROW = re.compile(r"^\| `(\w+)=([^`]*)` \| (same|mapped|ignored) \| .* \|$", re.MULTILINE)
SETTINGS = ROW.findall((DOCS / "flags-mlserver.md").read_text())
IGNORED = re.compile(r"a setting of mlserver is ignored.*?flag\"?[=:] ?\"?(\w+)")
BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).encode()


@pytest.fixture
def place(tmp_path):
    """A folder with the model 'twice', and the ports of its settings."""
    folder = tmp_path / "models"
    (folder / "twice").mkdir(parents=True)
    (folder / "twice/model.onnx").write_bytes(archives.model_bytes(2))
    settings = {"name": "twice", "implementation": "mlserver_mlflow.MLflowRuntime", "parameters": {"uri": "./model.onnx"}}
    (folder / "twice/model-settings.json").write_text(json.dumps(settings))
    return folder


def ports():
    return dict(zip(("http_port", "grpc_port", "metrics_port"), free_ports(3)))


def start(serve, folder, settings=None, env=None, **options):
    if settings is not None:
        (folder / "settings.json").write_text(json.dumps(settings))
    return serve("start", str(folder), personality="mlserver", env=env, **options)


def infer(url, model="twice"):
    code, text = status(url, f"/v2/models/{model}/infer", "POST", body=BODY)
    assert code == 200 and json.loads(text)["outputs"][0]["data"] == [2, 4, 6, 8], text


def value_of(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def test_every_setting_of_mlserver(serve, place):
    chosen = ports()
    rows = [(name, str(chosen.get(name, value)), taken) for name, value, taken in SETTINGS]
    in_file = {name: value_of(value) for name, value, _ in rows[::2]}
    env = {f"MLSERVER_{name.upper()}": value for name, value, _ in rows[1::2]}
    server = start(serve, place, in_file, env)
    infer(server.url)
    assert server.port == chosen["http_port"] and server.get_json("/v2")["name"] == "mine"
    expected = [name for name, _, taken in rows if taken == "ignored"]
    assert sorted(IGNORED.findall(server.log())) == sorted(expected) and expected


def test_each_port_serves_its_own(serve, place):
    chosen = ports()
    server = start(serve, place, {"host": "127.0.0.1", **chosen})
    infer(server.url)
    metrics = f"http://127.0.0.1:{chosen['metrics_port']}"
    assert status(metrics, "/metrics")[0] == 200 and status(server.url, "/metrics")[0] == 404
    assert status(metrics, "/v2")[0] == 404
    assert status(server.url, "/") == (404, '{"detail":"Not Found"}')
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{chosen['grpc_port']}")
    tensor = tritonclient.grpc.InferInput("x", [1, 4], "FP32")
    tensor.set_data_from_numpy(np.ones((1, 4), np.float32))
    result = client.infer("twice", [tensor])
    assert (result.as_numpy(result.get_response().outputs[0].name) == 2).all()
    client.unload_model("twice")
    with pytest.raises(tritonclient.utils.InferenceServerException, match="unknown model"):
        client.is_model_ready("twice")
    client.load_model("twice")
    client.close()
    infer(server.url)
    # What MLServer has not can't change the server.
    assert status(server.url, "/models?url=twice", "POST")[0] == 403


def test_its_docs_are_where_mlservers_are(serve, place):
    server = start(serve, place, {"host": "127.0.0.1", **ports()})
    for path in ("/v2/docs", "/v2/models/twice/docs"):
        code, page = status(server.url, path)
        assert code == 200 and "<!DOCTYPE html>" in page and "http" not in page.replace("http-equiv", "")
        assert json.loads(status(server.url, f"{path}/dataplane.json")[1])["openapi"].startswith("3.")
    assert status(server.url, "/v2/models/nobody/docs")[0] == 404


def test_metrics_have_mlservers_names(serve, place):
    chosen = ports()
    server = start(serve, place, {"host": "127.0.0.1", **chosen})
    infer(server.url)
    infer(server.url)
    assert status(server.url, "/v2/models/nobody")[0] == 404
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{chosen['grpc_port']}")
    assert client.is_server_live()
    client.close()
    page = lambda: status(f"http://127.0.0.1:{chosen['metrics_port']}", "/metrics")[1]  # noqa: E731
    for line in (
        'model_infer_request_success_total{model="twice",version="1"} 2',
        'model_infer_request_failure_total{model="twice",version="1"} 0',
        'model_infer_request_duration_count{model="twice",version="1"} 2',
        'rest_server_requests_total{method="POST",path="/v2/models/{model_name}/infer",status_code="200",app_name="mlserver"} 2',
        'rest_server_requests_total{method="GET",path="/v2/models/{model_name}",status_code="404",app_name="mlserver"} 1',
        'rest_server_requests_in_progress{method="POST",app_name="mlserver"} 0',
        'grpc_server_handled_total{grpc_type="UNARY",grpc_service="inference.GRPCInferenceService",grpc_method="ServerLive",code="OK"} 1',
    ):
        wait_until(lambda line=line: line + "\n" in page(), line)
    assert "nv_inference_request_success" in page() and 'path="/v2/health' not in page()


def test_a_dotenv_file_counts_least(serve, place, tmp_path):
    chosen = ports()
    (place / "settings.json").unlink(missing_ok=True)
    lines = [f"export MLSERVER_{name.upper()}='{port}'" for name, port in chosen.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, "MLSERVER_HOST=127.0.0.1  # here", "MLSERVER_SERVER_NAME=file"]))
    server = start(serve, place, env={"MLSERVER_SERVER_NAME": "environment"}, cwd=tmp_path)
    infer(server.url)
    assert server.port == chosen["http_port"] and server.get_json("/v2")["name"] == "environment"
    server.stop()
    (tmp_path / ".env").write_text("MLSERVER_HOST='open")
    result = run_as("mlserver", "start", str(place), cwd=tmp_path)
    assert result.returncode == 1 and ".env:1: the quotation of MLSERVER_HOST does not end" in result.stderr


def test_the_model_of_the_environment(serve, place, tmp_path):
    (tmp_path / "empty").mkdir()
    model = {"MLSERVER_MODEL_NAME": "mine", "MLSERVER_MODEL_URI": str(place / "twice/model.onnx")}
    server = start(serve, tmp_path / "empty", {"host": "127.0.0.1", **ports()}, model)
    infer(server.url, "mine")


def test_wrong_command_lines_of_mlserver(place):
    (place / "broken").mkdir()
    (place / "broken/model.onnx").write_bytes(b"no model")
    (place / "broken/model-settings.json").write_text('{"name": "broken", "parameters": {"uri": "./model.onnx"}}')
    (place / "settings.json").write_text(json.dumps({"host": "127.0.0.1", **ports()}))
    for arguments, code, text in (
        (["start"], 2, "Missing argument 'FOLDER'"),
        (["start", "/none/such"], 2, "is no folder"),
        (["stat"], 2, "did you mean 'start'?"),
        (["build", "."], 1, "images are built by your own tools"),
        (["infer"], 1, "modelmill predict"),
        (["start", str(place)], 1, "broken"),
        (["--version"], 0, "mlserver, version modelmill "),
        (["--help"], 0, "http_port"),
    ):
        result = run_as("mlserver", *arguments)
        assert result.returncode == code and text in result.stdout + result.stderr, (arguments, result)
