"""Start and stop: what is wrong with what is served, a port in use, SIGTERM during load, clients that vanish."""

import concurrent.futures
import itertools
import json
import signal
import socket
import threading

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

import models
import repositories
from clients import Client
from servers import START_SECONDS, posted, run_cli, wait_until
from test_drain import refuses_connections


def row(value=1.0):
    return {"x": np.full((1, 4), value, np.float32)}


# ---- what cannot be served ---------------------------------------------------------------------------------------


def bad_models(folder):
    """{name: (path, texts that the message must hold)}: every one of these is refused, with its reason."""
    good = models.scaled(2)
    blob = good.SerializeToString()

    def file(name, data):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def configured(name, config, proto=good):
        return repositories.add(folder, name, proto, config)

    (folder / "empty").mkdir(parents=True)
    (folder / "no_file" / "1").mkdir(parents=True)
    return {
        "corrupt": (file("corrupt.onnx", b"\x08\x07" + b"garbage" * 100), ["corrupt"]),
        "cut": (file("cut.onnx", blob[: len(blob) // 2]), ["cut"]),
        "zero": (file("zero.onnx", b""), ["zero"]),
        "text": (file("text.onnx", b"hello"), ["text"]),
        "missing": (folder / "missing.onnx", ["missing.onnx"]),
        "unknown_ending": (file("model.xyz", b"hello"), ["model.xyz"]),
        "empty": (folder / "empty", ["empty"]),
        "no_file": (folder / "no_file", ["no_file"]),
        "syntax": (configured("syntax", "max_batch_size: [\n"), ["syntax", "config.pbtxt"]),
        "unknown_field": (configured("unknown_field", 'max_batch_sise: 8\nbackend: "onnxruntime"'), ["max_batch_sise"]),
        "unknown_backend": (configured("unknown_backend", 'backend: "abacus"'), ["abacus"]),
        "wrong_input": (
            configured(
                "wrong_input",
                'backend: "onnxruntime" max_batch_size: 4 input [ { name: "z" data_type: TYPE_FP32 dims: [ 4 ] } ]',
            ),
            ["z"],
        ),
        "wrong_type": (
            configured(
                "wrong_type",
                'backend: "onnxruntime" max_batch_size: 4 input [ { name: "x" data_type: TYPE_INT32 dims: [ 4 ] } ]',
            ),
            ["x", "INT32"],
        ),
        "wrong_dims": (
            configured(
                "wrong_dims",
                'backend: "onnxruntime" max_batch_size: 4 input [ { name: "x" data_type: TYPE_FP32 dims: [ 5 ] } ]',
            ),
            ["x"],
        ),
        "batch_of_fixed": (
            configured("batch_of_fixed", 'backend: "onnxruntime" max_batch_size: 4', models.fixed_first()),
            ["batch"],
        ),
        "negative_batch": (
            configured("negative_batch", 'backend: "onnxruntime" max_batch_size: -4'),
            ["max_batch_size"],
        ),
        "ensemble": (
            configured("ensemble", "ensemble_scheduling { step [ { model_name: 'a' model_version: 1 } ] }"),
            ["ensemble"],
        ),
        "sequence": (
            configured("sequence", 'backend: "onnxruntime" max_batch_size: 4 sequence_batching { }'),
            ["sequence"],
        ),
    }


NAMES = [
    "corrupt", "cut", "zero", "text", "missing", "unknown_ending", "empty", "no_file", "syntax", "unknown_field",
    "unknown_backend", "wrong_input", "wrong_type", "wrong_dims", "batch_of_fixed", "negative_batch", "ensemble",
    "sequence",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_alone_it_is_an_error(tmp_path, name):
    path, texts = bad_models(tmp_path / "bad")[name]
    result = run_cli("serve", path, "--port", "0")
    assert result.returncode == 1, (result.returncode, result.stdout, result.stderr)
    for text in texts:
        assert text in result.stderr, result.stderr
    assert "terminate called" not in result.stderr


def test_beside_others_the_server_goes_on(serve, tmp_path):
    """Bad models beside a good one: that one is served, and each of the others says why it is not."""
    bad = bad_models(tmp_path / "bad")
    paths = [path for name, (path, _) in bad.items() if name not in ("missing", "unknown_ending", "empty")]
    server = serve(models.save(models.scaled(2), tmp_path / "good.onnx"), *paths, check_ready=False)
    assert server.post_json("/predict/good", {"x": [[1, 2, 3, 4]]})[1]["y"] == [[2, 4, 6, 8]]
    text = server.stdout() + server.log()
    for name, (path, texts) in bad.items():
        if path in paths:
            for wanted in texts:
                assert wanted in text, (name, wanted)
            status, body, _ = server.get(f"/v2/models/{name}/ready")
            assert status == 404, name  # no version is available, in Triton's words and code
    status, body = server.post_json("/v2/models/corrupt/infer", {"inputs": []})
    assert status in (400, 404, 503)
    server.stop()


def test_port_in_use(serve, tmp_path):
    path = models.save(models.scaled(2), tmp_path / "twice.onnx")
    server = serve(path)
    result = run_cli("serve", path, "--port", server.port)
    assert result.returncode == 1
    assert str(server.port) in result.stderr and "--port" in result.stderr
    server.assert_alive()
    server.stop()


def test_port_of_another_program(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        result = run_cli(
            "serve", models.save(models.scaled(2), tmp_path / "twice.onnx"), "--port", other.getsockname()[1]
        )
    assert result.returncode == 1
    assert "--port" in result.stderr


def test_host_that_is_none(tmp_path):
    path = models.save(models.scaled(2), tmp_path / "twice.onnx")
    result = run_cli("serve", path, "--port", 0, "--host", "203.0.113.1")
    assert result.returncode == 1
    assert "203.0.113.1" in result.stderr


def test_two_models_of_one_name(tmp_path):
    paths = [models.save(models.scaled(2), tmp_path / part / "same.onnx") for part in "ab"]
    result = run_cli("serve", *paths, "--port", "0")
    assert result.returncode == 1
    assert "same" in result.stderr


def test_name_that_is_not_the_folders(serve, tmp_path):
    """Inside a folder of models the folder is the name, and a configuration that says another is refused."""
    folder = tmp_path / "models"
    repositories.add(folder, "good", models.scaled(2))
    repositories.add(folder, "folder", models.scaled(2), 'name: "different" backend: "onnxruntime"')
    server = serve(folder, check_ready=False)
    wait_until(lambda: server.get("/v2/models/good/ready")[0] == 200, "the other model is ready")
    assert "different" in server.stdout() + server.log()
    assert server.get("/v2/models/different/ready")[0] != 200
    server.stop()


def test_start_text(serve, tmp_path):
    server = serve(models.save(models.mlp(), tmp_path / "mlp.onnx"))
    text = server.stdout()
    assert server.url in text
    for wanted in ("mlp", "x", "FP32", "[-1,64]", "probabilities", "[-1,10]", "curl"):
        assert wanted in text, text
    server.stop()


def test_layouts_mixed(serve, tmp_path):
    """A folder of models, one model's folder, and a file, together."""
    repositories.add(tmp_path / "many", "one", models.scaled(1))
    models.save(models.scaled(2), tmp_path / "many" / "two.onnx")
    single = repositories.add(tmp_path / "single", "three", models.scaled(3))
    server = serve(tmp_path / "many", single, models.save(models.scaled(4), tmp_path / "four.onnx"))
    for name, factor in (("one", 1), ("two", 2), ("three", 3), ("four", 4)):
        assert server.post_json(f"/predict/{name}", {"x": [[1, 1, 1, 1]]})[1]["y"] == [[factor] * 4], name
    server.stop()


def test_version_policies(serve, tmp_path):
    for name, policy, served in (
        ("two_latest", "latest { num_versions: 2 }", {"2", "10"}),
        ("specific", "specific { versions: [ 1, 10 ] }", {"1", "10"}),
        ("all", "all { }", {"1", "2", "10"}),
    ):
        config = f'backend: "onnxruntime" version_policy: {{ {policy} }}'
        repositories.add(tmp_path / "models", name, models.scaled, config, versions=(1, 2, 10))
    server = serve(tmp_path / "models")
    for name, served in (("two_latest", {"2", "10"}), ("specific", {"1", "10"}), ("all", {"1", "2", "10"})):
        assert set(server.get_json(f"/v2/models/{name}")["versions"]) == served
        assert server.post_json(f"/predict/{name}", {"x": [[1, 1, 1, 1]]})[1]["y"] == [[10] * 4]
    server.stop()


# ---- the stop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_stop_when_idle(serve, tmp_path, signal_number):
    server = serve(models.save(models.scaled(2), tmp_path / "twice.onnx"))
    server.process.send_signal(signal_number)
    assert server.wait() == 0


def test_stop_with_idle_connections(serve, tmp_path):
    """Connections that ask for nothing do not hold it up."""
    server = serve(models.save(models.scaled(2), tmp_path / "twice.onnx"))
    with server.connect() as silent, server.connect() as half, grpc.insecure_channel(server.address) as channel:
        half.sendall(b"POST /v2/models/twice/infer HTTP/1.1\r\n")
        service_pb2_grpc.GRPCInferenceServiceStub(channel).ServerLive(service_pb2.ServerLiveRequest())
        server.terminate()
        assert server.wait() == 0
        assert silent.recv(1) == b""
    assert "cut off" not in server.log(), "none of them was waited for"


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_stop_during_load(serve, tmp_path, kind):
    """What is in flight at SIGTERM is answered, rightly; what comes later is refused; the exit status is 0."""
    server = serve(models.save(models.slow(turns=5000), tmp_path / "slow.onnx"))
    answered = itertools.count()
    total = [0]
    wrong, refused = [], []
    begun = threading.Barrier(17)

    def work(number):
        client = Client(kind, server.address)
        begun.wait(60)
        try:
            for turn in range(10_000):
                value = number * 10_000 + turn
                result = client.infer("slow", row(value))
                if not np.allclose(result.as_numpy("y"), 2 * value, rtol=1e-5):
                    wrong.append(value)
                total[0] = next(answered)
        except Exception as error:  # noqa: BLE001
            refused.append(str(error))
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        workers = [pool.submit(work, number) for number in range(16)]
        begun.wait(60)
        wait_until(lambda: total[0] > 30, "some answers")
        server.terminate()
        for worker in workers:
            worker.result(timeout=60)
    assert server.wait() == 0
    assert not wrong
    assert len(refused) == 16


def test_in_flight_is_answered(serve_gated, gate):
    """Requests that run or wait when the signal comes get their answers on their connections, over both protocols."""
    server = serve_gated("slow", "instance_group { count: 1 kind: KIND_CPU }")
    gate.close()
    body = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 4], "datatype": "FP32", "data": [3] * 4}]}).encode()
    request = service_pb2.ModelInferRequest(model_name="slow", raw_input_contents=[row(3)["x"].tobytes()])
    request.inputs.add(name="INPUT0", datatype="FP32", shape=[1, 4])
    with server.connect() as connection, grpc.insecure_channel(server.address) as channel:
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        calls = [infer.future(request) for _ in range(2)]
        connection.sendall(posted("/v2/models/slow/infer", body))
        # The one instance runs one of the three, so all have arrived when two wait.
        waiting = b'nv_inference_pending_request_count{model="slow",version="1"} 2\n'
        wait_until(lambda: waiting in server.get("/metrics")[1], "two wait")
        server.terminate()
        wait_until(lambda: refuses_connections(server), "it stops")
        gate.open()
        for call in calls:
            assert np.allclose(np.frombuffer(call.result(timeout=60).raw_output_contents[0], np.float32), 3)
        reply = connection.makefile("rb").read()
        assert reply.startswith(b"HTTP/1.1 200"), reply
        assert json.loads(reply.split(b"\r\n\r\n", 1)[1])["outputs"][0]["data"] == [3] * 4
    assert server.wait() == 0


# ---- clients that vanish -----------------------------------------------------------------------------------------


def test_clients_that_vanish_in_mid_request(main_server):
    body = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [3] * 4}]}).encode()
    request = posted("/v2/models/versions/infer", body)
    for length in range(1, len(request) + 1, 7):
        with main_server.connect() as connection:
            connection.sendall(request[:length])
            # Linger 0: the connection is reset, not closed.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    main_server.assert_alive()


def test_clients_that_vanish_before_their_answer(serve, tmp_path):
    server = serve(models.save(models.slow(turns=2000), tmp_path / "slow.onnx"), "--instances=1")
    body = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [3] * 4}]}).encode()
    for _ in range(50):
        with server.connect() as connection:
            connection.sendall(posted("/v2/models/slow/infer", body))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client = Client("grpc", server.address)
    np.testing.assert_allclose(client.infer("slow", row(4)).as_numpy("y"), row(8)["x"], rtol=1e-5)
    client.close()
    server.stop()


def test_a_client_that_does_not_read(serve, tmp_path):
    """It asks for much and takes nothing: the server's memory stays bounded and others are served."""
    server = serve(models.save(models.identity(), tmp_path / "echo.onnx"))
    x = np.zeros((1, 1 << 18), np.float32)
    header = json.dumps(
        {
            "inputs": [
                {"name": "x", "shape": list(x.shape), "datatype": "FP32", "parameters": {"binary_data_size": x.nbytes}}
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    length = f"Inference-Header-Content-Length: {len(header)}"
    request = posted("/v2/models/echo/infer", header + x.tobytes(), length)
    with server.connect() as greedy:
        greedy.settimeout(1)
        sent = 0
        try:
            for _ in range(500):
                greedy.sendall(request)
                sent += len(request)
        except TimeoutError:
            pass
        assert sent < 500 * len(request), "the server takes no more than it can answer"
        status = (
            (server.process.pid and open(f"/proc/{server.process.pid}/status").read()).split("VmRSS:")[1].split()[0]
        )
        assert int(status) < 500_000, f"{status} kB"
        server.assert_alive()
    server.stop()


def test_many_connections(main_server):
    connections = [main_server.connect(START_SECONDS) for _ in range(500)]
    try:
        for connection in connections:
            connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        for connection in connections:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for connection in connections:
            connection.close()
    main_server.assert_alive()
