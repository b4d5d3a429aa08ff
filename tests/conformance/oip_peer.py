"""Another server under the Open Inference Protocol's suite."""

import collections
import contextlib
import subprocess
import sys
import urllib.request
import xml.etree.ElementTree as ElementTree

import servers

SUITE = servers.ROOT / "tests/conformance/open_inference"

Outcome = collections.namedtuple("Outcome", "passed failed skipped")  # names; {name: what went wrong}; {reason: how many}


@contextlib.contextmanager
def started(command, url, folder, env=None):
    """The program, which is ready, and gone afterwards."""
    log = folder / "log"
    with open(log, "wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=servers.environment(env), cwd=folder) as process:

        def is_ready():
            assert process.poll() is None, log.read_text(errors="replace")[-4000:]
            try:
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(f"{url}/v2/health/ready", timeout=5) as reply:
                    return reply.status == 200
            except OSError:
                return False

        try:
            servers.wait_until(is_ready, f"{command[0]} is ready\n", 100)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def judge(folder, url, grpc_url, *options):
    """The suite's outcome, as anybody would run it."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", SUITE]
    command += ["--url", url, "--grpc-url", grpc_url, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=servers.environment())
    assert done.returncode in (0, 1), done.stdout[-4000:] + done.stderr[-4000:]
    outcome = Outcome([], {}, collections.Counter())
    for case in ElementTree.parse(report).iter("testcase"):
        wrong = case.find("failure")
        assert case.find("error") is None, ElementTree.tostring(case, encoding="unicode")[:4000]
        name = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
        if wrong is not None:
            outcome.failed[name] = " ".join((wrong.get("message") or "").split())[:300]
        elif case.find("skipped") is not None:
            outcome.skipped[case.find("skipped").get("message")] += 1
        else:
            outcome.passed.append(name)
    return outcome
