"""MLflow's models with a python_function: what their signature says they take and give, else what they can be found out
to. The server has read the MLmodel, and tells what it says as the parameters mlflow_*."""

import importlib
import importlib.util
import json
import os
import sys

import numpy as np

from modelmill import api
from modelmill.errors import Error
from modelmill.types import ANY
from modelmill.worker import frames

from . import estimator, pickles
from .packages import missing, require
from .rows import Rows, dtype_of, field, plain, texts

_BATCH = 4096
_INPUT, _OUTPUT = "input-0", "predict"
_TYPES = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "STRING",
    "binary": "STRING",
    "datetime": "STRING",
}


def load(hello):
    folder = os.path.dirname(hello["file"])
    inputs = _Schema(api.parameter("mlflow_inputs"))
    function = api.parameter("mlflow_predict", "predict")
    path = os.path.join(folder, api.parameter("mlflow_data", ""))
    if path.endswith((".pkl", ".pickle", ".joblib")) and api.parameter("mlflow_loader") != "mlflow.pyfunc.model":
        # The object that MLflow's own loaders make of it, without MLflow.
        _import_code(folder)
        model = pickles.load(path)
        if not inputs.columns:
            return estimator.serve(model, hello, (function,))
        predict = getattr(model, function)
    else:
        predict = _load_function(folder, path)
    if not inputs.columns:
        raise Error(f"'{folder}' has no signature of its inputs; save it with one (mlflow.models.infer_signature)")
    if not inputs.tensors:
        inputs.pandas = require(folder, "pandas")
    outputs = _Outputs(api.parameter("mlflow_outputs"))
    outputs.find(lambda: predict(inputs.value(inputs.sample(2))), folder)

    def answer(arrays):
        value = inputs.value(arrays)
        try:
            return outputs.split(predict(value))
        except (ValueError, TypeError, KeyError) as error:
            raise Error(f"the model refuses the input: {error}") from error

    return Rows(inputs.fields, outputs.fields, answer, _BATCH)


def _import_code(folder):
    code = api.parameter("mlflow_code")
    if code:
        sys.path.insert(0, os.path.join(folder, code))


def _load_function(folder, path):
    """What predicts: by MLflow, or where it is not there by a loader of the model's own."""
    loader = api.parameter("mlflow_loader")
    if importlib.util.find_spec("mlflow") is not None:
        return require(folder, "mlflow.pyfunc").load_model(folder).predict
    if loader.partition(".")[0] == "mlflow":
        raise missing(folder, "mlflow")
    _import_code(folder)
    return require(folder, loader)._load_pyfunc(path).predict


class _Schema:
    """A signature's side: columns of a table, or tensors."""

    def __init__(self, text):
        self.columns = json.loads(text) if text else []
        self.tensors = any("tensor-spec" in one for one in self.columns)
        self.named = all(one.get("name") for one in self.columns)
        self.pandas = None
        self.fields = [self._field(number, one) for number, one in enumerate(self.columns)]
        self.types = {one.name: column["type"] for one, column in zip(self.fields, self.columns)}

    def _field(self, number, column):
        name = column.get("name") or (_INPUT if number == 0 else f"input-{number}")
        if "tensor-spec" not in column:
            made = field(name, frames.NUMBERS[_TYPES.get(column["type"], "STRING")])
            made.optional = not column.get("required", True)
            return made
        dtype, (rows, *sizes) = np.dtype(column["tensor-spec"]["dtype"]), column["tensor-spec"]["shape"]
        if rows != ANY:
            raise Error(f"tensor '{name}' of the signature has {rows} rows; the first of its sizes must be -1")
        return field(name, frames.STRING if dtype.kind in "OUS" else frames.OF_NUMPY[dtype], *sizes)

    def value(self, arrays):
        """What MLflow gives to a model."""
        if self.tensors:
            arrays = {name: texts(array) if array.dtype == object else array for name, array in arrays.items()}
            return arrays if self.named else arrays[_INPUT]
        table = self.pandas.DataFrame({name: self._column(name, array) for name, array in arrays.items()})
        table = table[[one.name for one in self.fields if one.name in arrays]]
        if not self.named:
            table.columns = range(table.shape[1])
        return table

    def _column(self, name, array):
        kind = self.types[name]
        if kind == "binary" or array.dtype != object:
            return array
        column = texts(array)
        if kind == "datetime":
            return self.pandas.to_datetime(column)
        if kind == "string":
            return column
        try:
            return [json.loads(text) for text in column]  # arrays and objects
        except ValueError as error:
            raise Error(f"input '{name}' is no JSON: {error}") from None

    def sample(self, rows):
        texts_of = {"datetime": b"2000-01-01", "string": b"a", "binary": b"a", "tensor": b"a"}
        return {
            one.name: np.full(
                (rows, *[max(size, 1) for size in one.shape]), texts_of.get(self.types[one.name], b"[]"), object
            )
            if one.dtype == frames.STRING
            else np.zeros((rows, *[max(size, 1) for size in one.shape]), frames.NUMPY[one.dtype])
            for one in self.fields
        }


class _Outputs(_Schema):
    """What comes back: one array, or those of a table or dictionary by their names."""

    def _field(self, number, column):
        if not column.get("name"):
            column = {**column, "name": _OUTPUT if number == 0 else f"{_OUTPUT}-{number}"}
        return super()._field(number, column)

    def find(self, trial, folder):
        """Without a signature a trial with made-up rows tells the outputs."""
        if self.fields:
            return
        try:
            result = trial()
        except Exception as error:
            raise Error(
                f"'{folder}' has no signature of its outputs, and made-up rows don't tell them: {error}; save it with "
                "one (mlflow.models.infer_signature)"
            ) from error
        self.named = isinstance(result, dict) or hasattr(result, "columns")
        arrays = {str(n): plain(result[n]) for n in result} if self.named else {_OUTPUT: plain(result)}
        self.fields = [field(name, dtype_of(array), *array.shape[1:]) for name, array in arrays.items()]

    def split(self, result):
        if self.named and (isinstance(result, dict) or hasattr(result, "columns")):
            return [plain(result[one.name]) for one in self.fields]
        array = plain(result)
        if len(self.fields) > 1:
            return list(array.T)
        more = array.ndim - 1 - len(self.fields[0].shape)
        return [array[:, 0] if more == 1 and array.shape[1] == 1 else array]
