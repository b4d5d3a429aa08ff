"""TensorFlow Serving's own client against a server of SavedModels and ONNX files; TensorFlow itself says what is right."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

import models
import servers
from kits.tensorflow import KIT
from stand import make_models

PROGRAM = pathlib.Path(__file__).parent / "serving_api_main.py"
LOG_PROGRAM = pathlib.Path(__file__).parent / "serving_log_main.py"
CHECKS = re.findall(r"^def check_(\w+)", PROGRAM.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tf_serving")
    made, served = make_models(KIT), folder / "models"
    for name in ("cnn", "strings", "add_sub", "times", "scaled", *(p.name for p in made.glob("identity_*"))):
        shutil.copytree(made / name, served / name)
    shutil.copytree(made / "signatures", served / "classified")
    onnx = models.save(models.mlp((4, 8, 3)), folder / "mlp_onnx.onnx")
    with servers.serving(folder, served, onnx, env=KIT.environment()) as server:
        asked = subprocess.run(
            [KIT.python, PROGRAM, server.address, served], capture_output=True, text=True, timeout=240, env=servers.environment()
        )
        assert asked.returncode == 0, asked.stderr
        return json.loads(asked.stdout.splitlines()[-1])


@pytest.mark.conformance("tensorflow-serving-api")
@pytest.mark.parametrize("check", CHECKS)
def test_tensorflow_servings_client(results, check):
    assert results[check] == "", results[check]


@pytest.mark.conformance("tensorflow-serving-api")
def test_the_request_log_is_tensorflow_servings(tmp_path):
    """Its own reader reads it, and a model is warmed up with it."""
    base, prefix = tmp_path / "base", tmp_path / "logs" / "times"
    shutil.copytree(make_models(KIT) / "times" / "2", base / "2")
    (tmp_path / "models.config").write_text(
        f"""model_config_list {{ config {{ name: "times" base_path: "{base}" logging_config {{
        log_collector_config {{ filename_prefix: "{prefix}" }} sampling_config {{ sampling_rate: 1 }} }} }} }}"""
    )
    with servers.serving(tmp_path, f"--model-config-file={tmp_path / 'models.config'}", env=KIT.environment()) as server:
        asked = subprocess.run(
            [KIT.python, LOG_PROGRAM, server.address, prefix],
            capture_output=True,
            text=True,
            timeout=240,
            env=servers.environment(),
        )
        assert asked.returncode == 0, asked.stderr
        counted = 'request_log_records_total{model="times",result="written"} 2\n'
        servers.wait_until(lambda: counted in server.get("/metrics")[1].decode(), "two are counted")
    (records,) = prefix.parent.iterdir()
    (base / "2" / "assets.extra").mkdir(exist_ok=True)
    shutil.copy(records, base / "2" / "assets.extra" / "tf_serving_warmup_requests")
    with servers.serving(tmp_path, f"times={base}", env=KIT.environment()) as server:
        assert server.get("/v2/models/times/ready")[0] == 200
