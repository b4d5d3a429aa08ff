"""modelmill explain: why a model runs as it does, for people and for programs; and what modelmill models shows of it."""

import json
import re

import pytest

import models
import servers
from servers import run_cli

OK, REFUSED, UNREACHABLE = 0, 4, 3
ROW = {"x": [[0.5] * 64]}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain")
    paths = [
        models.save(models.mlp(), folder / "mlp.onnx"),
        # Served alone, which explain has to give a reason for.
        models.save(models.identity(shape=(4, "n")), folder / "alone.onnx"),
    ]
    one = servers.Server(folder / "server", *paths, "--objective-p99", "mlp=80ms")
    try:
        for _ in range(50):
            assert one.post_json("/predict/mlp", ROW)[0] == 200
        one.wait_executions(50, "mlp")
        yield one
        one.stop()
    finally:
        one.kill()


def test_for_people(server):
    result = run_cli("explain", "mlp", "--server", server.url)
    assert result.returncode == OK, result.stderr
    first, *lines = result.stdout.splitlines()
    assert re.fullmatch(r"mlp version 1: .*rows/s on \d+ instances?", first)
    assert "  objective   99 of 100 requests within 80.0 ms" in lines
    heading = next(i for i, line in enumerate(lines) if line.split() == ["ROWS", "MEAN", "P99", "ROWS/S", "EXECUTIONS"])
    rows, mean, unit, *_ = lines[heading + 1].split()
    assert float(rows) == 1 and float(mean) >= 0 and unit in ("us", "ms")
    assert any(line.startswith("  best: ") for line in lines)
    assert lines[-1].startswith("- ")


def test_why_a_model_is_served_alone(server):
    reason = server.get_json("/explain/alone")["batching"]["unbatched_reason"]
    assert reason
    result = run_cli("explain", "alone", "--server", server.url)
    assert f"unbatched: {reason}" in result.stdout


def test_for_programs(server):
    for arguments in ([], ["--version", "1"]):
        result = run_cli("explain", "mlp", "--server", server.url, "--json", *arguments)
        assert result.returncode == OK, result.stderr
        told, asked = json.loads(result.stdout), server.get_json("/explain/mlp")
        assert told.keys() == asked.keys()
        assert told["batching"] == asked["batching"]
        assert (told["model"], told["version"]) == ("mlp", 1)
        assert told["learned"][0]["sizes"][0]["executions"] > 0


def test_models_shows_what_was_learned(server):
    summary = server.get_json("/explain/mlp")["summary"]
    assert summary
    listed = {model["name"]: model for model in json.loads(run_cli("models", "--server", server.url, "--json").stdout)}
    assert "rows/s" in listed["mlp"]["learned"]
    text = run_cli("models", "--server", server.url).stdout
    assert re.search(r"^    learned    .*rows/s", text, re.MULTILINE)


def test_what_is_not_there(server):
    for arguments, code, text in (
        (["nothing"], REFUSED, "nothing"),
        (["mlp", "--version", "7"], REFUSED, "7"),
    ):
        result = run_cli("explain", *arguments, "--server", server.url)
        assert result.returncode == code, result
        assert text in result.stderr and result.stdout == ""
    result = run_cli("explain", "mlp", "--server", "http://127.0.0.1:1")
    assert result.returncode == UNREACHABLE and "127.0.0.1:1" in result.stderr
