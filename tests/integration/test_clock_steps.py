"""The wall clock of a running server steps by hours, back and forth: nothing is loaded again or expires, and what is learned,
looked for and waited for goes on as before."""

import email.utils
import os
import pathlib
import subprocess
import time

import models
import pytest
import servers
from changing_models import control, predict, replace_file, served_versions
from servers import wait_until
from swap_load import SwapLoad

SOURCE = pathlib.Path(__file__).with_name("clock_steps.c")
HOUR = 3600
STEPS = (5 * HOUR, -7 * HOUR, 20 * 365 * 24 * HOUR, 0)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    built = tmp_path_factory.mktemp("clock") / "clock_steps.so"
    compiler = [os.environ.get("CC", "cc"), "-std=gnu99", "-O2", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*compiler, str(SOURCE), "-o", str(built)], check=True, timeout=60)
    return built


@pytest.fixture
def stepping(library, tmp_path):
    """(the variables of a server whose clock steps, a function that steps it by so many seconds from what it is)."""
    if "san" in servers.build_dir().name:
        pytest.skip("a sanitizer must be the first library that is loaded")
    now = tmp_path / "step"
    now.write_text("0")

    def step(seconds):
        making = now.with_suffix(".new")
        making.write_text(str(seconds))
        making.rename(now)

    return {"LD_PRELOAD": str(library), "CLOCK_STEP": str(now)}, step


def wall_clock(server):
    date = email.utils.parsedate_to_datetime(server.get("/v2/health/live")[2]["Date"])
    return date.timestamp() - time.time()


def loads(server):
    return server.log().count("model loaded")


@pytest.mark.parametrize("mode", ["watch", "poll"])
def test_nothing_is_loaded_again_and_changes_are_taken(stepping, tmp_path, mode):
    environment, step = stepping
    path = models.save(models.scaled(1), tmp_path / "m" / "m.onnx")
    options = (f"--model-control-mode={mode}", *(["--repository-poll-secs=1"] if mode == "poll" else []))
    with servers.serving(tmp_path, path, *options, env=environment) as server, SwapLoad(server, "m", clients=2) as load:
        for version, seconds in enumerate(STEPS, 2):
            step(seconds)
            wait_until(lambda s=seconds: abs(wall_clock(server) - s) < 60, "the clock to step")
            time.sleep(1.5)  # more than the time of rest, and than an interval of polling
            assert loads(server) == version - 1
            replace_file(models.scaled(version), path)
            wait_until(lambda v=version: served_versions(server, "m") == [str(v)], f"version {version}")
            wait_until(lambda v=version: v in load.versions, f"an answer of version {version}")
    assert load.failures == []


def test_neither_what_waits_nor_what_is_idle_expires(stepping, tmp_path):
    environment, step = stepping
    path = models.save(models.scaled(1), tmp_path / "m" / "m.onnx")
    with servers.serving(
        tmp_path, path, "--load-on-demand", "--instances=1..2", "--scale-to-zero-after=600s", env=environment
    ) as server:
        assert predict(server, "m")[0] == 200
        for seconds in STEPS:
            step(seconds)
            wait_until(lambda s=seconds: abs(wall_clock(server) - s) < 60, "the clock to step")
            status, answer, _ = server.request(
                "POST",
                "/v2/models/m/infer",
                b'{"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}],'
                b' "parameters": {"timeout": 60000000}}',
                {"content-type": "application/json"},
            )
            assert status == 200, answer
        time.sleep(0.6)  # two looks of what scales
        assert loads(server) == 1
        assert "instances changed" not in server.log()


def test_what_was_learned_and_decided_is_known_after_a_step(stepping, tmp_path):
    environment, step = stepping
    for name in ("m", "other"):
        models.save(models.scaled(1), tmp_path / "models" / name / "1" / "model.onnx")
    arguments = (tmp_path / "models", f"--state-dir={tmp_path / 'state'}", "--model-control-mode=explicit", "--load-model=*")
    step(9 * HOUR)
    with servers.serving(tmp_path / "first", *arguments, env=environment) as server:
        assert control(server, "other", "unload")[0] == 200
        assert predict(server, "m")[0] == 200
    step(-9 * HOUR)
    with servers.serving(tmp_path / "second", *arguments, env=environment) as server:
        assert served_versions(server, "m") == ["1"]
        assert served_versions(server, "other") == []
