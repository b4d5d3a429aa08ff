"""Workers of Python models that are killed, stopped for good and held up, a hundred times under load of both protocols:
every request is answered or refused with the reason, none hangs, and nothing of those workers is left."""

import os
import pathlib
import random
import signal
import time

import pytest

import python_load
import python_workers
import servers
from servers import wait_until

FAULTS = 100
WORKERS = 2  # of each model
CLIENTS, PAUSE = 8, 0.02  # of either protocol; seconds
HELD_UP = 0.3  # seconds; the limit of an execution is one second
PARAMETERS = {"workers": WORKERS, "execution_timeout_s": 1, "start_timeout_s": 10}
MB = 1 << 20
GROWTH = 48 * MB  # what allocators and the arenas of other workers may make of it


class Holdings:
    """What the server holds at rest."""

    def __init__(self, server):
        folder = pathlib.Path(f"/proc/{server.process.pid}")
        shared = [line.split() for line in (folder / "maps").read_text().splitlines() if "memfd:modelmill" in line]
        bounds = [[int(bound, 16) for bound in fields[0].split("-")] for fields in shared]
        self.descriptors = len(list((folder / "fd").iterdir()))
        self.threads = len(list((folder / "task").iterdir()))
        self.regions, self.shared_bytes = len(shared), sum(end - begin for begin, end in bounds)
        self.rss = server.rss_bytes()

    def __str__(self):
        return (
            f"{self.descriptors} descriptors, {self.threads} threads, {self.regions} regions of"
            f" {self.shared_bytes / MB:.0f} MB, RSS {self.rss / MB:.0f} MB"
        )

    def is_within(self, before):
        return (
            self.descriptors <= before.descriptors + 8
            and self.threads <= before.threads + 4
            and self.regions <= before.regions + 4 * len(python_load.MODELS)
            and self.shared_bytes <= before.shared_bytes + GROWTH
            and self.rss <= before.rss + GROWTH
        )


def kill(worker):
    os.kill(worker, signal.SIGKILL)


def stop(worker):
    os.kill(worker, signal.SIGSTOP)


def hold_up(worker):
    os.kill(worker, signal.SIGSTOP)
    time.sleep(HELD_UP)
    os.kill(worker, signal.SIGCONT)


def harm(server, chance, load):
    """One fault, and until the worker is gone, if it goes, and all models answer again."""
    fault = chance.choices([kill, stop, hold_up], [60, 25, 15])[0]
    worker = chance.choice(wait_until(lambda: python_workers.of(server), "there is a worker"))
    answers = dict(load.outcomes.answers)
    try:
        fault(worker)
    except ProcessLookupError:
        return False
    if fault is not hold_up:
        wait_until(lambda: not python_workers.is_alive(worker), f"worker {worker} is gone after {fault.__name__}", 60)
    answer_again = lambda: all(load.outcomes.answers[model] > answers[model] for model in answers)  # noqa: E731
    wait_until(answer_again, f"all models answer after {fault.__name__}", 60)
    return True


def at_rest(server, workers):
    wait_until(lambda: len(python_workers.of(server)) == workers, f"there are {workers} workers", 60)
    wait_until(lambda: server.children() == python_workers.of(server), "none is left unreaped")
    return Holdings(server)


@pytest.mark.timeout(900)
def test_a_hundred_faults_of_workers(tmp_path, capsys):
    seed = int(os.environ.get("MODELMILL_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)
    entries = [
        (name, python_workers.write(tmp_path / "models", name, code), PARAMETERS)
        for name, code in python_load.MODELS.items()
    ]
    workers = WORKERS * len(entries)
    with servers.serving(tmp_path, python_workers.yaml(tmp_path, *entries)) as server:
        warm_up = python_load.Load(server, CLIENTS, PAUSE)
        wait_until(lambda: warm_up.outcomes.least() > 50, "all models have answered", 60)
        warm_up.stop()
        assert not warm_up.outcomes.wrong and not warm_up.outcomes.refusals, warm_up.outcomes.wrong[:3]
        before = at_rest(server, workers)

        load, faults = python_load.Load(server, CLIENTS, PAUSE), 0
        try:
            while faults < FAULTS:
                faults += harm(server, chance, load)
        finally:
            load.stop()
            with capsys.disabled():
                print(f"\nMODELMILL_SEED={seed}: {faults} faults, answers {load.outcomes.answers}")
                print(f"{load.outcomes.refusals} refusals, the slowest answer took {load.outcomes.slowest:.1f} s")
                print(f"before: {before}")
        assert not load.outcomes.wrong, load.outcomes.wrong[:5]
        after = []
        try:
            is_over = lambda: after.append(at_rest(server, workers)) or after[-1].is_within(before)  # noqa: E731
            wait_until(is_over, "more is held than before", 30)
        finally:
            with capsys.disabled():
                print("after: ", *after[-1:])
        last = python_workers.of(server)
    wait_until(lambda: not any(map(python_workers.is_alive, last)), "no worker outlives the server")
