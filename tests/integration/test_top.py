"""modelmill top: what a server does, for programs, for pipes, and on a terminal of the test's own."""

import json
import os
import pty
import select
import signal
import subprocess
import termios
import threading
import time

import pytest

import models
import servers
from free_ports import free_ports
from servers import run_cli

OK, UNREACHABLE = 0, 3
ROW = {"x": [[0.5] * 64]}


@pytest.fixture
def server(serve, tmp_path):
    return serve(models.save(models.mlp(), tmp_path / "mlp.onnx"))


class Load:
    """Calls of the model, one after another, while a block runs."""

    def __init__(self, server):
        self.server = server
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.is_set():
            assert self.server.post_json("/predict/mlp", ROW)[0] == 200

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Terminal:
    """The program on a terminal, whose output is collected."""

    def __init__(self, *arguments, rows=24, columns=120):
        self.output = ""
        self.primary, self.secondary = pty.openpty()
        termios.tcsetwinsize(self.primary, (rows, columns))
        self.before = termios.tcgetattr(self.secondary)
        self.process = subprocess.Popen(
            [str(servers.binary()), *map(str, arguments)],
            stdin=self.secondary, stdout=self.secondary, stderr=subprocess.PIPE, start_new_session=True,
            env={**servers.environment(), "TERM": "xterm"}, preexec_fn=self._take_terminal,
        )  # fmt: skip

    def _take_terminal(self):
        import fcntl

        fcntl.ioctl(self.secondary, termios.TIOCSCTTY, 0)

    def read_until(self, *texts, seconds=60):
        """Until all have been seen after what was read before."""
        start, deadline = len(self.output), time.monotonic() + seconds
        while not all(text in self.output[start:] for text in texts):
            assert time.monotonic() < deadline, (texts, self.output)
            if select.select([self.primary], [], [], 0.1)[0]:
                self.output += os.read(self.primary, 65536).decode()

    def type(self, keys):
        os.write(self.primary, keys)

    def wait(self):
        return self.process.wait(60)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        os.close(self.primary)
        os.close(self.secondary)


@pytest.fixture
def terminal():
    opened = []

    def start(*arguments, **options):
        opened.append(Terminal(*arguments, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_once_for_programs(server):
    with Load(server):
        result = run_cli("top", "--server", server.url, "--once", "--json")
    assert result.returncode == OK, result.stderr
    activity = json.loads(result.stdout)
    [model] = activity["models"]
    assert (model["name"], model["version"]) == ("mlp", "1")
    assert activity["requests_per_second"] == model["requests_per_second"] > 0
    assert model["failures_per_second"] == 0
    assert 0 < model["p50_us"] <= model["p99_us"]
    # Executions and requests are counted one after the other, and the reading falls between them.
    assert model["mean_batch"] > 0.5
    assert abs(sum(model["cuts"].values()) - 1) < 1e-9
    assert model["instances"] >= 1
    assert activity["connections"] >= 1 and activity["memory_bytes"] > 1e6 and activity["cpu_cores"] > 0
    assert 0.9 < activity["seconds"]


def test_counts_failures_of_an_interval_only(server):
    """What happened before it began is not in it."""
    bad = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64], "data": [1] * 64}], "outputs": [{"name": "no"}]}
    for _ in range(5):
        assert server.post_json("/v2/models/mlp/infer", bad)[0] == 400
        assert server.post_json("/predict/mlp", ROW)[0] == 200
    server.settled_stats("mlp")
    result = run_cli("top", "--server", server.url, "--once", "--json", "--interval", 0.1)
    [model] = json.loads(result.stdout)["models"]
    assert model["requests_per_second"] == model["failures_per_second"] == 0
    assert model["p50_us"] is None and model["mean_batch"] is None and model["cuts"] == {}


def test_once_for_people(server):
    result = run_cli("top", "--server", server.url, "--once", "--interval", 0.1)
    assert result.returncode == OK, result.stderr
    assert "\x1b" not in result.stdout
    heading, row = result.stdout.splitlines()[-2:]
    for word in ("MODEL", "REQ/S", "P99", "BATCH", "PENDING", "INSTANCES"):
        assert word in heading
    assert row.startswith("mlp    1 ")


def test_into_a_pipe_until_it_is_told_to_end(server):
    """One line of JSON after another; SIGINT ends it as it should end."""
    with subprocess.Popen(
        [str(servers.binary()), "top", "--server", server.url, "--json", "--interval", "0.1"],
        stdout=subprocess.PIPE, text=True, env=servers.environment(),
    ) as process:  # fmt: skip
        for _ in range(3):
            assert json.loads(process.stdout.readline())["models"][0]["name"] == "mlp"
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == OK


@pytest.mark.parametrize("end", ["q", "interrupt", "terminate"])
def test_on_a_terminal(server, terminal, end):
    """It takes the screen, draws again and again, and gives the screen back however it ends."""
    top = terminal("top", "--server", server.url, "--interval", "0.1")
    top.read_until("\x1b[?1049h", "\x1b[?25l", "q ends", "MODEL", "mlp")
    top.read_until("\x1b[H", "mlp")
    if end == "q":
        top.type(b"xq")
    elif end == "interrupt":
        top.type(b"\x03")
    else:
        top.process.send_signal(signal.SIGTERM)
    top.read_until("\x1b[?25h", "\x1b[?1049l")
    assert top.wait() == OK, top.process.stderr.read()
    assert termios.tcgetattr(top.secondary) == top.before


def test_a_terminal_that_changes_its_size(server, terminal):
    """What has no room is clipped, and shown as soon as there is."""
    top = terminal("top", "--server", server.url, "--interval", "0.1", columns=20)
    top.read_until("MODEL", "\x1b[J")
    assert "REQ/S" not in top.output
    termios.tcsetwinsize(top.primary, (24, 120))
    top.read_until("BATCHES CUT BECAUSE")
    top.type(b"q")
    assert top.wait() == OK


def test_a_server_that_goes_away_and_comes_back(serve, terminal, tmp_path):
    model, (port,) = models.save(models.mlp(), tmp_path / "mlp.onnx"), free_ports(1)
    server = serve(model, port=port)
    top = terminal("top", "--server", server.url, "--interval", "0.1")
    top.read_until("MODEL", "mlp")
    server.stop()
    top.read_until("cannot reach", "trying again")
    serve(model, port=port)
    top.read_until("MODEL", "mlp")
    top.type(b"q")
    assert top.wait() == OK


def test_no_server():
    for arguments in (["--once"], []):
        result = run_cli("top", "--server", "http://127.0.0.1:1", *arguments)
        assert result.returncode == UNREACHABLE
        assert "127.0.0.1:1" in result.stderr and result.stdout == ""
