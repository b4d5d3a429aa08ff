"""A server that is killed at moments by chance, again and again, over the same models and the same state: while it
starts, while it loads a version, and while it stops and keeps what it has learned. Whatever the moment, the next start
serves the newest version on disk, answers rightly, and finds nothing wrong with its state."""

import contextlib
import http.client
import os
import random
import shutil
import subprocess
import threading
import time

import pytest
import servers
from changing_models import control, predict, served_versions, write_version

KILLS = 200
# Within how many seconds of its beginning each is killed; it takes less, so some moments are after its end.
START_SECONDS, LOAD_SECONDS, STOP_SECONDS = 0.25, 0.1, 0.05


class Victim:
    """The models, the state, and the servers over them, one after another."""

    def __init__(self, folder, chance):
        self.folder, self.chance = folder, chance
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

    def serve(self):
        return servers.Server(self.folder / "log", *self.arguments)

    def wait_within(self, seconds):
        time.sleep(self.chance.uniform(0, seconds))

    def check(self, server):
        assert served_versions(server, "m") == [str(self.version)]
        assert predict(server, "m")[1]["y"] == [self.version * x for x in (1, 2, 3, 4)]
        assert "WARN" not in server.log() and "ERROR" not in server.log(), server.text()

    def kill_starting(self, server):
        server.kill()
        command = [str(servers.binary()), "serve", *map(str, self.arguments), "--port", "0"]
        with open(self.folder / "killed", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=servers.environment())
        self.wait_within(START_SECONDS)
        process.kill()
        process.wait()

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


@pytest.mark.timeout(1200)
def test_the_next_start_is_whole_whenever_the_server_was_killed(tmp_path, capsys):
    seed = int(os.environ.get("MODELMILL_SEED", time.time_ns() % 1_000_000))
    with capsys.disabled():
        print(f"\nMODELMILL_SEED={seed}")
    chance = random.Random(seed)
    victim = Victim(tmp_path, chance)
    kills = [victim.kill_starting, victim.kill_loading, victim.kill_stopping]
    for _ in range(KILLS):
        server = victim.serve()
        try:
            victim.check(server)
            chance.choice(kills)(server)
        finally:
            server.kill()
    with servers.serving(tmp_path, *victim.arguments) as server:
        victim.check(server)
    kept = [path for path in victim.state.rglob("*") if path.is_file()]
    assert kept, "nothing was ever kept, so no kill can have met it"
    assert all(path.stat().st_size > 0 for path in kept if path.suffix != ".new")
    with capsys.disabled():
        print(f"{KILLS} kills, {victim.version} versions; {len(kept)} files of state")
