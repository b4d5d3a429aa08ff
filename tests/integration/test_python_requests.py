"""What becomes of single requests: rows that fail in a batch, callers that have gone, deadlines, code from URLs."""

import concurrent.futures
import re
import threading

import numpy as np
import pytest

import python_workers
import servers
import storage
from clients import Client, InferenceServerException
from servers import wait_until
from test_python_faults import ask

CLIENTS = 24
WRONG = 5  # every fifth client's


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python_requests")
    python_workers.write(
        folder,
        "halves",
        """
        import time

        @modelmill.model(batch=64, outputs={"half": int, "rows": int})
        def halves(x: int):
            time.sleep(0.05)
            errors = {row: modelmill.Error(f"{value} is odd", code="OUT_OF_RANGE") for row, value in enumerate(x) if value % 2}
            return modelmill.Errors({"half": x // 2, "rows": [len(x)] * len(x)}, errors)
        """,
    )
    python_workers.write(
        folder,
        "numbers",
        """
        import asyncio

        def number(text):
            if text == "raise":
                raise ValueError("it was asked to")
            return int(text) if text.isdigit() else modelmill.Error(f"'{text}' is no number")

        async def parse(text):
            return number(text)

        @modelmill.model(batch=64)
        async def numbers(text: str) -> int:
            await asyncio.sleep(0.05)
            return await asyncio.gather(*map(parse, text), return_exceptions=True)
        """,
    )
    python_workers.write(
        folder,
        "wrong_rows",
        """
        @modelmill.model(batch=4)
        def wrong_rows(x: int) -> int:
            return modelmill.Errors(x, {7: modelmill.Error("there is no row 7")})
        """,
    )
    python_workers.write(
        folder,
        "inner",
        """
        import time

        @modelmill.model
        def inner(x: int, request: modelmill.Request) -> float:
            print(f"inner begins {x}")
            left = request.seconds_left
            while x > 0 and not request.cancelled:
                time.sleep(0.01)
            print(f"inner ends {x}")
            return -1.0 if left is None else left
        """,
    )
    python_workers.write(
        folder,
        "outer",
        """
        @modelmill.model
        async def outer(x: int) -> float:
            try:
                return (await modelmill.call_async("inner", x=x))["output"].item()
            finally:
                print(f"outer ends {x}")
        """,
    )
    python_workers.write(
        folder,
        "returned",
        """
        import inspect

        frees, kept = [], []

        def count_frees():
            link = next(f.frame.f_locals["batch"] for f in inspect.stack() if "batch" in f.frame.f_locals)._link
            link.free = lambda number, free=link.free: (frees.append(number), free(number))

        @modelmill.model(outputs={"y": modelmill.Tensor[np.float32, -1], "frees": int})
        def returned(x: modelmill.Tensor[np.float32, -1], keep: bool = False):
            if "free" not in globals():
                globals()["free"] = count_frees()
            kept[:] = [x] if keep else []
            return {"y": x, "frees": len(frees)}
        """,
    )
    with servers.serving(folder, folder) as server:
        yield server


def from_all(work):
    """What `work(number)` returns for each of CLIENTS that begin together."""
    ready = threading.Barrier(CLIENTS)

    def one(number):
        ready.wait(60)
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(CLIENTS)))


def test_rows_that_fail_in_a_batch_of_arrays(server):
    """The requests that have them fail; the others of the same batch are answered."""

    def work(number):
        wrong = number % WRONG == 0
        return wrong, number, *ask(server, "halves", x=[4 * number, 4 * number + 1 if wrong else 4 * number + 2])

    def some_ran_together():
        answers = from_all(work)
        for wrong, number, status, body in answers:
            if wrong:
                assert (status, body["error"]) == (400, f"{4 * number + 1} is odd")
            else:
                assert status == 200 and body["half"] == [2 * number, 2 * number + 1], body
        return max(max(body["rows"]) for wrong, *_, body in answers if not wrong) > 2

    wait_until(some_ran_together, "one that is answered ran with another")


def test_errors_in_the_place_of_rows(server):
    texts = ["12", "x", "raise", "7"]

    def work(number):
        text = texts[number % len(texts)]
        return text, *ask(server, "numbers", text=[text])

    for text, status, body in from_all(work):
        if text.isdigit():
            assert (status, body) == (200, {"output": [int(text)]})
        elif text == "x":
            assert (status, body["error"]) == (400, "'x' is no number")
        else:
            assert status == 500 and "it was asked to" in body["error"], body
    # One whose every row has failed, and others of its rows.
    for texts, wrong in ((["x", "y"], "x"), (["1", "y"], "y")):
        status, body = ask(server, "numbers", text=texts)
        assert (status, body["error"]) == (400, f"'{wrong}' is no number")


def test_an_input_that_is_returned_is_free_with_the_answer(server):
    """The worker has to tell of memory that it lets go of later only where the model's code kept an array."""
    for value in range(5):
        assert ask(server, "returned", x=[float(value)]) == (200, {"y": [value], "frees": 0})
    assert ask(server, "returned", x=[7.0], keep=True) == (200, {"y": [7.0], "frees": 0})
    assert ask(server, "returned", x=[8.0]) == (200, {"y": [8.0], "frees": 1})


def test_errors_of_rows_that_there_are_not(server):
    status, body = ask(server, "wrong_rows", x=[1, 2])
    assert status == 500 and "names rows [7] of a batch of 2" in body["error"], body


def test_a_call_of_another_model_ends_with_its_caller(server):
    """The client of the outer model goes; the inner one is told."""
    server.leave("/predict/outer", {"x": 1}, lambda: "inner begins 1" in server.log(), "the inner one has begun")
    wait_until(lambda: "inner ends 1" in server.log(), "it is told")
    wait_until(lambda: "outer ends 1" in server.log(), "its caller is told")
    assert ask(server, "outer", x=0)[0] == 200


def test_a_call_of_another_model_has_its_callers_deadline(server):
    assert ask(server, "outer", x=0) == (200, {"output": -1.0})
    client = Client("grpc", server.address)
    try:
        left = client.infer("outer", {"x": np.array(0)}, client_timeout=20).as_numpy("output").item()
        # gRPC's core rounds the time that it sends up, to a tenth of a second at this size.
        assert 10 < left < 20.2
        with pytest.raises(InferenceServerException) as error:
            client.infer("outer", {"x": np.array(2)}, client_timeout=5)
        assert "DEADLINE_EXCEEDED" in str(error.value.status())
    finally:
        client.close()
    wait_until(lambda: "inner ends 2" in server.log() and "outer ends 2" in server.log(), "both have ended")


def test_code_from_a_url(serve, tmp_path):
    """It is run where that is allowed, and what is refused says how to allow it."""
    code = python_workers.write(tmp_path, "mine", "@modelmill.model\ndef mine(x: int) -> int:\n  return 2 * x").read_bytes()
    web = storage.WebServer()
    web.files["/models/mine.py"] = storage.File(code)
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    try:
        url = f"{web.url}/models/mine.py"
        result = servers.run_cli("serve", url, "--port", 0, env=env)
        assert result.returncode == 1 and "--allow-model-code url" in result.stderr, result.stderr
        result = servers.run_cli("serve", url, "--port", 0, "--allow-model-code", "sent", env=env)
        assert result.returncode == 1 and re.search("comes from a URL", result.stderr), result.stderr
        server = serve(url, "--allow-model-code", "url", env=env)
        assert ask(server, "mine", x=21) == (200, {"output": 42})
        server.stop()
    finally:
        web.close()
