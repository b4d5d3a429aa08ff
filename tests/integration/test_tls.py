"""TLS as other clients speak it, certificates of clients, and certificates that are replaced under a running server."""

import os
import re
import socket
import ssl
import subprocess
import threading

import grpc
import numpy as np
import pytest
from tritonclient import grpc as triton_grpc
from tritonclient import http as triton_http

import models
from certificates import Authority
from servers import run_cli, wait_until

ROW = np.ones((1, 64), np.float32)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def files(authority):
    """Options of a server with a certificate of this authority."""
    certificate, key = authority.sign("server")
    return [f"--tls-cert={certificate}", f"--tls-key={key}"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.save(models.mlp(), tmp_path_factory.mktemp("model") / "mlp.onnx")


@pytest.fixture
def server(serve, model, files, authority):
    return serve(model, *files, tls=authority.trust())


def curl(authority, *arguments, ok=True):
    result = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "--cacert", authority.certificate, *map(str, arguments)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (result.returncode == 0) == ok, (result.returncode, result.stderr)
    return result.stdout if ok else result.stderr


def handshakes(server, result):
    found = re.findall(rf'tls_handshakes_total{{result="{result}",version="[^"]*"}} (\d+)', server.get("/metrics")[1].decode())
    return sum(map(int, found))


@pytest.mark.parametrize("option, spoken", [("--http1.1", "1.1"), ("--http2", "2")])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl(server, authority, option, spoken, version):
    flags = [option, f"--tlsv{version}", "--tls-max", version]
    assert curl(authority, *flags, "-w", "%{http_code} %{http_version}", server.url + "/v2/health/ready") == f'{{"ready":true}}200 {spoken}'
    body = '{"x": [' + str(ROW[0].tolist()) + "]}"
    assert '"probabilities"' in curl(authority, *flags, "-d", body, server.url + "/predict/mlp")


def test_the_announced_command_works(server):
    """What the server prints can be pasted, though this machine does not know the authority."""
    [command] = re.findall(r"^  ((?:curl|python3 -c).*)$", server.stdout(), re.MULTILINE)
    assert "-k https://" in command
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert "probabilities" in result.stdout, result


def test_tritonclient_http(server, authority):
    client = triton_http.InferenceServerClient(server.address, ssl=True, ssl_context_factory=authority.trust)
    inputs = [triton_http.InferInput("x", [1, 64], "FP32")]
    inputs[0].set_data_from_numpy(ROW)
    assert client.infer("mlp", inputs).as_numpy("probabilities").shape == (1, 10)
    client.close()


def test_tritonclient_grpc(server, authority):
    client = triton_grpc.InferenceServerClient(server.address, ssl=True, root_certificates=str(authority.certificate))
    inputs = [triton_grpc.InferInput("x", [1, 64], "FP32")]
    inputs[0].set_data_from_numpy(ROW)
    assert client.infer("mlp", inputs).as_numpy("probabilities").shape == (1, 10)
    client.close()


def test_large_messages_over_grpc(server, authority):
    rows = np.random.default_rng(7).standard_normal((20_000, 64)).astype(np.float32)
    client = triton_grpc.InferenceServerClient(server.address, ssl=True, root_certificates=str(authority.certificate))
    inputs = [triton_grpc.InferInput("x", list(rows.shape), "FP32")]
    inputs[0].set_data_from_numpy(rows)
    probabilities = client.infer("mlp", inputs).as_numpy("probabilities")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    client.close()


def test_the_command_line_is_a_client(serve, model, files, authority, tmp_path):
    server = serve(model, *files, listen=["0.0.0.0:0"], tls=authority.trust())
    (tmp_path / "row.csv").write_text(",".join("1" * 64) + "\n")
    ask = ["predict", "mlp", tmp_path / "row.csv", "--server", server.url, "--json"]
    result = run_cli(*ask, "--ca", authority.certificate)
    assert result.returncode == 0 and "probabilities" in result.stdout, result
    result = run_cli("models", "--server", server.url, "--ca", authority.certificate)
    assert result.returncode == 0 and "mlp" in result.stdout, result
    result = run_cli(*ask)
    assert result.returncode != 0
    assert "signed by an authority of this system or of --ca" in result.stderr, result.stderr
    wrong_name = server.url.replace("127.0.0.1", "127.0.0.2")
    result = run_cli("models", "--server", wrong_name, "--ca", authority.certificate)
    assert result.returncode != 0
    assert "must be for '127.0.0.2'" in result.stderr, result.stderr


def test_old_versions_and_plain_http_are_refused(server, authority):
    command = ["openssl", "s_client", "-connect", server.address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
    result = subprocess.run(command, input=b"", capture_output=True, timeout=60)
    assert b"alert protocol version" in result.stderr, result.stderr
    with server.connect() as plain:
        plain.sendall(b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in plain.recv(4096)
    wait_until(lambda: handshakes(server, "failed") >= 2, "the failures are not counted")
    assert handshakes(server, "ok") >= 1


def test_clients_need_a_certificate(serve, model, files, authority, tmp_path):
    known, stranger = authority.sign("client"), Authority(tmp_path / "other").sign("stranger")
    options = [*files, f"--tls-client-ca={authority.certificate}"]
    server = serve(model, *options, tls=authority.trust(known))
    shown = ["--cert", known[0], "--key", known[1]]
    assert curl(authority, *shown, "-w", "%{http_code}", server.url + "/v2/health/ready") == '{"ready":true}200'
    assert "certificate required" in curl(authority, server.url + "/v2", ok=False)
    assert "--cert CLIENT.pem --key CLIENT-KEY.pem -k https://" in server.stdout()
    curl(authority, "--cert", stranger[0], "--key", stranger[1], server.url + "/v2", ok=False)

    def channel(certificate, key):
        secrets = grpc.ssl_channel_credentials(
            authority.certificate.read_bytes(), key and key.read_bytes(), certificate and certificate.read_bytes()
        )
        return grpc.secure_channel(server.address, secrets)

    with channel(*known) as good:
        grpc.channel_ready_future(good).result(timeout=60)
    with channel(None, None) as bad:
        call = bad.unary_unary("/inference.GRPCInferenceService/ServerLive")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=60)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE

    server = serve(model, *options, "--tls-client-auth=request", tls=authority.trust())
    assert curl(authority, "-w", "%{http_code}", server.url + "/v2/health/ready") == '{"ready":true}200'
    assert "--cert" not in server.stdout()
    curl(authority, "--cert", stranger[0], "--key", stranger[1], server.url + "/v2", ok=False)


def served_name(server, authority):
    """The name in the certificate that a new connection is shown."""
    with server.connect() as plain, authority.trust().wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        return dict(part[0] for part in secure.getpeercert()["subject"])["commonName"]


def mount_secret(folder, authority, *names):
    """As Kubernetes mounts one: tls.crt and tls.key lead through ..data, which swap(name) sets to the folder of another."""
    for name in names:
        certificate, key = authority.sign(name)
        (folder / name).mkdir()
        os.link(certificate, folder / name / "tls.crt")
        os.link(key, folder / name / "tls.key")
    os.symlink(names[0], folder / "..data")
    for file in ("tls.crt", "tls.key"):
        os.symlink(f"..data/{file}", folder / file)

    def swap(name):
        os.symlink(name, folder / "..data.new")
        os.rename(folder / "..data.new", folder / "..data")

    return swap


def test_certificates_are_replaced_without_a_failed_request(serve, model, authority, tmp_path):
    """All the time under load."""
    swap = mount_secret(tmp_path, authority, "first", "second", "third")
    files = [f"--tls-cert={tmp_path / 'tls.crt'}", f"--tls-key={tmp_path / 'tls.key'}"]
    server = serve(model, *files, tls=authority.trust())
    over, done, wrong = threading.Event(), [0, 0], []

    def load(which, make):
        """Requests, one after the other, each over what `make` returns."""
        try:
            while not over.is_set():
                make()
                done[which] += 1
        except Exception as error:  # whatever it is, it must not happen
            wrong.append(error)

    kept = triton_grpc.InferenceServerClient(server.address, ssl=True, root_certificates=str(authority.certificate))
    inputs = [triton_grpc.InferInput("x", [1, 64], "FP32")]
    inputs[0].set_data_from_numpy(ROW)

    def fresh():
        assert server.get("/v2/health/ready")[0] == 200

    threads = [
        threading.Thread(target=load, args=(0, lambda: kept.infer("mlp", inputs))),
        threading.Thread(target=load, args=(1, fresh)),
    ]
    for thread in threads:
        thread.start()
    try:
        for name in ("first", "second", "third"):
            if name != "first":
                swap(name)
            wait_until(lambda: served_name(server, authority) == name, f"the certificate '{name}' is not served")
        # A bad one changes nothing.
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad/tls.crt").write_text("nonsense")
        (tmp_path / "bad/tls.key").write_text("nonsense")
        swap("bad")
        wait_until(lambda: "can't be used; those from before stay in use" in server.log(), "the bad file is not logged")
        assert "tls.crt' is no usable certificate" in server.log()
        assert served_name(server, authority) == "third"
        before = list(done)
        wait_until(lambda: all(now > then for now, then in zip(done, before)), "the load has stopped")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    kept.close()
    assert not wrong
    server.stop()


def test_bad_files_are_errors_of_the_start(model, authority, tmp_path):
    certificate, key = authority.sign("server")
    _, other = authority.sign("another")
    cases = [
        ((tmp_path / "none", key), "--tls-cert: '" + str(tmp_path / "none") + "' can't be read"),
        ((certificate, other), "is not the key of the certificate"),
        ((key, key), "is no usable certificate in PEM"),
    ]
    for (a_certificate, a_key), message in cases:
        result = run_cli("serve", model, "--port=0", f"--tls-cert={a_certificate}", f"--tls-key={a_key}")
        assert result.returncode == 1, result
        assert message in result.stderr, result.stderr


def test_a_certificate_that_ends_soon_is_logged(serve, model, authority):
    certificate, key = authority.sign("short", days=3)
    server = serve(model, f"--tls-cert={certificate}", f"--tls-key={key}", tls=authority.trust())
    assert "the TLS certificate expires soon" in server.log()


def test_stopping_ends_connections_with_close_notify(server, authority):
    with server.connect() as plain, authority.trust().wrap_socket(
        plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False
    ) as secure:
        secure.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in secure.recv(4096)
        server.terminate()
        assert secure.recv(4096) == b""  # an end without close_notify would be an SSLEOFError
    assert server.wait() == 0


def test_alpn_without_a_common_protocol_is_refused(server, authority):
    context = authority.trust()
    context.set_alpn_protocols(["h3"])
    with socket.create_connection((server.host, server.port), timeout=60) as plain:
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
