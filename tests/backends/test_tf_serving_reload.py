"""TensorFlow Serving's own client lists the models that are served, over gRPC."""

import json
import pathlib
import subprocess

import pytest

import models
import servers
from changing_models import predict, served_versions
from kits.tensorflow import KIT
from swap_load import SwapLoad

PROGRAM = pathlib.Path(__file__).parent / "serving_reload_main.py"


def send(server, *lists, token=None):
    asked = subprocess.run(
        [KIT.python, PROGRAM, server.address, *([token] if token else [])],
        input=json.dumps(lists),
        capture_output=True,
        text=True,
        timeout=120,
        env=servers.environment(),
    )
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout.splitlines()[-1])


def entry(name, base, more=""):
    return f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {more} }}'


def listing(*entries):
    return f"model_config_list {{ {' '.join(entries)} }}"


@pytest.mark.conformance("tensorflow-serving-api")
def test_the_list_takes_the_place_of_what_is_served(tmp_path):
    for name in ("a", "b"):
        for version in (1, 2):
            models.save(models.scaled(version), tmp_path / "base" / name / str(version) / "model.onnx")
    a, b = tmp_path / "base/a", tmp_path / "base/b"
    (tmp_path / "models.config").write_text(listing(entry("a", a)))
    with servers.serving(tmp_path, f"--model-config-file={tmp_path / 'models.config'}") as server:
        with SwapLoad(server, "a", clients=2) as load:
            moved = "model_version_policy { all {} } version_labels { key: 'stable' value: %d }"
            outcomes = send(
                server,
                listing(entry("a", a), entry("b", b, moved % 1)),
                listing(entry("a", a), entry("b", b, moved % 2)),
                listing(entry("a", a), entry("b", b, moved % 3)),
                listing(entry("a", tmp_path / "nowhere")),
            )
        assert load.failures == [] and load.versions == {2}
        assert [one["code"] for one in outcomes] == ["OK", "OK", "FAILED_PRECONDITION", "NOT_FOUND"], outcomes
        assert outcomes[0]["status"] == 0
        assert "label 'stable' of model 'b' is version 3" in outcomes[2]["details"]
        assert "base_path" in outcomes[3]["details"]
        assert served_versions(server, "b") == ["1", "2"]
        assert server.post_json("/predict/b/versions/stable", {"x": [1, 2, 3, 4]})[1]["y"] == [2, 4, 6, 8]
        assert server.log().count("model loaded") == 3
        assert send(server, listing(entry("b", b)), "")[1]["code"] == "INVALID_ARGUMENT"
        assert served_versions(server, "b") == ["2"]
        assert predict(server, "a")[0] == 404


@pytest.mark.conformance("tensorflow-serving-api")
def test_lists_need_a_token_where_loading_does_and_name_no_code(tmp_path):
    models.save(models.scaled(1), tmp_path / "base/a/1/model.onnx")
    (tmp_path / "base/code/1").mkdir(parents=True)
    (tmp_path / "base/code/1/model.py").write_text(
        f"import pathlib\nimport modelmill\n\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n\n\n"
        "@modelmill.model\ndef double(x: float) -> float:\n    return 2 * x\n"
    )
    tokens = tmp_path / "tokens"
    tokens.write_text("ops operators-token-0123456789 management\n")
    tokens.chmod(0o600)
    arguments = (tmp_path / "base/a", "--api=management=token", f"--token-file={tokens}")
    with servers.serving(tmp_path, *arguments) as server:
        code = listing(entry("code", tmp_path / "base/code"))
        assert send(server, code)[0]["code"] in ("UNAUTHENTICATED", "PERMISSION_DENIED")
        outcome = send(server, code, token="operators-token-0123456789")[0]
        assert outcome["code"] != "OK" and "--allow-model-code sent" in outcome["details"], outcome
    assert not (tmp_path / "ran").exists()
