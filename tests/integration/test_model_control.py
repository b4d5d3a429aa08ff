"""Models that come, change and go while the server runs: by their files, by clients, and on demand."""

import concurrent.futures
import json
import os
import shutil

import clients
import models
import pytest
import servers
from changing_models import control, predict, replace_file, served_versions, states, write_version, write_versions
from servers import wait_until
from swap_load import SwapLoad
from tritonclient.utils import InferenceServerException


def test_an_overwritten_file_becomes_the_next_version_under_load(tmp_path):
    path = models.save(models.scaled(1), tmp_path / "m.onnx")
    with servers.serving(tmp_path, path) as server:
        with SwapLoad(server, "m") as load:
            for version in range(2, 6):
                replace_file(models.scaled(version), path)
                wait_until(lambda v=version: served_versions(server, "m") == [str(v)], f"version {version}")
                wait_until(lambda v=version: v in load.versions, f"an answer of version {version}")
        assert load.failures == []
        assert load.versions == {1, 2, 3, 4, 5}
        assert predict(server, "m")[1]["y"] == [5, 10, 15, 20]


def test_a_file_that_cannot_be_loaded_leaves_the_old_version_serving(tmp_path):
    path = models.save(models.scaled(1), tmp_path / "m.onnx")
    with servers.serving(tmp_path, path) as server:
        path.write_bytes(path.read_bytes()[:40])
        wait_until(lambda: states(server).get(("m", "2"), ("",))[0] == "UNAVAILABLE", "version 2 is told of")
        assert states(server)["m", "1"] == ("READY", "")
        assert "model.onnx" in states(server)["m", "2"][1] or "m.onnx" in states(server)["m", "2"][1]
        counted = 'modelmill_model_load_failures_total{model="m"} 1'
        wait_until(lambda: counted in server.get("/metrics")[1].decode(), "the failure is counted")
        assert predict(server, "m")[1]["y"] == [1, 2, 3, 4]
        models.save(models.scaled(2), path)
        wait_until(lambda: served_versions(server, "m") == ["2"] or served_versions(server, "m") == ["3"], "it is mended")


def test_what_fails_to_load_is_tried_again_until_its_files_change(serve, tmp_path):
    """The server starts without it, and is ready when it has it."""
    path = models.save(models.scaled(1), tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:40])
    server = serve(path, "--load-retries", "1000", "--load-retry-secs", "1", check_ready=False)
    retries = lambda: server.log().count("model not loaded; it is tried again")
    wait_until(lambda: retries() > 2, "it is tried again and again")
    waiting = serve(path, "--load-retries", "3", "--load-retry-secs", "3600", check_ready=False)
    state, reason = states(waiting)["m", "1"]
    assert state == "LOADING" and "retry 1 of 3" in reason
    assert waiting.get("/v2/health/ready")[0] != 200
    replace_file(models.scaled(1), path)
    for started in (server, waiting):
        wait_until(lambda s=started: len(served_versions(s, "m")) == 1, "it is mended")
        assert predict(started, "m")[1]["y"] == [1, 2, 3, 4]
        wait_until(lambda s=started: s.get("/v2/health/ready")[0] == 200, "all are served")


def test_polling_takes_new_version_folders_and_lets_old_ones_go(tmp_path):
    repository = tmp_path / "models"
    write_version(repository, "m", 1, config="version_policy { latest { num_versions: 2 } }")
    with servers.serving(
        tmp_path, repository, "--model-control-mode=poll", "--repository-poll-secs=1"
    ) as server, SwapLoad(server, "m", clients=4) as load:
        write_version(repository, "m", 2)
        wait_until(lambda: served_versions(server, "m") == ["1", "2"], "version 2")
        write_version(repository, "m", 3)
        wait_until(lambda: served_versions(server, "m") == ["2", "3"], "version 3")
        write_version(repository, "other", 1, config="")
        wait_until(lambda: served_versions(server, "other") == ["1"], "another model")
        shutil.rmtree(repository / "other")
        wait_until(lambda: not any(name == "other" for name, _ in states(server)), "it is gone")
    assert load.failures == []


def test_none_changes_nothing_and_neither_do_clients(tmp_path):
    path = models.save(models.scaled(1), tmp_path / "m.onnx")
    with servers.serving(tmp_path, path, "--model-control-mode=none") as server:
        status, answer = server.post_json("/v2/repository/models/m/unload", {})
        assert status == 503 and "not allowed" in answer["error"]
        assert predict(server, "m")[0] == 200


@pytest.fixture
def explicit(tmp_path):
    repository = tmp_path / "models"
    write_version(repository, "a", 1, config="")
    write_version(repository, "b", 1, config="")
    with servers.serving(tmp_path, repository, "--model-control-mode=explicit", "--load-model=b") as server:
        yield server, repository


@pytest.mark.parametrize("kind", clients.KINDS)
def test_clients_load_and_unload(explicit, kind):
    server, repository = explicit
    client = clients.Client(kind, server.address)
    assert client.is_model_ready("b") and served_versions(server, "a") == []
    client.load_model("a")
    assert client.is_model_ready("a")
    write_version(repository, "a", 2)
    client.load_model("a")
    assert served_versions(server, "a") == ["2"]
    client.unload_model("a")
    assert served_versions(server, "a") == []
    wait_until(lambda: states(server)["a", "2"] == ("UNAVAILABLE", "unloaded"), "it has gone")
    with pytest.raises(InferenceServerException, match="failed to poll from model repository"):
        client.load_model("nobody")
    client.close()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_clients_send_configuration_and_files(explicit, kind):
    server, _ = explicit
    client = clients.Client(kind, server.address)
    client.load_model("a", config=json.dumps({"max_batch_size": 3, "backend": "onnxruntime"}))
    assert server.get_json("/v2/models/a/config")["max_batch_size"] == 3
    client.load_model("a")
    assert server.get_json("/v2/models/a/config")["max_batch_size"] != 3
    content = models.scaled(7).SerializeToString()
    client.load_model("sent", config=json.dumps({"backend": "onnxruntime"}), files={"file:7/model.onnx": content})
    assert served_versions(server, "sent") == ["7"]
    assert predict(server, "sent")[1]["y"] == [7, 14, 21, 28]
    with pytest.raises(InferenceServerException, match="must not leave folder"):
        client.load_model("bad", config="{}", files={"file:../../1/model.onnx": content})
    with pytest.raises(InferenceServerException, match="'config' must be sent too"):
        client.load_model("bad", files={"file:1/model.onnx": content})
    client.close()


def test_a_version_that_breaks_clients_is_refused_unless_allowed(explicit):
    server, repository = explicit
    write_version(repository, "b", 2, model=models.identity(shape=("batch", 5)))
    status, answer = server.post_json("/v2/repository/models/b/load", {})
    assert status == 400 and "input 'x' has shape [-1,5], was [-1,4]" in answer["error"]
    assert served_versions(server, "b") == ["1"]
    status, _, _ = server.request(
        "POST", "/v2/repository/models/b/load", json.dumps({"parameters": {"allow_breaking": True}}).encode()
    )
    assert status == 200 and served_versions(server, "b") == ["2"]


def test_swaps_through_the_api_lose_nothing(explicit):
    server, repository = explicit
    with SwapLoad(server, "b") as load:
        for version in range(2, 8):
            write_version(repository, "b", version)
            assert server.request("POST", "/v2/repository/models/b/load", b"")[0] == 200
            assert server.request("POST", "/v2/repository/models/a/load", b"")[0] == 200
            assert server.request("POST", "/v2/repository/models/a/unload", b"")[0] == 200
        wait_until(lambda: 7 in load.versions, "an answer of the last version")
    assert load.failures == []
    assert max(load.versions) == 7


def test_a_version_folder_that_vanishes_is_an_error_of_that_load_only(explicit):
    server, repository = explicit
    write_version(repository, "b", 2)
    shutil.rmtree(repository / "b" / "2")
    (repository / "b" / "2").mkdir()
    status, answer = server.post_json("/v2/repository/models/b/load", {})
    assert status == 400 and "no model file" in answer["error"]
    assert predict(server, "b")[1]["y"] == [1, 2, 3, 4]


@pytest.fixture
def lazy(tmp_path):
    for name, factor in (("a", 2), ("b", 3), ("c", 4)):
        models.save(models.scaled(factor), tmp_path / "models" / f"{name}.onnx")
    (tmp_path / "models" / "broken.onnx").write_bytes(b"no model")
    with servers.serving(tmp_path, tmp_path / "models", "--load-on-demand") as server:
        yield server


def test_the_first_requests_load_the_model(lazy):
    assert not any(state == "READY" for state, _ in states(lazy).values())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: predict(lazy, "a"), range(8)))
    assert all(status == 200 and answer["y"] == [2, 4, 6, 8] for status, answer in answers)
    assert lazy.log().count("model loaded") == 1


@pytest.mark.parametrize("kind", clients.KINDS)
def test_every_client_waits_for_a_model_on_demand(lazy, kind):
    client = clients.Client(kind, lazy.address)
    assert client.infer("b", clients.ROW).as_numpy("y").tolist() == [[3, 6, 9, 12]]
    with pytest.raises(InferenceServerException, match="broken"):
        client.infer("broken", clients.ROW)
    client.close()


def test_models_beyond_the_memory_budget_are_put_away_and_come_back(tmp_path):
    for name in "abc":
        models.save(models.mlp(sizes=(64, 4096, 4096, 10)), tmp_path / "models" / f"{name}.onnx")
    budget = 197 << 20  # each takes 67 MB of file, and at least that of memory: three never fit
    # What a model takes is measured: under AddressSanitizer what it has freed and the sanitizer keeps would count too.
    kept = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}
    options = ["--load-on-demand", f"--model-memory={budget}"]
    with servers.serving(tmp_path, tmp_path / "models", *options, env=kept) as server:
        for _ in range(2):
            for name in "abc":
                status, answer = server.post_json(f"/predict/{name}", {"x": [0.0] * 64})
                assert status == 200, answer
        assert "is put away to make room" in server.log()
        ready = [name for (name, _), (state, _) in states(server).items() if state == "READY"]
        assert len(ready) < 3 and "c" in ready


def test_what_never_fits_is_refused_with_the_numbers(tmp_path):
    path = models.save(models.mlp(sizes=(64, 2048, 2048, 10)), tmp_path / "big.onnx")
    with servers.serving(tmp_path, path, "--load-on-demand", "--model-memory=1MiB") as server:
        status, answer = server.post_json("/predict/big", {"x": [0.0] * 64})
        assert status == 429 and "of the 1.0 MiB that models may take" in answer["error"]


def assign(server, path, version=None, **extra):
    body = None if version is None else json.dumps({"version": version, **extra}).encode()
    status, answer, _ = server.request("DELETE" if body is None else "PUT", f"/admin/models/{path}", body)
    return status, json.loads(answer)


@pytest.fixture
def two_versions(tmp_path):
    return write_versions(tmp_path / "models", "m", 1, 2)


def test_labels_and_defaults_stand_for_versions(tmp_path, two_versions):
    with servers.serving(tmp_path, two_versions) as server:
        assert assign(server, "m/labels/stable", 1) == (
            200, {"model": "m", "default_version": 2, "versions": [1, 2], "labels": {"stable": 1}},
        )  # fmt: skip
        assert server.post_json("/predict/m/versions/stable", {"x": [1, 2, 3, 4]})[1]["y"] == [1, 2, 3, 4]
        for kind in clients.KINDS:
            client = clients.Client(kind, server.address)
            answer = client.infer("m", clients.ROW, model_version="stable")
            assert answer.as_numpy("y").tolist() == [[1, 2, 3, 4]]
            with pytest.raises(InferenceServerException, match="no version labelled 'other'"):
                client.infer("m", clients.ROW, model_version="other")
            client.close()
        assert assign(server, "m/labels/next", 7)[0] == 400
        assert assign(server, "m/labels/next", 7, ahead=True)[1]["labels"] == {"next": 7, "stable": 1}
        assert assign(server, "m/default", 1)[1]["default_version"] == 1
        assert predict(server, "m")[1]["y"] == [1, 2, 3, 4]
        assert assign(server, "m/default")[1]["default_version"] == 2
        assert assign(server, "m/labels/next")[1]["labels"] == {"stable": 1}
        assert assign(server, "m/labels/next")[0] == 404
        assert assign(server, "nobody/labels/a", 1)[0] == 404


def test_what_clients_decided_is_so_again_after_a_kill(tmp_path, two_versions):
    write_version(two_versions, "n", 1, config="")
    arguments = (two_versions, f"--state-dir={tmp_path / 'state'}", "--model-control-mode=explicit", "--load-model=n")
    server = servers.Server(tmp_path / "first", *arguments)
    try:
        assert server.request("POST", "/v2/repository/models/m/load", b"")[0] == 200
        assert server.request("POST", "/v2/repository/models/n/unload", b"")[0] == 200
        assert assign(server, "m/labels/stable", 1)[0] == 200
    finally:
        server.kill()
    with servers.serving(tmp_path / "second", *arguments) as again:
        assert served_versions(again, "m") == ["1", "2"] and served_versions(again, "n") == []
        assert again.get_json("/admin/models/m")["labels"] == {"stable": 1}


def test_the_state_of_a_later_release_is_refused_and_left_alone(tmp_path):
    path = models.save(models.scaled(1), tmp_path / "m.onnx")
    store = tmp_path / "state" / "store"
    store.mkdir(parents=True)
    (store / "format").write_text('{"format": 99}')
    outcome = servers.run_cli("serve", path, "--port=0", f"--state-dir={tmp_path / 'state'}")
    assert outcome.returncode == 1 and "99" in outcome.stderr and str(store) in outcome.stderr
    assert (store / "format").read_text() == '{"format": 99}'
    assert {path.name for path in store.iterdir()} <= {"format", "lock"}


def test_resource_preserving_swaps_hold_one_version_at_a_time(tmp_path):
    models.save(models.scaled(1), tmp_path / "m" / "1" / "model.onnx")
    (tmp_path / "m" / "modelmill.yaml").write_text("schema_version: 1\nswap: resource\n")
    with servers.serving(tmp_path, tmp_path / "m") as server:
        write_version(tmp_path, "m", 2)
        wait_until(lambda: served_versions(server, "m") == ["2"], "version 2")
        log = server.log()
        assert log.index("model unloaded model=m version=1") < log.index("model loaded model=m version=2")


def put_corrupt(folder):
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"not a model")


def test_what_served_is_restored_when_a_resource_preserving_swap_fails(tmp_path):
    models.save(models.scaled(1), tmp_path / "m" / "1" / "model.onnx")
    (tmp_path / "m" / "modelmill.yaml").write_text("schema_version: 1\nswap: resource\n")
    with servers.serving(tmp_path, tmp_path / "m") as server:
        put_corrupt(tmp_path / "m" / "2")
        wait_until(lambda: server.log().count("model loaded model=m version=1") == 2, "version 1 to come back")
        wait_until(lambda: served_versions(server, "m") == ["1"], "version 1")
        assert predict(server, "m")[1]["y"] == [1, 2, 3, 4]
        state, reason = states(server)["m", "2"]
        assert state == "UNAVAILABLE" and "2/model.onnx" in reason
        status, text = control(server, "m", "load")
        assert status == 400 and "version 2: " in text and "what served before was loaded again" in text, text
        assert served_versions(server, "m") == ["1"]
        write_version(tmp_path, "m", 3)
        wait_until(lambda: served_versions(server, "m") == ["3"], "version 3")


def test_what_was_overwritten_cannot_be_restored_and_both_are_told(tmp_path):
    models.save(models.scaled(1), tmp_path / "m" / "model.onnx")
    (tmp_path / "m" / "modelmill.yaml").write_text("schema_version: 1\nname: m\nswap: resource\n")
    with servers.serving(tmp_path, tmp_path / "m") as server:
        (tmp_path / "m" / "model.onnx").write_bytes(b"not a model")
        wait_until(lambda: "what served before is loaded again" in server.log(), "the swap")
        wait_until(lambda: "its files have gone, or are others now" in server.log(), "the reason")
        assert served_versions(server, "m") == []
        replace_file(models.scaled(2), tmp_path / "m" / "model.onnx")
        wait_until(lambda: served_versions(server, "m") != [] and predict(server, "m")[1]["y"] == [2, 4, 6, 8], "the mended one")


def test_a_restored_version_comes_back_on_demand(tmp_path):
    models.save(models.scaled(1), tmp_path / "m" / "1" / "model.onnx")
    (tmp_path / "m" / "modelmill.yaml").write_text("schema_version: 1\nswap: resource\n")
    with servers.serving(tmp_path, tmp_path / "m", "--load-on-demand") as server:
        assert predict(server, "m")[1]["y"] == [1, 2, 3, 4]
        put_corrupt(tmp_path / "m" / "2")
        wait_until(lambda: server.log().count("model loaded model=m version=1") == 2, "version 1 to come back")
        wait_until(lambda: served_versions(server, "m") == ["1"], "version 1")
        assert predict(server, "m")[1]["y"] == [1, 2, 3, 4]


def test_a_model_config_file_of_tensorflow_serving(tmp_path):
    for version in (1, 2):
        models.save(models.scaled(version), tmp_path / "base" / str(version) / "model.onnx")
    (tmp_path / "models.config").write_text(
        f"""model_config_list {{ config {{ name: "m" base_path: "{tmp_path / 'base'}"
        model_version_policy {{ all {{ }} }} version_labels {{ key: "stable" value: 1 }} }} }}"""
    )
    with servers.serving(tmp_path, f"--model-config-file={tmp_path / 'models.config'}") as server:
        assert served_versions(server, "m") == ["1", "2"]
        assert server.post_json("/predict/m/versions/stable", {"x": [1, 2, 3, 4]})[1]["y"] == [1, 2, 3, 4]
