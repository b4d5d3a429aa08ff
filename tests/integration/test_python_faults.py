"""What can go wrong in a Python worker: its requests are told, it comes back, and nobody else notices."""

import os
import random
import signal
import threading

import pytest

import python_workers
import servers
from servers import wait_until

ECHO = """
import time

@modelmill.model
def echo(x: int, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return x
"""
# Leaves a file for each process that has answered.
MARKING_ECHO = """
import os, pathlib, time

@modelmill.model
def echo(x: int, seconds: float = 0.0) -> int:
    pathlib.Path({folder!r}, f"answered-{{os.getpid()}}").touch()
    time.sleep(seconds)
    return x
"""
FAULTS = """
import os, signal, time

kept = []

@modelmill.model
def faults(kind: str) -> str:
    if kind == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "abort":
        os.abort()
    if kind == "exit":
        os._exit(3)
    if kind == "hang":
        time.sleep(1000)
    if kind == "memory":
        kept.append(b"x" * (600 << 20))
        time.sleep(90)
    if kind == "close":
        os.closerange(3, 5)
        time.sleep(90)
    if kind == "error":
        raise ValueError("the value 7 is wrong")
    if kind == "type":
        return 1, 2
    return kind
"""
KILLS = 20


def ask(server, model, **inputs):
    return server.post_json(f"/predict/{model}", inputs)


def wait_answer(server, model, expected, **inputs):
    answers = []

    def is_back():
        answers.append(ask(server, model, **inputs))
        return answers[-1][0] == 200

    wait_until(is_back, f"'{model}' is back")
    assert answers[-1] == (200, expected)


class Load:
    """Clients that ask all the time and note what they got."""

    def __init__(self, server, model, clients=8):
        self.answers, self.refusals, self.wrong = 0, [], []
        self._server, self._model, self._stop = server, model, threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number):
        turn = 0
        while not self._stop.is_set():
            turn += 1
            value = number * 1_000_000 + turn
            try:
                status, body = ask(self._server, self._model, x=value, seconds=0.002)
            except Exception as error:  # it was cut off, or hung
                self.wrong.append(repr(error))
                continue
            if (status, body) == (200, {"output": value}):
                self.answers += 1
            elif status == 503:
                self.refusals.append(body["error"])
            else:
                self.wrong.append((status, body))

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a request hangs"
        assert not self.wrong, self.wrong[:5]


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python_faults")
    path = python_workers.write(folder, "faults", FAULTS)
    echo = python_workers.write(folder, "echo", ECHO)
    config = python_workers.yaml(
        folder,
        ("faults", path, {"execution_timeout_s": 100, "memory_limit_mb": 400}),
        ("hangs", path, {"execution_timeout_s": 5}),
        ("echo", echo, None),
    )
    with servers.serving(folder, config) as server:
        yield server


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("segv", "was killed by signal 11 (SIGSEGV)"),
        ("abort", "was killed by signal 6 (SIGABRT)"),
        ("exit", "exited with status 3"),
        ("hang", "did not answer within 5 s"),
        ("memory", "MiB of memory, more than the 400"),
        ("close", "closed its connection"),
    ],
)
def test_the_end_of_a_worker(faults, kind, words):
    """The request inside is told; another model answers meanwhile; the worker comes back."""
    model = "hangs" if kind == "hang" else "faults"
    wait_answer(faults, model, {"output": "fine"}, kind="fine")
    result = []
    asking = threading.Thread(target=lambda: result.append(ask(faults, model, kind=kind)))
    asking.start()
    while True:
        over = not asking.is_alive()
        assert ask(faults, "echo", x=5) == (200, {"output": 5})
        if over:
            break
    status, body = result[0]
    assert status == 503 and words in body["error"] and f"model '{model}'" in body["error"], body
    wait_answer(faults, model, {"output": "fine"}, kind="fine")
    assert words in faults.log()


def test_an_exception(faults):
    """The client gets its type and message, the log the traceback, and the worker goes on."""
    wait_answer(faults, "faults", {"output": "fine"}, kind="fine")
    workers = python_workers.of(faults)
    status, body = ask(faults, "faults", kind="error")
    assert status == 500 and body["error"] == "ValueError: the value 7 is wrong"
    wait_until(lambda: "raise ValueError" in faults.log(), "the traceback is logged")
    assert 'line 25, in faults' in faults.log()
    assert "serving.py" not in faults.log() and "own.py" not in faults.log()
    status, body = ask(faults, "faults", kind="type")
    assert status == 500 and "output" in body["error"]
    assert python_workers.of(faults) == workers


def test_kills_under_load(serve, tmp_path):
    path = python_workers.write(tmp_path, "echo", ECHO)
    server = serve(path, "--instances", 2)
    load = Load(server, "echo")
    chance = random.Random(5)
    for _ in range(KILLS):
        answers = load.answers
        os.kill(chance.choice(python_workers.wait_for(server, 2)), signal.SIGKILL)
        wait_until(lambda: load.answers > answers + 20, "requests are answered")
    load.stop()
    python_workers.wait_for(server, 2)
    assert all("SIGKILL" in text or "not ready yet" in text for text in load.refusals), load.refusals
    # Those inside were told; others only where both workers were away.
    assert sum("a new one is started" in text for text in load.refusals) <= KILLS
    server.assert_alive()
    server.stop()


def test_stopped_workers_under_load(serve, tmp_path):
    path = python_workers.write(tmp_path, "echo", MARKING_ECHO.format(folder=str(tmp_path)))
    config = python_workers.yaml(tmp_path, ("echo", path, {"execution_timeout_s": 3}))
    server = serve(config, "--instances", 2)
    load = Load(server, "echo")
    for _ in range(3):
        # One that is still starting has another limit, and then there would be none to answer.
        at_work = lambda: all((tmp_path / f"answered-{one}").exists() for one in python_workers.wait_for(server, 2))  # noqa: E731
        wait_until(at_work, "both are at work")
        worker = python_workers.wait_for(server, 2)[0]
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda w=worker: w not in python_workers.of(server), "it is found to hang")
    load.stop()
    assert load.answers and all("did not answer within 3 s" in text for text in load.refusals), load.refusals
    wait_answer(server, "echo", {"output": 1}, x=1)
    server.stop()


def test_readiness_while_a_worker_is_away(serve, tmp_path):
    marker = tmp_path / "broken"
    path = python_workers.write(
        tmp_path,
        "shaky",
        f"""
        import os

        if os.path.exists({str(marker)!r}):
            raise RuntimeError("it is broken today")

        @modelmill.model
        def shaky(x: int) -> int:
            return x
        """,
    )
    server = serve(path)
    assert ask(server, "shaky", x=1)[0] == 200
    marker.touch()
    os.kill(python_workers.wait_for(server, 1)[0], signal.SIGKILL)
    wait_until(lambda: server.get("/v2/models/shaky/ready")[0] != 200, "it is not ready")
    assert server.get("/v2/health/ready")[0] != 200
    wait_until(lambda: "it is broken today" in server.log(), "why is logged")
    status, body = ask(server, "shaky", x=1)
    assert status == 503 and "try again later" in body["error"], body

    def is_told():
        (index,) = server.post_json("/v2/repository/index", {})[1]
        return index["state"] == "UNAVAILABLE" and "broken today" in index["reason"]

    wait_until(is_told, "why is told")
    marker.unlink()
    wait_until(lambda: server.get("/v2/models/shaky/ready")[0] == 200, "it is ready again")
    assert server.get("/v2/health/ready")[0] == 200
    assert ask(server, "shaky", x=1) == (200, {"output": 1})
    server.stop()


def test_no_worker_outlives_the_server(serve, tmp_path):
    path = python_workers.write(tmp_path, "echo", ECHO)
    server = serve(path, "--instances", 2)
    workers = python_workers.wait_for(server, 2)
    ended = threading.Thread(target=lambda: pytest.raises(OSError, ask, server, "echo", x=1, seconds=100.0))
    ended.start()
    wait_until(lambda: server.get_json("/explain/echo")["instances"]["busy"] == 1, "it is asked")
    server.kill()
    wait_until(lambda: not any(map(python_workers.is_alive, workers)), "the workers are gone")
    ended.join()


def test_a_stop_and_an_unload_end_workers(serve, tmp_path):
    path = python_workers.write(tmp_path / "models", "echo", ECHO)
    server = serve(path.parent, "--model-control-mode", "explicit", "--load-model", "echo")
    (worker,) = python_workers.wait_for(server, 1)
    assert server.request("POST", "/v2/repository/models/echo/unload", b"{}")[0] == 200
    wait_until(lambda: not python_workers.is_alive(worker), "it has ended")
    assert server.request("POST", "/v2/repository/models/echo/load", b"{}")[0] == 200
    assert ask(server, "echo", x=4) == (200, {"output": 4})
    (worker,) = python_workers.wait_for(server, 1)
    server.stop()
    assert not python_workers.is_alive(worker)


def test_cancelled_work_is_told(serve, tmp_path):
    """A function that looks at request.cancelled stops when its client has gone."""
    path = python_workers.write(
        tmp_path,
        "patient",
        """
        import time

        @modelmill.model
        def patient(x: int, request: modelmill.Request) -> int:
            print("it begins")
            while not request.cancelled:
                time.sleep(0.01)
            print("it was cancelled")
            return x
        """,
    )
    server = serve(path)
    server.leave("/predict/patient", {"x": 1}, lambda: "it begins" in server.log(), "it begins")
    wait_until(lambda: "it was cancelled" in server.log(), "it is told")
    server.stop()
