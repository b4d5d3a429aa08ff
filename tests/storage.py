"""Running storage_probe, and a web server that misbehaves as it is told."""

import contextlib
import dataclasses
import hashlib
import http.server
import os
import random
import re
import socket
import socketserver
import ssl
import subprocess
import threading

import servers

# Nothing of the machine that the tests run on may give credentials or a way out.
NO_CREDENTIALS = {"AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}
MB = 1 << 20


def content(size, seed=1):
    return random.Random(seed).randbytes(size)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@dataclasses.dataclass
class Outcome:
    """What storage_probe printed: by path, sums of files; folders; what each refresh said."""

    code: int
    error: str
    local: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    folders: set = dataclasses.field(default_factory=set)
    refreshes: list = dataclasses.field(default_factory=list)


def environment(home, extra=None):
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH") or "SAN_OPTIONS" in name}
    return {**env, "HOME": str(home), **NO_CREDENTIALS, **(extra or {})}


def probe_command(cache, url, *options):
    return [str(servers.build_dir() / "src/storage/storage_probe"), str(cache), url, *map(str, options)]


def probe(cache, url, *options, env=None, check=True):
    """Runs it to its end; `check` wants it to end well."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        probe_command(cache, url, *options), env=environment(cache.parent, env), capture_output=True, text=True, timeout=100
    )
    outcome = parse(result.returncode, result.stdout, result.stderr)
    assert result.returncode in (0, 1), result.stderr
    assert not servers.SANITIZER.search(result.stderr), result.stderr
    if check:
        assert result.returncode == 0, result.stderr
    return outcome


def parse(code, stdout, stderr):
    outcome = Outcome(code, stderr.strip())
    for line in stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word == "local":
            outcome.local = rest
        elif word == "folder":
            outcome.folders.add(rest)
        elif word == "refresh":
            outcome.refreshes.append(rest)
        else:
            size, _, path = rest.partition(" ")
            outcome.files[path] = word
    return outcome


def cache_files(cache, kind):
    """Paths of the files in one of the cache's folders: blobs, index, partial, trees."""
    return sorted(path for path in (cache / kind).rglob("*") if path.is_file())


def assert_consistent(cache, wanted):
    """However a process ended: what is in the cache is whole. `wanted` has the sums that a tree's files may have."""
    for path in cache_files(cache, "blobs"):
        assert sha256(path.read_bytes()) == path.name
    for path in cache_files(cache, "trees"):
        if path.suffix != ".lock":
            assert sha256(path.read_bytes()) in wanted, path


@dataclasses.dataclass
class File:
    data: bytes
    etag: str = '"one"'
    headers: dict = dataclasses.field(default_factory=dict)
    ranges: bool = True
    length: bool = True  # tell Content-Length of the whole


class WebServer:
    """Files over HTTP, or https with a certificate, with ranges. `faults` has for each GET to come, in order, None or what goes wrong:
    a number (that status), "cut" (half of the body), "damage" (a wrong byte), or a function that is called first."""

    def __init__(self, certificate=None):
        self.files = {}
        self.faults = []
        self.requests = []  # (path, Range or None) in the order they came
        self.heads = []
        self.puts = {}  # what PUTs of a path are answered
        self.refusals = {}  # the status and headers of the first answer for a path
        self.posts = {}  # what POSTs of a path are answered, and in `bodies` what they had
        self.bodies = {}
        self.lock = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self)

            def do_HEAD(self):
                server.answer(self)

            def do_PUT(self):
                server.send(self, 200, server.puts[self.path], {})

            def do_POST(self):
                path = self.path.partition("?")[0]
                server.bodies[path] = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = server.posts.get(path)
                server.send(self, 404 if answer is None else 200, answer or b"", {})

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            self.url = f"https://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def data_requests(self):
        """Those that are for more than the first byte, with which a file is looked at."""
        return [request for request in self.requests if request[1] != "bytes=0-0"]

    def answer(self, handler):
        asked = handler.headers.get("Range")
        path = handler.path.partition("?")[0]
        with self.lock:
            self.requests.append((path, asked))
            self.heads.append(dict(handler.headers))
            fault = self.faults.pop(0) if self.faults and asked != "bytes=0-0" else None
            refusal = self.refusals.pop(path, None)
        if refusal:
            return self.send(handler, refusal[0], b"", refusal[1])
        if callable(fault):
            fault = fault()
        file = self.files.get(path)
        if isinstance(file, str):
            return self.send(handler, 302, b"", {"Location": file})
        if isinstance(fault, int):
            return self.send(handler, fault, b"", {})
        if file is None:
            return self.send(handler, 404, b"no such file", {})
        if handler.headers.get("If-Match", file.etag) != file.etag:
            return self.send(handler, 412, b"", {})
        headers = {"ETag": file.etag, **file.headers} if file.etag else dict(file.headers)
        data, status = file.data, 200
        if asked and file.ranges:
            begin, end = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", asked).groups())
            if begin >= len(data):
                return self.send(handler, 416, b"", {"Content-Range": f"bytes */{len(data)}"})
            data, status = data[begin : end + 1], 206
            headers["Content-Range"] = f"bytes {begin}-{begin + len(data) - 1}/{len(file.data)}"
        if fault == "damage":
            data = bytes([data[0] ^ 1]) + data[1:]
        self.send(handler, status, data, headers, cut=fault == "cut", length=file.length)

    def send(self, handler, status, data, headers, cut=False, length=True):
        with contextlib.suppress(ConnectionError):
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            if length:
                handler.send_header("Content-Length", str(len(data)))
            if cut or not length:
                handler.send_header("Connection", "close")
                handler.close_connection = True
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(data[: len(data) // 2] if cut else data)
                handler.wfile.flush()


class TunnelProxy:
    """A proxy that knows CONNECT alone; `asked` has the heads that it was sent."""

    def __init__(self):
        self.asked = []
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                head = b"".join(iter(self.rfile.readline, b"\r\n")).decode()
                proxy.asked.append(head)
                host, _, port = head.split()[1].rpartition(":")
                with socket.create_connection((host, int(port))) as server:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=pump, args=(server, self.connection))
                    back.start()
                    pump(self.connection, server)
                    back.join()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def pump(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
