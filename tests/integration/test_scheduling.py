"""What the server learns of a model's cost, and how many instances it has: seen as a user sees it, under real load."""

import concurrent.futures
import json
import re

import numpy as np

import models
import repositories
from clients import Client
from servers import run_cli, wait_until


def explain(server, model):
    return server.get_json(f"/explain/{model}")


def metric(server, name, **labels):
    """The sum of the series that have these labels."""
    total = 0.0
    for line in server.get("/metrics")[1].decode().splitlines():
        match = re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line)
        if match and all(f'{key}="{value}"' in match[1] for key, value in labels.items()):
            total += float(match[2])
    return total


def ask(server, model, times, stop=lambda: False):
    """Asks one after another until `times` or `stop`; how many were answered, each rightly."""
    client = Client("grpc", server.address)
    try:
        for turn in range(times):
            if stop():
                return turn
            x = np.full((1, 4), turn, np.float32)
            np.testing.assert_allclose(client.infer(model, {"x": x}).as_numpy("y"), 2 * x, rtol=1e-5)
        return times
    finally:
        client.close()


def slow(tmp_path, turns):
    return models.save(models.slow(turns=turns), tmp_path / "slow.onnx")


def test_explain_says_what_was_learned(serve, tmp_path):
    server = serve(slow(tmp_path, 200))
    learned = explain(server, "slow")
    assert learned["model"] == "slow" and learned["version"] == 1
    assert learned["batching"]["policy"] == "work-conserving" and learned["batching"]["max_rows"] > 1
    cost = learned["learned"][0]
    assert cost["device"] == "cpu" and cost["gain"] >= 1
    assert [size["rows"] for size in cost["sizes"]] == sorted({size["rows"] for size in cost["sizes"]})
    assert all(size["p99_us"] >= 0 and size["mean_us"] > 0 for size in cost["sizes"])
    assert learned["advice"] and learned["summary"] in server.text()
    assert explain(server, "slow")["learned"][0]["sizes"][0]["executions"] >= cost["sizes"][0]["executions"]
    server.stop()


def executions(server, model):
    return sum(size["executions"] for cost in explain(server, model)["learned"] for size in cost["sizes"])


def test_what_was_learned_survives_a_restart(serve, tmp_path):
    state = f"--state-dir={tmp_path / 'state'}"
    path = slow(tmp_path, 20)
    server = serve(path, state)
    assert "is known from before" not in server.text()
    assert ask(server, "slow", 50) == 50
    learned = executions(server, "slow")
    server.stop()

    server = serve(path, state)
    assert "what executions cost is known from before model=slow" in server.text()
    assert executions(server, "slow") == learned
    server.stop()

    models.save(models.slow(turns=21), path)
    server = serve(path, state)
    assert "is known from before" not in server.text(), "another model"
    server.stop()


def test_a_state_directory_that_cannot_be_used_does_no_harm(serve, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    server = serve(slow(tmp_path, 20), f"--state-dir={tmp_path / 'file'}")
    assert ask(server, "slow", 5) == 5
    server.stop()
    assert "what was learned of costs can't be kept" in server.text()


def test_explain_of_what_is_not_there(serve, tmp_path):
    server = serve(slow(tmp_path, 20))
    for path, status in (("nothing", 404), ("slow/versions/7", 404), ("slow/versions/x", 400), ("slow/more", 404)):
        found, body, _ = server.get(f"/explain/{path}")
        assert found == status, path
        assert json.loads(body)["error"]
    assert server.request("POST", "/explain/slow", b"")[0] == 405
    server.stop()


def test_instances_follow_the_load(serve, tmp_path):
    server = serve(slow(tmp_path, 2000), "--instances=1..2")
    assert explain(server, "slow")["instances"] == {
        "count": 1, "busy": 0, "min": 1, "max": 2, "zero_after_us": 0, "last_change": "",
    }  # fmt: skip
    changes = lambda direction: metric(  # noqa: E731
        server, "modelmill_instance_changes_total", model="slow", direction=direction
    )
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(lambda _: ask(server, "slow", 20_000, lambda: changes("up") > 0), range(8)))
    assert changes("up") >= 1 and sum(answered) > 0
    assert "all were busy and requests waited" in server.text()
    wait_until(lambda: metric(server, "modelmill_instances", model="slow") == 1, "one instance", 60)
    assert changes("down") == changes("up")
    assert explain(server, "slow")["instances"]["last_change"] in ("one fewer is enough", "one more brought nothing")
    assert ask(server, "slow", 3) == 3
    server.stop()


def test_to_zero_and_back(serve, tmp_path):
    server = serve(slow(tmp_path, 20), "--scale-to-zero-after=1s")
    none = lambda: metric(server, "modelmill_instances", model="slow") == 0  # noqa: E731
    wait_until(none, "no instance", 60)
    assert ask(server, "slow", 1) == 1, "woken by a request"
    assert metric(server, "modelmill_instance_changes_total", model="slow", direction="up") == 1
    wait_until(none, "no instance again", 60)
    server.stop()


def test_limits_that_make_no_sense(tmp_path):
    folder = tmp_path / "models"
    repositories.add(folder, "few", models.identity(), 'parameters { key: "min_instances" value { string_value: "x" } }')
    result = run_cli("serve", folder, "--port=0")
    assert result.returncode != 0
    assert "parameter 'min_instances' is 'x', but must be a number from 0 to 1024" in result.stdout + result.stderr
    for option in ("--instances=4..1", "--instances=x", "--scale-to-zero-after=5", "--objective-p99=fast"):
        result = run_cli("serve", folder, option)
        assert result.returncode != 0
        assert option.split("=")[0] in result.stderr


def test_an_objective_is_shown_and_kept_from_the_configuration(serve, tmp_path):
    folder = tmp_path / "models"
    own = 'parameters { key: "objective_p99_us" value { string_value: "5000" } }'
    repositories.add(folder, "own", models.identity(), own)
    repositories.add(folder, "all", models.identity())
    repositories.add(folder, "named", models.identity())
    server = serve(folder, "--objective-p99=20ms", "--objective-p99=named=1s")
    found = {name: explain(server, name)["batching"] for name in ("own", "all", "named")}
    assert {name: batching["objective_p99_us"] for name, batching in found.items()} == {
        "own": 5_000, "all": 20_000, "named": 1_000_000,
    }  # fmt: skip
    assert found["own"]["policy"] == "objective"
    server.stop()
