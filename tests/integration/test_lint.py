"""`modelmill lint`: what is wrong with models, told without a server."""

import json
import re

import jsonschema
import yaml

import models
import repositories
from servers import ROOT, run_cli, serving

OK, FOUND, USAGE = 0, 1, 2


def test_nothing_is_wrong(tmp_path):
    repositories.main_repository(tmp_path / "models")
    result = run_cli("lint", tmp_path / "models")
    assert result.returncode == OK, result.stdout
    assert re.fullmatch(r"\d+ models without a problem, 0 problems\n", result.stdout)


def test_every_problem_has_its_place(tmp_path):
    folder = repositories.add(tmp_path / "models", "m", models.scaled(2), "max_batchsize: 4\ninput { nme: 'x' }\n")
    (tmp_path / "list.yaml").write_text("models:\n  - {path: models/m, swap: never}\n  - {name: gone}\n")
    result = run_cli("lint", tmp_path / "models", tmp_path / "list.yaml")
    assert result.returncode == FOUND
    lines = result.stdout.splitlines()
    config = f"{folder}/config.pbtxt"
    expected = [
        f"{config}:1:1: error: unknown field 'max_batchsize' in ModelConfig; did you mean 'max_batch_size'?",
        f"{config}:2:9: error: unknown field 'nme' in ModelInput; did you mean 'name'?",
        f"{tmp_path}/list.yaml:3:5: error: there is no file or folder '{tmp_path}/gone'; correct the path",
    ]
    for line in expected:
        assert line in lines, result.stdout
    result = run_cli("lint", tmp_path / "list.yaml")
    assert f"{tmp_path}/list.yaml:2:28: error: 'models[0].swap' is 'never', but must be one of availability, resource" in (
        result.stdout
    )


def test_what_has_no_effect_is_noted(tmp_path):
    limits = "host_policy: 'one'"
    folder = repositories.add(tmp_path / "models", "m", models.scaled(2), f"instance_group {{\n  {limits}\n}}\n")
    result = run_cli("lint", tmp_path / "models")
    assert result.returncode == OK
    place = f"{folder}/config.pbtxt:2:3"
    assert f"{place}: note: instance_group[0].host_policy: 'host_policy' has no effect: " in result.stdout
    with serving(tmp_path, tmp_path / "models") as server:
        assert server.log().count("configuration without effect") == 1
        assert "'host_policy' has no effect" in server.log()


def test_effective_is_a_configuration_too(tmp_path):
    """What --effective prints can be served in place of what it was made from."""
    repositories.add(tmp_path / "models", "m", models.scaled(2), repositories.BATCHED_CONFIG)
    (tmp_path / "models/m/modelmill.yaml").write_text("pinned: true\n")
    result = run_cli("lint", "--effective", tmp_path / "models")
    assert result.returncode == OK, result.stderr
    assert "1 model without a problem" in result.stderr
    assert f"    pinned: true  # {tmp_path}/models/m/modelmill.yaml:1:9\n" in result.stdout
    assert re.search(r"      max_size: 16  # \S+/m/config\.pbtxt:3:1\n", result.stdout)
    assert "    swap: availability  # default\n" in result.stdout
    again = tmp_path / "again.yaml"
    again.write_text(result.stdout)
    repeated = run_cli("lint", "--effective", again)
    assert repeated.returncode == OK, repeated.stderr

    def without_comments(text):
        return re.sub(r"  # .*", "", text)

    assert without_comments(repeated.stdout) == without_comments(result.stdout)


def test_a_file_that_is_not_there(tmp_path):
    result = run_cli("lint", tmp_path / "nowhere")
    assert result.returncode == FOUND
    assert f"{tmp_path}/nowhere: error: there is no file or folder" in result.stdout


def test_the_schema_in_docs_is_current():
    schema = run_cli("lint", "--schema").stdout
    committed = (ROOT / "docs/modelmill.schema.json").read_text()
    assert json.loads(schema) == json.loads(committed), "run `modelmill lint --schema | python3 -m json.tool`"


def test_what_the_schema_takes_the_server_takes(tmp_path):
    """Schema and parser hold the same of files that are good, and of files that are not."""
    schema = json.loads((ROOT / "docs/modelmill.schema.json").read_text())
    models.save(models.scaled(2), tmp_path / "net.onnx")
    texts = {
        "models: [{path: net.onnx}]": True,
        "models: [{path: net.onnx, versions: {latest: 2}, labels: {stable: 1}}]": True,
        "models: [{path: net.onnx, instances: {min: 1, max: 3}, batching: {max_size: 8, delay: 2ms}}]": True,
        "models: [{path: net.onnx, instances: 2, queue: {max_size: 5, timeout: 1.5s}}]": True,
        "models: [{path: net.onnx, batching: 'off', swap: resource, parameters: {a: 1, b: true}}]": True,
        "models: [{path: net.onnx, batchng: 'off'}]": False,
        "models: [{path: net.onnx, instances: 5000}]": False,
        "models: [{path: net.onnx, batching: {delay: 5}}]": False,
        "models: [{path: net.onnx, swap: never}]": False,
        "models: [{path: net.onnx, inputs: [{name: x}]}]": False,
        "models: {}": False,
        "schema_version: 0\nmodels: []": False,
    }
    for text, good in texts.items():
        (tmp_path / "m.yaml").write_text(text)
        assert (run_cli("lint", tmp_path / "m.yaml").returncode == OK) == good, text
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(text)))
        assert (not errors) == good, (text, errors)


def test_usage():
    assert run_cli("lint").returncode == USAGE
