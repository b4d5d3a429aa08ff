"""HTTP as other clients speak it: curl with both versions, raw sockets, pipelining, and bytes that are no HTTP."""

import json
import socket
import subprocess

import numpy as np
import pytest


ROW = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
INFER = "/v2/models/versions/infer"


# ---- raw HTTP/1.1 -----------------------------------------------------------------------------------------------


def raw_request(method, path, body=b"", headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_reply(stream):
    """(status, headers, body) of one reply from a file-like socket."""
    status_line = stream.readline()
    assert status_line.startswith(b"HTTP/1.1 "), status_line
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        key, _, value = line.decode().partition(":")
        headers[key.strip().lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(stream.readline(), 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    else:
        body = stream.read(int(headers.get("content-length", 0)))
    return int(status_line.split()[1]), headers, body


def exchange(server, *requests):
    """The replies to requests sent on one connection in one write."""
    with server.connect() as connection, connection.makefile("rb") as stream:
        connection.sendall(b"".join(requests))
        return [read_reply(stream) for _ in requests]


def binary_request(header, tensors, **extra):
    """(body, headers) of a binary request."""
    text = json.dumps(header).encode()
    return text + tensors, {"Inference-Header-Content-Length": str(len(text)), **extra}


def infer_row(value, version="1"):
    body = json.dumps({"id": str(value), "inputs": [{**ROW["inputs"][0], "data": [value] * 4}]}).encode()
    return raw_request("POST", f"/v2/models/versions/versions/{version}/infer", body)


def test_pipelining(main_server):
    """Replies come in the order of the requests, also when models of different speed answer them."""
    requests = []
    for value in range(100):
        requests.append(infer_row(value))
        if value % 3 == 0:
            requests.append(raw_request("GET", "/v2/health/live"))
    replies = iter(exchange(main_server, *requests))
    for value in range(100):
        status, _, body = next(replies)
        assert status == 200
        assert json.loads(body)["id"] == str(value)
        assert json.loads(body)["outputs"][0]["data"] == [value] * 4
        if value % 3 == 0:
            status, _, body = next(replies)
            assert (status, body) == (200, b'{"live":true}')


def test_keep_alive_and_close(main_server):
    with main_server.connect() as connection, connection.makefile("rb") as stream:
        for _ in range(3):
            connection.sendall(raw_request("GET", "/v2"))
            assert read_reply(stream)[0] == 200
        connection.sendall(raw_request("GET", "/v2", headers=["Connection: close"]))
        assert read_reply(stream)[0] == 200
        assert stream.read() == b"", "the server closes"


def test_http_1_0(main_server):
    with main_server.connect() as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.0\r\n\r\n")
        assert b" 200 " in connection.makefile("rb").readline()


def test_request_in_single_bytes(main_server):
    with main_server.connect() as connection, connection.makefile("rb") as stream:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in infer_row(7):
            connection.sendall(bytes([byte]))
        status, _, body = read_reply(stream)
    assert status == 200
    assert json.loads(body)["outputs"][0]["data"] == [7] * 4


def test_chunked_request(main_server):
    body = json.dumps(ROW).encode()
    chunks = (
        b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:11], body[11:])) + b"0\r\n\r\n"
    )
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with main_server.connect() as connection, connection.makefile("rb") as stream:
        connection.sendall(head + chunks)
        status, _, reply = read_reply(stream)
    assert status == 200
    assert json.loads(reply)["outputs"][0]["data"] == [3, 6, 9, 12]


def test_expect_continue(main_server):
    body = json.dumps(ROW).encode()
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with main_server.connect() as connection, connection.makefile("rb") as stream:
        connection.sendall(head)
        assert b" 100 " in stream.readline()
        assert stream.readline() == b"\r\n"
        connection.sendall(body)
        assert read_reply(stream)[0] == 200


def test_head_and_options_and_wrong_methods(main_server):
    for method, path in (("GET", INFER), ("POST", "/v2"), ("DELETE", "/v2/models/simple"), ("PUT", "/metrics")):
        [(status, _, _)] = exchange(main_server, raw_request(method, path))
        assert status == 405, (method, path, status)


@pytest.mark.parametrize(
    "path", ["/nothing", "/v2/nothing", "/v2/models/simple/nothing", "/v3", "/v2/models/simple/versions"]
)
def test_unknown_paths(main_server, path):
    status, body, headers = main_server.get(path)
    assert status in (400, 404)
    assert json.loads(body)["error"]


def test_content_type_of_answers(main_server):
    _, _, headers = main_server.request("POST", INFER, json.dumps(ROW).encode())
    assert headers["Content-Type"] == "application/json"
    status, body = main_server.post_json("/v2/models/none/infer", ROW)
    assert (status, list(body)) == (404, ["error"])


# ---- bytes that are nothing -------------------------------------------------------------------------------------


GARBAGE = {
    "random": np.random.default_rng(3).bytes(4096),
    "TLS hello": bytes.fromhex("16030100a5010000a10303") + b"\0" * 160,
    "SSH": b"SSH-2.0-OpenSSH_9.0\r\n",
    "half an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM",
    "preface, then garbage": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 200,
    "preface, then a frame of 16 MB": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    "a request line without end": b"GET /" + b"a" * 200_000,
    "a header without end": b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000_000,
    "endless headers": b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 100_000,
    "two lengths": b"POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "length is negative": b"POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "length is beyond all": b"POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "chunk size is no number": b"POST /v2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "zeros": b"\0" * 10_000,
    "nothing": b"",
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_on_the_port(main_server, case):
    with main_server.connect() as connection:
        try:
            connection.sendall(GARBAGE[case])
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
    main_server.assert_alive()


def test_broken_escapes_in_paths(main_server):
    for path in ("/v2/models/%zz/ready", "/v2/models/%", "/v2/models/..%2f..%2fetc/config", "/v2/models/a%00b"):
        [(status, _, _)] = exchange(main_server, raw_request("GET", path))
        assert status in (400, 404), path
    [(status, _, _)] = exchange(main_server, raw_request("GET", "/v2/models/%73imple/ready"))
    assert status == 200


# ---- curl -------------------------------------------------------------------------------------------------------


def run_curl(*arguments):
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "60", *arguments], capture_output=True, timeout=60, check=True
    ).stdout


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1", "--http2", "--http2-prior-knowledge"])
def test_curl(main_server, version):
    reply = run_curl(version, "-d", json.dumps(ROW), main_server.url + INFER)
    assert json.loads(reply)["outputs"][0]["data"] == [3, 6, 9, 12]
    spoken = run_curl(version, "-o", "/dev/null", "-w", "%{http_code} %{http_version}", main_server.url + "/v2")
    assert spoken.split()[0] == b"200"
    if version == "--http2-prior-knowledge":
        assert spoken.split()[1] == b"2"


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_uploads_ten_megabytes(main_server, tmp_path, version):
    x = np.random.default_rng(9).standard_normal(2_500_000).astype(np.float32)
    header = {
        "inputs": [
            {"name": "INPUT0", "shape": [1, x.size], "datatype": "FP32", "parameters": {"binary_data_size": x.nbytes}}
        ],
        "outputs": [{"name": "OUTPUT0", "parameters": {"binary_data": True}}],
    }
    body, headers = binary_request(header, x.tobytes())
    (tmp_path / "body").write_bytes(body)
    reply = run_curl(
        version, "--data-binary", f"@{tmp_path / 'body'}", *(f"-H{key}: {value}" for key, value in headers.items()),
        main_server.url + "/v2/models/native_identity/infer",
    )  # fmt: skip
    assert reply[-x.nbytes :] == x.tobytes()


def test_curl_many_on_one_connection(main_server):
    url = main_server.url + "/v2/health/live"
    arguments = [part for _ in range(20) for part in ("-o", "/dev/null", url)]
    out = run_curl("--http1.1", "-w", "%{http_code} %{num_connects}\n", *arguments)
    assert out.decode().splitlines() == ["200 1"] + ["200 0"] * 19


@pytest.mark.parametrize("streams", [1, 100, 1000])
def test_many_streams_on_one_connection(main_server, tmp_path, streams):
    """HTTP/2 with as many requests in flight as a connection may have, and more."""
    (tmp_path / "body").write_text(json.dumps(ROW))
    out = subprocess.run(
        ["h2load", "-n", "3000", "-c", "1", "-m", str(streams), "-d", str(tmp_path / "body"), main_server.url + INFER],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert "3000 succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    assert "3000 2xx" in out, out


# ---- compression ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/metrics", "/v2/models/identity_fp32/infer", "/predict/identity_fp32"])
def test_curl_compressed(main_server, tmp_path, path):
    """curl inflates what it gets; it got less than it shows."""
    arguments = ["curl", "-sS", "--noproxy", "*", "-w", "%{size_download}", "-o", str(tmp_path / "out")]
    if path != "/metrics":
        zeros = [0] * 4000
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4000], "data": zeros}
        value = {"inputs": [tensor]} if path.startswith("/v2") else {"x": [zeros]}
        (tmp_path / "in").write_text(json.dumps(value))
        arguments += ["-H", "content-type: application/json", "--data-binary", f"@{tmp_path / 'in'}"]

    def download(*more):
        done = subprocess.run([*arguments, *more, main_server.url + path], capture_output=True, text=True, check=True)
        return int(done.stdout), (tmp_path / "out").read_bytes()

    size, plain = download()
    assert size == len(plain)
    size, inflated = download("--compressed")
    assert size < len(inflated) / 2
    if path != "/metrics":
        assert inflated == plain
