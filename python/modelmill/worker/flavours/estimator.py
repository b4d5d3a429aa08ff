"""Objects with predict() or transform() as scikit-learn has them: estimators, pipelines, and those of XGBoost, LightGBM
and others that are like them. What they take and give is what they remember of their training."""

import numpy as np

from modelmill import api
from modelmill.errors import Error
from modelmill.types import ANY
from modelmill.worker import frames

from . import columns, pickles
from .packages import require
from .rows import Rows, dtype_of, field, plain, texts

_BATCH = 4096
_MATRIX = "input-0"
_TEXT = "text"
# What the methods' results are called, unless the parameter `outputs` names the methods.
_NAMES = {
    "predict": "predict",
    "predict_proba": "probabilities",
    "decision_function": "decision",
    "transform": "output",
}


def load(hello):
    return serve(pickles.load(hello["file"]), hello)


def serve(model, hello, methods=()):
    """A flavour of the object. `methods`: what it is asked, unless the parameter `outputs` says."""
    model = _adapted(model)
    inputs = _Inputs(model, hello)
    chosen = [name.strip() for name in api.parameter("outputs", ",".join(methods)).split(",") if name.strip()]
    methods = chosen or _usual_methods(model, hello["file"])
    for method in methods:
        if method not in _NAMES or not hasattr(model, method):
            there = [name for name in _NAMES if hasattr(model, name)]
            raise Error(
                f"'{type(model).__name__}' has no '{method}' that could be an output; it has {', '.join(there)}"
            )
    outputs = _Outputs(model, methods, named=bool(chosen))
    fields = outputs.fields(inputs)

    def predict(arrays):
        value = inputs.value(arrays)
        try:
            return outputs.results(value)
        except (ValueError, TypeError, KeyError) as error:
            raise Error(f"{type(model).__name__} refuses the input: {error}") from error

    return Rows(inputs.fields, fields, predict, _BATCH)


def _usual_methods(model, file):
    if hasattr(model, "predict"):
        more = [name for name in ("predict_proba", "decision_function") if hasattr(model, name)]
        return ["predict", *more[:1]]
    if hasattr(model, "transform"):
        return ["transform"]
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise Error(
        f"'{file}' holds {kind}, which has neither predict() nor transform(); serve it with a file of Python code"
    )


class _Booster:
    """A Booster of XGBoost, which wants more than an array."""

    def __init__(self, booster):
        self._booster = booster
        self.n_features_in_ = booster.num_features()

    def predict(self, rows):
        return self._booster.inplace_predict(rows, validate_features=False)


def _adapted(model):
    library, name = type(model).__module__.partition(".")[0], type(model).__name__
    if (library, name) == ("xgboost", "Booster"):
        return _Booster(model)
    if (library, name) == ("lightgbm", "Booster"):
        model.n_features_in_ = model.num_feature()
    return model


class _Inputs:
    """How arrays become what the estimator takes: texts, a matrix, or a table."""

    def __init__(self, model, hello):
        configured = {
            one["name"]: frames.NUMBERS[one["data_type"].removeprefix("TYPE_")]
            for one in hello["config"].get("input") or ()
        }
        self.names = columns.names_of(model)
        self.pandas = None
        self.kind = api.parameter("inputs", "columns" if self.names else "matrix")
        if self.kind not in ("columns", "matrix"):
            raise Error(f"parameter 'inputs' is '{self.kind}'; it is 'columns' or 'matrix'")
        if columns.is_of_texts(model) and not self.names:
            self.kind = "texts"
            self.fields = [field(_TEXT, frames.STRING)]
            return
        if self.kind == "columns" and not self.names:
            raise Error("parameter 'inputs' is 'columns', but the model was trained without names of columns")
        default = frames.NUMBERS.get(api.parameter("input_type", "FP64"))
        if default not in frames.NUMPY or frames.NUMPY[default].kind not in "biuf":
            raise Error(f"parameter 'input_type' is '{api.parameter('input_type')}', which is no type of numbers")
        if self.names:
            self.pandas = require(hello["file"], "pandas")
            self.types = columns.types_of(model, self.names)
        if self.kind == "columns":
            types = {name: default if dtype == columns.DEFAULT else dtype for name, (dtype, _) in self.types.items()}
            self.fields = [field(name, configured.get(name, types[name])) for name in self.names]
        else:
            size = getattr(model, "n_features_in_", ANY)
            self.fields = [field(_MATRIX, configured.get(_MATRIX, default), int(size))]

    def value(self, arrays):
        if self.kind == "texts":
            return texts(arrays[_TEXT])
        if self.kind == "matrix":
            matrix = arrays[_MATRIX]
            return matrix if self.pandas is None else self.pandas.DataFrame(matrix, columns=self.names)
        return self.pandas.DataFrame({n: texts(a) if a.dtype == object else a for n, a in arrays.items()})[self.names]

    def sample(self, rows):
        """Arrays as a client could send them."""
        if self.kind == "matrix":
            size = max(self.fields[0].shape[0], 1)
            return {_MATRIX: np.zeros((rows, size), frames.NUMPY[self.fields[0].dtype])}
        seen = {_TEXT: "a"} if self.kind == "texts" else {name: value for name, (_, value) in self.types.items()}
        out = {}
        for one in self.fields:
            value = str(seen[one.name]).encode() if one.dtype == frames.STRING else seen[one.name]
            out[one.name] = np.full(rows, value, frames.NUMPY[one.dtype])
        return out


class _Outputs:
    """The methods that are asked, and what their results are called."""

    def __init__(self, model, methods, named):
        self.model, self.methods, self.named = model, methods, named

    def results(self, value):
        out = []
        for method in self.methods:
            result = getattr(self.model, method)(value)
            out += [plain(one) for one in result] if isinstance(result, list) else [plain(result)]
        return out

    def fields(self, inputs):
        """Of a trial with made-up rows, which also warms the estimator up; or else of what its classes tell."""
        try:
            found = []
            for method in self.methods:
                results = _Outputs(self.model, [method], self.named).results(inputs.value(inputs.sample(2)))
                found += [
                    (method, i if len(results) > 1 else None, one.shape[1:], one) for i, one in enumerate(results)
                ]
        except Exception:  # made-up rows may be senseless for it
            found = [(method, None, *self._guess(method)) for method in self.methods]
        return [
            field(self._name(method, number, array), dtype_of(array), *sizes) for method, number, sizes, array in found
        ]

    def _guess(self, method):
        classes = getattr(self.model, "classes_", None)
        if method == "predict":
            return (), np.asarray(classes if classes is not None else [0.0])
        sizes = (len(classes),) if method == "predict_proba" and classes is not None else (ANY,)
        return sizes, np.zeros(1)

    def _name(self, method, number, array):
        name = method if self.named else _NAMES[method]
        if not self.named and method == "predict" and (hasattr(self.model, "classes_") or array.dtype.kind != "f"):
            name = "label"
        return name if number is None else f"{name}_{number}"
