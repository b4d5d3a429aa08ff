"""The Open Inference Protocol's suite on servers that are not ours: it finds what they do otherwise than the protocol says,
which is written down here, and nothing else."""

import pytest

import client_programs
import oip_peer
import servers
from personalities import free_ports
from scoreboard import cases

DTYPES = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 fp16 fp32 fp64 bytes".split()
ECHOES = [option for dtype in DTYPES for option in ("--echo", f"echo_{dtype}")]

# {test: what the server does}
KSERVE = {}


@pytest.mark.timeout(900)
@pytest.mark.conformance("KServe's server")
def test_kserve(tmp_path, record_property):
    http, grpc = free_ports(2)
    program = servers.ROOT / "tests/conformance/peers/kserve_echo_main.py"
    url = f"http://127.0.0.1:{http}"
    with oip_peer.started([client_programs.PYTHON, program, str(http), str(grpc)], url, tmp_path):
        outcome = oip_peer.judge(tmp_path, url, f"127.0.0.1:{grpc}", *ECHOES)
    record_property("cases", cases(len(outcome.passed), outcome.failed, outcome.skipped))
    assert {name: wrong for name, wrong in outcome.failed.items() if name not in KSERVE} == {}
    assert set(KSERVE) - set(outcome.failed) == set(), "written down, and it does not happen"
