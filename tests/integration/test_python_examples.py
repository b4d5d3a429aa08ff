"""The examples of examples/python, each served as its file lies there and asked as its reader would."""

import json
import re
import struct
import subprocess
import zlib

import numpy as np
import pytest
import tritonclient.http as triton

import servers

FOLDER = servers.ROOT / "examples/python"
VENV = servers.ROOT / "build/venvs/python"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python_examples")
    with servers.serving(folder, FOLDER, "--python", VENV) as server:
        yield server


def predict(server, model, inputs):
    status, body = server.post_json(f"/predict/{model}", inputs)
    assert status == 200, (status, body, server.text())
    return body


def refused(server, model, inputs):
    status, body = server.post_json(f"/predict/{model}", inputs)
    assert status == 400, (status, body)
    return body["error"]


def test_all_of_them_are_served(server):
    assert len(NAMES) == 11
    for name in NAMES:
        assert server.get(f"/v2/models/{name}/ready")[0] == 200
        assert re.search(rf"^  {name}  version 1  \(python\)", server.stdout(), re.MULTILINE), server.stdout()


def test_double(server):
    assert predict(server, "double", {"x": [[1, 2, 3, 4], [5, 6, 7, 8]]}) == {"output": [[2, 4, 6, 8], [10, 12, 14, 16]]}
    assert server.get_json("/v2/models/double/config")["max_batch_size"] == 64


def test_similar_text(server):
    def route(method, path="", body=None):
        status, answer, _ = server.request(method, f"/admin/routes/texts{path}", json.dumps(body).encode() if body else None)
        assert status == 200, answer
        return json.loads(answer)

    compare = {"label": {"kind": "function", "model": "similar_text"}}
    route("PUT", "", {"split": {"sentiment": 100}, "shadow": [{"target": "sentiment", "compare": compare}]})
    assert predict(server, "texts", {"text": "I love this great thing"})["label"] == "positive"
    shadow = servers.wait_until(lambda: [s for s in route("GET", "/shadow")["shadow"] if s["compared"]], "it is compared")
    assert shadow[0]["disagreed"] == 0


def test_sentiment(server):
    assert predict(server, "sentiment", {"text": "I love this great thing"}) == {"label": "positive", "score": 0.4}
    assert "text is empty" in refused(server, "sentiment", {"text": " "})


def test_thumbnail(server):
    with triton.InferenceServerClient(server.address) as client:
        picture = triton.InferInput("picture", [], "BYTES")
        picture.set_data_from_numpy(np.array(png(64, 48), object).reshape(()))
        size = triton.InferInput("size", [], "INT64")
        size.set_data_from_numpy(np.array(16, np.int64))
        answer = client.infer("thumbnail", [picture, size]).as_numpy("picture")
        data = bytes(answer.ravel()[0])
        assert data.startswith(b"\x89PNG") and png_size(data) == (16, 12)
        assert png_size(bytes(client.infer("thumbnail", [picture]).as_numpy("picture").ravel()[0])) == (32, 24)
    assert "this is no picture" in refused(server, "thumbnail", {"picture": "hello"})


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([x, 0, 0]) * width for x in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_size(data):
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_house_price(server):
    houses = {"area": [100, 50], "rooms": [3, 2], "city": ["Paris", "Oslo"]}
    assert predict(server, "house_price", houses) == {"price": [930_000, 170_000]}


def test_loan(server):
    assert predict(server, "loan", {"income": 1000.0, "amount": 4000.0}) == {
        "approved": True,
        "reason": "within five incomes",
    }
    answer = predict(server, "loan", {"income": 1000.0, "amount": 1.0, "employed": False})
    assert answer == {"approved": False, "reason": "no employment"}
    error = refused(server, "loan", {"income": -1.0, "amount": 4000.0})
    assert "income" in error and "greater than 0" in error


def test_nearest(server):
    points = np.random.default_rng(7).standard_normal((1000, 8)).astype(np.float32)
    assert predict(server, "nearest", {"x": points[[5, 700, 31]].tolist()}) == {"index": [5, 700, 31]}
    (group,) = server.get_json("/v2/models/nearest/config")["instance_group"]
    assert group["count"] == 2


def test_both(server):
    assert predict(server, "both", {"x": [[1, 2, 3, 4]]}) == {"doubled": [[2, 4, 6, 8]], "label": "positive"}


def test_tokens(server):
    status, body, headers = server.request(
        "POST",
        "/v2/models/tokens/generate_stream",
        json.dumps({"text": "one two three", "parameters": {}}).encode(),
        {"Content-Type": "application/json"},
    )
    assert status == 200, body
    assert headers["Content-Type"].startswith("text/event-stream")
    events = [json.loads(line[5:]) for line in body.decode().split("\n") if line.startswith("data:")]
    assert [event["token"] for event in events if "token" in event] == ["one", "two", "three"]


def test_counted(server):
    assert predict(server, "counted", {"text": ["one two three", "", "x"]}) == {"words": [3, 0, 1]}
    for line in (r'texts_total\{model="counted",version="1"\} 3', r'text_words_bucket\{[^}]*le="1"[^}]*\} 2'):
        servers.wait_until(lambda line=line: re.search(f"^{line}$", server.get("/metrics")[1].decode(), re.MULTILINE), line)
    servers.wait_until(lambda: "counting begins" in server.log(), "it said so")


def test_scaled(server, serve, tmp_path):
    assert predict(server, "scaled", {"x": [[1, 2]]}) == {"y": [[3, 6]], "device": ["cpu"]}
    (tmp_path / "modelmill.yaml").write_text(
        f"models:\n  - name: other\n    path: {FOLDER / 'scaled.py'}\n    parameters: {{factor: 10}}\n"
    )
    other = serve(tmp_path / "modelmill.yaml")
    assert predict(other, "other", {"x": [[1, 2]]})["y"] == [[10, 20]]
    other.stop()


def test_they_can_be_called_without_a_server():
    """The functions stay what they were."""
    code = "import sys; sys.path[:0] = sys.argv[1:]; import double, numpy as np; print(double.double(np.float32([1, 2])))"
    result = subprocess.run(
        [VENV / "bin/python", "-c", code, servers.ROOT / "python", FOLDER], capture_output=True, text=True, timeout=60
    )
    assert result.stdout.strip() == "[2. 4.]", result.stderr


def test_its_own_word_at_a_stop(serve):
    server = serve(FOLDER / "nearest.py", "--python", VENV)
    server.stop()
    assert server.log().count("nearest stops") == 2
