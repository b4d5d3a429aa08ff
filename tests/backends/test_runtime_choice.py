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
    def start(*options):
        arguments = [file, "--state-dir", tmp_path / "state", *options]
        with servers.serving(tmp_path / "server", *arguments, env=environment) as server:
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


class Clients:
    """Four clients that ask all the time until the end of the context, and count what went wrong."""

    def __init__(self, server, expected):
        self.failures = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(server, expected)) for _ in range(4)]

    def _work(self, server, expected):
        with contextlib.closing(Client("grpc", server.address)) as client:
            while not self._stop.is_set():
                try:
                    np.testing.assert_allclose(ask(client), expected, rtol=1e-4, atol=1e-5)
                except Exception as failure:  # noqa: BLE001 - whatever it is, it is a lost request
                    self.failures.append(failure)

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
            time.sleep(3)  # whoever was chosen takes over meanwhile
        assert clients.failures == []
        candidates = found["runtimes"]["candidates"]
        assert {candidate["backend"] for candidate in candidates} == {"onnxruntime", "openvino"}
        for candidate in candidates:
            assert candidate["excluded"] == ""
            assert candidate["distance"] <= found["runtimes"]["tolerance"]
            assert candidate["sizes"][0]["rows"] == 1 and candidate["sizes"][0]["rows_per_second"] > 0
        found = explanation(server)
        assert found["backend"] == found["runtimes"]["chosen"]["backend"]
        text = servers.run_cli("explain", "mlp", "--server", server.url).stdout
        assert "was chosen" in text and "openvino" in text


def test_the_next_start_knows_them(serve):
    with serve() as (client, server):
        ask_until_compared(client, server, ask(client))
        time.sleep(3)
        chosen = explanation(server)["backend"]
    with serve() as (client, server):
        ask(client)
        found = explanation(server)
        assert found["backend"] == chosen
        assert len(found["runtimes"]["candidates"]) >= 4


def test_one_that_is_not_installed_does_not_count(tmp_path, serve):
    file = models.save(models.mlp(), tmp_path / "alone" / "mlp.onnx")
    environment = {**servers.environment(), "MODELMILL_OPENVINO": str(tmp_path / "nowhere")}
    with servers.serving(tmp_path / "alone-server", file, "--state-dir", tmp_path / "other", env=environment) as server:
        with contextlib.closing(Client("grpc", server.address)) as client:
            for _ in range(100):
                ask(client)
        time.sleep(2)
        found = explanation(server)
    assert found["backend"] == "onnxruntime"
    assert "runtimes" not in found
