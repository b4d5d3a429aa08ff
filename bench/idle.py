#!/usr/bin/env python3
"""Connections that do nothing, and what they cost the server's memory. As a program, a client that holds some of them:

    bench/idle.py PORT COUNT KIND

opens COUNT connections to the loopback, prints "ready" when each has got as far as KIND says, and holds them until its
standard input ends.
"""

import pathlib
import resource
import socket
import subprocess
import sys
import time
import urllib.parse

CONNECTIONS = 10_000
CLIENTS = 2  # processes that share them, as a process may have 20,000 files in some places
SETTLED_SECONDS = 6  # three looks of the server at its connections
KINDS = {
    "silent": "sent nothing",
    "http1": "had an answer over HTTP/1.1",
    "http2": "had an answer over HTTP/2",
}
HTTP1_REQUEST = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
# The preface, empty SETTINGS, and a request: GET and http from HPACK's table, path and authority as text.
_HEADERS = b"\x82\x86\x04\x0f/v2/health/live\x01\x01x"
HTTP2_REQUEST = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
    + len(_HEADERS).to_bytes(3, "big") + b"\x01\x05\0\0\0\x01" + _HEADERS
)  # fmt: skip


def _raise_file_limit():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def _read_http1_answer(connection):
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _some(connection)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"an answer of {answer!r}")


def _read_http2_answer(connection):
    """Up to the end of stream 1; acknowledges the server's SETTINGS on the way."""
    left = b""
    while True:
        left += _some(connection)
        while len(left) >= 9 and len(left) >= 9 + int.from_bytes(left[:3], "big"):
            kind, flags, stream = left[3], left[4], int.from_bytes(left[5:9], "big")
            left = left[9 + int.from_bytes(left[:3], "big") :]
            if kind == 4 and not flags & 1:
                connection.sendall(b"\0\0\0\x04\x01\0\0\0\0")
            if stream == 1 and flags & 1:
                return


def _some(connection):
    data = connection.recv(65536)
    if not data:
        raise RuntimeError("the server closed a connection")
    return data


def hold(port, count, kind):
    """The client's program."""
    _raise_file_limit()
    held = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        held.append(connection)
        if kind == "http1":
            connection.sendall(HTTP1_REQUEST)
            _read_http1_answer(connection)
        elif kind == "http2":
            connection.sendall(HTTP2_REQUEST)
            _read_http2_answer(connection)
    print("ready", flush=True)
    sys.stdin.read()


def rss_mb(build, folder, kind, connections):
    """The memory of a server of its own, before and with that many connections that its clients hold."""
    from processes import Process

    _raise_file_limit()
    server = Process(
        "modelmill",
        [build / "modelmill", "serve", folder / "models/identity", "--port", 0, "--io-threads", 2,
         "--max-connections", 2 * connections, "--header-timeout", 300],
        folder / f"idle-{kind}.log",
    )  # fmt: skip
    clients = []
    try:
        port = urllib.parse.urlsplit(server.url).port
        before = server.rss_kb() / 1000
        client = pathlib.Path(__file__).resolve()
        command = [sys.executable, str(client), str(port), str(connections // CLIENTS), kind]
        for _ in range(CLIENTS):
            clients.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for client in clients:
            if client.stdout.readline() != "ready\n":
                raise RuntimeError(f"a client could not hold its {connections // CLIENTS} connections")
        _wait_until_accepted(server, port, connections)
        return before, _settled_rss_kb(server) / 1000
    finally:
        for client in clients:
            client.stdin.close()
        for client in clients:
            client.wait()
        server.stop()


def _wait_until_accepted(server, port, connections):
    """Silent clients are done when the kernel has their connections; the server has them a little later."""
    deadline = time.monotonic() + 30
    while len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir())) < connections:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the server on port {port} has not accepted all connections in 30 s")
        time.sleep(0.05)


def _settled_rss_kb(server):
    """Of connections that go on resting some memory is given back after a few seconds: waits for the last of it."""
    least, since = server.rss_kb(), time.monotonic()
    while time.monotonic() < since + SETTLED_SECONDS:
        time.sleep(0.2)
        rss = server.rss_kb()
        if rss < least:
            least, since = rss, time.monotonic()
    return server.rss_kb()


if __name__ == "__main__":
    hold(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
