"""Estimators and pipelines in files of joblib and pickle are served as they are."""

import concurrent.futures
import json
import pickle
import re

import pytest

import no_code_models
import python_workers
import servers
from no_code_models import ask
from servers import run_cli

VENV = no_code_models.venv("trees")


@pytest.fixture(scope="module")
def estimators(tmp_path_factory):
    folder = tmp_path_factory.mktemp("estimators")
    return folder, no_code_models.make("estimators", "trees", folder)


@pytest.fixture(scope="module")
def server(estimators, tmp_path_factory):
    folder, answers = estimators
    more = [
        ("numbers_matrix", folder / "numbers.joblib", {"inputs": "matrix"}),
        ("iris_methods", folder / "iris.joblib", {"outputs": "predict, decision_function"}),
        ("iris_fp32", folder / "iris.joblib", {"input_type": "FP32"}),
    ]
    plain = [(name, path, {}) for name, path in files_of(folder).items()]
    config = python_workers.yaml(tmp_path_factory.mktemp("config"), *plain, *more)
    with servers.serving(tmp_path_factory.mktemp("server"), config, "--python", VENV, "--load-threads", 2) as server:
        yield server


def files_of(folder):
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in (".joblib", ".pkl", ".pickle")}


def test_answers_are_those_of_the_object(server, estimators):
    folder, answers = estimators
    assert set(files_of(folder)) <= {answer["model"] for answer in answers}
    no_code_models.assert_answers(server, answers)


def test_what_a_model_takes_and_gives(server):
    def tensors(model, which):
        found = server.get_json(f"/v2/models/{model}")[which]
        return {one["name"]: (one["datatype"], one["shape"]) for one in found}

    assert tensors("table", "inputs") == {"age": ("FP64", [-1]), "city": ("BYTES", [-1]), "kids": ("INT64", [-1])}
    assert tensors("table", "outputs") == {"label": ("BYTES", [-1]), "probabilities": ("FP64", [-1, 2])}
    assert tensors("numbers", "inputs") == {name: ("FP64", [-1]) for name in "abcd"}
    assert tensors("packed", "outputs") == {"predict": ("FP64", [-1, 2])}
    assert tensors("iris_fp32", "inputs") == {"input-0": ("FP32", [-1, 4])}
    assert server.get_json("/v2/models/iris/config")["max_batch_size"] == 4096


def test_a_table_as_csv(server):
    body = b"city,kids,age\nRome,0,20\nOslo,2,31.5\n"
    status, reply, _ = server.request("POST", "/predict/table", body, {"content-type": "text/csv"})
    asked = {"age": [20, 31.5], "city": ["Rome", "Oslo"], "kids": [0, 2]}
    assert (status, json.loads(reply)) == ask(server, "table", asked), reply


def test_a_bad_request_in_a_batch_costs_no_other_its_answer(server):
    good = {"age": [20], "city": ["Rome"], "kids": [0]}
    bad = {"age": [20], "city": ["Atlantis"], "kids": [0]}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda request: ask(server, "table", request), [good, bad] * 100))
    assert {status for status, _ in replies[::2]} == {200}
    for status, reply in replies[1::2]:
        assert status == 400 and "Atlantis" in reply["error"], reply


def test_no_rows_and_wrong_shapes_are_the_clients_errors(server):
    for value in ([], [[1.0, 2.0]]):
        status, reply = ask(server, "iris", {"input-0": value})
        assert status == 400, reply


def test_a_model_beside_others_in_a_folder(serve, estimators, tmp_path):
    """In Triton's layout the file has any name; a configuration chooses the input's type."""
    folder, answers = estimators
    version = tmp_path / "models/iris/1"
    version.mkdir(parents=True)
    (version / "m.joblib").write_bytes((folder / "iris.joblib").read_bytes())
    (version.parent / "config.pbtxt").write_text(
        'max_batch_size: 8 input [ { name: "input-0" data_type: TYPE_FP32 dims: [ 4 ] } ]'
    )
    server = serve(tmp_path / "models", "--python", VENV)
    assert server.get_json("/v2/models/iris/config")["max_batch_size"] == 8
    assert server.get_json("/v2/models/iris")["inputs"][0]["datatype"] == "FP32"
    no_code_models.assert_answers(server, [a for a in answers if a["model"] == "iris"], rtol=1e-5)


PROBLEMS = {
    "empty.pkl": (b"", "is empty"),
    "text.pkl": (b"this is none", "is no pickle that can be read"),
    "cut.pkl": (pickle.dumps([1.5] * 100)[:50], "is no pickle that can be read"),
    "list.pkl": (pickle.dumps([1, 2]), "holds builtins.list, which has neither predict() nor transform()"),
    "mine.pkl": (b"\x80\x02c__main__\nMine\n)R.", "must be in modules that can be imported"),
    "away.pkl": (b"\x80\x02cnosuchpackage.part\nThing\n)R.", "pip install nosuchpackage"),
}


def test_what_is_no_estimator_says_so(tmp_path):
    for name, (data, _) in PROBLEMS.items():
        (tmp_path / name).write_bytes(data)
    result = run_cli("serve", tmp_path, "--port", 0, "--python", VENV)
    assert result.returncode == 1
    for name, (_, text) in PROBLEMS.items():
        (line,) = [
            line for line in result.stderr.splitlines() if line.startswith(f"  model '{name.partition('.')[0]}'")
        ]
        assert text in line, line


def test_a_missing_package_names_the_command(estimators):
    """build/venv has no scikit-learn; the file tells which version wrote it."""
    result = run_cli("serve", estimators[0] / "table.pkl", "--port", 0)
    assert result.returncode == 1
    assert "needs the package 'scikit-learn'" in result.stderr, result.stderr
    assert "bin/python3 -m pip install scikit-learn==" in result.stderr, result.stderr


def test_wrong_parameters_say_what_is_right(serve, estimators, tmp_path):
    iris = estimators[0] / "iris.joblib"
    wrong = [
        ("a", iris, {"outputs": "transform"}),
        ("b", iris, {"inputs": "columns"}),
        ("c", iris, {"input_type": "BYTES"}),
        ("d", iris, {"inputs": "tensor"}),
    ]
    texts = [
        "it has predict, predict_proba, decision_function",
        "without names of columns",
        "no type of numbers",
        "'columns' or 'matrix'",
    ]
    result = run_cli("serve", python_workers.yaml(tmp_path, *wrong), "--port", 0, "--python", VENV)
    for text in texts:
        assert text in result.stderr, result.stderr


def test_the_log_tells_of_another_version(serve, estimators, tmp_path):
    """scikit-learn's warning of an object that another version of it has saved."""
    data = (estimators[0] / "table.pkl").read_bytes()
    version = b"1.9.1"
    assert version in data
    (tmp_path / "old.pkl").write_bytes(data.replace(version, b"1.2.1"))
    server = serve(tmp_path / "old.pkl", "--python", VENV)
    warning = re.compile("InconsistentVersionWarning(.|\n)*1\\.2\\.1|1\\.2\\.1(.|\n)*InconsistentVersionWarning")
    servers.wait_until(lambda: warning.search(server.log()), "the warning is logged")
    server.stop()


def test_pickles_that_a_client_sends_are_refused(serve, estimators):
    import base64

    folder, _ = estimators
    server = serve(folder / "iris.joblib", "--python", VENV, "--model-control-mode", "explicit", "--load-model", "iris")
    data = base64.b64encode((folder / "iris.joblib").read_bytes()).decode()
    body = {"parameters": {"config": json.dumps({"name": "sent", "backend": "python"}), "file:1/m.joblib": data}}
    status, reply, _ = server.request("POST", "/v2/repository/models/sent/load", json.dumps(body).encode())
    assert status == 400 and b"--allow-model-code sent" in reply, reply
    server.stop()
