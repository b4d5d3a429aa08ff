"""modelmill started as another server: every flag of that server's, from the table in the docs, and what users rely on."""

import json
import socket

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.grpc import service_pb2, service_pb2_grpc

import repositories
import servers
from certificates import Authority
from free_ports import free_ports
from personalities import flags_of, ignored_in, run_as, status

ADDRESSES = ["--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"]


def ports(http=0, grpc=0, metrics=0):
    return [f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the examples of the tables name."""
    folder = tmp_path_factory.mktemp("place")
    repositories.add_identity(folder / "models", "identity")
    for name in ("backends", "repoagents", "caches"):
        (folder / name).mkdir()
    authority = Authority(folder / "ca")
    certificate, key = authority.sign("localhost")
    (folder / "server.crt").write_bytes(certificate.read_bytes())
    (folder / "server.key").write_bytes(key.read_bytes())
    (folder / "ca.crt").write_bytes(authority.certificate.read_bytes())
    return folder


@pytest.fixture
def as_triton(serve, place):
    def start(*arguments, repository=True, **options):
        more = ["--model-repository=models"] if repository else []
        return serve(*more, *arguments, *ADDRESSES, personality="tritonserver", cwd=place, **options)

    return start


def infer(url):
    host = url.partition("://")[2]
    client = tritonclient.http.InferenceServerClient(host)
    row = np.arange(4, dtype=np.float32).reshape(1, 4)
    tensor = tritonclient.http.InferInput("INPUT0", [1, 4], "FP32")
    tensor.set_data_from_numpy(row)
    assert (client.infer("identity", [tensor]).as_numpy("OUTPUT0") == row).all()
    client.close()


def infer_over_grpc(url):
    client = tritonclient.grpc.InferenceServerClient(url.partition("://")[2])
    row = np.arange(4, dtype=np.float32).reshape(1, 4)
    tensor = tritonclient.grpc.InferInput("INPUT0", [1, 4], "FP32")
    tensor.set_data_from_numpy(row)
    assert (client.infer("identity", [tensor]).as_numpy("OUTPUT0") == row).all()
    client.close()


TRITON = flags_of("flags-tritonserver.md")
# What is tested by itself, and what an example needs beside it.
TRITON_ALONE = {"help", "load-model", "grpc-use-ssl-mutual", "http-port", "grpc-port", "metrics-port", "response-cache-byte-size"}
TRITON_CHUNKS = [[row for row in TRITON if row[0] not in TRITON_ALONE][i::6] for i in range(6)]


def written(rows):
    """The flags as a user writes them, in turn in one word and in two."""
    arguments = []
    for i, (flag, value, _) in enumerate(rows):
        if value is None:
            arguments.append(f"--{flag}")
        elif i % 2:
            arguments += [f"--{flag}", value]
        else:
            arguments.append(f"--{flag}={value}")
    return arguments


def test_the_table_has_every_kind():
    assert len(TRITON) > 80 and {taken for _, _, taken in TRITON} == {"same", "mapped", "ignored"}


@pytest.mark.parametrize("rows", TRITON_CHUNKS, ids=range(len(TRITON_CHUNKS)))
def test_every_flag_of_triton(as_triton, rows):
    server = as_triton(*written(rows), *ports())
    infer(server.urls[0])
    log = server.log() + "".join(path.read_text() for path in [server.cwd / "server.log"] if ("log-file", "server.log", "same") in rows)
    expected = [flag for flag, _, taken in rows if taken == "ignored"]
    assert sorted(ignored_in(log)) == sorted(f"--{flag}" for flag in expected)


def test_ports_are_those_of_the_flags(as_triton):
    chosen = free_ports(3)
    server = as_triton(*ports(*chosen))
    assert [url.rpartition(":")[2] for url in server.urls] == [str(port) for port in chosen]
    http, over_grpc, metrics = server.urls
    infer(http)
    infer_over_grpc(over_grpc)
    assert "nv_inference_request_success" in status(metrics, "/metrics")[1]
    # Each port serves its own alone.
    assert status(http, "/metrics")[0] == 404
    assert status(metrics, "/v2/models/identity")[0] == 404 and status(over_grpc, "/v2")[0] == 404
    with grpc.insecure_channel(http.partition("://")[2]) as channel:
        with pytest.raises(grpc.RpcError) as error:
            service_pb2_grpc.GRPCInferenceServiceStub(channel).ServerLive(service_pb2.ServerLiveRequest())
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert server.get_json("/v2")["name"] == "triton"
    assert status(http, "/") == (404, '{"error":"Not Found"}')


def test_a_link_of_that_name_is_enough(place, serve, tmp_path):
    link = tmp_path / "tritonserver"
    link.symlink_to(servers.binary())
    server = serve("--model-repository=models", *ports(), *ADDRESSES, program=link, cwd=place)
    infer(server.urls[0])


def test_ports_that_are_shared(as_triton, place):
    """The next server begins on the ports of the one before."""
    http, over_grpc = free_ports(2)
    flags = ["--allow-metrics=false", f"--http-port={http}", f"--grpc-port={over_grpc}"]
    first = as_triton(*flags, "--reuse-http-port=true", "--reuse-grpc-port=true")
    second = as_triton(*flags, "--reuse-http-port=true", "--reuse-grpc-port=true")
    refused = run_as("tritonserver", "--model-repository=models", *flags, *ADDRESSES, cwd=place)
    assert refused.returncode == 1 and str(http) in refused.stderr
    first.stop()
    infer(second.urls[0])
    infer_over_grpc(second.urls[1])


def test_connections_of_an_age(as_triton):
    """An old connection is closed, and a client that goes on asking notices nothing."""
    server = as_triton("--grpc-max-connection-age=100", *ports())
    with grpc.insecure_channel(server.urls[1].partition("://")[2]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

        def has_left():
            assert stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=60).live
            page = status(server.urls[2], "/metrics")[1]
            return 'modelmill_wire_refused_total{limit="age"} 0' not in page

        servers.wait_until(has_left, "the connection is old")
        assert stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=60, wait_for_ready=True).live


def test_load_model_is_for_the_explicit_mode(as_triton):
    server = as_triton("--model-control-mode=explicit", "--load-model=identity", *ports())
    client = tritonclient.http.InferenceServerClient(server.address)
    assert client.is_model_ready("identity")
    client.unload_model("identity")
    assert not client.is_model_ready("identity")
    client.load_model("identity")
    infer(server.urls[0])
    # What Triton has not can't change the server.
    assert status(server.url, "/models?url=identity", "POST")[0] == 403


def test_models_cannot_be_loaded_in_the_mode_none(as_triton):
    server = as_triton(*ports())
    code, text = status(server.url, "/v2/repository/models/identity/load", "POST", body=b"{}")
    assert code >= 400 and "error" in json.loads(text)


def test_mutual_tls_for_grpc_alone(as_triton, place):
    server = as_triton(
        *["--grpc-use-ssl-mutual=true", "--grpc-server-cert=server.crt", "--grpc-server-key=server.key", "--grpc-root-cert=ca.crt"],
        *ports(),
    )
    assert server.urls[1].startswith("https://") and server.urls[0].startswith("http://")
    infer(server.urls[0])
    read = lambda name: (place / name).read_bytes()
    credentials = grpc.ssl_channel_credentials(read("ca.crt"), read("server.key"), read("server.crt"))
    target = "localhost:" + server.urls[1].rpartition(":")[2]
    for given, live in ((credentials, True), (grpc.ssl_channel_credentials(read("ca.crt")), False)):
        with grpc.secure_channel(target, given) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            try:
                assert stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=60).live and live
            except grpc.RpcError as error:
                assert not live, error


def test_restrictions(as_triton):
    server = as_triton(
        "--http-restricted-api=inference,model-config:http-key=one", "--grpc-restricted-protocol=inference:grpc-key=two", *ports()
    )
    body = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}).encode()
    path = "/v2/models/identity/infer"
    code, text = status(server.url, path, "POST", body=body)
    assert code == 403 and "This API is restricted, expecting header 'http-key'" in text
    assert status(server.url, path, "POST", {"http-key": "one"}, body)[0] == 200
    assert status(server.url, "/v2/models/identity/config")[0] == 403
    assert status(server.url, "/v2/models/identity")[0] == 200
    # Another protocol's path is no way around.
    assert status(server.url, "/v1/models/identity:predict", "POST", body=b'{"instances": [[1]]}')[0] == 403
    client = tritonclient.grpc.InferenceServerClient(server.urls[1].partition("://")[2])
    tensor = tritonclient.grpc.InferInput("INPUT0", [1, 1], "FP32")
    tensor.set_data_from_numpy(np.ones((1, 1), np.float32))
    with pytest.raises(tritonclient.grpc.InferenceServerException, match="expecting header 'triton-grpc-protocol-grpc-key'"):
        client.infer("identity", [tensor])
    assert client.infer("identity", [tensor], headers={"triton-grpc-protocol-grpc-key": "two"}).as_numpy("OUTPUT0") == [[1]]
    client.close()


def test_a_body_may_have_so_many_bytes(as_triton):
    server = as_triton("--http-max-input-size=1000", *ports())
    assert status(server.url, "/v2/models/identity/infer", "POST", body=b" " * 2000)[0] == 413


def test_a_model_that_cannot_be_loaded(place, tmp_path, serve):
    repositories.add_identity(tmp_path / "models", "identity")
    repositories.add_configured(tmp_path / "models", "broken", 'backend: "none_such"')
    arguments = [f"--model-repository={tmp_path / 'models'}", *ports(), *ADDRESSES]
    result = run_as("tritonserver", *arguments)
    assert result.returncode == 1 and "broken" in result.stderr
    server = serve(*arguments, "--exit-on-error=false", personality="tritonserver", check_ready=False)
    servers.wait_until(lambda: status(server.url, "/v2/models/identity/ready")[0] == 200, "identity is ready")
    assert status(server.url, "/v2/health/ready")[0] != 200
    server = serve(*arguments, "--exit-on-error=false", "--strict-readiness=false", personality="tritonserver")
    infer(server.url)


def test_wrong_command_lines():
    for arguments, text in (
        (["--model-repositry=x"], "unrecognized option '--model-repositry'; did you mean '--model-repository'?"),
        (["--http-port=many"], 'Bad option: "--http-port"'),
        (["--model-repository"], "requires an argument"),
        ([], "--model-repository must be specified"),
        (["--model-repository=/m", "--load-model=x"], "--model-control-mode=explicit"),
        (["--help"], "Usage: tritonserver"),
    ):
        result = run_as("tritonserver", *arguments)
        assert result.returncode == 1 and text in result.stderr and not result.stdout, (arguments, result)


def test_a_port_in_use(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_as("tritonserver", f"--model-repository={place / 'models'}", *ADDRESSES, *ports(http=port))
    assert result.returncode == 1 and str(port) in result.stderr


def test_the_repository_of_the_environment(as_triton, place):
    server = as_triton(*ports(), repository=False, env={"AIP_STORAGE_URI": str(place / "models")})
    infer(server.url)


def test_an_unknown_personality():
    result = servers.run_cli("--as", "tritonsrver")
    assert result.returncode == 2 and "did you mean 'tritonserver'?" in result.stderr
