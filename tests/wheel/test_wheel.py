"""The pip wheel in a fresh virtual environment outside the checkout: it is whole, finds its runtime, and serves."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ONNXRUNTIME = re.search(r"^onnxruntime==\S+", (ROOT / "tools/requirements-runtime.txt").read_text(), re.MULTILINE)[0]
NUMPY = re.search(r"^numpy==\S+", (ROOT / "tests/requirements/python.txt").read_text(), re.MULTILINE)[0]
SERVICE = """
import sys

import modelmill
import numpy as np


@modelmill.model(batch=8, outputs={"twice": modelmill.Tensor[np.float32, 2], "python": str})
def service(x: modelmill.Tensor[np.float32, 2]):
    return {"twice": 2 * x, "python": [sys.prefix] * len(x)}
"""


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    """A virtual environment with the wheel, ONNX Runtime and numpy, and nothing else; and no way back into the checkout."""
    wheels = sorted((ROOT / "build/wheel/dist").glob("modelmill-*.whl"))
    assert len(wheels) == 1, "run `make wheel` first"
    folder = tmp_path_factory.mktemp("wheel") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", wheels[0], ONNXRUNTIME, NUMPY], check=True)
    assert ROOT not in folder.parents
    return folder


def environment():
    dropped = ("MODELMILL", "LD_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def modelmill(venv, *arguments):
    return subprocess.run(
        [venv / "bin/modelmill", *arguments], cwd=venv, env=environment(), capture_output=True, text=True, timeout=60
    )


@contextlib.contextmanager
def server(venv, *arguments):
    """A running server: its process and its address, which it prints."""
    process = subprocess.Popen(
        [venv / "bin/modelmill", "serve", *arguments, "--port", "0"],
        cwd=venv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"http://[\d.]+:\d+", line):
                yield process, found[0]
                break
        else:
            pytest.fail("the server gave no address:\n" + "".join(said))
    finally:
        if process.poll() is None:
            process.terminate()
        process.stdout.close()
        process.wait(timeout=60)


def test_version(venv):
    result = modelmill(venv, "--version")
    assert result.returncode == 0, result.stderr
    assert re.search(r"\b0\.1\.0\b", result.stdout)


def test_doctor_finds_the_runtime_of_the_environment(venv):
    result = modelmill(venv, "doctor")
    assert "ONNX Runtime" in result.stdout
    assert ONNXRUNTIME.split("==")[1] in result.stdout
    assert str(venv) in result.stdout


def test_bundled_libraries_are_used(venv):
    """Nothing of the binary is missing on the machine, and what the wheel bundles is taken from the wheel."""
    binary = next((venv / "lib").glob("python3*/site-packages/modelmill/bin/modelmill"))
    listing = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    assert "not found" not in listing
    for library in (binary.parent / "lib").glob("*.so*"):
        assert str(library) in listing


def test_licences_are_with_what_they_are_of(venv):
    (notices,) = venv.glob("lib/python*/site-packages/modelmill-*.dist-info/**/THIRD_PARTY")
    text = notices.read_text()
    for library in venv.glob("lib/python*/site-packages/modelmill/bin/**/lib/*.so*"):
        assert re.search(rf"^=+ {library.name.split('.so')[0]}", text, re.MULTILINE), library
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in text
    for name in re.findall(r"/usr/share/common-licenses/([\w.-]*\w)", text):
        assert f"{'=' * 20} /usr/share/common-licenses/{name}\n" in text, name


def test_serves_and_stops(venv):
    model = next((venv / "lib").glob("python3*/site-packages/onnxruntime/datasets/mul_1.onnx"))
    with server(venv, model) as (process, url):
        assert urllib.request.urlopen(f"{url}/v2/health/ready", timeout=60).status == 200
        question = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [3, 2], "data": [1, 2, 3, 4, 5, 6]}]}
        request = urllib.request.Request(f"{url}/v2/models/mul_1/infer", data=json.dumps(question).encode())
        answer = json.load(urllib.request.urlopen(request, timeout=60))
        assert answer["outputs"][0]["data"] == [1, 4, 9, 16, 25, 36]
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(timeout=60) == 0


def test_serves_a_function_in_python(venv):
    """By the environment's own interpreter and the wheel's own package."""
    path = venv.parent / "service.py"
    path.write_text(SERVICE)
    with server(venv, path) as (process, url):
        request = urllib.request.Request(f"{url}/predict/service", data=b'{"x": [[1, 2], [3, 4]]}')
        answer = json.load(urllib.request.urlopen(request, timeout=60))
        assert answer == {"twice": [[2, 4], [6, 8]], "python": [str(venv)] * 2}
        tasks = pathlib.Path(f"/proc/{process.pid}/task").iterdir()
        (worker,) = [worker for task in tasks for worker in (task / "children").read_text().split()]
        command = pathlib.Path(f"/proc/{worker}/cmdline").read_text()
        assert f"{venv}/lib" in command and str(ROOT) not in command, command


def test_module_is_the_command(venv):
    result = subprocess.run(
        [venv / "bin/python", "-m", "modelmill", "--version"], cwd=venv, env=environment(), capture_output=True, text=True
    )
    assert result.returncode == 0 and "0.1.0" in result.stdout
