"""Large outputs that Python writes where the server reads them: modelmill.empty()."""

import concurrent.futures
import json

import numpy as np
import pytest

import clients
import python_workers
import servers
from test_python_faults import ask

SIZE = 1 << 18
# Answers have the number of copies that numpy made for answers before.
CODE = """
real, copies = np.copyto, []

def counting(*arguments, **options):
    copies.append(1)
    return real(*arguments, **options)

np.copyto = counting
kept = []

@modelmill.model(outputs={"y": modelmill.Tensor[np.float32, -1], "z": modelmill.Tensor[np.float32, -1], "copies": int})
def made(x: modelmill.Tensor[np.float32, -1], how: str):
    before = len(copies)
    y, z = modelmill.empty(x.shape, np.float32), modelmill.empty(2 * len(x), np.float32)
    np.multiply(x, 2, out=y)
    z[:] = 7
    if how == "keep":
        kept.append(y)
    if how == "drop":
        y = x * 2
    if how == "twice":
        z = y
    if how == "strided":
        y = z[::2]
    return {"y": y, "z": z[: len(x)], "copies": before}
"""
BATCHED = """
@modelmill.model(batch=64)
def batched(x: modelmill.Tensor[np.float32, 1000]) -> modelmill.Tensor[np.float32, 1000]:
    y = modelmill.empty(x.shape, np.float32)
    np.add(x, 1, out=y)
    return y
"""
STREAMED = """
from collections.abc import Iterator

@modelmill.model
def streamed(last: int) -> Iterator[modelmill.Tensor[np.int64, 3]]:
    once = modelmill.empty(3, np.int64)
    once[:] = -1
    yield once
    yield once
    for number in range(last):
        y = modelmill.empty(3, np.int64)
        y[:] = number
        yield y
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python_outputs")
    code = {"made": CODE, "batched": BATCHED, "streamed": STREAMED}
    entries = [
        (name, python_workers.write(folder / "code", name, text), {"shared_memory_mb": 16}) for name, text in code.items()
    ]
    with servers.serving(folder, python_workers.yaml(folder, *entries)) as server:
        yield server


@pytest.fixture
def client(server):
    """One connection: memory of an answer that was sent is free again before the next request on it is read."""
    client = clients.Client("grpc", server.address)
    yield client
    client.close()


def infer(client, how, value=1.5):
    x = np.full(SIZE, value, np.float32)
    answer = client.infer("made", {"x": x, "how": np.array(how.encode(), object)})
    return x, answer.as_numpy("y"), answer.as_numpy("z"), int(answer.as_numpy("copies"))


def test_they_are_sent_without_a_copy(client):
    """The number of the model is copied, nothing else is."""
    *_, first = infer(client, "")
    for turn in range(50):
        x, y, z, copies = infer(client, "", turn)
        assert (y == 2 * x).all() and (z == 7).all()
        assert copies == first + turn + 1


@pytest.mark.parametrize(("how", "more"), [("drop", 1), ("strided", 1), ("twice", 0)])
def test_what_is_copied_all_the_same(client, how, more):
    before = infer(client, "")[-1]
    x, y, z, _ = infer(client, how)
    assert (y == (7 if how == "strided" else 2 * x)).all() and (z == (2 * x if how == "twice" else 7)).all()
    assert infer(client, "")[-1] == before + 2 + more


def test_one_that_is_kept_is_not_written_over(client):
    """And one that finds no room any more is an array as any other."""
    for turn in range(20):  # of 16 MB
        x, y, z, _ = infer(client, "keep", turn)
        assert (y == 2 * x).all() and (z == 7).all()


def test_rows_of_a_batch(server):
    def one(number):
        client = clients.Client("http", server.address)
        answer = client.infer("batched", {"x": np.full((1, 1000), number, np.float32)}).as_numpy("output")
        client.close()
        return (answer == number + 1).all()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(200)))


def test_answers_of_a_stream(server):
    status, body, _ = server.request(
        "POST", "/v2/models/streamed/generate_stream", json.dumps({"last": 300}).encode(), {"Content-Type": "application/json"}
    )
    events = [json.loads(line[5:]) for line in body.decode().split("\n") if line.startswith("data:")]
    numbers = [event["output"] for event in events if "output" in event]
    assert status == 200 and numbers == [[number] * 3 for number in (-1, -1, *range(300))]


def test_texts_have_no_such_array(serve, tmp_path):
    code = "@modelmill.model\ndef f(x: int) -> str:\n    modelmill.empty(3, object)\n"
    server = serve(python_workers.write(tmp_path, "f", code))
    status, body = ask(server, "f", x=1)
    assert status == 500 and "makes arrays of numbers, not of object" in body["error"]
    server.stop()
