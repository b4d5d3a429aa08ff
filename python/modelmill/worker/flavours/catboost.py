"""CatBoost's models. The file says which features are numbers, categories and texts, and is data, not code."""

import numpy as np

from modelmill import api
from modelmill.errors import Error
from modelmill.worker import frames

from .packages import require
from .rows import Rows, dtype_of, field, texts

_BATCH = 4096
_MATRIX = "input-0"


def load(hello):
    catboost = require(hello["file"], "catboost")
    model = catboost.CatBoost()
    try:
        model.load_model(hello["file"])
    except catboost.CatBoostError as error:
        raise Error(f"'{hello['file']}' can't be read: {error}") from error
    return _serve(model, catboost, hello)


def _serve(model, catboost, hello):
    inputs = _Inputs(model, hello["file"])
    asked = api.parameter("outputs")
    methods = _methods(model, asked)

    def answer(arrays):
        rows = inputs.value(arrays)
        try:
            return [_flat(model.predict(rows, prediction_type=kind)) for kind in methods.values()]
        except (catboost.CatBoostError, ValueError, TypeError) as error:
            raise Error(f"CatBoost refuses the input: {error}") from error

    results = answer(inputs.sample())
    fields = [field(name, dtype_of(array), *array.shape[1:]) for name, array in zip(methods, results)]
    return Rows(inputs.fields, fields, answer, _BATCH)


def _methods(model, asked):
    """{output: CatBoost's kind of prediction}."""
    loss = (model.get_all_params() or {}).get("loss_function", "")
    classifies = loss in ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")
    usual = {"label": "Class", "probabilities": "Probability"} if classifies else {"predict": "RawFormulaVal"}
    if not asked:
        return usual
    known = {"predict": "Class" if classifies else "RawFormulaVal", "raw": "RawFormulaVal"}
    if classifies:
        known["predict_proba"] = "Probability"
    names = [name.strip() for name in asked.split(",")]
    if not set(names) <= set(known):
        raise Error(f"parameter 'outputs' is '{asked}'; this model has {', '.join(known)}")
    return {name: known[name] for name in names}


def _flat(result):
    """Without the dimension that CatBoost puts around classes of several."""
    array = np.asarray(result)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


class _Inputs:
    """A matrix of numbers; with categories or texts among them, or names that a table gave, a column each."""

    def __init__(self, model, file):
        names = [str(name) for name in model.feature_names_]
        strings = {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
        named = names != [str(i) for i in range(len(names))]
        kind = api.parameter("inputs", "columns" if strings or named else "matrix")
        if kind not in ("columns", "matrix") or (kind == "matrix" and strings):
            raise Error(f"parameter 'inputs' is '{kind}'; it is 'columns' or, of numbers alone, 'matrix'")
        number = frames.NUMBERS.get(api.parameter("input_type", "FP64"))
        if number not in (frames.NUMBERS["FP32"], frames.NUMBERS["FP64"]):
            raise Error(f"parameter 'input_type' is '{api.parameter('input_type')}'; it is FP32 or FP64")
        self.pandas = None
        if kind == "matrix":
            self.fields = [field(_MATRIX, number, len(names))]
            return
        self.pandas = require(file, "pandas")
        self.fields = [field(name, frames.STRING if i in strings else number) for i, name in enumerate(names)]

    def value(self, arrays):
        if self.pandas is None:
            return arrays[_MATRIX]
        columns = {one.name: arrays[one.name] for one in self.fields}
        return self.pandas.DataFrame({n: texts(a) if a.dtype == object else a for n, a in columns.items()})

    def sample(self):
        """Two rows as a client could send them."""
        return {
            one.name: np.full((2, *one.shape), b"a", object)
            if one.dtype == frames.STRING
            else np.zeros((2, *one.shape))
            for one in self.fields
        }
