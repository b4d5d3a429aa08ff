"""Disks that fail while models change: each is an error of that load only, which says what is wrong, and what served
before serves on."""

import concurrent.futures
import contextlib
import json
import os
import shutil
import subprocess

import clients
import models
import pytest
import servers
from changing_models import control, predict, served_versions, states, write_version
from servers import wait_until
from tritonclient.utils import InferenceServerException

SMALL_DISK = 1 << 20  # ThreadSanitizer keeps a file of its own in TMPDIR


@pytest.fixture
def repository(tmp_path):
    write_version(tmp_path / "models", "m", 1, config="")
    return tmp_path / "models"


@pytest.fixture
def server(tmp_path, repository):
    with servers.serving(tmp_path, repository, "--model-control-mode=explicit", "--load-model=m") as server:
        yield server


@pytest.fixture
def small_disk(tmp_path):
    """A folder that is a file system of SMALL_DISK bytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("file systems can't be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as filler:
        while filler.write(b"\0" * 4096) == 4096:
            pass


def files_in(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def put_directory(path):
    path.mkdir()


def put_dangling_link(path):
    path.symlink_to(path.parent / "nowhere.onnx")


def put_unreadable(path):
    path.symlink_to("/proc/self/mem")  # opens, and cannot be read at its beginning, by root neither


@pytest.mark.parametrize("put", [put_directory, put_dangling_link, put_unreadable])
def test_a_version_that_cannot_be_read_leaves_the_old_one_serving(server, repository, put):
    broken = repository / "m" / "2"
    broken.mkdir()
    put(broken / "model.onnx")
    status, text = control(server, "m", "load")
    assert status in (400, 503) and str(broken) in text, (status, text)
    assert served_versions(server, "m") == ["1"] and predict(server, "m")[1]["y"] == [1, 2, 3, 4]
    write_version(repository, "m", 3)
    assert control(server, "m", "load") == (200, "")
    assert served_versions(server, "m") == ["3"]


def test_a_version_folder_that_disappears_while_it_is_loaded_harms_nobody(server, repository):
    """Whether the load has all it needs by then is a matter of chance; that somebody is always served is not."""
    large = models.mlp(sizes=(4, 2048, 2048, 4))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for version in range(2, 10):
            write_version(repository, "large", version, model=large, config="")
            loading = pool.submit(control, server, "large", "load")
            wait_until(lambda v=version: ("large", str(v)) in states(server) or loading.done(), "it is being loaded")
            shutil.rmtree(repository / "large" / str(version))
            status, text = loading.result()
            assert status == 200 or "large" in text, (status, text)
            assert predict(server, "m")[1]["y"] == [1, 2, 3, 4]
    write_version(repository, "large", 10, model=large)
    assert control(server, "large", "load") == (200, "")
    assert predict(server, "large")[0] == 200


@pytest.fixture
def server_on_small_disk(tmp_path, repository, small_disk, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(small_disk))
    with servers.serving(tmp_path, repository, "--model-control-mode=explicit", "--load-model=m") as server:
        yield server


def test_a_model_that_was_sent_to_a_full_disk_is_refused_and_leaves_nothing(server_on_small_disk, small_disk):
    def send(model):
        files = {"file:1/model.onnx": model.SerializeToString()}
        client.load_model("sent", config=json.dumps({"backend": "onnxruntime"}), files=files)

    client = clients.Client("http", server_on_small_disk.address)
    with pytest.raises(InferenceServerException, match="'1/model.onnx' that was sent .*No space left on device"):
        send(models.mlp(sizes=(4, 1024, 512, 4)))
    assert not [name for name in os.listdir(small_disk) if name.startswith("modelmill")]
    send(models.scaled(5))
    assert predict(server_on_small_disk, "sent")[1]["y"] == [5, 10, 15, 20]
    client.close()


def test_a_full_disk_of_the_state_costs_what_would_be_kept_and_no_more(tmp_path, repository, small_disk):
    arguments = (repository, f"--state-dir={small_disk}", "--model-control-mode=explicit", "--load-model=m")
    server = servers.Server(tmp_path / "log", *arguments)
    try:
        fill(small_disk)
        write_version(repository, "m", 2)
        assert control(server, "m", "load") == (200, "")
        assert predict(server, "m")[1]["y"] == [2, 4, 6, 8]
        server.stop()
        assert "No space left on device" in server.log()
    finally:
        server.kill()
    assert set(files_in(small_disk)) <= {"filler", "lock"}, "nothing half written"
    (small_disk / "filler").unlink()
    with servers.serving(tmp_path, *arguments) as server:
        assert predict(server, "m")[1]["y"] == [2, 4, 6, 8]
    assert files_in(small_disk) != [], "with room, it is kept"
