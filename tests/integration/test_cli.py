"""The command line: every command, its output for people and machines, and its exit status."""

import json
import re
import struct
import subprocess
import zlib

import numpy as np
import pytest

import models
import servers
from servers import run_cli

OK, FAILURE, USAGE, UNREACHABLE, REFUSED = range(5)
ROWS = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)


@pytest.fixture
def twice(tmp_path):
    return models.save(models.scaled(2), tmp_path / "twice.onnx")


def inputs_of(folder):
    """ROWS as files of every kind."""
    np.save(folder / "rows.npy", ROWS)
    (folder / "rows.csv").write_text("1,2,3,4\n5,6,7,8\n")
    (folder / "named.json").write_text(json.dumps({"x": ROWS.tolist()}))
    (folder / "bare.json").write_text(json.dumps(ROWS.tolist()))
    return ["rows.npy", "rows.csv", "named.json", "bare.json"]


def test_version_and_help():
    result = run_cli("--version")
    assert result.returncode == OK
    assert re.fullmatch(r"modelmill \d+\.\d+\.\d+\S*\n", result.stdout)
    result = run_cli("--help")
    assert result.returncode == OK
    for command in ("serve", "predict", "models", "explain", "top", "doctor", "lint", "migrate", "verify", "new", "completion"):
        assert command in result.stdout
        help_text = run_cli(command, "--help")
        assert help_text.returncode == OK
        assert "Usage" in help_text.stdout


@pytest.mark.parametrize(
    "arguments,hint",
    [
        ([], ""),
        (["srve", "x.onnx"], "serve"),
        (["serve"], "PATH"),
        (["serve", "x.onnx", "--prt", "1"], "--port"),
        (["serve", "x.onnx", "--port", "70000"], "port"),
        (["serve", "x.onnx", "--port", "abc"], "port"),
        (["serve", "x.onnx", "--log-format", "xml"], "xml"),
        (["predict", "x.onnx"], "INPUT"),
        (["models", "--server", "ftp://x"], "http"),
        (["completion", "tcsh"], "tcsh"),
    ],
)
def test_usage_errors(arguments, hint):
    result = run_cli(*arguments)
    assert result.returncode == USAGE, result
    assert hint.lower() in (result.stderr + result.stdout).lower()


@pytest.mark.parametrize("name", ["rows.npy", "rows.csv", "named.json", "bare.json"])
def test_predict_by_itself(tmp_path, twice, name):
    inputs_of(tmp_path)
    result = run_cli("predict", twice, tmp_path / name, "--json")
    assert result.returncode == OK, result.stderr
    assert json.loads(result.stdout)["y"] == (ROWS * 2).tolist()


@pytest.mark.parametrize("name", ["rows.npy", "rows.csv", "named.json", "bare.json"])
def test_predict_against_a_server(main_server, tmp_path, name):
    inputs_of(tmp_path)
    result = run_cli("predict", "versions", tmp_path / name, "--json", "--server", main_server.url)
    assert result.returncode == OK, result.stderr
    assert json.loads(result.stdout)["y"] == (ROWS * 3).tolist()
    result = run_cli("predict", "versions", tmp_path / name, "--json", "--server", main_server.url, "--version", 1)
    assert json.loads(result.stdout)["y"] == ROWS.tolist()


def test_predict_from_standard_input(twice):
    result = run_cli("predict", twice, "-", "--json", input=json.dumps({"x": ROWS.tolist()}))
    assert result.returncode == OK, result.stderr
    assert json.loads(result.stdout)["y"] == (ROWS * 2).tolist()


def test_predict_into_files(tmp_path, twice):
    inputs_of(tmp_path)
    for name in ("answer.npy", "answer.csv", "answer.json"):
        result = run_cli("predict", twice, tmp_path / "rows.npy", "--output", tmp_path / name)
        assert result.returncode == OK, result.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "answer.npy"), ROWS * 2)
    assert json.loads((tmp_path / "answer.json").read_text())["y"] == (ROWS * 2).tolist()
    assert "14" in (tmp_path / "answer.csv").read_text()


def test_predict_for_people(tmp_path, twice):
    inputs_of(tmp_path)
    result = run_cli("predict", twice, tmp_path / "rows.npy")
    assert result.returncode == OK
    assert "y" in result.stdout and "FP32" in result.stdout and "16" in result.stdout


def png(pixels):
    """A PNG of an array [height, width, 3] of bytes."""
    height, width, _ = pixels.shape
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def test_predict_of_an_image(tmp_path):
    """Pixels as floats from 0 to 1, channels first, as the model's shape says."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    (tmp_path / "image.png").write_bytes(png(pixels))
    path = models.save(models.identity(shape=("batch", 3, "h", "w")), tmp_path / "echo.onnx")
    result = run_cli("predict", path, tmp_path / "image.png", "--output", tmp_path / "out.npy")
    assert result.returncode == OK, result.stderr
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), pixels.transpose(2, 0, 1)[None] / 255, atol=1e-6)


def test_predict_failures(tmp_path, twice, main_server):
    (tmp_path / "bad.json").write_text('{"z": [1]}')
    (tmp_path / "rows.csv").write_text("1,2,3\n")
    cases = [
        (["predict", twice, tmp_path / "none.npy"], REFUSED, "none.npy"),
        (["predict", tmp_path / "none.onnx", tmp_path / "rows.csv"], REFUSED, "none.onnx"),
        (["predict", twice, tmp_path / "bad.json"], REFUSED, "z"),
        (["predict", twice, tmp_path / "rows.csv"], REFUSED, "x"),
        (["predict", "nothing", tmp_path / "rows.csv", "--server", main_server.url], REFUSED, "nothing"),
        (["predict", "m", tmp_path / "rows.csv", "--server", "http://127.0.0.1:1"], UNREACHABLE, "127.0.0.1:1"),
        (["models", "--server", "http://127.0.0.1:1"], UNREACHABLE, "127.0.0.1:1"),
    ]
    for arguments, code, text in cases:
        result = run_cli(*arguments)
        assert result.returncode == code, (arguments, result)
        assert text in result.stderr, (arguments, result.stderr)
        assert result.stdout == ""


def test_models(main_server):
    result = run_cli("models", "--server", main_server.url)
    assert result.returncode == OK, result.stderr
    for wanted in ("simple", "versions", "INPUT0", "INT32"):
        assert wanted in result.stdout
    result = run_cli("models", "--server", main_server.url, "--json")
    assert result.returncode == OK, result.stderr
    listed = {(entry["name"], entry["version"]): entry for entry in json.loads(result.stdout)}
    assert {("simple", "1"), ("versions", "1"), ("versions", "3"), ("mlp", "1")} <= set(listed)
    assert listed["simple", "1"]["state"] == "READY"
    assert listed["mlp", "1"]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 64]}]


def test_doctor():
    result = run_cli("doctor")
    assert result.returncode == OK, result.stdout
    for wanted in ("onnxruntime", "identity", "ONNX Runtime", "cores"):
        assert wanted in result.stdout
    report = json.loads(run_cli("doctor", "--json").stdout)
    backends = {backend["name"]: backend for backend in report["backends"]}
    assert backends["identity"]["available"]
    runtime = backends["onnxruntime"]
    assert runtime["available"] and runtime["runtime"] == "ONNX Runtime"
    assert re.match(r"\d+\.\d+", runtime["runtime_version"])
    assert "onnxruntime" in runtime["runtime_path"]
    assert report["machine"]["usable_cores"] >= 1


def test_doctor_without_a_runtime(tmp_path):
    """A machine without ONNX Runtime: doctor names the command that installs it, and so does the model's error."""
    missing = f"onnxruntime,library={tmp_path / 'none.so'}"
    no_python = f"python,python={tmp_path / 'none'}"
    result = run_cli("doctor", "--backend-config", missing, "--backend-config", no_python)
    assert "MISSING" in result.stdout and "pip install onnxruntime" in result.stdout
    assert result.returncode == FAILURE
    path = models.save(models.scaled(2), tmp_path / "twice.onnx")
    result = run_cli("serve", path, "--port", 0, "--backend-config", missing)
    assert result.returncode == FAILURE
    assert "none.so" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    result = run_cli("completion", shell)
    assert result.returncode == OK
    assert "modelmill" in result.stdout and "serve" in result.stdout


def test_completion_of_bash_completes():
    script = run_cli("completion", "bash").stdout
    probe = script + "\nCOMP_WORDS=(modelmill se); COMP_CWORD=1; COMP_LINE='modelmill se'; COMP_POINT=12\n"
    probe += (
        "f=$(complete -p modelmill | sed 's/.*-F \\([^ ]*\\).*/\\1/'); $f modelmill se modelmill; echo ${COMPREPLY[@]}"
    )
    result = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.split() == ["serve"]


def test_the_reference_in_docs_is_current():
    """docs/cli.md holds the tables that the program itself prints."""
    document = servers.ROOT / "docs/cli.md"
    reference = run_cli("--help-markdown").stdout
    assert reference.strip() in document.read_text()
