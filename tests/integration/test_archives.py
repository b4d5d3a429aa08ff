"""Models in archives: served as the folders that were packed, replaced as files are, refused when they would do harm."""

import gzip
import hashlib
import itertools
import os
import random
import stat
import subprocess
import tarfile
import time
import zipfile

import pytest

import archives
import servers
from changing_models import control, predict
from servers import wait_until

CONFIG = b'max_batch_size: 4\nbackend: "onnxruntime"\n'


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/modelmill"


def factor(server, model):
    status, answer = predict(server, model)
    return answer["y"][0] if status == 200 else status


def unpacked(cache):
    return sorted(path.name for path in (cache / "unpacked").iterdir() if path.is_dir())


@pytest.mark.parametrize("name", ["ocr.tar.gz", "ocr.tgz", "ocr.tar", "ocr.zip"])
def test_a_packed_folder_is_served(tmp_path, name):
    plain = archives.write(tmp_path / name, {"config.pbtxt": CONFIG, "1/model.onnx": archives.model_bytes(2), "2/model.onnx": archives.model_bytes(3)})  # fmt: skip
    with servers.serving(tmp_path, plain) as server:
        assert factor(server, "ocr") == 3
        assert server.get_json("/v2/models/ocr/config")["max_batch_size"] == 4


@pytest.mark.parametrize(
    "files, model",
    [
        ({"model.onnx": 2}, "packed"),
        ({"./model.onnx": 2, "./code/inference.py": b"x"}, "packed"),  # SageMaker's
        ({"net.onnx": 2}, "net"),
        ({"ocr/1/model.onnx": 2}, "ocr"),
        ({"ocr/model.onnx": 2}, "ocr"),
        ({"1/model.onnx": 2}, "packed"),
        ({"ocr/config.pbtxt": CONFIG, "ocr/1/model.onnx": 2, "other/1/model.onnx": 3}, "ocr"),
        ({"MLmodel": b"flavors: {onnx: {data: net.onnx}}", "net.onnx": 2}, "packed"),
        ({"modelmill.yaml": b"name: mine\n", "net.onnx": 2}, "mine"),
    ],
)
def test_what_it_is_called(tmp_path, files, model):
    packed = {name: archives.model_bytes(data) if isinstance(data, int) else data for name, data in files.items()}
    with servers.serving(tmp_path, archives.write(tmp_path / "packed.tar.gz", packed)) as server:
        assert factor(server, model) == 2


def test_it_can_be_given_a_name(tmp_path):
    path = archives.write(tmp_path / "model.tar.gz", {"model.onnx": archives.model_bytes(2)})
    (tmp_path / "list.yaml").write_text("models: [{name: listed, path: model.tar.gz, batching: {max_size: 4}}]\n")
    with servers.serving(tmp_path, f"named={path}", tmp_path / "list.yaml") as server:
        assert factor(server, "named") == 2 and factor(server, "listed") == 2
        assert server.get_json("/v2/models/listed/config")["max_batch_size"] == 4


def test_a_store_of_torchserves(tmp_path):
    store = tmp_path / "store"
    archives.write(store / "net_v1.mar", archives.mar_files("net", "1.0", 2))
    archives.write(store / "net_v2.mar", archives.mar_files("net", "2.0", 3))
    archives.write(store / "zipped.mar", archives.mar_files("tgz", "1.0", 4), kind=".tgz")
    with servers.serving(tmp_path, store) as server:
        assert factor(server, "net") == 3 and factor(server, "net/versions/1") == 2 and factor(server, "tgz") == 4
        archives.write(store / "net_v3.mar", archives.mar_files("net", "3.0", 5))
        wait_until(lambda: factor(server, "net") == 5, "the third version")
        assert factor(server, "net/versions/1") == 2


def test_a_handler_that_is_not_in_it(tmp_path):
    path = archives.write(tmp_path / "code.mar", archives.mar_files("code", "1.0", 4, handler="handler:handle"))
    outcome = servers.run_cli("serve", path, "--port=0")
    told = "model 'code' version 1: handler 'handler' is neither a Python file of the archive nor one of TorchServe's"
    assert outcome.returncode == 1 and told in outcome.stderr, outcome.stderr


def test_a_new_one_takes_the_place_of_the_old_one(tmp_path, cache):
    path = archives.write(tmp_path / "net.tar.gz", {"net.onnx": archives.model_bytes(2)})
    with servers.serving(tmp_path, path) as server:
        assert server.get_json("/v2/models/net")["versions"] == ["1"]
        before = unpacked(cache)
        archives.write(path, {"net.onnx": archives.model_bytes(3)})
        wait_until(lambda: factor(server, "net") == 3, "the new content")
        assert server.get_json("/v2/models/net")["versions"] == ["2"]
        wait_until(lambda: len(unpacked(cache)) == 1 and unpacked(cache) != before, "the old folder to go")
    # The next start finds it unpacked.
    inode = next((cache / "unpacked").rglob("net.onnx")).stat().st_ino
    with servers.serving(tmp_path / "again", path) as server:
        assert factor(server, "net") == 3
        assert next((cache / "unpacked").rglob("net.onnx")).stat().st_ino == inode


def test_a_broken_one_leaves_the_old_one_serving(tmp_path, cache):
    path = archives.write(tmp_path / "net.zip", {"net.onnx": archives.model_bytes(2)})
    whole = path.read_bytes()
    with servers.serving(tmp_path, path) as server:
        path.write_bytes(whole[: len(whole) // 2])
        wait_until(lambda: "new configuration not taken" in server.log(), "the refusal")
        assert "net.zip" in server.log() and factor(server, "net") == 2
        status, text = control(server, "net", "load")
        assert status == 400 and "net.zip" in text and "pack it anew" in text, text
        assert factor(server, "net") == 2 and len(unpacked(cache)) == 1
        archives.write(path, {"net.onnx": archives.model_bytes(3)})
        wait_until(lambda: factor(server, "net") == 3, "the mended one")


REST = 1  # seconds; what has not changed for so long is taken for whole


def test_one_that_is_being_copied_waits(tmp_path):
    path = archives.write(tmp_path / "net.tar.gz", {"net.onnx": archives.model_bytes(2)})
    with servers.serving(tmp_path, path) as server:
        assert any(copied_without_a_rest(server, path, new) for new in range(3, 8)), "this machine stands still too often"


def copied_without_a_rest(server, path, new):
    """Copies piece by piece, for longer than REST. False where a pause between two pieces was as long by itself."""
    whole = archives.write(path.with_name("new.tar.gz"), {"net.onnx": archives.model_bytes(new)}).read_bytes()
    refused, times = server.log().count("not taken"), []
    with open(path, "wb", buffering=0) as copy:
        for at in range(0, len(whole), len(whole) // 10):
            times.append(time.monotonic())
            copy.write(whole[at : at + len(whole) // 10])
            time.sleep(0.2)
    wait_until(lambda: factor(server, "net") == new, "the copy")
    if max(after - before for before, after in itertools.pairwise(times)) > 0.9 * REST:
        return False
    assert server.log().count("not taken") == refused
    return True


def test_clients_load_what_is_there_now(tmp_path):
    path = archives.write(tmp_path / "net.tar.gz", {"net.onnx": archives.model_bytes(2)})
    with servers.serving(tmp_path, path, "--model-control-mode=explicit") as server:
        assert control(server, "net", "load") == (200, "") and factor(server, "net") == 2
        archives.write(path, {"net.onnx": archives.model_bytes(3)})
        assert control(server, "net", "load") == (200, "") and factor(server, "net") == 3


def link(kind, target):
    return {"type": kind, "linkname": target}


HOSTILE = {
    "symbolic link": [("net.onnx", b"", link(tarfile.SYMTYPE, "/etc/passwd"))],
    "hard link": [("net.onnx", b"", link(tarfile.LNKTYPE, "/etc/passwd"))],
    "link to a folder, and a file in it": [("d", b"", link(tarfile.SYMTYPE, "/tmp")), ("d/out", b"x", {})],
    "absolute": [("/tmp/modelmill-out", b"x", {})],
    "up": [("../out", b"x", {})],
    "up inside": [("a/../../out", b"x", {})],
    "device": [("zero", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5})],
    "pipe": [("pipe", b"", {"type": tarfile.FIFOTYPE})],
    "long name": [("a/" * 600 + "x", b"x", {})],
    "long part": [("x" * 300, b"x", {})],
    "deep": [("a/" * 100 + "x", b"x", {})],
    "control character": [("a\nb", b"x", {})],
    "twice": [("a", b"x", {}), ("a", b"y", {})],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_tars(tmp_path, cache, case):
    path = archives.tar_of(tmp_path / "bad.tar.gz", ("net.onnx2", b"x", {}), *HOSTILE[case])
    outcome = servers.run_cli("serve", path, "--port=0")
    assert outcome.returncode == 1, outcome.stderr
    assert "bad.tar.gz" in outcome.stderr and "entry '" in outcome.stderr and "pack it" in outcome.stderr, outcome.stderr
    assert not (cache / "unpacked").exists() or unpacked(cache) == []
    assert not os.path.exists("/tmp/modelmill-out") and not list(tmp_path.rglob("out"))


def test_hostile_zips(tmp_path, cache):
    def link_in_zip(archive):
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")

    cases = {
        "up": lambda archive: archive.writestr("../../out", b"x"),
        "absolute": lambda archive: archive.writestr("/tmp/modelmill-out", b"x"),
        "link": link_in_zip,
        "lzma": lambda archive: archive.writestr("x", b"x" * 1000, zipfile.ZIP_LZMA),
        "bzip2": lambda archive: archive.writestr("x", b"x" * 1000, zipfile.ZIP_BZIP2),
        "none": lambda archive: None,
    }
    for name, make in cases.items():
        path = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            make(archive)
        outcome = servers.run_cli("serve", path, "--port=0")
        assert outcome.returncode == 1 and f"{name}.zip" in outcome.stderr and "; pack it" in outcome.stderr, outcome.stderr
        assert unpacked(cache) == [] and not os.path.exists("/tmp/modelmill-out") and not list(tmp_path.rglob("out"))


def test_bombs(tmp_path, cache):
    """None takes more of the disk than the limit, or much of memory."""
    zeros = bytes(1 << 20)
    with tarfile.open(tmp_path / "large.tar.gz", "w:gz", compresslevel=9) as archive:
        entry = tarfile.TarInfo("zeros.onnx")
        entry.size = 2 << 30  # above what an archive of this size may be

        class Zeros:
            def read(self, n):
                return zeros[:n]

        archive.addfile(entry, Zeros())
    sparse = tarfile.TarInfo("huge.onnx")
    sparse.size = 1 << 60
    (tmp_path / "claims.tar").write_bytes(sparse.tobuf() + bytes(2048))
    twice = gzip.compress((tmp_path / "large.tar.gz").read_bytes())
    (tmp_path / "twice.tar.gz").write_bytes(twice)
    for name in ("large.tar.gz", "claims.tar", "twice.tar.gz"):
        outcome = servers.run_cli("serve", tmp_path / name, "--port=0")
        assert outcome.returncode == 1 and name in outcome.stderr, outcome.stderr
        if name != "twice.tar.gz":
            assert f"more than {1 << 30} bytes would be unpacked" in outcome.stderr, outcome.stderr
        assert unpacked(cache) == [] and not list((cache / "partial").iterdir())


def test_names_in_any_language(tmp_path):
    for name, kind in (("a.zip", ".zip"), ("a.tar.gz", ".tar.gz")):
        path = archives.write(tmp_path / name, {"größe/1/model.onnx": archives.model_bytes(2)}, kind)
        result = servers.run_cli("lint", path)
        assert "größe" in servers.run_cli("lint", "--effective", path).stdout, result.stdout


def test_lint_reads_them(tmp_path):
    path = archives.write(tmp_path / "net.mar", archives.mar_files("net", "1.0", 2))
    large = archives.write(tmp_path / "large.zip", {"net2.onnx": bytes(3 << 20), "more/x": b"x"})
    result = servers.run_cli("lint", path, large)
    assert result.returncode == 0, result.stdout
    assert f"{path}: 2 files, " in result.stdout and f"{large}: 2 files, {(3 << 20) + 1} bytes" in result.stdout
    assert "2 models without a problem" in result.stdout
    wrong = archives.write(tmp_path / "wrong.tgz", {"wrong/config.pbtxt": b"max_batchsize: 4\n", "wrong/1/model.onnx": b""})
    result = servers.run_cli("lint", wrong)
    assert f"{wrong}/wrong/config.pbtxt:1:1: error: unknown field 'max_batchsize'" in result.stdout, result.stdout
    bad = archives.tar_of(tmp_path / "bad.tar.gz", ("../x", b"x", {}))
    result = servers.run_cli("lint", bad)
    assert result.returncode == 1 and f"{bad}: error: archive '{bad}', entry '../x'" in result.stdout, result.stdout
    effective = servers.run_cli("lint", "--effective", path)
    assert f"path: {path}  #" in effective.stdout, effective.stdout


KILLS = 25


@pytest.mark.timeout(300)
def test_killed_at_any_moment(tmp_path, cache):
    """What is unpacked is whole, and the next server starts."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    moments = random.Random(seed)
    path = tmp_path / "net.tar.gz"
    sums = set()
    for round_ in range(KILLS):
        if round_ % 3 == 0:
            data = moments.randbytes(6 << 20)
            files = {"net/1/model.onnx": archives.model_bytes(round_ + 1)} | {f"net/1/{i}.bin": data[i << 20 :] for i in range(6)}
            archives.write(path, files)
            sums |= {hashlib.sha256(content).hexdigest() for content in files.values()}
        command = [str(servers.binary()), "serve", str(path), "--port=0", "--log-level=error"]
        with subprocess.Popen(command, env=servers.environment(), stdout=subprocess.DEVNULL) as process:
            time.sleep(moments.uniform(0, 0.25))
            process.kill()
        for folder in unpacked(cache) if (cache / "unpacked").exists() else []:
            found = [p for p in (cache / "unpacked" / folder).rglob("*") if p.is_file()]
            assert len(found) == 7
            assert {hashlib.sha256(p.read_bytes()).hexdigest() for p in found} <= sums
    with servers.serving(tmp_path, path) as server:
        assert factor(server, "net") == (KILLS - 1) // 3 * 3 + 1
        wait_until(lambda: len(unpacked(cache)) == 1 and not list((cache / "partial").iterdir()), "the rest is taken away")
