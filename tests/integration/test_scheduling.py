"""What the server learns of a model's cost, and how many instances it has: seen as a user sees it, under real load."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import time

import numpy as np
import pytest

import models
import python_workers
import repositories
from clients import Client
from servers import build_dir, run_cli, wait_until
from test_observability import of, scrape


def explain(server, model):
    return server.get_json(f"/explain/{model}")


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
    before = executions(server, "slow")
    assert ask(server, "slow", 50) == 50
    # Learned when the backend is done, a little after the answer.
    wait_until(lambda: executions(server, "slow") >= before + 50, "all have been learned from")
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
    for path, status in (("nothing", 404), ("slow/versions/7", 404), ("slow/versions/x", 404), ("slow/more", 404)):
        found, body, _ = server.get(f"/explain/{path}")
        assert found == status, path
        assert json.loads(body)["error"]
    assert server.request("POST", "/explain/slow", b"")[0] == 405
    server.stop()


def test_instances_follow_the_load(serve, tmp_path):
    server = serve(slow(tmp_path, 2000), "--instances=1..2")
    assert explain(server, "slow")["instances"] == {
        "count": 1, "busy": 0, "places": ["cpu"], "min": 1, "max": 2, "zero_after_us": 0, "last_change": "",
    }  # fmt: skip
    changes = lambda direction: of(  # noqa: E731
        scrape(server), "modelmill_instance_changes_total", model="slow", direction=direction
    )
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(lambda _: ask(server, "slow", 20_000, lambda: changes("up") > 0), range(8)))
    assert changes("up") >= 1 and sum(answered) > 0
    assert "all were busy and requests waited" in server.text()
    why = {"direction": "up", "reason": "busy"}
    assert of(scrape(server), "modelmill_instance_changes_total", model="slow", **why) == changes("up")
    wait_until(lambda: of(scrape(server), "modelmill_instances", model="slow") == 1, "one instance", 60)
    wait_until(lambda: changes("down") == changes("up"), "as many fewer as there were more")
    assert explain(server, "slow")["instances"]["last_change"] in ("one fewer is enough", "one more brought nothing")
    assert ask(server, "slow", 3) == 3
    server.stop()


def test_to_zero_and_back(serve, tmp_path):
    server = serve(slow(tmp_path, 20), "--scale-to-zero-after=1s")
    none = lambda: of(scrape(server), "modelmill_instances", model="slow") == 0  # noqa: E731
    wait_until(none, "no instance", 60)
    assert ask(server, "slow", 1) == 1, "woken by a request"
    assert of(scrape(server), "modelmill_instance_changes_total", model="slow", direction="up", reason="request") == 1
    wait_until(none, "no instance again", 60)
    server.stop()


def device_of(server):
    client = Client("grpc", server.address)
    try:
        return int(client.infer("d", {"INPUT0": np.zeros((1, 4), np.float32)}).as_numpy("OUTPUT0")[0, 0])
    finally:
        client.close()


@pytest.mark.parametrize(
    "groups, places",
    [
        ("", ["gpu 0", "gpu 1", "gpu 2", "gpu 3"]),
        ("instance_group { count: 1 kind: KIND_CPU }", ["cpu"]),
        ("instance_group { count: 1 kind: KIND_AUTO }", ["gpu 0", "gpu 1", "gpu 2", "gpu 3"]),
        ("instance_group { count: 1 kind: KIND_GPU }", ["gpu 0", "gpu 1", "gpu 2", "gpu 3"]),
        ("instance_group { count: 2 kind: KIND_GPU gpus: [3, 1] }", ["gpu 3", "gpu 3", "gpu 1", "gpu 1"]),
        (
            "instance_group [ { count: 1 kind: KIND_GPU gpus: [2] }, { count: 2 kind: KIND_CPU } ]",
            ["gpu 2", "cpu", "cpu"],
        ),
    ],
)
def test_one_queue_feeds_all_devices(serve_gated, gate, groups, places):
    """On a backend that shows four GPUs."""
    server = serve_gated("d", groups, "devices")
    assert explain(server, "d")["instances"]["places"] == places
    gate.close()
    with concurrent.futures.ThreadPoolExecutor(len(places)) as pool:
        answers = [pool.submit(device_of, server) for _ in places]
        wait_until(lambda: explain(server, "d")["instances"]["busy"] == len(places), "all are busy")
        gate.open()
        found = sorted(answer.result() for answer in answers)
    assert found == sorted(-1 if place == "cpu" else int(place.split()[1]) for place in places)

    def kinds():
        return {cost["device"] for cost in explain(server, "d")["learned"]}

    wait_until(lambda: kinds() == {place.split()[0] for place in places}, "costs are learned for each kind")
    server.stop()


def test_a_device_that_is_not_there(tmp_path, gate):
    repositories.add_gated_identity(
        tmp_path / "models", "d", gate, "instance_group { kind: KIND_GPU gpus: [4] }", backend="devices"
    )
    folder = build_dir() / "test_backends/server"
    result = run_cli("serve", tmp_path / "models", "--port=0", "--backend-directory", folder)
    assert result.returncode != 0
    assert "specifies invalid or unsupported gpu id 4" in result.stdout + result.stderr


def test_instances_on_cores(serve, tmp_path):
    folder = tmp_path / "models"
    core = min(os.sched_getaffinity(0))
    config = "instance_group { count: 2 kind: KIND_CPU }" + repositories.parameter("cpu_affinity", core)
    repositories.add(folder, "pinned", models.identity(), config)
    server = serve(folder)
    assert explain(server, "pinned")["instances"]["places"] == [f"cpu on core {core}"] * 2
    tasks = pathlib.Path(f"/proc/{server.process.pid}/task")
    masks = []
    for task in tasks.iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended since
            if (task / "comm").read_text().strip() == "run pinned":
                masks.append(re.search(r"Cpus_allowed_list:\s*(\S+)", (task / "status").read_text())[1])
    assert masks == [str(core)] * 2
    server.stop()


def test_limits_that_make_no_sense(tmp_path):
    folder = tmp_path / "models"
    repositories.add(folder, "few", models.identity(), repositories.parameter("min_instances", "x"))
    result = run_cli("serve", folder, "--port=0")
    assert result.returncode != 0
    assert "parameter 'min_instances' is 'x', but must be a number from 0 to 1024" in result.stdout + result.stderr
    for option in ("--instances=4..1", "--instances=x", "--scale-to-zero-after=5", "--objective-p99=fast"):
        result = run_cli("serve", folder, option)
        assert result.returncode != 0
        assert option.split("=")[0] in result.stderr


def test_an_objective_is_shown_and_kept_from_the_configuration(serve, tmp_path):
    folder = tmp_path / "models"
    repositories.add(folder, "own", models.identity(), repositories.parameter("objective_p99_us", 5000))
    repositories.add(folder, "all", models.identity())
    repositories.add(folder, "named", models.identity())
    server = serve(folder, "--objective-p99=20ms", "--objective-p99=named=1s")
    found = {name: explain(server, name)["batching"] for name in ("own", "all", "named")}
    assert {name: batching["objective_p99_us"] for name, batching in found.items()} == {
        "own": 5_000, "all": 20_000, "named": 1_000_000,
    }  # fmt: skip
    assert found["own"]["policy"] == "objective"
    server.stop()


def sleeping(tmp_path):
    """A batch takes the same time whatever is in it and whatever runs beside it."""
    return python_workers.write(
        tmp_path,
        "sleeping",
        """
        import time

        @modelmill.model(batch=2)
        def sleeping(x: modelmill.Tensor["FP32", -1]) -> modelmill.Tensor["FP32", -1]:
            time.sleep(0.05)
            return x
        """,
    )


def press(server, clients, stop):
    """Clients that ask again and again; how many answers there were, and how many refusals."""

    def one(_):
        answered = refused = 0
        while not stop():
            status, _ = server.post_json("/predict/sleeping", {"x": [[1.0, 2.0]]})
            assert status in (200, 503), status
            answered += status == 200
            refused += status == 503
        return answered, refused

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [sum(counts) for counts in zip(*pool.map(one, range(clients)), strict=True)]


def test_an_objective_chooses_instances_and_batches_together(serve, tmp_path):
    server = serve(sleeping(tmp_path), "--instances=1..2", "--objective-p99=1s")
    instances = lambda: of(scrape(server), "modelmill_instances", model="sleeping")  # noqa: E731
    assert instances() == 1
    give_up = time.monotonic() + 90
    answered, _ = press(server, 24, lambda: instances() == 2 or time.monotonic() > give_up)
    assert answered > 0 and "one more is tried: " in server.text()
    told = explain(server, "sleeping")
    assert told["instances"]["max"] == 2 and told["instances"]["last_change"]
    objective = told["objective"]
    assert objective["last_change"] and 0 < objective["share"] <= 1
    assert {option["instances"] for option in objective["options"]} == {1, 2}
    one = next(option for option in objective["options"] if option["instances"] == 1)
    assert one["holds"] and one["execution_us"] >= 50_000 and one["batch_rows"] in (1, 2)
    page = scrape(server)
    assert of(page, "modelmill_objective_batch_rows", model="sleeping") in (1, 2)
    assert of(page, "modelmill_objective_rows_per_second", model="sleeping") > 0
    text = run_cli("explain", "sleeping", "--server", server.url).stdout
    assert "Instances under the objective, while " in text and "last change: " in text
    wait_until(lambda: instances() == 1, "one instance", 60)
    server.stop()


def test_a_fixed_number_of_instances_stays(serve, tmp_path):
    server = serve(sleeping(tmp_path), "--instances=1", "--objective-p99=1s")
    end = time.monotonic() + 3
    answered, _ = press(server, 24, lambda: time.monotonic() > end)
    assert answered > 0
    assert of(scrape(server), "modelmill_instances", model="sleeping") == 1
    assert "objective" not in explain(server, "sleeping")
    server.stop()
