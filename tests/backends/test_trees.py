"""Trees as they lie on disk elsewhere: plain files, Triton's FIL backend, MLServer's and MLflow's folders; tables in JSON and
CSV; and scikit-learn's models, by way of ONNX."""

import json
import shutil
import subprocess

import numpy as np
import pytest

import servers
from clients import Client
from kits import lightgbm, xgboost
from servers import ROOT

FIL = """
backend: "fil"
max_batch_size: 32768
input [ {{ name: "input__0" data_type: TYPE_FP32 dims: [ {features} ] }} ]
output [ {{ name: "output__0" data_type: TYPE_FP32 dims: [ {outputs} ] }} ]
instance_group [ {{ kind: KIND_AUTO }} ]
parameters [
  {{ key: "model_type" value: {{ string_value: "{model_type}" }} }},
  {{ key: "predict_proba" value: {{ string_value: "{proba}" }} }},
  {{ key: "output_class" value: {{ string_value: "{output_class}" }} }},
  {{ key: "threshold" value: {{ string_value: "0.5" }} }},
  {{ key: "algo" value: {{ string_value: "ALGO_AUTO" }} }},
  {{ key: "storage_type" value: {{ string_value: "AUTO" }} }},
  {{ key: "blocks_per_sm" value: {{ string_value: "0" }} }}
]
dynamic_batching {{ }}
"""


@pytest.fixture(scope="module")
def stands(_stands):
    return {kit.backend: _stands(kit) for kit in (xgboost.KIT, lightgbm.KIT)}


@pytest.fixture(scope="module")
def environment(stands):
    out = {}
    for stand in stands.values():
        out |= stand.kit.environment()
    return out


def file_of(stand, name):
    return next((stand.repository / name / "1").iterdir())


def ask(server, model, **arrays):
    client = Client("grpc", server.address)
    try:
        (output,) = client.json("get_model_metadata", model)["outputs"]
        return client.infer(model, arrays).as_numpy(output["name"])
    finally:
        client.close()


def predict(server, model, body, content_type="application/json"):
    status, answer, _ = server.request("POST", f"/predict/{model}", body.encode(), {"content-type": content_type})
    assert status == 200, answer
    return json.loads(answer)


def test_plain_files(stands, environment, tmp_path):
    """Those whose ending tells, and those whose beginning does, beside files that are no models."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(file_of(stands["xgboost"], "regression"), folder / "price.json")
    shutil.copy(file_of(stands["xgboost"], "binary"), folder / "churn.ubj")
    shutil.copy(file_of(stands["xgboost"], "multiclass"), folder / "wine.bst")
    shutil.copy(file_of(stands["lightgbm"], "binary"), folder / "risk.txt")
    shutil.copy(file_of(stands["lightgbm"], "multiclass"), folder / "sort.bst")
    (folder / "package.json").write_text('{"version": "1", "learner": {}}')
    (folder / "requirements.txt").write_text("xgboost\n")
    with servers.serving(tmp_path, folder, env=environment) as server:
        listed = {one["name"] for one in json.loads(server.request("POST", "/v2/repository/index", b"{}")[1])}
        assert listed == {"price", "churn", "wine", "risk", "sort"}
        for name, backend, source in (("price", "xgboost", "regression"), ("churn", "xgboost", "binary"), ("wine", "xgboost", "multiclass"),
                                      ("risk", "lightgbm", "binary"), ("sort", "lightgbm", "multiclass")):  # fmt: skip
            model = stands[backend].kit.model(source)
            arrays = model.draw((5,))
            (expected,) = stands[backend].answers(model, [arrays])
            np.testing.assert_allclose(ask(server, name, **arrays), expected["predict"], rtol=1e-5)


@pytest.mark.parametrize("backend,model_type,file", [("xgboost", "xgboost_json", "xgboost.json"), ("lightgbm", "lightgbm", "model.txt")])
def test_fil(stands, environment, tmp_path, backend, model_type, file):
    """A repository that was made for Triton's FIL backend."""
    stand = stands[backend]
    cases = {
        "plain": ("regression", 10, 1, "false", "false"),
        "shares": ("binary", 30, 2, "true", "true"),
        "classes": ("binary", 30, 1, "false", "true"),
        "several": ("multiclass", 13, 3, "true", "true"),
        "winner": ("multiclass", 13, 1, "false", "true"),
    }
    for name, (source, features, outputs, proba, output_class) in cases.items():
        version = tmp_path / "models" / name / "1"
        version.mkdir(parents=True)
        if source == "binary" and backend == "xgboost":
            source = "binary_margin"  # the same trees, in JSON
        shutil.copy(file_of(stand, source), version / file)
        config = FIL.format(features=features, outputs=outputs, model_type=model_type, proba=proba, output_class=output_class)
        (version.parent / "config.pbtxt").write_text(config)
    with servers.serving(tmp_path, tmp_path / "models", env=environment) as server:
        for name, (source, _, outputs, proba, output_class) in cases.items():
            model = stand.kit.model(source)
            rows = model.draw((7,))["input-0"]
            (answered,) = stand.answers(model, [{"input-0": rows}])
            expected = answered["predict"]
            if source == "binary" and proba == "true":
                expected = np.stack([1 - expected, expected], 1)
            elif source == "binary":
                expected = expected > 0.5
            elif output_class == "true" and proba == "false":
                expected = expected.argmax(1)
            got = ask(server, name, input__0=rows)
            assert got.shape == (7, outputs) and got.dtype == np.float32
            np.testing.assert_allclose(got, expected.reshape(7, outputs), rtol=1e-5, atol=1e-6, err_msg=name)
        assert server.get_json("/v2/models/plain/config")["backend"] == "fil"


def test_fil_without_a_word(stands, environment, tmp_path):
    """Names and shapes are FIL's also where the configuration leaves them out; what is not served says so."""
    for name, parameters in (("open", ""), ("other", 'parameters { key: "model_type" value { string_value: "treelite_checkpoint" } }')):
        version = tmp_path / "models" / name / "1"
        version.mkdir(parents=True)
        shutil.copy(file_of(stands["lightgbm"], "binary"), version / "model.txt")
        (version.parent / "config.pbtxt").write_text(f'backend: "fil"\n{parameters}')
    server = servers.Server(tmp_path / "log", tmp_path / "models", check_ready=False, env=environment)
    try:
        servers.wait_until(lambda: "treelite_checkpoint" in server.log(), "the error is told")
        servers.wait_until(lambda: server.get("/v2/models/open/ready")[0] == 200, "the model is ready")
        metadata = server.get_json("/v2/models/open")
        assert [(p["name"], p["datatype"], p["shape"]) for p in metadata["inputs"] + metadata["outputs"]] == [
            ("input__0", "FP32", [-1, 30]), ("output__0", "FP32", [-1, 1])]  # fmt: skip
        server.stop()
    finally:
        server.kill()


def test_mlserver_and_mlflow(stands, environment, tmp_path):
    """An estimator's predict() gives classes, a booster's its values, as they do there."""
    models = tmp_path / "models"
    layouts = {
        "settings": ("model-settings.json", '{"name": "settings", "implementation": "mlserver_xgboost.XGBoostModel",'
                     ' "parameters": {"uri": "./model.json", "version": "v1"}}', "xgboost", "estimator", "model.json"),
        "light": ("model-settings.json", '{"name": "light", "implementation": "mlserver_lightgbm.LightGBMModel",'
                  ' "parameters": {"uri": "./model.bst"}}', "lightgbm", "binary", "model.bst"),
        "flow": ("MLmodel", "flavors:\n  xgboost:\n    data: model.xgb\n    model_class: xgboost.sklearn.XGBClassifier\n",
                 "xgboost", "estimator", "model.xgb"),
        "flow_light": ("MLmodel", "flavors:\n  python_function: {}\n  lightgbm:\n    data: model.lgb\n", "lightgbm", "binary", "model.lgb"),
    }  # fmt: skip
    for name, (settings, text, backend, source, file) in layouts.items():
        (models / name).mkdir(parents=True)
        (models / name / settings).write_text(text)
        shutil.copy(file_of(stands[backend], source), models / name / file)
    with servers.serving(tmp_path, models, env=environment) as server:
        for name, (_, _, backend, source, _) in layouts.items():
            model = stands[backend].kit.model("estimator_predict" if source == "estimator" else source)
            arrays = model.draw((9,))
            (expected,) = stands[backend].answers(model, [arrays])
            got = ask(server, name, **arrays)
            assert got.dtype == expected["predict"].dtype, name
            np.testing.assert_allclose(got, expected["predict"], rtol=1e-6)


def test_tables(stands):
    """Columns by name, in JSON and in CSV with a header in any order; and missing values."""
    for backend, stand in stands.items():
        model = stand.kit.model("columns")
        arrays = model.draw((4,))
        (expected,) = stand.answers(model, [arrays])
        body = json.dumps({name: [float(v) for v in column] for name, column in arrays.items()})
        assert "NaN" in body
        np.testing.assert_allclose(predict(stand.server, "columns", body)["predict"], expected["predict"], rtol=1e-5)
        names = list(reversed(arrays))
        lines = [",".join(names)] + [",".join(str(float(arrays[name][row])) for name in names) for row in range(4)]
        got = predict(stand.server, "columns", "\n".join(lines) + "\n", "text/csv")
        np.testing.assert_allclose(got["predict"], expected["predict"], rtol=1e-5, err_msg=backend)
        status, answer, _ = stand.server.request("POST", "/predict/columns", b'{"age": [1, 2], "sex": [1]}')
        assert status == 400 and b"missing required input" in answer, answer


@pytest.mark.parametrize("backend", ["xgboost", "lightgbm"])
@pytest.mark.parametrize(
    "parameters,message",
    [
        ({"output": "odds"}, "value, predict, probability, margin, class, leaf, contributions"),
        ({"output": "probability"}, "gives no probabilities"),
        ({"output": "class"}, "gives no classes"),
        ({"inputs": "columns", "output": "odds"}, "parameter 'output'"),
        ({"inputs": "rows"}, "matrix or columns"),
        ({"iterations": "0"}, "'iterations' is 0"),
        ({"threshold": "half"}, "'threshold' is 'half'"),
    ],
)
def test_wrong_parameters(stands, environment, tmp_path, backend, parameters, message):
    version = tmp_path / "m" / "1"
    version.mkdir(parents=True)
    shutil.copy(file_of(stands[backend], "regression"), version)
    (tmp_path / "m/config.pbtxt").write_text(f'backend: "{backend}"\n{xgboost.parameters(**parameters)}')
    result = servers.run_cli("serve", tmp_path / "m", "--port", 0, env=environment)
    assert result.returncode == 1
    assert message in result.stderr and "model 'm'" in result.stderr, result.stderr


def test_threads_inside_an_instance(stands, environment, tmp_path):
    """The same answers, with more threads than one."""
    for backend, stand in stands.items():
        model = stand.kit.model("multiclass")
        arrays = model.draw((64,))
        (expected,) = stand.answers(model, [arrays])
        with servers.serving(tmp_path / backend, file_of(stand, "multiclass"), "--instance-threads=2", env=environment) as server:
            np.testing.assert_allclose(ask(server, "model", **arrays), expected["predict"], rtol=1e-5)


SKLEARN = """
import sys
import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
rows, target = load_iris(return_X_y=True)
rows = rows.astype(np.float32)
model = RandomForestClassifier(10, random_state=1, max_depth=4).fit(rows, target)
for name, zipmap in (("plain", False), ("zipped", True)):
    made = to_onnx(model, rows[:1], options={"zipmap": zipmap}, target_opset=21)
    open(f"{sys.argv[1]}/{name}.onnx", "wb").write(made.SerializeToString())
np.savez(f"{sys.argv[1]}/expected.npz", rows=rows[::9], label=model.predict(rows[::9]), shares=model.predict_proba(rows[::9]))
"""


def test_scikit_learn_by_way_of_onnx(stands, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    subprocess.run([ROOT / "build/venvs/trees/bin/python", "-c", SKLEARN, models], check=True, timeout=120, env=servers.environment())
    expected = np.load(models / "expected.npz")
    with servers.serving(tmp_path, models) as server:
        client = Client("grpc", server.address)
        for name in ("plain", "zipped"):
            result = client.infer(name, {"X": expected["rows"]})
            outputs = {one["name"] for one in client.json("get_model_metadata", name)["outputs"]}
            assert outputs == ({"label", "probabilities"} if name == "plain" else {"output_label", "output_probability"})
            label, shares = sorted(outputs)
            np.testing.assert_array_equal(result.as_numpy(label), expected["label"])
            np.testing.assert_allclose(result.as_numpy(shares), expected["shares"], atol=1e-5)
        client.close()
