"""MLflow's python_function, and MLServer's runtimes, by their folders alone."""

import json

import pytest

import no_code_models
import servers
from no_code_models import ask
from servers import run_cli

VENV = no_code_models.venv("trees")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return folder, no_code_models.make("mlflow", "trees", folder)


@pytest.fixture(scope="module")
def server(made, tmp_path_factory):
    env = {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    with servers.serving(tmp_path_factory.mktemp("server"), made[0], "--python", VENV, env=env) as server:
        yield server


def test_answers_are_those_of_the_model(server, made):
    """In the interpreter itself, which has what each requirements.txt asks for."""
    no_code_models.assert_answers(server, made[1])
    assert "environment is made" not in server.log()


def test_what_a_signature_says(server):
    words = server.get_json("/v2/models/words")
    assert {one["name"]: one["datatype"] for one in words["inputs"]} == {"word": "BYTES", "x": "FP64", "n": "INT64"}
    assert {one["name"]: one["datatype"] for one in words["outputs"]} == {"text": "BYTES", "sum": "FP64"}
    twice = server.get_json("/v2/models/twice")
    assert twice["inputs"] == [{"name": "input-0", "datatype": "FP32", "shape": [-1, 3]}]
    assert server.get_json("/v2/models/served_pickle")["inputs"][0]["datatype"] == "FP32"


def test_as_clients_of_mlflows_own_server_ask(server):
    rows = [["a", 1.5, 3], ["b", 2.0, 4]]
    status, outputs = ask(server, "words", {"word": ["a", "b"], "x": [1.5, 2.0], "n": [3, 4]})
    assert status == 200
    expected = [dict(zip(outputs, row)) for row in zip(*outputs.values())]
    headers = {"X-Amzn-SageMaker-Target-Model": "words", "Content-Type": "application/json"}
    columns = ["word", "x", "n"]
    for body in (
        {"dataframe_split": {"columns": columns, "data": rows}},
        {"dataframe_records": [dict(zip(columns, row)) for row in rows]},
    ):
        status, reply, _ = server.request("POST", "/invocations", json.dumps(body).encode(), headers)
        assert (status, json.loads(reply)) == (200, {"predictions": expected})


def test_columns_that_may_be_left_out(server):
    assert ask(server, "own", {"a": [1], "b": ["x"]}) == (200, {"a": [41]})


def test_requirements_that_the_interpreter_lacks(made, tmp_path):
    """They would be in an environment of the model's own; here pip finds nothing."""
    folder = tmp_path / "iris"
    folder.mkdir()
    for file in (made[0] / "iris").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "requirements.txt").write_text("mlflow==9.9\nscikit-learn>=99\n")
    (folder / "wheels").mkdir()
    result = run_cli("serve", folder, "--port", 0, "--python", VENV, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert result.returncode == 1 and "pip can't install" in result.stderr, result.stderr
    (folder / "requirements.txt").write_text("mlflow==9.9\nscikit-learn>=1\nno-such-thing; python_version < '3'\n")
    (folder / "MLmodel").write_text((folder / "MLmodel").read_text().replace("inputs:", "nothing:"))
    (folder / "model.pkl").write_bytes(b"")
    result = run_cli("serve", folder, "--port", 0, "--python", VENV)
    assert result.returncode == 1 and "model.pkl' is empty" in result.stderr, result.stderr


def test_a_conda_environment_alone(made, tmp_path):
    """Its packages for pip are as good as a requirements.txt, which is read first where there are both."""
    folder = tmp_path / "iris"
    folder.mkdir()
    for file in (made[0] / "iris").iterdir():
        if file.name != "requirements.txt":
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "wheels").mkdir()
    conda = "name: mlflow-env\nchannels:\n- conda-forge\ndependencies:\n- python=3.11\n- pip<=99\n- pip:\n"
    (folder / "conda.yaml").write_text(conda + "  - mlflow==9.9\n  # of no use\n  - 'scikit-learn>=1'\n")
    with servers.serving(tmp_path / "server", folder, "--python", VENV) as server:
        assert "environment is made" not in server.log()
    (folder / "conda.yaml").write_text(conda + "  - scikit-learn>=99\nprefix: /somewhere\n")
    result = run_cli("serve", folder, "--port", 0, "--python", VENV, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert result.returncode == 1 and f"pip can't install '{folder}/conda.yaml'" in result.stderr, result.stderr
    assert "scikit-learn>=99" in result.stderr


def test_without_mlflow_the_error_names_the_command(made):
    """build/venvs/python has pandas and no MLflow."""
    env = no_code_models.venv("python")
    result = run_cli("serve", made[0] / "twice", "--port", 0, "--python", env, "--python-wheels", made[0])
    assert result.returncode == 1 and "pip" in result.stderr and "mlflow" in result.stderr, result.stderr
