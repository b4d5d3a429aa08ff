"""Ten thousand idle connections, hundreds of slow clients, and normal load beside them.

What holds is asserted: every normal request is answered, idle connections cost little, slow clients are ended, and memory
comes back. How fast it was is printed and judged by people.
"""

import contextlib
import json
import pathlib
import re
import resource
import subprocess
import sys

import pytest

import models
import servers

IDLE, IDLE_PROCESSES = 10_000, 5
SLOW = 500
LOAD_SECONDS = 20
CLIENTS, CALLS, PER_SECOND = 8, 4, 100  # h2load's connections, streams of each, requests of each a second
SLOW_TIMEOUT = 3  # of heads and stalls, in seconds
SLOW_SECONDS = 6 * SLOW_TIMEOUT
MB = 1 << 20
IDLE_MEMORY = 100 * MB
LEFT_MEMORY = 60 * MB  # what an allocator may keep of it
FOLDER = pathlib.Path(__file__).parent


def raise_file_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    assert most >= IDLE + SLOW + 1000, f"the limit of open files is {most}; raise it with `ulimit -Hn`"


def open_connections(server):
    _, page, _ = server.get("/metrics")
    return float(re.search(rb"^modelmill_wire_connections_open(?:\{.*\})? (\S+)$", page, re.MULTILINE).group(1))


@contextlib.contextmanager
def client(name, server, *arguments):
    """A program of this folder, with its end of the pipes."""
    process = subprocess.Popen(
        [sys.executable, FOLDER / name, server.host, str(server.port), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
        process.stdin.close()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def load(server, folder):
    """Normal load for a while, all of it answered; the 50th and 99th percentile of latency in ms."""
    body, log = folder / "body", folder / "latencies"
    body.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}))
    log.unlink(missing_ok=True)
    result = subprocess.run(
        ["h2load", "-D", str(LOAD_SECONDS), "-c", str(CLIENTS), "-m", str(CALLS), "--rps", str(PER_SECOND),
         "-d", body, f"--log-file={log}", server.url + "/v2/models/scaled/infer"],
        capture_output=True, text=True, timeout=3 * LOAD_SECONDS,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    started, done, succeeded, failed = (
        int(re.search(rf"(\d+) {word}", result.stdout).group(1)) for word in ("started", "done", "succeeded", "failed")
    )
    assert succeeded == done and failed == 0, result.stdout
    assert done > 0.5 * LOAD_SECONDS * CLIENTS * PER_SECOND, result.stdout
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    assert {status for _, status, _ in rows} == {"200"}
    taken = sorted(int(microseconds) for _, _, microseconds in rows)
    return f"p50 {taken[len(taken) // 2] / 1000:.2f} ms, p99 {taken[len(taken) * 99 // 100] / 1000:.2f} ms"


def ask(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return int(process.stdout.readline())


@pytest.mark.timeout(600)
def test_soak(tmp_path, capsys):
    raise_file_limit()
    server = servers.Server(
        tmp_path / "log", models.save(models.scaled(3), tmp_path / "scaled.onnx"),
        "--max-connections", IDLE + SLOW + 1000, "--header-timeout", SLOW_TIMEOUT, "--stall-timeout", SLOW_TIMEOUT,
    )  # fmt: skip
    report = []
    try:
        report.append(f"load alone:                {load(server, tmp_path)}")
        start = server.rss_bytes()
        with contextlib.ExitStack() as stack:
            idle = [
                stack.enter_context(client("idle_clients.py", server, IDLE // IDLE_PROCESSES))
                for _ in range(IDLE_PROCESSES)
            ]
            assert sum(int(process.stdout.readline()) for process in idle) == IDLE
            assert open_connections(server) >= IDLE
            grown = server.rss_bytes() - start
            report.append(f"{IDLE} idle connections:    {grown / MB:.0f} MB")
            report.append(f"load beside them:          {load(server, tmp_path)}")

            with client("slow_clients.py", server, SLOW, SLOW_SECONDS, "scaled") as slow:
                assert int(slow.stdout.readline()) == SLOW
                report.append(f"and {SLOW} slow clients:      {load(server, tmp_path)}")
                ended = json.loads(slow.stdout.readline())
            report.append(f"slow clients ended:        {ended}")

            # Those that only rest have not been touched, and still get answers.
            assert sum(ask(process) for process in idle) == IDLE
        servers.wait_until(lambda: open_connections(server) <= 2, "connections are left over")
        server.assert_alive()
        # Memory comes back a moment after many connections have ended.
        servers.wait_until(lambda: server.rss_bytes() - start < LEFT_MEMORY, "too much memory is left over")
        report.append(f"left afterwards:           {(server.rss_bytes() - start) / MB:.0f} MB")
        report.append(f"load afterwards:           {load(server, tmp_path)}")
        server.stop()
    finally:
        server.kill()
        with capsys.disabled():
            print("", *report, sep="\n")
    assert all(count == by_server for count, by_server in ended.values()), ended
    assert grown < IDLE_MEMORY
