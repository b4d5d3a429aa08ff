"""Bodies of V2 requests over HTTP by hand: binary data behind JSON, and JSON that is wrong."""

import gzip
import json
import re
import struct

import numpy as np
import pytest

from test_http_wire import INFER, ROW, binary_request


# ---- the binary extension by hand -------------------------------------------------------------------------------


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


# ---- JSON that is wrong -----------------------------------------------------------------------------------------


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
