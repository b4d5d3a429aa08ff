"""@grpc/grpc-js, whose HTTP/2 is Node's own, against `modelmill serve`."""

import json
import os
import subprocess

import pytest

import servers

pytestmark = pytest.mark.conformance("grpc-js")

CLIENT = servers.ROOT / "tests/conformance/grpc_js/client.js"
MODULES = servers.ROOT / "build/grpc-js/node_modules"

EXPECTED = {
    "infer": [6, 6, 6, 6],
    "many_at_once": True,
    "stream": [["", str(i), 3 * i] for i in range(5)],
    "large": 4 * 4 * 200_000,
    "deadline": "DEADLINE_EXCEEDED",
    "health": "SERVING",
    "watch": "SERVING",
}


def run(served, case):
    result = subprocess.run(
        ["node", CLIENT, served.address, case],
        capture_output=True, text=True, timeout=60, env={**os.environ, "NODE_PATH": str(MODULES)},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("case", EXPECTED)
def test_case(served, case):
    assert run(served, case) == EXPECTED[case]


def test_error(served):
    code, details = run(served, "unknown_model")
    assert code == "NOT_FOUND"
    assert "'none'" in details
