"""The plain way in: /predict with JSON, CSV and .npy, and answers in any of them."""

import csv
import io
import json
import re
import subprocess

import numpy as np
import pytest

import models
from servers import environment


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def predict(server, model, body, content_type="application/json", accept=None):
    headers = {"Content-Type": content_type, **({"Accept": accept} if accept else {})}
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.request("POST", f"/predict/{model}", body, headers)


ROWS = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)


def test_json_by_name(main_server):
    status, body, headers = predict(main_server, "versions", {"x": ROWS.tolist()})
    assert status == 200, body
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["y"] == (ROWS * 3).tolist()


def test_json_of_two_inputs(main_server):
    status, body, _ = predict(main_server, "simple", {"INPUT0": [list(range(16))], "INPUT1": [[1] * 16]})
    assert status == 200, body
    assert json.loads(body)["OUTPUT0"] == [[value + 1 for value in range(16)]]
    assert json.loads(body)["OUTPUT1"] == [[value - 1 for value in range(16)]]


def test_json_of_strings(main_server):
    status, body, _ = predict(main_server, "string_concat", {"left": [["a", "b"]], "right": [["ü", "2"]]})
    assert status == 200, body
    assert json.loads(body)["joined"] == [["aü", "b2"]]


def test_version_in_the_path(main_server):
    status, body, _ = predict(main_server, "versions/versions/1", {"x": ROWS.tolist()})
    assert status == 200, body
    assert json.loads(body)["y"] == ROWS.tolist()


def test_csv_and_back(main_server):
    text = "\n".join(",".join(str(value) for value in row) for row in ROWS.tolist()) + "\n"
    status, body, headers = predict(main_server, "versions", text.encode(), "text/csv", "text/csv")
    assert status == 200, body
    assert headers["Content-Type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(body.decode())))
    numbers = [[float(value) for value in row] for row in rows if re.match(r"-?[\d.]", row[0])]
    assert numbers == (ROWS * 3).tolist()
    status, body, _ = predict(main_server, "versions", text.encode(), "text/csv")
    assert status == 200, body


def test_npy_and_back(main_server):
    status, body, headers = predict(main_server, "versions", npy(ROWS), "application/x-npy", "application/x-npy")
    assert status == 200, body
    np.testing.assert_array_equal(np.load(io.BytesIO(body)), ROWS * 3)
    status, body, _ = predict(main_server, "versions", npy(ROWS), "application/x-npy")
    assert status == 200, body
    assert json.loads(body)["y"] == (ROWS * 3).tolist()


@pytest.mark.parametrize("dtype", [d for d in models.DTYPES if d not in ("BF16", "BYTES")])
def test_npy_of_every_type(main_server, dtype):
    array = np.array([[1, 0, 1]]).astype(models.DTYPES[dtype][1])
    status, body, _ = predict(
        main_server, f"identity_{dtype.lower()}", npy(array), "application/x-npy", "application/x-npy"
    )
    assert status == 200, body
    echo = np.load(io.BytesIO(body))
    assert echo.dtype == array.dtype
    np.testing.assert_array_equal(echo, array)


def bad_bodies():
    return {
        "not JSON": (b"{", "application/json"),
        "wrong name": (json.dumps({"z": [[1, 2, 3, 4]]}).encode(), "application/json"),
        "ragged": (json.dumps({"x": [[1, 2, 3, 4], [1]]}).encode(), "application/json"),
        "wrong width": (json.dumps({"x": [[1, 2, 3]]}).encode(), "application/json"),
        "text for numbers": (json.dumps({"x": [["a", "b", "c", "d"]]}).encode(), "application/json"),
        "csv of text": (b"a,b,c,d\ne,f,g,h\n", "text/csv"),
        "csv ragged": (b"1,2,3,4\n1,2\n", "text/csv"),
        "npy cut": (npy(ROWS)[:-3], "application/x-npy"),
        "npy that is none": (b"hello", "application/x-npy"),
        "npy of objects": (npy(np.array([[{}]], dtype=object)), "application/x-npy"),
        "empty": (b"", "application/json"),
    }


@pytest.mark.parametrize("case", bad_bodies())
def test_bad_bodies(main_server, case):
    body, content_type = bad_bodies()[case]
    status, reply, _ = predict(main_server, "versions", body, content_type)
    assert 400 <= status < 500, (status, reply)
    assert len(json.loads(reply)["error"]) > 5
    main_server.assert_alive()


def test_unknown_model(main_server):
    status, reply, _ = predict(main_server, "no_such_model", {"x": 1})
    assert status == 404
    assert "no_such_model" in json.loads(reply)["error"]


def test_help_of_a_model(main_server):
    status, body, _ = main_server.get("/predict/versions")
    assert status == 200
    assert b"curl" in body and b"versions" in body


def test_root_page_says_what_this_is(main_server):
    status, body, _ = main_server.get("/")
    assert status == 200
    assert b"modelmill" in body


@pytest.mark.parametrize(
    "make", [models.mlp, models.add_sub, models.string_concat, models.scalars], ids=lambda f: f.__name__
)
def test_the_curl_line_works_when_pasted(serve, tmp_path, make):
    server = serve(models.save(make(), tmp_path / "m.onnx"))
    command = next(line.strip() for line in server.stdout().splitlines() if "curl " in line)
    result = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment(), "no_proxy": "127.0.0.1"},
    )
    assert result.returncode == 0, (command, result.stderr)
    answer = json.loads(result.stdout)
    assert "error" not in answer, (command, answer)
    assert set(answer) == {output.name for output in make().graph.output}
    server.stop()
