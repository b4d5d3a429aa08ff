"""`modelmill migrate`: other servers' models as folders of our own, which serve the same."""

import json
import os
import re

import pytest
import yaml

import archives
import models
import repositories
from servers import run_cli, serving

OK, FAILED, USAGE, REFUSED = 0, 1, 2, 4


def migrate(*arguments, code=OK):
    result = run_cli("migrate", *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    return result


def report(*arguments, code=OK):
    return json.loads(migrate(*arguments, "--json", code=code).stdout)


def settings(model):
    return {setting["from"]: (setting["fate"], setting["to"]) for setting in model["settings"]}


def configuration(folder, model):
    return yaml.safe_load((folder / model / "modelmill.yaml").read_text())


def answer(server, model, x=(1, 2, 3, 4), version=""):
    path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "") + "/infer"
    body = {"inputs": [{"name": "x", "shape": [1, len(x)], "datatype": "FP32", "data": list(x)}]}
    status, reply = server.post_json(path, body)
    assert status == 200, reply
    return reply["outputs"][0]["data"]


def test_a_whole_repository_of_tritons(tmp_path):
    """What is written is read back by the command itself, and here by a server, which serves the same models."""
    repository = repositories.main_repository(tmp_path / "theirs")
    found = report(repository, "--to", tmp_path / "ours")
    assert found["written"] and found["left_out"] == []
    with serving(tmp_path / "a", repository) as theirs, serving(tmp_path / "b", tmp_path / "ours") as ours:
        index = [server.post_json("/v2/repository/index", {})[1] for server in (theirs, ours)]
        there, here = ({(m["name"], m.get("version"), m.get("state")) for m in models} for models in index)
        assert there == here and len(there) >= len(found["models"]) > 5
        for name in {model[0] for model in there}:
            configs = [server.get_json(f"/v2/models/{name}/config") for server in (theirs, ours)]
            for key in ("max_batch_size", "input", "output", "version_policy", "parameters", "dynamic_batching"):
                assert configs[0].get(key) == configs[1].get(key), (name, key)


def test_settings_have_a_fate(tmp_path):
    more = "  host_policy: 'one'\n"
    config = repositories.BATCHED_CONFIG.replace("count: 2", f"count: 2\n{more}")
    folder = repositories.add(tmp_path / "theirs", "m", models.scaled(2), config)
    found = report(tmp_path / "theirs", "--to", tmp_path / "ours")
    (model,) = found["models"]
    assert model["system"] == "Triton" and model["versions"] == [1]
    said = settings(model)
    assert said["max_batch_size"] == ("same", "batching.max_size: 16")
    assert said["instance_group.count"] == ("better", "instances: 2")
    assert said["dynamic_batching.preferred_batch_size"] == ("better", "batching.preferred_sizes: [4, 8]")
    assert said["instance_group[0].host_policy"][0] == "gone"
    assert found["gone"] == 1
    assert all(s["place"].startswith(f"{folder}/config.pbtxt:") for s in model["settings"])
    assert configuration(tmp_path / "ours", "m") == {
        "schema_version": 1,
        "backend": "onnxruntime",
        "batching": {"max_size": 16, "delay": "500us", "preferred_sizes": [4, 8], "preserve_ordering": False},
        "device": "cpu",
        "instances": 2,
        "parameters": {"intra_op_thread_count": "1"},
    }
    assert not (tmp_path / "ours/m/config.pbtxt").exists()
    again = report(tmp_path / "theirs", "--to", tmp_path / "again", "--tune-again")
    assert settings(again["models"][0])["instance_group.count"] == ("better", "")
    tuned = configuration(tmp_path / "again", "m")
    assert "instances" not in tuned and tuned["batching"] == {"max_size": 16, "preserve_ordering": False}


def test_what_has_no_key_stays_in_a_config_pbtxt(tmp_path):
    config = repositories.NATIVE_IDENTITY_CONFIG + "optimization { priority: PRIORITY_MAX }\n"
    repositories.add_configured(tmp_path / "theirs", "first", config)
    (model,) = report(tmp_path / "theirs", "--to", tmp_path / "ours")["models"]
    assert settings(model)["optimization"] == ("same", "config.pbtxt: optimization")
    assert (tmp_path / "ours/first/config.pbtxt").read_text() == "optimization {\n  priority: PRIORITY_MAX\n}\n"


def test_versions_labels_and_side_files_come_along(tmp_path):
    repositories.add(
        tmp_path / "theirs", "fruit", models.argmax_and_scores(), repositories.LABELED_CONFIG, versions=(1, 3),
        files={"fruit.txt": "apple\npear\nplum\n"},
    )  # fmt: skip
    migrate(tmp_path / "theirs", "--to", tmp_path / "linked")
    migrate(tmp_path / "theirs", "--to", tmp_path / "copied", "--copy")
    assert os.readlink(tmp_path / "linked/fruit/3") == str(tmp_path / "theirs/fruit/3")
    assert not any(path.is_symlink() for path in (tmp_path / "copied").rglob("*"))
    assert sorted(p.name for p in (tmp_path / "copied/fruit").iterdir()) == ["1", "3", "fruit.txt", "modelmill.yaml"]
    asked = {
        "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0, 5, 1]}],
        "outputs": [{"name": "scores", "parameters": {"classification": 1}}],
    }
    with serving(tmp_path, tmp_path / "copied") as server:
        status, reply = server.post_json("/v2/models/fruit/infer", asked)
        assert status == 200 and reply["outputs"][0]["data"][0].endswith(":1:pear"), reply
        assert reply["model_version"] == "3"


def test_a_list_of_tensorflow_servings(tmp_path):
    for version in ("001", "002", "5"):
        models.save(models.scaled(int(version)), tmp_path / "base/half" / version / "model.onnx")
    config = tmp_path / "models.config"
    config.write_text(
        'model_config_list { config { name: "two" base_path: "%s/base/half" model_platform: "tensorflow"\n'
        "  model_version_policy { specific { versions: 1 versions: 2 } }\n"
        '  version_labels { key: "stable" value: 1 } logging_config { sampling_config { sampling_rate: 0.5 }\n'
        '  log_collector_config { type: "tfrecord" filename_prefix: "/tmp/log" } } } }' % tmp_path
    )
    found = report(config, "--to", tmp_path / "ours")
    said = settings(found["models"][0])
    assert found["models"][0]["system"] == "TensorFlow Serving"
    assert said["model_version_policy"] == ("same", "versions: {specific: [1, 2]}")
    assert said["version_labels"] == ("same", "labels: {stable: 1}")
    assert said["logging_config"] == ("gone", "")
    with serving(tmp_path, tmp_path / "ours") as server:
        assert answer(server, "two") == [2, 4, 6, 8]
        assert answer(server, "two", version="stable") == [1, 2, 3, 4]
        assert server.get("/v2/models/two/versions/5/ready")[0] != 200
    base = report(f"one={tmp_path}/base/half", "--from", "tensorflow", "--to", tmp_path / "base_of_ours")
    (model,) = base["models"]
    assert (model["name"], model["versions"], model["system"]) == ("one", [1, 2, 5], "TensorFlow Serving")
    assert os.readlink(tmp_path / "base_of_ours/one/2") == str(tmp_path / "base/half/002")


def test_archives_of_torchserves(tmp_path):
    """Several archives of a name are versions; a config.properties says more of them, and of the server."""
    store = tmp_path / "store"
    archives.write(store / "twice.mar", archives.mar_files("scale", "1.0", 2))
    archives.write(store / "thrice.mar", archives.mar_files("scale", "2.0", 3))
    properties = store / "config.properties"
    properties.write_text(
        f"model_store={store}\nload_models=all\njob_queue_size=50\nio_ratio=70\n"
        'models={"scale": {"2.0": {"minWorkers": 2, "maxWorkers": 2, "batchSize": 4, "maxBatchDelay": 50}, '
        '"1.0": {"defaultVersion": true, "minWorkers": 1}}}\n'
    )
    found = report(properties, "--to", tmp_path / "ours")
    (model,) = found["models"]
    said = settings(model)
    assert said["minWorkers, maxWorkers"] == ("better", "instances: 2")
    assert said["maxBatchDelay"] == ("better", "batching.delay: 50ms")
    assert said["batchSize"] == ("same", "batching.max_size: 4")
    assert said["defaultVersion"] == ("same", "default_version: 1")
    server = {s["from"]: s["fate"] for s in found["server"]["settings"]}
    assert server["job_queue_size"] == "same" and server["io_ratio"] == "gone"
    with serving(tmp_path, tmp_path / "ours") as served:
        assert answer(served, "scale") == [2, 4, 6, 8]
        assert answer(served, "scale", version="2.0") == [3, 6, 9, 12]


def test_folders_of_mlservers_and_mlflows(tmp_path):
    server = tmp_path / "mlserver/iris"
    models.save(models.scaled(2), server / "net.onnx")
    (server / "model-settings.json").write_text(
        json.dumps(
            {
                "name": "iris",
                "implementation": "mlserver_onnx.OnnxRuntime",
                "parallel_workers": 2,
                "parameters": {"uri": "./net.onnx", "version": "v4"},
                "colour": "red",
            }
        )
    )
    flow = tmp_path / "mlflow/digits"
    models.save(models.scaled(3), flow / "model.onnx")
    (flow / "MLmodel").write_text(
        "flavors:\n  onnx: {onnx_version: 1.16.0, data: model.onnx}\nrun_id: abc\nsignature: {inputs: '[]'}\n"
    )
    iris = report(tmp_path / "mlserver", "--to", tmp_path / "ours")["models"][0]
    assert iris["system"] == "MLServer"
    assert settings(iris)["parameters.version"] == ("same", "labels: {v4: 4}")
    assert settings(iris)["parallel_workers"] == ("better", "")
    assert settings(iris)["colour"] == ("gone", "")
    digits = report(tmp_path / "mlflow", "--to", tmp_path / "ours")["models"][0]
    assert digits["system"] == "MLflow"
    assert {s["fate"] for s in digits["settings"] if s["from"] == "run_id"} == {"gone"}
    with serving(tmp_path, tmp_path / "ours") as served:
        assert answer(served, "iris", version="v4") == [2, 4, 6, 8]
        assert answer(served, "digits") == [3, 6, 9, 12]


def test_a_class_of_mlservers(tmp_path):
    theirs = tmp_path / "theirs/mine"
    theirs.mkdir(parents=True)
    (theirs / "models.py").write_text(
        "import numpy as np\nfrom mlserver import MLModel\nfrom mlserver.codecs import decode_args\n"
        "class Mine(MLModel):\n    @decode_args\n    async def predict(self, x: np.ndarray) -> np.ndarray:\n"
        "        return x * x.dtype.type(self.settings.parameters.extra['by'])\n"
    )
    said = {"implementation": "models.Mine", "max_batch_size": 0, "parameters": {"version": "v2", "extra": {"by": 4}}}
    (theirs / "model-settings.json").write_text(json.dumps(said))
    (mine,) = report(tmp_path / "theirs", "--to", tmp_path / "ours")["models"]
    assert mine["system"] == "MLServer"
    assert settings(mine)["max_batch_size"] == ("same", "the folder, which is served as it is")
    assert settings(mine)["parameters.version"] == ("same", "labels: {v2: 2}")
    with serving(tmp_path, tmp_path / "ours") as served:
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
        status, found = served.post_json("/v2/models/mine/versions/v2/infer", body)
        assert status == 200 and found["outputs"][0]["data"] == [4, 8]


def test_a_dry_run_writes_nothing(tmp_path):
    repositories.add(tmp_path / "theirs", "m", models.scaled(2), repositories.BATCHED_CONFIG)
    result = migrate(tmp_path / "theirs", "--to", tmp_path / "ours", "--dry-run")
    assert "m (Triton), versions 1\n" in result.stdout and "nothing is written" in result.stdout
    assert re.search(r"^  same    max_batch_size -> batching.max_size: 16  \[\S+config.pbtxt:\d+:\d+\]$", result.stdout, re.M)
    assert "    batching:\n      max_size: 16" in result.stdout
    assert not (tmp_path / "ours").exists()
    assert "--to is required" in migrate(tmp_path / "theirs", code=USAGE).stderr


def test_nothing_is_overwritten_unasked(tmp_path):
    repositories.add(tmp_path / "theirs", "m", models.scaled(2), repositories.BATCHED_CONFIG)
    mine = tmp_path / "ours/m/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    (tmp_path / "ours/other").mkdir()
    assert "is there already" in migrate(tmp_path / "theirs", "--to", tmp_path / "ours", code=FAILED).stderr
    assert mine.read_text() == "mine"
    migrate(tmp_path / "theirs", "--to", tmp_path / "ours", "--force")
    assert sorted(p.name for p in (tmp_path / "ours").iterdir()) == ["m", "other"]
    assert not mine.exists() and (tmp_path / "ours/m/1").exists()
    # In the place of its own files it would be lost.
    result = migrate(tmp_path / "theirs", "--to", tmp_path / "theirs", "--force", code=FAILED)
    assert "where its own files are" in result.stderr
    assert (tmp_path / "theirs/m/config.pbtxt").exists()


def test_what_cannot_be_served_is_left_out_and_told(tmp_path):
    repositories.add(tmp_path / "theirs", "good", models.scaled(2), repositories.BATCHED_CONFIG)
    bad = repositories.add(tmp_path / "theirs", "bad", models.scaled(2), "max_batch_size: -1\n")
    # Triton lets a request wait for any time.
    policy = "dynamic_batching { default_queue_policy { default_timeout_microseconds: 7200000000 } "
    patient = repositories.BATCHED_CONFIG.replace("dynamic_batching {", policy)
    repositories.add(tmp_path / "theirs", "patient", models.scaled(2), patient)
    for arguments in (["--dry-run"], []):
        result = migrate(tmp_path / "theirs", "--to", tmp_path / "ours", *arguments, code=FAILED)
        assert f"{bad}/config.pbtxt:1:" in result.stderr and "; 2 problems left models out" in result.stdout
        assert "it can't be said in modelmill.yaml" in result.stderr
    assert [p.name for p in (tmp_path / "ours").iterdir()] == ["good"]


@pytest.mark.parametrize("case", ["nowhere", "own", "another"])
def test_paths_that_are_not_taken(tmp_path, case):
    models.save(models.scaled(2), tmp_path / "m/1/model.onnx")
    if case == "nowhere":
        arguments, message = [tmp_path / "nowhere"], "there is no file or folder"
    elif case == "own":
        (tmp_path / "m/modelmill.yaml").write_text("batching: off\n")
        arguments, message = [tmp_path / "m"], "has a modelmill.yaml already"
    else:
        arguments, message = [tmp_path / "m", "--from", "torchserve"], "is not laid out as TorchServe has it, but as Triton"
    assert message in migrate(*arguments, "--dry-run", code=REFUSED).stderr
