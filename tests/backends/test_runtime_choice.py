"""Models that both ONNX Runtime and OpenVINO can run: which of them does, and that clients don't notice."""

import contextlib
import threading
import time

import numpy as np
import pytest

import models
import servers
from clients import Client

ROWS = np.random.default_rng(5).standard_normal((4, 64), np.float32)


@pytest.fixture
def environment(stand_of):
    return stand_of("openvino").kit.environment()


@pytest.fixture
def serve(environment, tmp_path):
    """serve(options...): a context with a client and the server of `mlp`, a plain file."""
    file = models.save(models.mlp(), tmp_path / "mlp.onnx")

    @contextlib.contextmanager
    def start(*options, env=None):
        arguments = [file, "--state-dir", tmp_path / "state", *options]
        with servers.serving(tmp_path / "server", *arguments, env=env or environment) as server:
            with contextlib.closing(Client("grpc", server.address)) as client:
                yield client, server

    return start


def ask(client, rows=ROWS):
    return client.infer("mlp", {"x": rows}).as_numpy("probabilities")


def explanation(server):
    return server.get_json("/explain/mlp")


def ask_until_compared(client, server, expected):
    """The explanation, once the runtimes were compared; every answer until then is right."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        np.testing.assert_allclose(ask(client), expected, rtol=1e-4, atol=1e-5)
        found = explanation(server)
        if "runtimes" in found:
            return found
    raise AssertionError("the runtimes were never compared")


def test_each_can_be_pinned_and_answers_the_same(serve):
    answers = {}
    for backend in ("onnxruntime", "openvino"):
        with serve(f"--runtime={backend}") as (client, server):
            answers[backend] = ask(client)
            assert explanation(server)["backend"] == backend
    np.testing.assert_allclose(answers["openvino"], answers["onnxruntime"], rtol=1e-4, atol=1e-5)


def chosen_serves(server):
    """The explanation, once the runtime that was chosen has taken over."""

    def look():
        found = explanation(server)
        return found["backend"] == found["runtimes"]["chosen"]["backend"] and found

    return servers.wait_until(look, "the runtime that was chosen serves")


class Clients:
    """Four clients that ask all the time until the end of the context, and count what went wrong."""

    def __init__(self, server, expected):
        self.failures = []
        self.answered = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(server, expected)) for _ in range(4)]

    def _work(self, server, expected):
        with contextlib.closing(Client("grpc", server.address)) as client:
            while not self._stop.is_set():
                try:
                    np.testing.assert_allclose(ask(client), expected, rtol=1e-4, atol=1e-5)
                    self.answered += 1
                except Exception as failure:  # noqa: BLE001 - whatever it is, it is a lost request
                    self.failures.append(failure)

    def go_on(self, count):
        """Until so many more were answered."""
        until = self.answered + count
        servers.wait_until(lambda: self.failures or self.answered >= until, "the clients got no more answers")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_they_are_compared_while_clients_are_served(serve):
    with serve() as (client, server):
        expected = ask(client)
        with Clients(server, expected) as clients:
            found = ask_until_compared(client, server, expected)
            chosen_serves(server)
            clients.go_on(500)
        assert clients.failures == []
        candidates = found["runtimes"]["candidates"]
        assert {candidate["backend"] for candidate in candidates} == {"onnxruntime", "openvino"}
        for candidate in candidates:
            assert candidate["excluded"] == ""
            assert candidate["distance"] <= found["runtimes"]["tolerance"]
            assert candidate["sizes"][0]["rows"] == 1 and candidate["sizes"][0]["rows_per_second"] > 0
        text = servers.run_cli("explain", "mlp", "--server", server.url).stdout
        assert "was chosen" in text and "openvino" in text


def test_the_next_start_knows_them(serve):
    with serve() as (client, server):
        ask_until_compared(client, server, ask(client))
    with serve() as (client, server):
        ask(client)
        found = chosen_serves(server)
        assert {candidate["backend"] for candidate in found["runtimes"]["candidates"]} == {"onnxruntime", "openvino"}
        assert "runtimes compared" not in server.log()


def test_one_that_is_not_installed_leaves_the_work_to_the_other(serve, tmp_path):
    with serve("--runtime=openvino", env={"MODELMILL_OPENVINO": str(tmp_path / "nowhere")}) as (client, server):
        ask(client)
        assert explanation(server)["backend"] == "onnxruntime"
