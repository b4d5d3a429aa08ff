"""A server that is killed while it downloads its model, at its start or when a client loads it again. Whatever the
moment, the next start serves what is at the URL now, whole, and goes on with what has come."""

import contextlib
import http.client
import threading
import time

import models
import pytest
import storage
from changing_models import control, predict
from kill_loop import Victim, kill_again_and_again

KILLS = 70
BYTES = 20 << 20  # three of the ranges in which files come
RANGES = 3
# How long the web server takes to begin a range, and within how many seconds of its beginning a download is killed.
RANGE_SECONDS, DOWNLOAD_SECONDS = 0.2, 0.5


def large(factor):
    """A model that multiplies by `factor`, with bytes about it that are of no other factor's."""
    proto = models.scaled(factor)
    proto.doc_string = storage.content(BYTES // 2, factor).hex()
    return proto.SerializeToString(deterministic=True)


class Downloading(Victim):
    """A web server whose model is another one each time, and the cache of it."""

    def __init__(self, folder, chance):
        super().__init__(folder, chance)
        self.web = storage.WebServer()
        self.cache = folder / "cache"
        self.factor, self.interrupted, self.wanted = 0, 0, set()
        self.arguments = [
            f"m={self.web.url}/model.onnx", "--model-cache", self.cache, "--model-cache-size", 8 * BYTES,
            "--state-dir", folder / "state", "--model-control-mode=explicit", "--load-model=m",
        ]  # fmt: skip
        self.change()

    def close(self):
        self.web.close()

    def change(self):
        self.factor += 1
        data = large(self.factor)
        self.wanted.add(storage.sha256(data))
        with self.web.lock:
            self.web.faults = [self.pause_range(self.chance.uniform(0, RANGE_SECONDS)) for _ in range(RANGES)]
            self.web.files["/model.onnx"] = storage.File(data, f'"{self.factor}"')

    @staticmethod
    def pause_range(seconds):
        return lambda: time.sleep(seconds)

    def check(self, server):
        assert predict(server, "m")[1]["y"] == [self.factor * x for x in (1, 2, 3, 4)]
        super().check(server)
        storage.assert_consistent(self.cache, self.wanted)

    def look(self):
        """After a kill: what is in the cache is whole, also beside a file that has half come."""
        self.interrupted += any(path.suffix == ".part" for path in storage.cache_files(self.cache, "partial"))
        storage.assert_consistent(self.cache, self.wanted)

    def kill_starting(self, server):
        server.kill()
        self.change()
        self.start_and_kill(DOWNLOAD_SECONDS)
        self.look()

    def kill_loading(self, server):
        def load():
            with contextlib.suppress(OSError, http.client.HTTPException):
                control(server, "m", "load")

        self.change()
        loading = threading.Thread(target=load)
        loading.start()
        self.wait_within(DOWNLOAD_SECONDS)
        server.kill()
        loading.join()
        self.look()

    kills = (kill_starting, kill_loading)

    def check_left(self):
        assert self.interrupted, "no kill has met a download"

    def __str__(self):
        return f"{self.interrupted} downloads interrupted, {len(self.web.data_requests())} ranges asked for"


@pytest.mark.timeout(1200)
def test_nothing_half_downloaded_is_served_after_a_kill(tmp_path, capsys):
    kill_again_and_again(Downloading, tmp_path, KILLS, capsys)
