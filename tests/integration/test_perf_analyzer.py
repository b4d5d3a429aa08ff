"""Triton's own load generator runs against the server to its end, over both protocols."""

import os
import subprocess
import urllib.request

import pytest

from servers import ROOT

FOLDER = ROOT / "build/perf-analyzer"
PROGRAM = FOLDER / "bin/perf_analyzer"
REQUESTS = 400

pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(),
    reason="pip install --no-deps --target build/perf-analyzer -r tests/requirements-perf-analyzer.txt",
)


def answered(server):
    """Requests that the server has answered."""
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=30) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("nv_inference_request_success{"))


@pytest.fixture(scope="module")
def analyze(main_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("perf")

    def attempt(command, **options):
        """One run in fifty it has all its answers, has ended its threads, and waits for them all the same."""
        for _ in range(2):
            before = answered(main_server)
            try:
                return subprocess.run(command, timeout=30, **options)
            except subprocess.TimeoutExpired:
                assert answered(main_server) - before >= REQUESTS
        return subprocess.run(command, timeout=30, **options)

    def run(*arguments):
        program = folder / "perf_analyzer"
        if not program.exists():
            program.write_bytes(PROGRAM.read_bytes())
            program.chmod(0o755)
        env = {**os.environ, "LD_LIBRARY_PATH": str(FOLDER / "nvidia/cuda_runtime/lib")}
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            env.pop(name, None)
        command = [str(program), "-u", main_server.address, "--concurrency-range", "4", "--request-count", str(REQUESTS)]
        result = attempt([*command, *arguments], capture_output=True, text=True, env=env, cwd=folder)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "Throughput:" in result.stdout, result.stdout
        assert "error" not in result.stderr.lower(), result.stderr

    return run


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("model", ["simple", "mlp", "identity_bytes"])
def test_it_completes(analyze, protocol, model):
    shape = ["--shape", "x:4"] if model == "identity_bytes" else []
    analyze("-i", protocol, "-m", model, *shape)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_asynchronously_with_batches(analyze, protocol):
    analyze("-i", protocol, "-m", "mlp", "--async", "-b", "4")


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("model", ["simple", "mlp"])
def test_through_shared_memory(analyze, main_server, protocol, model):
    analyze("-i", protocol, "-m", model, "--shared-memory", "system", "--output-shared-memory-size", "4096")
    assert main_server.get_json("/v2/systemsharedmemory/status") == []  # it takes away what it has registered


def test_streaming(analyze):
    analyze("-i", "grpc", "-m", "simple", "--async", "--streaming")


def test_torchserves_protocol(analyze, tmp_path):
    row = tmp_path / "row.json"
    row.write_text(str([0.5] * 64))
    data = tmp_path / "data.json"
    data.write_text(f'{{"data": [{{"TORCHSERVE_INPUT": ["{row}"]}}]}}')
    analyze("--service-kind", "torchserve", "-m", "mlp", "--input-data", str(data))
