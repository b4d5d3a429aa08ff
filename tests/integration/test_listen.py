"""Several addresses, unix sockets and IPv6, as clients reach them."""

import json
import os
import re
import socket
import stat
import subprocess

import grpc
import numpy as np
import pytest
from tritonclient import grpc as triton_grpc

import models
from certificates import Authority
from servers import binary, environment, run_cli

ROW = np.ones((1, 64), np.float32)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="the kernel has no IPv6")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.save(models.mlp(), tmp_path_factory.mktemp("model") / "mlp.onnx")


def curl(*arguments):
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "--fail", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def infer_over_grpc(target):
    client = triton_grpc.InferenceServerClient(target)
    inputs = [triton_grpc.InferInput("x", [1, 64], "FP32")]
    inputs[0].set_data_from_numpy(ROW)
    assert client.infer("mlp", inputs).as_numpy("probabilities").shape == (1, 10)
    client.close()


def test_a_unix_socket_beside_tcp(serve, model, tmp_path):
    path = tmp_path / "m.sock"
    server = serve(model, listen=["127.0.0.1:0", f"unix:{path}"], check_ready=True)
    assert f"{server.url} and unix:{path}\n" in server.stdout()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    for version in ("--http1.1", "--http2-prior-knowledge"):
        assert json.loads(curl(version, "--unix-socket", path, "http://localhost/v2"))["name"] == "modelmill"
    infer_over_grpc(f"unix:{path}")
    infer_over_grpc(server.address)
    result = run_cli("models", "--server", f"unix:{path}")
    assert result.returncode == 0 and "mlp" in result.stdout, result
    server.stop()
    assert not path.exists()


def test_the_peer_of_a_unix_socket_in_the_access_log(serve, model, tmp_path):
    path = tmp_path / "m.sock"
    server = serve(model, "--access-log", "--log-format=json", listen=["127.0.0.1:0", f"unix:{path}"])
    curl("--unix-socket", path, "http://localhost/v2/models/mlp")
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert [line["peer"] for line in lines if line.get("path") == "/v2/models/mlp"] == ["unix"]


def test_a_unix_socket_alone_and_a_dead_servers_file(model, tmp_path):
    """Killed, a server leaves its file; the next one takes its place. A living one is not disturbed."""
    path = tmp_path / "m.sock"

    def start():
        process = subprocess.Popen(
            [binary(), "serve", model, f"--listen=unix:{path}"], stdout=subprocess.PIPE, text=True, env=environment()
        )
        text = ""
        while "Ctrl-C" not in text:
            line = process.stdout.readline()
            assert line, text
            text += line
        return process, text

    first, text = start()
    try:
        [command] = re.findall(r"^  ((?:curl|python3 -c).*)$", text, re.MULTILINE)
        assert f"--unix-socket '{path}' http://localhost/predict/mlp" in command
        assert "probabilities" in subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60).stdout
        second = run_cli("serve", model, f"--listen=unix:{path}")
        assert second.returncode == 1
        assert f"another program listens on unix:{path}" in second.stderr
        infer_over_grpc(f"unix:{path}")
    finally:
        first.kill()
        first.communicate()
    assert path.exists()
    third, _ = start()
    try:
        infer_over_grpc(f"unix:{path}")
    finally:
        third.terminate()
        third.communicate()
    assert third.returncode == 0
    assert not path.exists()


@ipv6
def test_ipv6(serve, model):
    server = serve(model, listen=["[::1]:0", "127.0.0.1:0"])
    assert server.url.startswith("http://[::1]:")
    assert len(server.urls) == 2
    for url in server.urls:
        assert json.loads(curl("-g", url + "/v2"))["name"] == "modelmill"
    infer_over_grpc(f"ipv6:{server.address}")
    server.stop()


@ipv6
def test_every_address_of_both_families(serve, model):
    server = serve(model, listen=["[::]:0"])
    assert "(on every address of this machine)" in server.stdout()
    for host in ("127.0.0.1", "[::1]"):
        assert json.loads(curl("-g", f"http://{host}:{server.port}/v2"))["name"] == "modelmill"


def test_one_plain_and_one_with_tls(serve, model, tmp_path):
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.sign("server")
    files = [f"--tls-cert={certificate}", f"--tls-key={key}"]
    server = serve(model, *files, listen=["http://127.0.0.1:0", "127.0.0.1:0"])
    plain, secure = server.urls
    assert (plain[:7], secure[:8]) == ("http://", "https://")
    infer_over_grpc(plain.removeprefix("http://"))
    assert json.loads(curl("--cacert", authority.certificate, secure + "/v2"))["name"] == "modelmill"
    secrets = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
    with grpc.secure_channel(secure.removeprefix("https://"), secrets) as channel:
        grpc.channel_ready_future(channel).result(timeout=60)


def test_an_error_on_one_address_names_it_and_fails_the_start(serve, model, tmp_path):
    server = serve(model)
    path = tmp_path / "m.sock"
    result = run_cli("serve", model, f"--listen=unix:{path}", f"--listen={server.address}")
    assert result.returncode == 1
    assert f"another program listens on {server.address}" in result.stderr
    assert not path.exists()
    result = run_cli("serve", model, "--listen=https://127.0.0.1:0")
    assert result.returncode == 1
    assert "https://127.0.0.1:0 needs a certificate" in result.stderr


def test_listen_excludes_host_and_port(model):
    result = run_cli("serve", model, "--listen=127.0.0.1:0", "--port=0")
    assert result.returncode == 2
    assert "--listen" in result.stderr
