"""A server that is killed at moments by chance, again and again, over the same models and the same state: while it
starts, while it loads a version, and while it stops and keeps what it has learned. Whatever the moment, the next start
serves the newest version on disk, answers rightly, and finds nothing wrong with its state."""

import contextlib
import http.client
import shutil
import threading

import pytest
from changing_models import control, predict, served_versions, write_version
from kill_loop import Victim, kill_again_and_again

KILLS = 70
# Within how many seconds of its beginning each is killed; it takes less, so some moments are after its end.
START_SECONDS, LOAD_SECONDS, STOP_SECONDS = 0.25, 0.1, 0.05


class Serving(Victim):
    """Versions of a model that follow each other, and the state."""

    def __init__(self, folder, chance):
        super().__init__(folder, chance)
        self.repository, self.state = folder / "models", folder / "state"
        self.version = 0
        self.arguments = [
            self.repository, "--state-dir", self.state, "--model-control-mode=explicit", "--load-model=m",
        ]  # fmt: skip
        self.add_version()

    def add_version(self):
        self.version += 1
        write_version(self.repository, "m", self.version, config="")
        shutil.rmtree(self.repository / "m" / str(self.version - 2), ignore_errors=True)

    def check(self, server):
        assert served_versions(server, "m") == [str(self.version)]
        assert predict(server, "m")[1]["y"] == [self.version * x for x in (1, 2, 3, 4)]
        super().check(server)

    def kill_starting(self, server):
        server.kill()
        self.start_and_kill(START_SECONDS)

    def kill_loading(self, server):
        def load():
            with contextlib.suppress(OSError, http.client.HTTPException):
                control(server, "m", "load")

        self.add_version()
        loading = threading.Thread(target=load)
        loading.start()
        self.wait_within(LOAD_SECONDS)
        server.kill()
        loading.join()

    def kill_stopping(self, server):
        server.terminate()
        self.wait_within(STOP_SECONDS)
        server.kill()

    kills = (kill_starting, kill_loading, kill_stopping)

    def kept(self):
        return [path for path in self.state.rglob("*") if path.is_file()]

    def check_left(self):
        assert self.kept(), "nothing was ever kept, so no kill can have met it"
        assert all(path.stat().st_size > 0 for path in self.kept() if path.suffix != ".new")

    def __str__(self):
        return f"{self.version} versions, {len(self.kept())} files of state"


@pytest.mark.timeout(1200)
def test_the_next_start_is_whole_whenever_the_server_was_killed(tmp_path, capsys):
    kill_again_and_again(Serving, tmp_path, KILLS, capsys)
