"""Who may call what: groups of calls, tokens, headers, web pages of other origins, and limits of each client."""

import json
import os
import re
import socket
import stat
import subprocess

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

import models
import servers
from clients import Client, InferenceServerException
from servers import run_cli, wait_until

ROW = np.array([[1, 2, 3, 4]], np.float32)
BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).encode()
INFER = "/v2/models/twice/infer"
LOAD = "/v2/repository/models/twice/load"


@pytest.fixture(scope="session")
def twice(tmp_path_factory):
    return models.save(models.scaled(2), tmp_path_factory.mktemp("access") / "twice.onnx")


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def write_tokens(folder, text):
    file = folder / "tokens"
    draft = folder / "tokens.draft"
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(file)
    return file


def infer(server, headers=None):
    return server.request("POST", INFER, BODY, headers)[0]


def stub(server, method, request):
    """A call of plain grpcio: its code and trailing metadata."""
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(
            f"/inference.GRPCInferenceService/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=lambda data: data,
        )
        try:
            return call(*request)
        except grpc.RpcError as error:
            return error


def curl(*arguments, body=None):
    """(status, headers, standard error) of curl as it is installed."""
    result = subprocess.run(
        ["curl", "-sv", "--noproxy", "*", "-o", os.devnull, "-w", "%{http_code}", *map(str, arguments)],
        input=body,
        capture_output=True,
        timeout=60,
    )
    trace = result.stderr.decode(errors="replace")
    headers = dict(re.findall(r"^< ([\w-]+): (.*?)\r?$", trace, re.MULTILINE))
    return int(result.stdout or 0), {name.lower(): value for name, value in headers.items()}, trace


def refused(server, group, reason):
    page = server.get("/metrics")[1].decode()
    found = re.search(rf'modelmill_access_refused_total{{group="{group}",reason="{reason}"}} (\d+)', page)
    return int(found.group(1)) if found else None


def test_this_machine_alone_may_do_everything(serve, twice):
    server = serve(twice)
    assert "Access:" not in server.stdout()
    assert infer(server) == 200
    assert server.request("POST", LOAD, b"")[0] not in (401, 403)
    assert "modelmill_access_refused_total" not in server.get("/metrics")[1].decode()


def test_beyond_this_machine_management_needs_a_token(serve, twice, tmp_path):
    state = tmp_path / "state"
    server = serve(twice, "--host", "0.0.0.0", "--state-dir", state)
    assert f"management needs a token of {state}/token" in server.stdout()
    assert stat.S_IMODE((state / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    token = (state / "token").read_text().strip()
    assert re.fullmatch(r"[0-9a-f]{64}", token)

    status, body, headers = server.request("POST", LOAD, b"{}")
    assert status == 401
    assert headers["WWW-Authenticate"] == 'Bearer realm="modelmill"'
    assert "management" in json.loads(body)["error"]
    assert server.request("POST", LOAD, b"{}", bearer(token[:-1] + "x"))[0] == 401
    assert server.request("POST", LOAD, b"{}", bearer(token))[0] not in (401, 403)
    load = service_pb2.RepositoryModelLoadRequest(model_name="twice")
    assert stub(server, "RepositoryModelLoad", (load,)).code() == grpc.StatusCode.UNAUTHENTICATED
    with_token = stub(server, "RepositoryModelLoad", (load, None, [("authorization", f"Bearer {token}")]))
    assert not isinstance(with_token, grpc.RpcError), with_token
    for method, path in [("POST", "/v2/logging"), ("POST", "/v2/trace/setting"), ("POST", "/v2//repository/models/x/unlo%61d")]:
        assert server.request(method, path, b"{}")[0] == 401, path

    # All else is open.
    assert infer(server) == 200
    for path in ("/", "/metrics", "/v2", "/v2/models/twice", "/v2/models/twice/stats", "/v2/health/live"):
        assert server.get(path)[0] == 200, path
    server.stop()

    assert "open to whoever" in serve(twice, "--host", "0.0.0.0", "--state-dir", state).stdout()
    assert (state / "token").read_text().strip() == token  # clients need not change at a restart


def test_one_address_beyond_this_machine_is_enough(serve, twice, tmp_path):
    """Of several listeners; a unix socket is this machine's."""
    state = tmp_path / "state"
    socket = f"unix:{tmp_path}/m.sock"
    assert "Access:" not in serve(twice, "--state-dir", state, listen=["127.0.0.1:0", socket]).stdout()
    assert not state.exists()
    server = serve(twice, "--state-dir", state, listen=["127.0.0.1:0", "0.0.0.0:0"])
    assert f"management needs a token of {state}/token" in server.stdout()
    assert server.request("POST", LOAD, b"")[0] == 401


def test_the_operator_may_open_management(serve, twice, tmp_path):
    server = serve(twice, "--host", "0.0.0.0", "--state-dir", tmp_path / "state", "--api", "management=open")
    assert server.request("POST", LOAD, b"")[0] == 200
    assert not (tmp_path / "state" / "token").exists()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, twice):
    """Inference and management ask for a token: all of anna's are good, the robot's for inference alone."""
    folder = tmp_path_factory.mktemp("guarded")
    tokens = write_tokens(folder, "anna anna-token\nrobot robot-token inference\n")
    server = servers.Server(
        folder / "log", twice, "--token-file", tokens, "--api", "inference=token", "--api", "management=token",
        "--access-log",
    )  # fmt: skip
    yield server
    server.assert_alive()
    server.stop()


@pytest.mark.parametrize("kind", ["http", "grpc", "http.aio", "grpc.aio"])
def test_triton_clients(guarded, kind):
    client = Client(kind, guarded.address)
    for headers in (None, {"authorization": "Bearer other"}):
        with pytest.raises(InferenceServerException) as error:
            client.infer("twice", {"x": ROW}, headers=headers)
        assert error.value.status() in ("401", "StatusCode.UNAUTHENTICATED")
        assert "token" in error.value.message()
    result = client.infer("twice", {"x": ROW}, headers={"authorization": "Bearer robot-token"})
    np.testing.assert_array_equal(result.as_numpy("y"), ROW * 2)
    with pytest.raises(InferenceServerException) as error:
        client.load_model("twice", headers={"authorization": "Bearer robot-token"})
    assert error.value.status() in ("403", "StatusCode.PERMISSION_DENIED")
    assert "'robot' is not for calls of the group management" in error.value.message()
    assert client.is_server_ready()
    assert client.is_model_ready("twice")
    client.close()


def test_a_stream_needs_a_token_as_well(guarded):
    def answers(metadata):
        message = service_pb2.ModelInferRequest(model_name="twice")
        tensor = message.inputs.add(name="x", datatype="FP32", shape=[1, 4])
        tensor.contents.fp32_contents.extend([1, 2, 3, 4])
        with grpc.insecure_channel(guarded.address) as channel:
            call = channel.stream_stream(
                "/inference.GRPCInferenceService/ModelStreamInfer",
                request_serializer=service_pb2.ModelInferRequest.SerializeToString,
                response_deserializer=service_pb2.ModelStreamInferResponse.FromString,
            )
            return list(call(iter([message]), metadata=metadata))

    with pytest.raises(grpc.RpcError) as error:
        answers(None)
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert len(answers([("authorization", "Bearer robot-token")])) == 1


def test_a_body_is_not_asked_for_before_the_token_is_seen(guarded):
    body = b"x" * 3_000_000
    arguments = ["--data-binary", "@-", "-H", "Expect: 100-continue", guarded.url + INFER]
    status, headers, trace = curl("--http1.1", *arguments, body=body)
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")
    assert "100 Continue" not in trace
    # The same with a token is asked for it, and refused for what it is.
    status, _, trace = curl("--http1.1", "-H", "Authorization: Bearer robot-token", *arguments, body=body)
    assert status == 400
    assert "100 Continue" in trace
    assert curl("--http1.1", "-H", "Expect:", "--data-binary", "@-", guarded.url + INFER, body=body)[0] == 401
    for protocol in ("--http1.1", "--http2-prior-knowledge"):
        assert curl(protocol, "-d", BODY.decode(), guarded.url + INFER)[0] == 401
        assert curl(protocol, "-H", "Authorization: Bearer robot-token", "-d", BODY.decode(), guarded.url + INFER)[0] == 200


def test_the_announced_command_shows_where_the_token_goes(guarded):
    [command] = re.findall(r"^  ((?:curl|python3 -c).*)$", guarded.stdout(), re.MULTILINE)
    run = lambda command: subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60).stdout  # noqa: E731
    assert "does not know the token" in run(command)
    assert '"y"' in run(command.replace("TOKEN", "robot-token"))


def test_a_connection_outlives_a_refusal(guarded):
    with guarded.connect() as connection, connection.makefile("rb") as stream:
        head = f"POST {INFER} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(BODY)}\r\n"
        for token, status in [(None, b"401"), ("robot-token", b"200"), ("x", b"401"), ("anna-token", b"200")]:
            connection.sendall((head + (f"Authorization: Bearer {token}\r\n" if token else "") + "\r\n").encode() + BODY)
            assert stream.readline().split()[1] == status
            length = 0
            while (line := stream.readline()) != b"\r\n":
                length = int(line.split()[1]) if line.lower().startswith(b"content-length") else length
            stream.read(length)


def test_refusals_are_counted_and_logged(guarded):
    before = refused(guarded, "inference", "no token")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    names = {"x-request-id": "refused-7", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    status, _, headers = guarded.request("POST", INFER, BODY, names)
    assert status == 401
    assert headers["x-request-id"] == "refused-7"
    assert refused(guarded, "inference", "no token") == before + 1
    assert refused(guarded, "inference", "rate") is None  # there is no such limit here
    line = rf"access.*path={INFER} status=401.*request_id=refused-7 trace_id={trace}"
    wait_until(lambda: re.search(line, guarded.log()), "no access line")


def test_tokens_are_read_again(serve, twice, tmp_path):
    tokens = write_tokens(tmp_path, "first\n")
    server = serve(twice, "--token-file", tokens, "--api", "inference=token")
    assert infer(server, bearer("first")) == 200
    write_tokens(tmp_path, "second\n")
    wait_until(lambda: infer(server, bearer("second")) == 200, "the new token is not known")
    assert infer(server, bearer("first")) == 401
    # What can't be used leaves what there was, and the log says so.
    for bad in ("one two three four\n", ""):
        errors = server.log().count("tokens stay as they were")
        write_tokens(tmp_path, bad)
        wait_until(lambda: server.log().count("tokens stay as they were") > errors, "no word in the log")
        assert infer(server, bearer("second")) == 200
    tokens.unlink()
    wait_until(lambda: "cannot be read" in server.log(), "no word in the log")
    assert infer(server, bearer("second")) == 200
    # As Kubernetes changes a mounted secret: the file is a link through a link.
    for name, token in (("v1", "third"), ("v2", "fourth")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokens").write_text(token + "\n")
    (tmp_path / "data").symlink_to("v1")
    tokens.symlink_to("data/tokens")
    wait_until(lambda: infer(server, bearer("third")) == 200, "the linked token is not known")
    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").rename(tmp_path / "data")
    wait_until(lambda: infer(server, bearer("fourth")) == 200, "the new link is not followed")
    server.stop()


def test_groups_that_are_off_and_headers(serve, twice):
    server = serve(
        twice, "--api", "metrics=off", "--api", "metadata=off", "--api", "inference=header:X-Key=open sesame",
    )  # fmt: skip
    assert "inference needs the header x-key" in server.stdout()
    assert "open sesame" not in server.stdout()
    status, body, _ = server.get("/metrics")
    assert status == 403
    assert "--api metrics=off" in json.loads(body)["error"]
    assert server.get("/v2/models/twice")[0] == 403
    assert infer(server) == 403
    assert infer(server, {"x-key": "open sesame"}) == 200
    assert infer(server, {"x-key": "open sesam"}) == 403
    client = Client("grpc", server.address)
    with pytest.raises(InferenceServerException) as error:
        client.infer("twice", {"x": ROW})
    assert error.value.status() == "StatusCode.PERMISSION_DENIED"
    for name in ("x-key", "triton-grpc-protocol-x-key"):
        np.testing.assert_array_equal(client.infer("twice", {"x": ROW}, headers={name: "open sesame"}).as_numpy("y"), ROW * 2)
    with pytest.raises(InferenceServerException) as error:
        client.get_server_metadata()
    assert "metadata are off" in error.value.message()
    client.close()


def test_pages_of_other_origins(serve, twice, tmp_path):
    server = serve(
        twice, "--cors-origin", "https://app.example", "--cors-origin", "http://localhost:3000",
        "--api", "inference=token", "--token-file", write_tokens(tmp_path, "token\n"),
    )  # fmt: skip
    ask = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    status, body, headers = server.request("OPTIONS", INFER, headers=ask)
    assert (status, body) == (204, b"")
    assert headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert headers["Access-Control-Max-Age"] == "7200"
    assert headers["Vary"] == "Origin"
    for token, expected in (({}, 401), (bearer("token"), 200)):
        status, _, headers = server.request("POST", INFER, BODY, {"Origin": "https://app.example", **token})
        assert status == expected
        assert headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "x-request-id" in headers["Access-Control-Expose-Headers"]
    assert server.request("OPTIONS", INFER, headers={**ask, "Origin": "https://evil.example"})[0] == 403
    status, _, headers = server.request("GET", "/v2", headers={"Origin": "https://evil.example"})
    assert status == 200
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Vary"] == "Origin"


def test_the_rate_of_each_client(serve, twice, tmp_path):
    server = serve(
        twice, "--client-rate", "2/h", "--client-burst", "2",
        "--token-file", write_tokens(tmp_path, "anna anna-token\nberta berta-token\n"),
    )  # fmt: skip
    assert [infer(server) for _ in range(3)] == [200, 200, 429]
    status, body, headers = server.request("POST", INFER, BODY)
    assert status == 429
    assert 1700 < int(headers["Retry-After"]) <= 1800
    assert "--client-rate" in json.loads(body)["error"]
    assert server.get("/v2/models/twice")[0] == 200  # inference alone is limited
    assert [infer(server, bearer("anna-token")) for _ in range(3)] == [200, 200, 429]
    message = service_pb2.ModelInferRequest(model_name="twice")
    answer = stub(server, "ModelInfer", (message, None, [("authorization", "Bearer anna-token")]))
    assert answer.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert int(dict(answer.trailing_metadata())["grpc-retry-pushback-ms"]) > 1_700_000
    assert infer(server, bearer("berta-token")) == 200
    assert refused(server, "inference", "rate") == 4


def test_requests_in_flight_of_each_client(serve, twice):
    server = serve(twice, "--client-concurrency", "1")
    head = f"POST {INFER} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
    proceed = b"HTTP/1.1 100 Continue\r\n\r\n"  # once it is counted
    with server.connect() as connection:
        connection.sendall(head)
        assert connection.recv(len(proceed), socket.MSG_WAITALL) == proceed
        assert infer(server) == 429
        connection.sendall(BODY)
        assert connection.recv(12).endswith(b" 200")
        wait_until(lambda: infer(server) == 200, "a request that was answered is still counted")
    with server.connect() as connection:
        connection.sendall(head)
        assert connection.recv(len(proceed), socket.MSG_WAITALL) == proceed
        assert infer(server) == 429
    # Hanging up gives the place back.
    wait_until(lambda: infer(server) == 200, "a client that is gone is still counted")


def test_commands_send_a_token(serve, twice, tmp_path, monkeypatch):
    tokens = write_tokens(tmp_path, "# of the tests\ncli cli-token\n")
    server = serve(
        twice, "--token-file", tokens, "--api", "inference=token", "--api", "metadata=token",
    )  # fmt: skip
    monkeypatch.delenv("MODELMILL_TOKEN", raising=False)
    (tmp_path / "row.json").write_text(json.dumps(ROW.tolist()))
    predict = ["predict", "twice", tmp_path / "row.json", "--server", server.url, "--json"]
    for command in (predict, ["models", "--server", server.url]):
        without = run_cli(*command)
        assert without.returncode == 1, without
        assert "--token-file" in without.stderr
        assert run_cli(*command, "--token-file", tokens).returncode == 0
        monkeypatch.setenv("MODELMILL_TOKEN", "cli-token")
        assert run_cli(*command).returncode == 0
        monkeypatch.delenv("MODELMILL_TOKEN")
        missing = run_cli(*command, "--token-file", tmp_path / "none")
        assert missing.returncode == 2
        assert "cannot be read" in missing.stderr


@pytest.mark.parametrize(
    "arguments,hint",
    [
        (["--api", "metrics"], "metrics=open, =off"),
        (["--api", "everything=off"], "inference, health, metadata, metrics, management"),
        (["--client-rate", "fast"], "is no rate"),
        (["--cors-origin", "example.com"], "is no origin"),
        (["--client-burst", "3"], "--client-rate"),
    ],
)
def test_what_cannot_be_meant_is_refused(twice, arguments, hint):
    result = run_cli("serve", twice, "--port", "0", *arguments)
    assert result.returncode == 2
    assert hint in result.stderr


def test_a_token_file_that_cannot_be_used_ends_the_start(twice, tmp_path):
    (tmp_path / "tokens").write_text("# none yet\n")
    result = run_cli("serve", twice, "--port", "0", "--token-file", tmp_path / "tokens")
    assert result.returncode == 1
    assert "has no token" in result.stderr


def test_a_token_file_that_everyone_reads_is_warned_of(serve, twice, tmp_path):
    tokens = write_tokens(tmp_path, "t\n")
    tokens.chmod(0o644)
    server = serve(twice, "--token-file", tokens, "--api", "inference=token")
    assert "every user of this machine can read the token file" in server.log()
