"""Files of Keras and of CatBoost are served as they are."""

import json

import pytest

import no_code_models
import python_workers
from no_code_models import ask
from servers import run_cli

KERAS, CATBOOST = no_code_models.venv("tensorflow"), no_code_models.venv("trees")


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras")
    return folder, no_code_models.make("keras", "tensorflow", folder)


@pytest.fixture(scope="module")
def catboost(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catboost")
    return folder, no_code_models.make("catboost", "trees", folder)


def test_keras_answers_as_itself(serve, keras, tmp_path):
    """By the names of its layers; code in a file runs where a parameter says so."""
    folder, answers = keras
    config = python_workers.yaml(
        tmp_path, ("several", folder / "several.keras", {}), ("code", folder / "code.keras", {"safe_mode": "false"})
    )
    server = serve(config, "--python", KERAS)
    no_code_models.assert_answers(server, [answer for answer in answers if answer["model"] != "row"], rtol=1e-5)
    inputs = server.get_json("/v2/models/several")["inputs"]
    assert {one["name"]: (one["datatype"], one["shape"]) for one in inputs} == {
        "left": ("FP32", [-1, 4]),
        "right": ("INT32", [-1, 2]),
    }
    server.stop()


def test_keras_layers_in_a_row_and_code_that_is_not_run(serve, keras):
    folder, answers = keras
    server = serve(folder / "row.keras", folder / "code.keras", "--python", KERAS, check_ready=False)
    no_code_models.assert_answers(server, [answer for answer in answers if answer["model"] == "row"], rtol=1e-5)
    assert "the parameter safe_mode: false has its code run" in server.log(), server.log()
    server.stop()


def test_catboost_answers_as_itself(serve, catboost):
    folder, answers = catboost
    server = serve(folder, "--python", CATBOOST)
    no_code_models.assert_answers(server, answers)
    body = b"city,age\nRome,20\n"
    status, reply, _ = server.request("POST", "/predict/words", body, {"content-type": "text/csv"})
    assert (status, json.loads(reply)) == ask(server, "words", {"age": [20], "city": ["Rome"]})
    server.stop()


def test_what_can_not_be_read_and_what_is_missing(tmp_path):
    for name in ("broken.keras", "broken.cbm"):
        (tmp_path / name).write_bytes(b"this is none")
    for file, python, text in (
        ("broken.keras", KERAS, "can't be loaded"),
        ("broken.cbm", CATBOOST, "can't be read"),
        ("broken.keras", CATBOOST, "-m pip install keras tensorflow-cpu"),
        ("broken.cbm", KERAS, "-m pip install catboost"),
    ):
        result = run_cli("serve", tmp_path / file, "--port", 0, "--python", python)
        assert result.returncode == 1 and text in result.stderr, result.stderr
