"""The Open Inference Protocol's suite on servers that are not ours: it finds what they do otherwise than the protocol says,
which is written down here, and nothing else."""

import json

import pytest

import oip_peer
import servers
from free_ports import free_ports
from scoreboard import cases

PEERS = servers.ROOT / "tests/conformance/peers"
DTYPES = "BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BYTES".split()
ECHOES = [option for dtype in DTYPES for option in ("--echo", f"echo_{dtype.lower()}")]

# {test: what the server does}. Both read JSON by FastAPI, whose refusals they leave as they are.
DETAIL = 'says {"detail": ...} instead of {"error": ...} of '
MALFORMED = [
    "not JSON", "no JSON at all", "an empty body", "no object", "no inputs", "inputs that are no list", "an input without a name",
    "an input without a shape", "an input without a data type", "an input without data", "a dimension that is no number",
]  # fmt: skip
BY_FASTAPI = {f"test_oip_errors::test_refused[{case}]": DETAIL + case for case in MALFORMED}
KSERVE = {
    **BY_FASTAPI,
    "test_oip_errors::test_refused[data of another type]": "takes objects for values of BOOL",
}
TRACEBACK = "answers with a traceback, not with JSON, "
MLSERVER = {
    **BY_FASTAPI,
    "test_oip_errors::test_refused[a negative dimension]": TRACEBACK + "where a dimension is negative",
    "test_oip_errors::test_refused[too little data]": TRACEBACK + "where there is too little data",
    "test_oip_errors::test_refused[too much data]": TRACEBACK + "where there is too much data",
    "test_oip_errors::test_refused[data of another type]": TRACEBACK + "where data is of another type",
    "test_oip_errors::test_refused[a data type that is not there]": DETAIL + "a data type that is not there",
    "test_oip_infer::test_the_id_comes_back[beyond ASCII]": "fails with status 500 where an id is beyond ASCII",
}

pytestmark = pytest.mark.timeout(900)


def check(outcome, known, record_property):
    told = [known.get(name, name) for name in outcome.failed]
    record_property("cases", cases(len(outcome.passed), told, outcome.skipped))
    assert {name: wrong for name, wrong in outcome.failed.items() if name not in known} == {}
    assert set(known) - set(outcome.failed) == set(), "written down, and it does not happen"


@pytest.mark.conformance("KServe's server")
def test_kserve(tmp_path, record_property):
    http, grpc = free_ports(2)
    url = f"http://127.0.0.1:{http}"
    command = [servers.ROOT / "build/venvs/clients/bin/python", PEERS / "kserve_echo_main.py", str(http), str(grpc)]
    with oip_peer.started(command, url, tmp_path):
        check(oip_peer.judge(tmp_path, url, f"127.0.0.1:{grpc}", *ECHOES), KSERVE, record_property)


@pytest.mark.conformance("MLServer")
def test_mlserver(tmp_path, record_property):
    http, grpc, metrics = free_ports(3)
    url = f"http://127.0.0.1:{http}"
    settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    for dtype in DTYPES:
        folder = tmp_path / f"echo_{dtype.lower()}"
        folder.mkdir()
        tensor = {"datatype": dtype, "shape": [-1, -1]}
        model = {"name": folder.name, "implementation": "mlserver_echo.Echo", "platform": "echo"}
        model |= {"inputs": [{"name": "x", **tensor}], "outputs": [{"name": "y", **tensor}]}
        (folder / "model-settings.json").write_text(json.dumps(model))
    command = [servers.ROOT / "build/venvs/mlserver/bin/mlserver", "start", tmp_path]
    with oip_peer.started(command, url, tmp_path, {"PYTHONPATH": str(PEERS)}):
        check(oip_peer.judge(tmp_path, url, f"127.0.0.1:{grpc}", *ECHOES), MLSERVER, record_property)
