"""ONNX Runtime's side of its kit: see kit.py."""

import pathlib
import sys

import numpy as np
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
import models  # noqa: E402


def make(folder):
    made = {f"identity_{dtype.lower()}": models.identity(dtype, ("batch", "n")) for dtype in models.DTYPES}
    made |= {
        "scalars": models.scalars(),
        "non_zero": models.non_zero(),
        "mlp": models.mlp(),
        "argmax_and_scores": models.argmax_and_scores(),
        "string_concat": models.string_concat(("batch", 2)),
        "slow": models.slow(turns=30000),
        "long": models.slow(turns=10000),
        "gather": models.gather(),
    }
    for name, proto in made.items():
        models.save(proto, folder / name / "1/model.onnx")


def load(folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])


def answer(session, arrays):
    names = [output.name for output in session.get_outputs()]
    given = {name: np.vectorize(bytes.decode, [object])(a) if a.dtype == object else a for name, a in arrays.items()}
    return dict(zip(names, session.run(names, given)))
