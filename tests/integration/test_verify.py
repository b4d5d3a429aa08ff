"""`modelmill verify`: the same requests to two servers, with what differs and how fast they are."""

import base64
import json
import struct

import pytest

import models
from free_ports import free_ports
from servers import run_cli, serving, wait_until

SAME, DIFFERENT, USAGE, UNREACHABLE = 0, 1, 2, 3


def infer(name, *x, binary=False):
    """A line of a file of requests."""
    tensor = {"name": "x", "shape": [1, len(x)], "datatype": "FP32"}
    if not binary:
        return {"path": f"/v2/models/{name}/infer", "body": {"inputs": [{**tensor, "data": list(x)}]}}
    data = struct.pack(f"<{len(x)}f", *x)
    head = {"inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}], "parameters": {"binary_data_output": True}}
    head = json.dumps(head).encode()
    return {
        "method": "POST",
        "path": f"/v2/models/{name}/infer",
        "headers": {"Inference-Header-Content-Length": str(len(head)), "Host": "elsewhere"},
        "body_base64": base64.b64encode(head + data).decode(),
    }


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two servers, the second of which has one other model and one that is a little off."""
    folder = tmp_path_factory.mktemp("pair")
    for side, factors in (("old", (2, 3, 1)), ("new", (2, 4, 1.000001))):
        for name, factor in zip(("same", "other", "close"), factors):
            models.save(models.scaled(factor), folder / side / f"{name}.onnx")
    with serving(folder / "a", folder / "old") as old, serving(folder / "b", folder / "new") as new:
        yield old, new


def verify(tmp_path, pair, lines, *arguments, code=SAME):
    file = tmp_path / "requests.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    old, new = pair
    result = run_cli("verify", "--against", old.url, "--with", new.url, "--requests", file, *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    return result


def test_the_same_answers_in_every_form(tmp_path, pair):
    lines = [
        infer("same", 1, 2, 3, 4),
        infer("same", 1, 2, 3, 4, binary=True),
        infer("close", 1, 2, 3, 4),
        infer("close", 1, 2, 3, 4, binary=True),
        {"path": "/v1/models/same:predict", "body": {"instances": [[1, 2, 3, 4]]}},
        {"path": "/v2/models/same"},
        {"path": "/v2/models/nobody"},
        {"path": "/v2"},
    ]
    result = verify(tmp_path, pair, lines, "--repeat", 2, "--concurrency", 2)
    assert "8 requests: 8 same, 0 different, 0 failed\n" in result.stdout
    assert "p50 ms" in result.stdout and pair[0].url in result.stdout and pair[1].url in result.stdout


def test_differences_have_places(tmp_path, pair):
    lines = [infer("same", 1, 2, 3, 4), infer("other", 1, 0, 2, 0), infer("other", 1, 0, 2, 0, binary=True)]
    result = verify(tmp_path, pair, lines, "--repeat", 0, code=DIFFERENT)
    assert result.stdout == (
        f"{tmp_path}/requests.jsonl:2: POST /v2/models/other/infer: 2 differences\n"
        "    outputs[y].data[0]: expected 3, got 4\n"
        "    outputs[y].data[2]: expected 6, got 8\n"
        f"{tmp_path}/requests.jsonl:3: POST /v2/models/other/infer: 2 differences\n"
        "    outputs[y][0]: expected 3, got 4\n"
        "    outputs[y][2]: expected 6, got 8\n"
        "3 requests: 1 same, 2 different, 0 failed\n"
    )
    verify(tmp_path, pair, lines, "--repeat", 0, "--ignore", "outputs[*].data")
    verify(tmp_path, pair, lines, "--repeat", 0, "--tolerance", 0.5)
    verify(tmp_path, pair, [infer("close", 1, 2, 3, 4)], "--repeat", 0, "--tolerance", 0, code=DIFFERENT)


def test_json_counts_what_was_sent(tmp_path, pair):
    before = [server.stats("same")["inference_count"] for server in pair]
    lines = [infer("same", 1, 2, 3, 4), infer("other", 1, 0, 2, 0)]
    result = json.loads(verify(tmp_path, pair, lines, "--repeat", 4, "--concurrency", 3, "--json", code=DIFFERENT).stdout)
    assert (result["same"], result["different"], result["failed"]) == (1, 1, 0)
    assert [request["differences"] for request in result["requests"]] == [0, 2]
    for side in ("against", "with"):
        assert result[side]["requests"] == 12 and result[side]["failed"] == 0
        assert 0 < result[side]["p50_ms"] <= result[side]["p99_ms"] and result[side]["requests_per_second"] > 0
    for server, count in zip(pair, before):
        wait_until(lambda server=server, sent=count + 9: server.stats("same")["inference_count"] == sent, "all are counted")


def test_what_a_browser_has_recorded(tmp_path, pair):
    line = infer("same", 1, 2, 3, 4)
    headers = [{"name": ":method", "value": "POST"}, {"name": "accept-encoding", "value": "gzip"}]
    request = {
        "method": "POST",
        "url": "https://old.example" + line["path"],
        "headers": headers,
        "postData": {"mimeType": "application/json", "text": json.dumps(line["body"])},
    }
    file = tmp_path / "session.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": [{"request": request}]}}, indent=2))
    old, new = pair
    result = run_cli("verify", "--against", old.url, "--with", new.url, "--requests", file)
    assert result.returncode == SAME and "1 request: 1 same" in result.stdout, result.stdout + result.stderr


def test_what_cannot_be_compared(tmp_path, pair):
    result = verify(tmp_path, pair, [{"path": "v2"}], code=USAGE)
    assert f"{tmp_path}/requests.jsonl:1: 'path' must begin with '/'" in result.stderr
    old, _ = pair
    (port,) = free_ports(1)
    file = tmp_path / "requests.jsonl"
    file.write_text('{"path": "/v2"}\n')
    gone = run_cli("verify", "--against", old.url, "--with", f"http://127.0.0.1:{port}", "--requests", file)
    assert gone.returncode == UNREACHABLE and f"127.0.0.1:{port}" in gone.stderr
    missing = run_cli("verify", "--against", old.url, "--requests", tmp_path / "nothing")
    assert missing.returncode == USAGE and "can't read" in missing.stderr


def test_only_ours_gets_our_token(tmp_path):
    models.save(models.scaled(2), tmp_path / "m.onnx")
    (tmp_path / "token").write_text("secret-of-ours\n")
    (tmp_path / "other").write_text("secret-of-theirs\n")
    with (
        serving(tmp_path / "a", tmp_path / "m.onnx", "--token-file", tmp_path / "other", "--api", "inference=token") as old,
        serving(tmp_path / "b", tmp_path / "m.onnx", "--token-file", tmp_path / "token", "--api", "inference=token") as new,
    ):
        line = {**infer("m", 1, 2, 3, 4), "headers": {"Authorization": "Bearer secret-of-theirs"}}
        verify(tmp_path, (old, new), [line], "--token-file", tmp_path / "token")
        verify(tmp_path, (old, new), [line], code=DIFFERENT)
