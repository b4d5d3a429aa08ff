"""A user's own backend: one file, built outside the tree against the installed header, and served."""

import os
import shutil
import subprocess

import pytest

import servers
from servers import ROOT, run_cli

SOURCES = sorted((ROOT / "examples/backend").glob("*.cc")) + sorted((ROOT / "examples/backend").glob("*.c"))


@pytest.fixture(scope="module")
def plugin_folder(tmp_path_factory):
    """The example copied away, with nothing of the tree but the header, and built by hand."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(ROOT / "include/modelmill", folder / "include/modelmill")
    [source] = SOURCES
    shutil.copy(source, folder)
    (folder / "plugins").mkdir()
    library = folder / "plugins" / f"modelmill_{source.stem}.so"
    compiler = [os.environ.get("CXX", "g++"), "-std=c++20"] if source.suffix == ".cc" else [os.environ.get("CC", "cc")]
    subprocess.run(
        [*compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-Iinclude",
         source.name, "-o", str(library)],
        cwd=folder, check=True, timeout=120,
    )  # fmt: skip
    return folder / "plugins"


def test_doctor_sees_it(plugin_folder):
    result = run_cli("doctor", "--backend-directory", plugin_folder)
    assert SOURCES[0].stem in result.stdout, result.stdout


def test_it_is_served(plugin_folder, serve, tmp_path):
    """As the example's own README tells: the configuration beside it, copied into a repository."""
    name = SOURCES[0].stem
    model = tmp_path / "models" / "mine"
    (model / "1").mkdir(parents=True)
    config = ROOT / "examples/backend/config.pbtxt"
    text = config.read_text() if config.exists() else f'backend: "{name}"'
    (model / "config.pbtxt").write_text("\n".join(line for line in text.splitlines() if not line.startswith("name:")))
    server = serve(model, "--backend-directory", plugin_folder)
    metadata = server.get_json("/v2/models/mine")
    assert metadata["inputs"]
    server.stop()


def test_a_plugin_that_is_none(serve, tmp_path):
    """Files that are no backend are named, and do not keep others from working."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "modelmill_broken.so").write_bytes(b"\x7fELF garbage")
    report = run_cli("doctor", "--backend-directory", folder)
    assert "broken" in report.stdout + report.stderr
    assert servers.binary().exists()
