"""Folders of MLflow's with a python_function, and MLServer's around models of several kinds."""

import json
import logging
import shutil
import warnings

import catboost
import joblib
import mlflow
import numpy as np
import pandas
import side
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

MLMODEL = """flavors:
  python_function:
    code: code
    data: numbers.json
    loader_module: adding
signature:
  inputs: '[{"type": "double", "name": "a"}, {"type": "string", "name": "b", "required": false}]'
"""
LOADER = """import json

class Adding:
    def __init__(self, path):
        self.number = json.load(open(path))

    def predict(self, table):
        table["a"] += self.number
        return table[["a"]]

def _load_pyfunc(path):
    return Adding(path)
"""


class Words(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return pandas.DataFrame({"text": model_input["word"].str.upper(), "sum": model_input["x"] + model_input["n"]})


class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return 2 * model_input


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    answers = side.Answers()
    folder, needed = answers.folder, {"pip_requirements": ["numpy", "scikit-learn"]}
    x, y = load_iris(return_X_y=True, as_frame=True)
    x.columns, rows = list("abcd"), x.set_axis(list("abcd"), axis=1)[::40]
    model = LogisticRegression(max_iter=500).fit(x, y)
    save = {"serialization_format": "cloudpickle", **needed}
    mlflow.sklearn.save_model(model, folder / "iris", signature=infer_signature(x, model.predict(x)), **save)
    answers.add("iris", rows, predict=model.predict(rows))
    mlflow.sklearn.save_model(model, folder / "bare", pyfunc_predict_fn="predict_proba", **save)
    answers.add("bare", rows, predict_proba=model.predict_proba(rows))

    asked = pandas.DataFrame({"word": ["snow ☃", "rain"], "x": [0.5, 1.5], "n": np.array([1, 2])})
    said = infer_signature(asked, Words().predict(None, asked))
    mlflow.pyfunc.save_model(folder / "words", python_model=Words(), signature=said, **needed)
    answers.add("words", asked, **Words().predict(None, asked))
    asked = np.arange(6, dtype=np.float32).reshape(2, 3)
    mlflow.pyfunc.save_model(folder / "twice", python_model=Twice(), signature=infer_signature(asked, asked), **needed)
    answers.add("twice", {"input-0": asked}, predict=2 * asked)

    (folder / "own/code").mkdir(parents=True)
    (folder / "own/MLmodel").write_text(MLMODEL)
    (folder / "own/numbers.json").write_text("40")
    (folder / "own/code/adding.py").write_text(LOADER)
    answers.add("own", {"a": [2.0, 3.0]}, a=[42.0, 43.0])

    # MLServer's.
    def settings(name, runtime, uri):
        (folder / name).mkdir(exist_ok=True)
        parameters = {"uri": uri} if uri else {}
        (folder / name / "model-settings.json").write_text(
            json.dumps({"implementation": runtime, "parameters": parameters})
        )

    settings("served_flow", "mlserver_mlflow.MLflowRuntime", "./inside")
    shutil.copytree(folder / "iris", folder / "served_flow/inside")
    answers.add("served_flow", rows, predict=model.predict(rows))
    settings("served_pickle", "mlserver_sklearn.SKLearnModel", "")
    array = LogisticRegression(max_iter=500).fit(x.to_numpy(), y)
    joblib.dump(array, folder / "served_pickle/model.joblib")
    answers.add("served_pickle", {"input-0": rows.to_numpy()}, predict=array.predict(rows.to_numpy()))
    cat = catboost.CatBoostClassifier(iterations=5, verbose=False, allow_writing_files=False).fit(x.to_numpy(), y)
    settings("served_cat", "mlserver_catboost.CatboostModel", "./model.cbm")
    cat.save_model(folder / "served_cat/model.cbm")
    answers.add("served_cat", {"input-0": rows.to_numpy()}, predict=cat.predict(rows.to_numpy())[:, 0])
    answers.write()


main()
