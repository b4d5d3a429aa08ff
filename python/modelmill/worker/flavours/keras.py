"""Keras 3's .keras files. Code in them (lambda layers) is not run unless `safe_mode: false` says so."""

import importlib.util
import os

import numpy as np

from modelmill import api
from modelmill.errors import Error
from modelmill.types import ANY
from modelmill.worker import frames

from .packages import missing, require
from .rows import Rows, field, texts

_BATCH = 64
_BACKENDS = {"tensorflow": "tensorflow-cpu", "jax": "jax", "torch": "torch"}


def load(hello):
    file = hello["file"]
    _choose_backend(file)
    keras = require(file, "keras", _BACKENDS[os.environ["KERAS_BACKEND"]])
    safe = str(api.parameter("safe_mode", "true")).lower() not in ("false", "no", "0")
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=safe)
    except (ValueError, TypeError, OSError, KeyError) as error:
        hint = "; the parameter safe_mode: false has its code run" if safe and "safe_mode" in str(error) else ""
        raise Error(f"'{file}' can't be loaded: {str(error).splitlines()[0]}{hint}") from error
    return _serve(keras, model, file)


def _choose_backend(file):
    """The parameter's, the environment's, or the first that is installed."""
    asked = api.parameter("keras_backend") or os.environ.get("KERAS_BACKEND")
    if asked and asked not in _BACKENDS:
        raise Error(f"Keras's backend is '{asked}'; it is one of {', '.join(_BACKENDS)}")
    there = [name for name in ([asked] if asked else _BACKENDS) if importlib.util.find_spec(name) is not None]
    if not there:
        raise missing(file, "keras", _BACKENDS[asked or "tensorflow"])
    os.environ["KERAS_BACKEND"] = there[0]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _serve(keras, model, file):
    if not getattr(model, "inputs", None):
        raise Error(
            f"'{file}' was saved before it was built, so that nothing tells its inputs; call it once, then save it"
        )
    inputs = _fields(model.inputs, _names(model, "input", model.inputs), file)
    outputs = _fields(model.outputs, _names(model, "output", model.outputs), file)
    named = isinstance(_structure(model, "input"), dict)

    def predict(arrays):
        values = {name: texts(array) if array.dtype == object else array for name, array in arrays.items()}
        ordered = [values[one.name] for one in inputs]
        result = model.predict_on_batch(values if named else ordered if len(ordered) > 1 else ordered[0])
        return [np.asarray(one) for one in keras.tree.flatten(result)]

    return Rows(inputs, outputs, predict, _BATCH)


def _structure(model, side):
    """How its inputs or outputs are put together; None of layers in a row, which have one of each."""
    try:
        return getattr(model, side)
    except (AttributeError, ValueError):
        return None


def _names(model, side, tensors):
    """Those of a dictionary, of the layers, or else of the tensors."""
    structure = _structure(model, side)
    if isinstance(structure, dict):
        return sorted(structure)
    if structure is None and side == "output":
        return [model.layers[-1].name]
    names = getattr(model, f"{side}_names", None) or [tensor.name for tensor in tensors]
    return names if len(set(names)) == len(tensors) else [f"{side}_{i}" for i in range(len(tensors))]


def _fields(tensors, names, file):
    out = []
    for tensor, name in zip(tensors, names):
        if len(tensor.shape) == 0 or tensor.shape[0] is not None:
            raise Error(f"'{file}' has a tensor '{name}' of shape {tuple(tensor.shape)}, without a batch of any size")
        sizes = [ANY if size is None else size for size in tensor.shape[1:]]
        dtype = frames.STRING if tensor.dtype == "string" else frames.OF_NUMPY.get(np.dtype(tensor.dtype))
        if dtype is None:
            raise Error(f"'{file}' has a tensor '{name}' of the type {tensor.dtype}, which models don't have")
        out.append(field(name, dtype, *sizes))
    return out
