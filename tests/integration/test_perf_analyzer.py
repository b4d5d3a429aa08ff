"""Triton's own load generator runs against the server to its end, over each of the protocols that it speaks."""

import json
import os
import subprocess
import urllib.request

import pytest

from servers import ROOT

FOLDER = ROOT / "build/perf-analyzer"
PROGRAM = FOLDER / "bin/perf_analyzer"
REQUESTS = 400

pytestmark = [
    pytest.mark.conformance("perf_analyzer triton"),
    pytest.mark.skipif(
        not PROGRAM.exists(),
        reason="pip install --no-deps --target build/perf-analyzer -r tests/requirements-perf-analyzer.txt",
    ),
]


def answered(server):
    """Requests that the server has answered."""
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=60) as reply:
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
                return subprocess.run(command, timeout=60, **options)
            except subprocess.TimeoutExpired:
                assert answered(main_server) - before >= REQUESTS
        return subprocess.run(command, timeout=60, **options)

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


def served(server, model):
    return server.stats(model).get("inference_count", 0)


@pytest.mark.conformance("perf_analyzer tfserving")
@pytest.mark.parametrize(
    ("model", "rows", "arguments"),
    [
        ("mlp", 1, ["-b", "1"]),
        ("mlp", 4, ["-b", "4"]),
        ("mlp", 2, ["--shape", "x:2,64"]),
        ("simple", 3, ["-b", "3"]),
        ("identity_int64", 1, ["-b", "1", "--shape", "x:5"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_tensorflow_servings_protocol(analyze, main_server, model, rows, arguments):
    """It reads the signature first, and sends what that asks for."""
    before = served(main_server, model)
    analyze("--service-kind", "tfserving", "-i", "grpc", "-m", model, *arguments)
    assert served(main_server, model) - before >= REQUESTS * rows


def torchserve_input(folder, *files):
    data = folder / "data.json"
    data.write_text(json.dumps({"data": [{"TORCHSERVE_INPUT": [str(file)]} for file in files]}))
    return str(data)


def rows(folder, *values):
    for value in values:
        (folder / f"{value}.json").write_text(str([value] * 64))
    return [folder / f"{value}.json" for value in values]


@pytest.mark.conformance("perf_analyzer torchserve")
@pytest.mark.parametrize("values", [[0.5], [0.1, 0.2, 0.3]], ids=["one file", "several files"])
def test_torchserves_protocol(analyze, main_server, tmp_path, values):
    before = served(main_server, "mlp")
    analyze("--service-kind", "torchserve", "-m", "mlp", "--input-data", torchserve_input(tmp_path, *rows(tmp_path, *values)))
    assert served(main_server, "mlp") - before >= REQUESTS


@pytest.mark.conformance("perf_analyzer torchserve")
def test_torchserves_protocol_of_a_version(analyze, main_server, tmp_path):
    row = tmp_path / "row.json"
    row.write_text("[1, 2, 3, 4]")
    before = main_server.executions("versions", "1")
    analyze("--service-kind", "torchserve", "-m", "versions/1", "--input-data", torchserve_input(tmp_path, row))
    assert main_server.executions("versions", "1") > before
