"""Servers that are killed at moments by chance, again and again, each over what the one before has left behind."""

import concurrent.futures
import os
import random
import subprocess
import time

import servers

SIDE_BY_SIDE = 2  # loops, each over a folder of its own


class Victim:
    """What the servers have, one after another. A kind of victim gives the arguments, what the next start must be
    like (check), and in `kills` the ways to bring a server to its end."""

    arguments = ()
    kills = ()

    def __init__(self, folder, chance):
        self.folder, self.chance = folder, chance

    def wait_within(self, seconds):
        time.sleep(self.chance.uniform(0, seconds))

    def check(self, server):
        """Of a start after a kill, and of the last one."""
        assert "WARN" not in server.log() and "ERROR" not in server.log(), server.text()

    def check_left(self):
        """Of what is on disk at the end."""

    def close(self):
        pass

    def start_and_kill(self, seconds):
        """Another server in the place of the last one, killed within so many seconds of its beginning."""
        command = [str(servers.binary()), "serve", *map(str, self.arguments), "--port", "0"]
        with open(self.folder / "killed", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=servers.environment())
        self.wait_within(seconds)
        process.kill()
        process.wait()

    def run(self, kills):
        for _ in range(kills):
            server = servers.Server(self.folder / "log", *self.arguments)
            try:
                self.check(server)
                self.chance.choice(self.kills)(self, server)
            finally:
                server.kill()
        with servers.serving(self.folder, *self.arguments) as server:
            self.check(server)
        self.check_left()


def _run(kind, folder, seed, kills):
    folder.mkdir()
    victim = kind(folder, random.Random(seed))
    try:
        victim.run(kills)
    finally:
        victim.close()
    return str(victim)


def kill_again_and_again(kind, folder, kills, capsys):
    """Victims of that kind, side by side. Each says what it has been through."""
    seed = int(os.environ.get("MODELMILL_SEED", time.time_ns() % 1_000_000))
    with capsys.disabled():
        print(f"\nMODELMILL_SEED={seed}")
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        runs = [
            pool.submit(_run, kind, folder / str(one), seed + one, kills // SIDE_BY_SIDE) for one in range(SIDE_BY_SIDE)
        ]
        told = [run.result() for run in runs]
    with capsys.disabled():
        print(f"{kills} kills; {'; '.join(told)}")
