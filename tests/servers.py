"""Starting and stopping the server under test, and waiting for what must become true."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 60  # also of a sanitizer build on a busy machine
STOP_SECONDS = 60
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer")


def build_dir():
    return pathlib.Path(os.environ.get("MODELMILL_BUILD", ROOT / "build/release"))


def binary():
    return pathlib.Path(os.environ.get("MODELMILL_BINARY", build_dir() / "modelmill"))


def environment(more=None):
    """As a user has it who has activated build/venv, whose onnxruntime the server finds; with the variables of `more`."""
    venv = ROOT / "build/venv"
    env = {**os.environ, "VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    env["XDG_STATE_HOME"] = str(build_dir() / "state")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        env.pop(name, None)
    for name in [name for name in env if name.startswith("OTEL_")]:
        env.pop(name)
    return {**env, **(more or {})}


def wait_until(condition, what, seconds=60):
    """Calls `condition` until it returns something true, which is returned; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: {what}")
        time.sleep(0.01)


def run_cli(*arguments, timeout=120, env=None, **options):
    """Runs the program to its end, with the variables of `env` more than environment() has."""
    return subprocess.run(
        [str(binary()), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(env),
        **options,
    )


def posted(path, body, *headers):
    """A POST as it goes over HTTP/1.1."""
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


@contextlib.contextmanager
def serving(folder, *arguments, **options):
    """A Server with its log in `folder`, which must be alive at the end and stop in order."""
    server = Server(folder / "log", *arguments, **options)
    try:
        yield server
        server.assert_alive()
        server.stop()
    finally:
        server.kill()


class Server:
    """One `modelmill serve` on a free port. Its standard output and its log are files in `folder`.

    `listen` has addresses for --listen instead, the first one not a unix socket; `tls` is what Python's client needs to
    reach an https:// one. With a `personality`, or a `program` that is called by another server's name, it is the command
    line of that server, whose first port is HTTP's. A `port` of None is said by something else.
    """

    def __init__(
        self, folder, *arguments, port=0, listen=(), tls=None, check_ready=True, env=None, personality="", program=None,
        cwd=None,
    ):  # fmt: skip
        self.tls, self.cwd = tls, cwd
        where = [f"--listen={address}" for address in listen] or ([] if port is None else ["--port", str(port)])
        command = [str(binary()), "serve", *map(str, arguments), *where]
        if personality:
            command = [str(binary()), "--as", personality, *map(str, arguments)]
        if program:
            command = [str(program), *map(str, arguments)]
        folder.mkdir(parents=True, exist_ok=True)
        self.stdout_path, self.stderr_path = folder / "stdout", folder / "stderr"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment(env),
            )
        try:
            self.url = wait_until(self._find_url, "no URL on standard output", START_SECONDS)
            self.address = self.url.partition("://")[2]
            self.host, _, number = self.address.rpartition(":")
            self.host = self.host.strip("[]")
            self.port = int(number)
            if check_ready:
                wait_until(self.is_ready, "/v2/health/ready is not 200", START_SECONDS)
        except BaseException as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.text()}") from error

    def _find_url(self):
        text = self.stdout()
        found = re.findall(r"https?://[^\s/\"',]+:\d+", text.partition("\n")[0])
        if found and "stops it.\n" in text:  # all of it is there, which may come in parts
            self.urls = found  # of all TCP endpoints, in the order of --listen
            return found[0]
        assert self.process.poll() is None, f"the server has exited with {self.process.returncode}"
        return None

    def is_ready(self):
        assert self.process.poll() is None, f"the server has exited with {self.process.returncode}"
        try:
            return self.get("/v2/health/ready")[0] == 200
        except OSError:
            return False

    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    def log(self):
        """Its whole lines: the last one may be on its way."""
        text = self.stderr_path.read_text(errors="replace")
        return text[: text.rfind("\n") + 1]

    def text(self):
        return f"--- stdout\n{self.stdout()[-4000:]}\n--- log\n{self.log()[-8000:]}"

    def request(self, method, path, body=None, headers=None, timeout=60):
        """(status, body, headers) of one HTTP request on a connection of its own."""
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        handlers = [urllib.request.ProxyHandler({})]
        if self.tls:
            handlers.append(urllib.request.HTTPSHandler(context=self.tls))
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(request, timeout=timeout) as reply:
                return reply.status, reply.read(), reply.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def get_json(self, path):
        status, body, _ = self.get(path)
        assert status == 200, (status, body)
        return json.loads(body)

    def post_json(self, path, value, **options):
        """(status, parsed reply)."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        status, reply, _ = self.request("POST", path, body, {"Content-Type": "application/json"}, **options)
        return status, json.loads(reply)

    def stats(self, model, version=""):
        path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "") + "/stats"
        return self.get_json(path)["model_stats"][0]

    def executions(self, model, version=""):
        return self.stats(model, version).get("execution_count", 0)

    def wait_executions(self, count, model, version=""):
        """An execution is counted when the backend is done with it, a little after its answers."""
        wait_until(lambda: self.executions(model, version) >= count, f"'{model}' has run {count} times")
        assert self.executions(model, version) == count

    def settled_stats(self, model, version=""):
        """Once the executions of what was answered before are counted too."""
        seen = []

        def is_settled():
            seen.append(self.stats(model, version))
            return len(seen) > 20 and all(one == seen[-1] for one in seen[-20:])

        wait_until(is_settled, f"nothing of '{model}' is counted any more")
        return seen[-1]

    def connect(self, timeout=60):
        return socket.create_connection((self.host, self.port), timeout=timeout)

    def leave(self, path, value, when, what):
        """Posts JSON, and hangs up without the answer once `when()` is true."""
        with self.connect() as connection:
            connection.sendall(posted(path, json.dumps(value).encode(), "Content-Type: application/json"))
            wait_until(when, what)

    def assert_alive(self):
        """After whatever a test has done to it, the server still answers."""
        assert self.process.poll() is None, f"the server has exited with {self.process.returncode}\n{self.text()}"
        assert self.is_ready()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) * 1024

    def children(self):
        """Numbers of the processes that it has started and not reaped."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    found.append(int(stat.parent.name))
        return sorted(found)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds=STOP_SECONDS):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not gone {seconds} s after SIGTERM\n{self.text()}") from None

    def stop(self):
        """An orderly stop, which must end with status 0 and without a word of a sanitizer."""
        if self.process.poll() is None:
            self.terminate()
        code = self.wait()
        assert not SANITIZER.search(self.log()), self.log()[-20000:]
        assert code == 0, f"exit status {code}\n{self.text()}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
