"""Servers as child processes: their start, their use of CPU and memory, their end."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
START_SECONDS = 120


def environment():
    """With build/venv active, whose onnxruntime modelmill finds, and without a proxy on the way to the loopback."""
    venv = ROOT / "build/venv"
    env = {**os.environ, "VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        env.pop(name, None)
    return env


def _stat(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def family(pid):
    """The process and its descendants that live."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_stat(entry.name)[1]), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        queue.extend(children.get(found[-1], []))
    return found


def _cpu_us(pid):
    """User and system time of a process and its descendants, of those that have ended too."""
    total = 0
    for one in family(pid):
        try:
            total += sum(int(field) for field in _stat(one)[11:15])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total * TICK_US


class OtherPrograms:
    """How much of the machine others have used since this began: what they take is missing on both sides of a ratio,
    but not evenly, and a latency has no other side."""

    def __init__(self):
        self.began = self._now()

    @staticmethod
    def _now():
        # user, nice, system, idle, iowait, irq, softirq, steal: all but the idle ones
        ticks = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return time.monotonic(), (sum(ticks) - ticks[3] - ticks[4]) * TICK_US, _cpu_us(os.getpid())

    def cores(self):
        (t0, busy0, own0), (t1, busy1, own1) = self.began, self._now()
        return max(0.0, ((busy1 - busy0) - (own1 - own0)) / 1e6 / (t1 - t0))


class Process:
    """A server whose standard output tells its URL, or that listens on a port known before."""

    def __init__(self, name, command, log, url=None, env=None, cwd=None):
        self.name = name
        self.log = pathlib.Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env or environment(),
                cwd=cwd,
                start_new_session=True,
            )
        self.url = url or self._wait_for_url()

    def _wait_for_url(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = re.search(r"http://[^\s/\"']+:\d+", self.log.read_text(errors="replace"))
            if found:
                return found.group()
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-4000:]}")

    def cpu_us(self):
        """User and system time of the process tree so far, of children that have ended too."""
        return _cpu_us(self.process.pid)

    def rss_kb(self):
        total = 0
        for pid in family(self.process.pid):
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"VmRSS:\s+(\d+)", text).group(1))
        return total

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
