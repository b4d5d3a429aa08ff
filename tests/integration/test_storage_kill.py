"""kill -9 at any moment leaves a cache that the next process can use, and files that are whole."""

import random
import subprocess

import pytest

import storage
from storage import File

KILLS = 30
CHUNK = 64 << 10


@pytest.mark.timeout(300)
def test_killed_at_any_moment(tmp_path):
    kill_loop(tmp_path, KILLS)


def kill_loop(folder, kills):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    moments = random.Random(seed)
    web = storage.WebServer()
    cache = folder / "cache"
    wanted = set()
    try:
        for round_ in range(kills):
            # The file changes now and then, so that there is something to load, to replace and to remove.
            data = storage.content(24 * CHUNK + round_ // 4, round_ // 4)
            web.files["/model.onnx"] = File(data, f'"{round_ // 4}"')
            wanted.add(storage.sha256(data))
            command = storage.probe_command(cache, web.url + "/model.onnx", "--chunk", CHUNK, "--threads", 2, "--bytes", 60 * CHUNK)
            with subprocess.Popen(command, env=storage.environment(folder), stdout=subprocess.PIPE) as process:
                try:
                    process.communicate(timeout=moments.uniform(0, 0.06))
                except subprocess.TimeoutExpired:
                    process.kill()
            storage.assert_consistent(cache, wanted)
        outcome = storage.probe(cache, web.url + "/model.onnx", "--chunk", CHUNK, "--bytes", 60 * CHUNK)
        assert outcome.files == {"model.onnx": storage.sha256(data)}
    finally:
        web.close()
