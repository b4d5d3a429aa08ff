"""modelmill as KServe's runtimes: every flag from the table in the docs, ports, probes, metrics, and KServe's own clients."""

import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest
import yaml

import archives
import client_programs
import models
import no_code_models
import servers
from free_ports import free_ports
from personalities import flags_of, ignored_in, run_as, status
from test_kserve import MANIFEST, PROGRAM, SUMS
from torchserve_archives import write

FLAGS = flags_of("flags-kserve.md")
RUNTIME = servers.ROOT / "examples/kserve/modelmill-runtime.yaml"
LOCAL = {"MODELMILL_BIND": "127.0.0.1"}
ROWS = [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.fixture
def mount(tmp_path):
    """What KServe mounts: a folder with a model file."""
    folder = tmp_path / "mnt/models"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(archives.model_bytes(2))
    return folder


def ports():
    return [f"--{name}={port}" for name, port in zip(("http_port", "grpc_port"), free_ports(2))]


def start(serve, *arguments, env=None, **options):
    return serve(*arguments, personality=options.pop("personality", "kserve"), env={**LOCAL, **(env or {})}, **options)


def predict(server, name, rows=ROWS):
    code, answer = server.post_json(f"/v1/models/{name}:predict", {"instances": rows})
    assert code == 200, answer
    return answer


def doubled(server, name):
    assert predict(server, name) == {"predictions": [[2 * value for value in row] for row in ROWS]}


@pytest.mark.parametrize("half", (0, 1))
def test_every_flag_of_the_runtimes(serve, mount, half):
    values = {"model_dir": str(mount), "model_id": str(mount), "model_name": "half"}
    chosen = dict(zip(("http_port", "grpc_port"), map(str, free_ports(2))))
    arguments, ignored = [], []
    for i, (flag, value, taken) in enumerate(FLAGS):
        value = chosen.get(flag, values.get(flag, value))
        if i % 2 != half and flag not in (*chosen, *values):
            continue
        arguments += [f"--{flag}"] if value is None else [f"--{flag}", value] if i % 3 else [f"--{flag}={value}"]
        ignored += [f"--{flag}"] if taken == "ignored" else []
    server = start(serve, *arguments)
    doubled(server, "half")
    assert server.port == int(chosen["http_port"])
    assert sorted(ignored_in(server.log())) == sorted(ignored) and ignored


def test_ports_probes_and_paths(serve, mount):
    server = start(serve, "--model_name=twice", f"--model_dir={mount}", "--enable_docs_url=true", *ports())
    http, grpc = server.urls
    doubled(server, "twice")
    sent = {"name": "x", "shape": [2, 4], "datatype": "FP32", "data": ROWS}
    code, answer = server.post_json("/v2/models/twice/infer", {"inputs": [sent]})
    assert code == 200 and answer["outputs"][0]["data"] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert status(http, "/") == (200, '{"status":"alive"}')
    for path, body in (
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v1/models/twice", {"name": "twice", "ready": True}),
        ("/v2/models/twice/ready", {"name": "twice", "ready": True}),
        ("/v1/models", {"models": ["twice"]}),
        ("/v2/models", {"models": ["twice"]}),
    ):
        assert server.get_json(path) == body, path
    assert server.get_json("/v2")["name"] == "kserve"
    assert "twice  version 1" in status(http, "/docs")[1]
    assert "model_version_status" in server.get_json("/tfserving/v1/models/twice")
    assert status(grpc, "/v2")[0] == 404
    # As KServe's agent asks, and nobody else may change the server.
    assert status(http, "/v2/repository/models/twice/unload", "POST")[0] == 200
    assert status(http, "/v1/models/twice")[0] in (404, 503)
    assert status(http, "/v2/repository/models/twice/load", "POST")[0] == 200
    doubled(server, "twice")
    assert status(http, "/models?url=twice", "POST")[0] == 403


def test_metrics_have_the_runtimes_names(serve, mount):
    server = start(serve, "--model_name=twice", f"--model_dir={mount}", *ports())
    for _ in range(3):
        doubled(server, "twice")
    lines = [
        f'request_{phase}_seconds_{what}}} 3\n'
        for phase in ("preprocess", "predict", "postprocess")
        for what in ('count{model_name="twice"', 'bucket{model_name="twice",le="+Inf"')
    ]
    missing = lambda: [line for line in lines if line not in status(server.url, "/metrics")[1]]  # noqa: E731
    servers.wait_until(lambda: not missing(), f"all are counted: {lines}")
    assert "nv_inference_request_success" in status(server.url, "/metrics")[1]


def is_open(port):
    with socket.socket() as one:
        one.settimeout(5)
        return one.connect_ex(("127.0.0.1", port)) == 0


def let_in(gate):
    """Whoever waits there to read; another may come later."""
    try:
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        pass


def test_nobody_listens_before_the_model_is_loaded(mount, tmp_path):
    """The model's code waits for the test; KServe's probes only try the port."""
    (mount / "model.onnx").unlink()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    write(mount / "service.py", f"""
        import modelmill
        import numpy as np

        open({str(gate)!r}).read()

        @modelmill.model
        def echo(x: modelmill.Tensor[np.float32, -1]) -> modelmill.Tensor[np.float32, -1]:
            return x
    """)
    http, grpc = free_ports(2)
    command = [servers.binary(), "--as", "kserve", f"--model_dir={mount / 'service.py'}", f"--http_port={http}", f"--grpc_port={grpc}"]
    process = subprocess.Popen(command, env=servers.environment(LOCAL), stdout=subprocess.DEVNULL)
    try:
        with open(gate, "w"):  # once the model's code has opened it too
            assert not is_open(http) and not is_open(grpc) and process.poll() is None
        servers.wait_until(lambda: let_in(gate) or is_open(http), "the port is open")
        url = f"http://127.0.0.1:{http}"
        assert status(url, "/v1/models/model")[0] == 200
        servers.wait_until(lambda: is_open(grpc), "the other one is open")
        process.terminate()
        assert process.wait(servers.STOP_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def test_the_runtime_in_the_examples(serve, mount):
    runtime = yaml.safe_load(RUNTIME.read_text())
    [container] = runtime["spec"]["containers"]
    assert container["command"] == ["modelmill", "--as", "kserve"]
    http, grpc = map(str, free_ports(2))
    probe = container["readinessProbe"]["httpGet"]
    assert runtime["spec"]["annotations"]["prometheus.kserve.io/port"] == "8080" and probe["port"] == 8080
    arguments = [
        argument.replace("{{.Name}}", "iris").replace("/mnt/models", str(mount)).replace("8080", http).replace("8081", grpc)
        for argument in container["args"]
    ]
    server = start(serve, *arguments)
    doubled(server, "iris")
    assert status(server.url, probe["path"])[0] == 200
    assert status(server.url, runtime["spec"]["annotations"]["prometheus.kserve.io/path"])[0] == 200


def test_a_folder_of_models_folders(serve, mount):
    for name in ("one", "two"):
        (mount / name).mkdir()
        shutil.copy(mount / "model.onnx", mount / name / "model.onnx")
    (mount / "model.onnx").unlink()
    server = start(serve, f"--model_dir={mount}", *ports())
    assert server.get_json("/v2/models") == {"models": ["one", "two"]}
    doubled(server, "one")
    doubled(server, "two")
    assert status(server.url, "/v2/repository/models/two/unload", "POST")[0] == 200
    assert status(server.url, "/v2/repository/models/two/load", "POST")[0] == 200
    doubled(server, "two")


def test_a_link_of_a_runtimes_name_is_enough(serve, mount, tmp_path):
    for name in ("sklearnserver", "xgbserver"):
        link = tmp_path / name
        link.symlink_to(servers.binary())
        server = serve("--model_name", "x", "--model_dir", str(mount), "--nthread=1", *ports(), program=link, env=LOCAL)
        doubled(server, "x")


@pytest.fixture(scope="module")
def estimators(tmp_path_factory):
    folder = tmp_path_factory.mktemp("estimators")
    return folder, no_code_models.make("estimators", "trees", folder)


def test_estimators_answer_as_there(serve, mount, estimators):
    folder, answers = estimators
    answer = next(one for one in answers if one["model"] == "iris")
    rows = answer["inputs"]["input-0"]
    (mount / "model.onnx").unlink()
    shutil.copy(folder / "iris.joblib", mount / "model.joblib")
    env = {"MODELMILL_PYTHON": str(no_code_models.venv("trees"))}
    server = start(serve, "--model_name=iris", f"--model_dir={mount}", *ports(), env=env)
    assert predict(server, "iris", rows)["predictions"] == answer["outputs"]["label"]
    sent = {"name": "input-0", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": rows}
    code, reply = server.post_json("/v2/models/iris/infer", {"inputs": [sent]})
    [output] = reply["outputs"]
    assert code == 200 and output["data"] == answer["outputs"]["label"]
    server.stop()
    server = start(serve, "--model_name=iris", f"--model_dir={mount}", *ports(), env={**env, "PREDICT_PROBA": "true"})
    for row, expected in zip(predict(server, "iris", rows)["predictions"], answer["outputs"]["probabilities"]):
        assert row == pytest.approx(expected, abs=1e-5)


def test_wrong_command_lines_of_the_runtimes(mount, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/model.onnx").write_bytes(b"no model")
    more = [f"--http_port={free_ports(1)[0]}", "--enable_grpc=false"]
    for arguments, code, text in (
        (["--http_port=x"], 2, "argument --http_port: invalid int value: 'x'"),
        (["--modle_name=x"], 2, "did you mean '--model_name'?"),
        ([f"--model_dir={tmp_path / 'none'}", *more], 1, "none"),
        ([f"--model_dir={tmp_path / 'empty'}", *more], 1, "is empty"),
        ([f"--model_dir={tmp_path / 'broken'}", *more], 1, "not every model could be loaded"),
        (["--help"], 0, "--model_dir <string>"),
    ):
        result = run_as("kserve", *arguments, env=LOCAL)
        assert result.returncode == code and text in result.stdout + result.stderr, (arguments, result)


def test_a_port_that_is_taken(mount):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run_as("kserve", f"--model_dir={mount}", f"--http_port={taken.getsockname()[1]}", "--enable_grpc=false", env=LOCAL)
        assert result.returncode == 1 and "is taken" in result.stderr, result


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kserve_runtime")
    repository = pathlib.Path(folder / "models")
    write(repository / "sums/sums_handler.py", SUMS)
    write(repository / "sums/MAR-INF/MANIFEST.json", json.dumps(MANIFEST))
    write(repository / "sums/modelmill.yaml", "parameters: {service_envelope: kserve}")
    (repository / "mlp/1").mkdir(parents=True)
    models.save(models.mlp(), repository / "mlp/1/model.onnx")
    options = {"personality": "kserve", "env": LOCAL}
    with servers.serving(folder, f"--model_dir={repository}", *ports(), **options) as server:
        yield client_programs.results(PROGRAM, *(url.partition("://")[2] for url in server.urls))


# A mount holds models, and no graph of them.
@pytest.mark.parametrize("check", [name for name in client_programs.checks(PROGRAM) if name != "graph"])
def test_client(results, check):
    assert results[check] == ""
