"""HTTP as other clients speak it: curl with both versions, raw sockets, pipelining, and bytes that are no HTTP."""

import gzip
import json
import re
import socket
import struct
import subprocess

import numpy as np
import pytest

ROW = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
INFER = "/v2/models/versions/infer"


# ---- raw HTTP/1.1 ------------------------------------------------------------------------------------------------


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
            assert (status, body) == (200, b"")


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


# ---- the binary extension by hand --------------------------------------------------------------------------------


def binary_request(header, tensors, **extra):
    """(body, headers) of a binary request."""
    text = json.dumps(header).encode()
    return text + tensors, {"Inference-Header-Content-Length": str(len(text)), **extra}


def test_binary_output_of_all(main_server):
    x = np.arange(4, dtype=np.float32)
    header = {
        "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}],
        "parameters": {"binary_data_output": True},
    }
    body, headers = binary_request(header, x.tobytes())
    status, reply, reply_headers = main_server.request("POST", INFER, body, headers)
    assert status == 200
    length = int(reply_headers["Inference-Header-Content-Length"])
    output = json.loads(reply[:length])["outputs"][0]
    assert output["parameters"]["binary_data_size"] == 16
    assert "data" not in output
    np.testing.assert_array_equal(np.frombuffer(reply[length:], np.float32), x * 3)


def test_raw_binary_request(main_server):
    """A body of nothing but a tensor, for a model with one input: header length 0."""
    x = np.arange(4, dtype=np.float32)
    status, reply, headers = main_server.request(
        "POST", INFER, x.tobytes(), {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"}
    )
    assert status == 200, reply
    length = int(headers["Inference-Header-Content-Length"])
    np.testing.assert_array_equal(np.frombuffer(reply[length:], np.float32), x * 3)


def test_raw_binary_request_for_two_inputs(main_server):
    status, reply, _ = main_server.request(
        "POST", "/v2/models/simple/infer", b"\0" * 128, {"Inference-Header-Content-Length": "0"}
    )
    assert status == 400
    assert "Raw request must only have 1 input (found 1) to be deduced but got 2 inputs in" in reply.decode()


def bad_binary_requests():
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32"}
    declared = lambda size: {"inputs": [{**tensor, "parameters": {"binary_data_size": size}}]}  # noqa: E731
    return {
        "fewer bytes than declared": binary_request(declared(16), b"\0" * 12),
        "more bytes than declared": binary_request(declared(16), b"\0" * 20),
        "declared size is not the shape's": binary_request(declared(12), b"\0" * 12),
        "declared size is negative": binary_request(declared(-16), b"\0" * 16),
        "declared size is huge": binary_request(declared(2**63), b"\0" * 16),
        "declared size is text": binary_request(declared("16"), b"\0" * 16),
        "header longer than the body": (
            json.dumps(declared(16)).encode(),
            {"Inference-Header-Content-Length": "100000"},
        ),
        "header is negative": (b"{}", {"Inference-Header-Content-Length": "-5"}),
        "header is text": (b"{}", {"Inference-Header-Content-Length": "abc"}),
        "header cuts the JSON": (
            json.dumps(declared(16)).encode() + b"\0" * 16,
            {"Inference-Header-Content-Length": "20"},
        ),
        "data and binary": binary_request(
            {"inputs": [{**tensor, "data": [1, 2, 3, 4], "parameters": {"binary_data_size": 16}}]}, b"\0" * 16
        ),
    }


@pytest.mark.parametrize("case", bad_binary_requests())
def test_bad_binary_request(main_server, case):
    body, headers = bad_binary_requests()[case]
    status, reply, _ = main_server.request("POST", INFER, body, headers)
    if case == "data and binary" and status == 200:
        return  # one of the two is used
    assert status == 400, (status, reply)
    assert json.loads(reply)["error"]
    main_server.assert_alive()


# ---- JSON that is wrong --------------------------------------------------------------------------------------------


def bad_json():
    good = ROW["inputs"][0]
    with_input = lambda **change: json.dumps({"inputs": [{**good, **change}]}).encode()  # noqa: E731
    without = lambda key: json.dumps({"inputs": [{k: v for k, v in good.items() if k != key}]}).encode()  # noqa: E731
    return {
        "empty": b"",
        "not JSON": b"hello",
        "cut": json.dumps(ROW).encode()[:-5],
        "not UTF-8": b'{"inputs": [{"name": "\xff\xfe"}]}',
        "an array": b"[1, 2]",
        "a number": b"5",
        "trailing garbage": json.dumps(ROW).encode() + b"}",
        "no inputs": b"{}",
        "inputs is an object": b'{"inputs": {}}',
        "inputs is empty": b'{"inputs": []}',
        "input is a number": b'{"inputs": [5]}',
        "no name": without("name"),
        "no shape": without("shape"),
        "no datatype": without("datatype"),
        "no data": without("data"),
        "name is a number": with_input(name=5),
        "shape is text": with_input(shape="1,4"),
        "shape has text": with_input(shape=[1, "4"]),
        "shape has a fraction": with_input(shape=[1, 4.5]),
        "shape is negative": with_input(shape=[-1, 4]),
        "shape of 2^63 - 1": with_input(shape=[2**63 - 1, 4]),
        "shape of 2^63": with_input(shape=[2**63, 4]),
        "shape that overflows": with_input(shape=[2**4, 2**60 + 2]),
        "shape that overflows in bytes": with_input(shape=[2**2, 2**60 + 2]),
        "unknown datatype": with_input(datatype="FP31"),
        "too few values": with_input(data=[1, 2, 3]),
        "too many values": with_input(data=[1, 2, 3, 4, 5]),
        "values are text": with_input(data=["1", "2", "3", "4"]),
        "values are null": with_input(data=[None] * 4),
        "nested too deep": b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "data nested too deep": with_input(data="@").replace(b'"@"', b"[" * 5000 + b"1" + b"]" * 5000),
        "same input twice": json.dumps({"inputs": [good, good]}).encode(),
        "id is an object": json.dumps({"id": {}, **ROW}).encode(),
        "parameters is a list": json.dumps({"parameters": [1], **ROW}).encode(),
        "outputs is an object": json.dumps({"outputs": {}, **ROW}).encode(),
        "output without a name": json.dumps({"outputs": [{}], **ROW}).encode(),
        "classification is text": json.dumps(
            {"outputs": [{"name": "y", "parameters": {"classification": "two"}}], **ROW}
        ).encode(),
    }


@pytest.mark.parametrize("case", bad_json())
def test_bad_json(main_server, case):
    status, reply = main_server.post_json(INFER, bad_json()[case])
    assert status == 400, (status, reply)
    assert len(reply["error"]) > 5
    assert main_server.post_json(INFER, ROW)[1]["outputs"][0]["data"] == [3, 6, 9, 12]


@pytest.mark.parametrize(
    "dtype,values",
    [("INT8", [128]), ("INT8", [-129]), ("UINT8", [256]), ("UINT8", [-1]), ("INT32", [2**31]), ("UINT32", [2**32]),
     ("INT64", [2**63]), ("UINT64", [2**64]), ("UINT64", [-1]), ("INT32", [1.5]), ("BOOL", [2]), ("BYTES", [5]),
     ("INT16", [1e10])],
)  # fmt: skip
def test_values_that_do_not_fit(main_server, dtype, values):
    request = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": dtype, "data": values}]}
    status, reply = main_server.post_json(f"/v2/models/identity_{dtype.lower()}/infer", request)
    assert status == 400, reply
    assert "x" in reply["error"]


def test_nested_data(main_server):
    """Values may be nested as the shape says, or flat."""
    for data in ([1, 2, 3, 4, 5, 6, 7, 8], [[1, 2, 3, 4], [5, 6, 7, 8]]):
        request = {"inputs": [{"name": "x", "shape": [2, 4], "datatype": "FP32", "data": data}]}
        status, reply = main_server.post_json(INFER, request)
        assert status == 200, reply
        assert reply["outputs"][0]["shape"] == [2, 4]
        assert reply["outputs"][0]["data"] == [3, 6, 9, 12, 15, 18, 21, 24]


def test_json_of_special_values(main_server):
    """What JSON has no number for is written as Triton writes it, which Python and JavaScript's JSON5 read."""
    header = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": 12}}]}
    body, headers = binary_request(header, struct.pack("<3f", float("nan"), float("inf"), 1))
    status, reply, _ = main_server.request("POST", "/v2/models/identity_fp32/infer", body, headers)
    assert status == 200
    assert re.search(rb'"data":\s*\[NaN,\s*Inf(inity)?,\s*1(\.0)?\]', reply), reply


def test_text_escapes(main_server):
    text = 'tab\t quote" slash\\ nul\x00 emoji \U0001f600'
    request = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]}
    status, reply = main_server.post_json("/v2/models/identity_bytes/infer", request)
    assert status == 200, reply
    assert reply["outputs"][0]["data"] == [text]


def test_large_json(main_server):
    """A million values: parsed off the loops, and right."""
    values = list(range(1_000_000))
    request = {"inputs": [{"name": "x", "shape": [1, len(values)], "datatype": "INT32", "data": values}]}
    status, reply = main_server.post_json("/v2/models/identity_int32/infer", request)
    assert status == 200
    assert reply["outputs"][0]["data"] == values


def test_huge_json_that_is_wrong(main_server):
    body = b'{"inputs": [' + b'{"name": "x"},' * 1_000_000 + b"5]}"
    status, reply = main_server.post_json(INFER, body)
    assert status == 400
    assert len(reply["error"]) < 1000
    main_server.assert_alive()


def test_gzip_bomb_and_broken_gzip(main_server):
    for body in (
        gzip.compress(b"\0" * (64 << 20)),
        b"\x1f\x8b" + b"garbage" * 10,
        gzip.compress(json.dumps(ROW).encode())[:-9],
    ):
        status, reply, _ = main_server.request("POST", INFER, body, {"Content-Encoding": "gzip"})
        assert 400 <= status < 500, (status, reply)
    main_server.assert_alive()


# ---- bytes that are nothing ----------------------------------------------------------------------------------------

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


# ---- curl ------------------------------------------------------------------------------------------------------------


def run_curl(*arguments):
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "30", *arguments], capture_output=True, timeout=60, check=True
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


# ---- compression -------------------------------------------------------------------------------------------------


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
