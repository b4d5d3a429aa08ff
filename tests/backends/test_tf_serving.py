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


@pytest.mark.parametrize("check", CHECKS)
def test_tensorflow_servings_client(results, check):
    assert results[check] == "", results[check]
