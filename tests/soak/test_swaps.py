"""A hundred swaps of a model's versions under the load of 64 clients, while another model comes and goes as often: half
by clients, half by files.

No request may fail, each answer is that of the version which it names, and memory doesn't grow. The load is a share of
what the machine does for as many clients that ask without a pause.
"""

import contextlib
import shutil
import time

import models
import pytest
import servers
from changing_models import control, replace_file, served_versions, states, write_version
from servers import wait_until
from swap_load import SwapLoad, sustained_rate

CLIENTS, SHARE, SUSTAINED_SECONDS = 64, 0.7, 3
SWAPS, SETTLED = 50, 10  # each way; memory is held against what it was after so many
GROWTH = 1.05
MB = 1e6


class Memory:
    """What the server takes, after each swap and at rest: no version is being loaded or unloaded."""

    def __init__(self, server):
        self.server = server
        self.bytes = []

    def note(self):
        wait_until(lambda: not {"LOADING", "UNLOADING"} & {state for state, _ in states(self.server).values()}, "rest")
        self.bytes.append(self.server.rss_bytes())

    def assert_flat(self):
        most = GROWTH * self.bytes[SETTLED - 1]
        # The memory of the last version may be given back a moment after it has gone.
        wait_until(lambda: self.server.rss_bytes() <= most, f"more than {most / MB:.0f} MB are taken: {self}")

    def __str__(self):
        return (
            f"{self.bytes[0] / MB:.1f} MB after a swap, {self.bytes[SETTLED - 1] / MB:.1f} MB after {SETTLED},"
            f" {self.bytes[-1] / MB:.1f} MB after {len(self.bytes)}"
        )


@contextlib.contextmanager
def swapping(folder, capsys, *arguments):
    """(the server, what is known of its memory, the load on model 'm'), whose every request must be answered."""
    with servers.serving(folder, *arguments) as server:
        rate = SHARE * sustained_rate(server, "m", CLIENTS, SUSTAINED_SECONDS)
        memory = Memory(server)
        began = time.monotonic()
        with SwapLoad(server, "m", CLIENTS, rate) as load:
            yield server, memory, load
            memory.assert_flat()
            seconds = time.monotonic() - began
        with capsys.disabled():
            asked = f"{load.requests()} requests, {load.requests() / seconds:.0f} a second of {rate:.0f}"
            print(f"\n{asked}, over {SWAPS} swaps; {memory}")
        assert load.failures == []
        assert load.versions == set(range(1, SWAPS + 2))


def wait_for(server, load, version):
    """Until it alone serves, and a client has had its answer."""
    wait_until(lambda: served_versions(server, "m") == [str(version)], f"version {version}")
    wait_until(lambda: version in load.versions or load.failures, f"an answer of version {version}")
    assert load.failures == []


@pytest.mark.timeout(600)
def test_swaps_by_clients(tmp_path, capsys):
    repository = tmp_path / "models"
    for name in ("m", "other"):
        write_version(repository, name, 1, config="")
    arguments = (repository, "--model-control-mode=explicit", "--load-model=m")
    with swapping(tmp_path, capsys, *arguments) as (server, memory, load):
        for version in range(2, SWAPS + 2):
            write_version(repository, "m", version)
            assert control(server, "m", "load") == (200, "")
            assert control(server, "other", "load") == (200, "")
            wait_for(server, load, version)
            shutil.rmtree(repository / "m" / str(version - 1))  # what is on disk is known, and that takes memory
            assert control(server, "other", "unload") == (200, "")
            memory.note()


@pytest.mark.timeout(900)
def test_swaps_by_files(tmp_path, capsys):
    folder = tmp_path / "models"
    path, other = models.save(models.scaled(1), folder / "m.onnx"), folder / "other.onnx"
    with swapping(tmp_path, capsys, folder, "--model-control-mode=watch") as (server, memory, load):
        for version in range(2, SWAPS + 2):
            replace_file(models.scaled(version), path)
            replace_file(models.scaled(1), other)
            wait_for(server, load, version)
            wait_until(lambda: served_versions(server, "other"), "the other model")
            other.unlink()
            wait_until(lambda: not served_versions(server, "other"), "the other model to go")
            memory.note()
