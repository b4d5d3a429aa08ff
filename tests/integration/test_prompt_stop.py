"""What takes long ends when nobody wants it any more: downloads, archives and loads, at a stop and at an unload."""

import contextlib
import threading
import time

import pytest

import archives
import models
import servers
import storage
from changing_models import control, predict
from servers import wait_until

PROMPT = 20  # seconds; what is ended would take many times as long
LONG = 120


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class SilentServer(storage.WebServer):
    """A web server that says nothing more once it is told so."""

    def __init__(self):
        super().__init__()
        self.silent, self.asked, self.over = False, threading.Event(), threading.Event()

    def answer(self, handler):
        if self.silent:
            self.asked.set()
            self.over.wait(LONG)
        super().answer(handler)

    def close(self):
        self.over.set()
        super().close()


@pytest.fixture
def web():
    with contextlib.closing(SilentServer()) as server:
        server.files["/net.onnx"] = storage.File(archives.model_bytes(2))
        yield server


def stop_seconds(server):
    begin = time.monotonic()
    server.terminate()
    assert server.wait(LONG) == 0
    return time.monotonic() - begin


def test_a_stop_while_a_source_says_nothing(web, tmp_path):
    server = servers.Server(tmp_path, web.url + "/net.onnx", "--model-control-mode=poll", "--repository-poll-secs=1")
    try:
        assert predict(server, "net")[0] == 200
        web.silent = True
        assert web.asked.wait(LONG)
        assert stop_seconds(server) < PROMPT
    finally:
        server.kill()


def test_a_stop_while_the_first_models_come(web, tmp_path):
    web.silent = True
    server = servers.subprocess.Popen(
        [str(servers.binary()), "serve", web.url + "/net.onnx", "--port=0"], env=servers.environment(),
        stdout=servers.subprocess.DEVNULL, stderr=servers.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert web.asked.wait(LONG)
        server.terminate()
        assert server.wait(PROMPT) == 0
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("how", ["unload", "stop"])
def test_a_load_whose_files_do_not_come(web, tmp_path, how):
    server = servers.Server(tmp_path, web.url + "/net.onnx", "--model-control-mode=explicit", check_ready=False)
    answers = []
    loading = threading.Thread(target=lambda: answers.append(control(server, "net", "load")))
    try:
        web.silent = True
        begin = time.monotonic()
        loading.start()
        assert web.asked.wait(LONG)
        if how == "unload":
            control(server, "net", "unload")
            loading.join(PROMPT)
            assert answers and answers[0][0] != 200 and "unloaded meanwhile" in answers[0][1], answers
            assert time.monotonic() - begin < PROMPT
        assert stop_seconds(server) < PROMPT
    finally:
        server.kill()
        loading.join()


def slow_repository(folder):
    """A model of many instances, each of which takes a while to warm up."""
    proto = models.slow(turns=60_000)
    (folder / "m" / "1").mkdir(parents=True)
    models.save(proto, folder / "m" / "1" / "model.onnx")
    (folder / "m" / "config.pbtxt").write_text("instance_group [ { count: 64 kind: KIND_CPU } ]\nmax_batch_size: 0\n")
    return folder


@pytest.mark.parametrize("how", ["unload", "stop"])
def test_a_load_that_takes_long(tmp_path, how):
    options = ["--model-control-mode=explicit", "--log-level=debug"]
    server = servers.Server(tmp_path, slow_repository(tmp_path / "models"), *options, check_ready=False)
    answers = []
    loading = threading.Thread(target=lambda: answers.append(control(server, "m", "load")))
    try:
        loading.start()
        wait_until(lambda: any(m.get("state") == "LOADING" for m in server.post_json("/v2/repository/index", {})[1]), "the load")
        time.sleep(0.3)
        assert not answers
        if how == "unload":
            assert control(server, "m", "unload")[0] == 200
            wait_until(lambda: "load abandoned model=m version=1" in server.log(), "the end of the load", PROMPT)
            loading.join(PROMPT)
            assert answers, "the load is answered"
        assert stop_seconds(server) < PROMPT
        assert "model loaded" not in server.log()
    finally:
        server.kill()
        loading.join()
