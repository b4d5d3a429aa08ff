"""A user's own backend: one file, built outside the tree against the installed header, and served."""

import json
import os
import re
import shutil
import subprocess

import pytest

import servers
from repositories import parameter
from servers import ROOT, run_cli

EXAMPLES = ROOT / "examples"
HEADERS = ROOT / "include/modelmill"
EARLIER_HEADERS = ROOT / "tests/abi"
BUILDS = {
    "cpp": ("backend/reverse.cc", HEADERS),
    "c": ("backend_c/clamp.c", HEADERS),
    "c_of_abi_1_0": ("backend_c/clamp.c", EARLIER_HEADERS / "1.0/modelmill"),
    "c_of_abi_1_2": ("backend_c/clamp.c", EARLIER_HEADERS / "1.2/modelmill"),
    "c_of_abi_1_3": ("backend_c/clamp.c", EARLIER_HEADERS / "1.3/modelmill"),
}
FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-Iinclude"]


@pytest.fixture(scope="module", params=BUILDS)
def example(request, tmp_path_factory):
    """(its folder, its name, the folder with its library): copied away, with nothing of the tree but the headers, and built by
    hand."""
    folder = tmp_path_factory.mktemp("own")
    path, headers = BUILDS[request.param]
    source = EXAMPLES / path
    shutil.copytree(headers, folder / "include/modelmill")
    shutil.copy(source, folder)
    (folder / "plugins").mkdir()
    library = folder / "plugins" / f"modelmill_{source.stem}.so"
    cpp = source.suffix == ".cc"
    compiler = [os.environ.get("CXX", "g++"), "-std=c++20"] if cpp else [os.environ.get("CC", "cc"), "-std=c99", "-pedantic"]
    subprocess.run([*compiler, *FLAGS, source.name, "-o", str(library)], cwd=folder, check=True, timeout=120)
    return source.parent, source.stem, folder / "plugins"


def test_doctor_sees_it(example):
    _, name, plugins = example
    result = run_cli("doctor", "--backend-directory", plugins)
    assert f"{name} 1.0  ok" in result.stdout, result.stdout


def test_it_is_served(example, serve, tmp_path):
    """As the example's own README tells: its configuration, copied into a repository."""
    folder, name, plugins = example
    model = tmp_path / "models" / "mine"
    (model / "1").mkdir(parents=True)
    config = folder / "config.pbtxt"
    (model / "config.pbtxt").write_text(config.read_text() if config.exists() else f'backend: "{name}"')
    server = serve(model, "--backend-directory", plugins)
    status, answer, _ = server.request("POST", "/predict/mine", b'{"x": [[-3, 0.5, 2]]}', {"content-type": "application/json"})
    assert status == 200, answer
    assert json.loads(answer) == {"y": [[2, 0.5, -3]] if name == "reverse" else [[-1, 0.5, 1]]}
    if name == "clamp":
        counted = re.compile(r'^clamp_outside_total{model="mine",version="1"} [1-9]', re.MULTILINE)
        servers.wait_until(lambda: counted.search(server.get("/metrics")[1].decode()), "it is counted")
    server.stop()


WRONG = {
    "reverse": ("negate", "perhaps", "'perhaps' is not true or false"),
    "clamp": ("low", "9", "'low' is above 'high'"),
}


def test_what_is_wrong_with_a_model_is_told(example, tmp_path):
    _, name, plugins = example
    key, value, message = WRONG[name]
    (tmp_path / "mine/1").mkdir(parents=True)
    (tmp_path / "mine/config.pbtxt").write_text(f'backend: "{name}"\n{parameter(key, value)}')
    result = run_cli("serve", tmp_path / "mine", "--port", 0, "--backend-directory", plugins)
    assert result.returncode == 1 and message in result.stderr, result.stderr


def test_a_new_one(tmp_path):
    """What `modelmill new` writes builds, is served and answers, by the script that it writes."""
    result = run_cli("new", "backend", "my_scale", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    environment = {**servers.environment(), "MODELMILL": str(servers.binary().resolve())}
    test = subprocess.run(["sh", "my_scale/test.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert test.returncode == 0 and test.stdout == "my_scale works\n", test.stdout + test.stderr
    for header in (ROOT / "include/modelmill").rglob("*.h*"):
        assert (tmp_path / "my_scale/include" / header.relative_to(ROOT / "include")).read_bytes() == header.read_bytes()


def test_a_new_one_overwrites_nothing(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/precious").write_text("x")
    result = run_cli("new", "backend", "mine", cwd=tmp_path)
    assert result.returncode == 1 and "'mine' is there already" in result.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["precious"]
    assert run_cli("new", "backend", "mine", "--folder", "other", cwd=tmp_path).returncode == 0
    assert (tmp_path / "other/mine.cc").exists()


@pytest.mark.parametrize("arguments,message", [(["backend", "Mine"], "can't be a backend's name"), (["backend"], "NAME"),
                                               (["model", "x"], "'model' is none of backend"), (["backend", "../x"], "'../x'")])  # fmt: skip
def test_wrong_words(arguments, message, tmp_path):
    result = run_cli("new", *arguments, cwd=tmp_path)
    assert result.returncode == 2 and message in result.stderr, result.stderr
    assert not list(tmp_path.iterdir())


def test_a_plugin_that_is_none(serve, tmp_path):
    """Files that are no backend are named, and do not keep others from working."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "modelmill_broken.so").write_bytes(b"\x7fELF garbage")
    report = run_cli("doctor", "--backend-directory", folder)
    assert "broken" in report.stdout + report.stderr
    assert servers.binary().exists()
