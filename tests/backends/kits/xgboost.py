"""XGBoost: every objective and kind of answer that differs, each compared with its Python package."""

import numpy as np

from kit import NUMPY_TYPES, Kit, Model
from repositories import parameters

DIABETES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def values(random, dtype, shape):
    """Standardised features, one in eight of them missing."""
    return np.where(random.random(shape) < 0.125, np.nan, random.standard_normal(shape)).astype(NUMPY_TYPES[dtype])


def whole(random, dtype, shape):
    return random.standard_normal(shape).astype(NUMPY_TYPES[dtype])


def with_categories(random, dtype, shape):
    rows = random.standard_normal(shape)
    rows[:, 0] = random.integers(0, 5, shape[0])
    rows[:, 1] = random.integers(0, 3, shape[0])
    return rows.astype(NUMPY_TYPES[dtype])


def trees(name, features, result, roles=("answers",), values=values, **texts):
    return Model(
        name, roles, {"input-0": ("FP32", (-1, features))}, {"predict": result},
        config=parameters(**texts), sizes=((1,), (3,), (40,)),
        values=values,
    )  # fmt: skip


NUMBER = ("FP32", (-1,))
CLASS = ("INT64", (-1,))

KIT = Kit(
    backend="xgboost",
    runtime="XGBoost",
    variable="MODELMILL_XGBOOST",
    library="xgboost/lib/libxgboost.so",
    install="pip install xgboost-cpu",
    family="trees",
    default_file="model.ubj",
    broken_text="model.ubj",
    models=(
        trees("regression", 10, NUMBER, ("batches", "loads")),
        Model(
            "wide", ("batches",), {"features": ("FP64", (-1, 10))}, {"predict": ("FP64", (-1, 1))}, values=values,
            config='input { name: "features" data_type: TYPE_FP64 dims: [ 10 ] }\n'
            'output { name: "predict" data_type: TYPE_FP64 dims: [ 1 ] }',
        ),
        trees("two_targets", 10, ("FP32", (-1, 2)), ("batches",)),
        trees("binary", 30, NUMBER, ("batches",)),
        trees("binary_margin", 30, NUMBER, output="margin"),
        trees("binary_leaf", 30, ("INT32", (-1, 12)), output="leaf"),
        trees("binary_contributions", 30, ("FP32", (-1, 31)), ("batches",), output="contributions"),
        trees("binary_class", 30, CLASS, output="class", threshold="0.3"),
        trees("iterations", 30, NUMBER, iterations="5"),
        trees("estimator", 30, ("FP32", (-1, 2)), ("batches",), output="probability"),
        trees("estimator_predict", 30, CLASS, output="predict"),
        trees("multiclass", 13, ("FP32", (-1, 3)), ("batches",)),
        trees("multiclass_class", 13, CLASS, ("batches",), output="class"),
        trees("multiclass_contributions", 13, ("FP32", (-1, 3, 14)), output="contributions"),
        trees("softmax", 13, NUMBER),
        trees("softmax_probability", 13, ("FP32", (-1, 3)), output="probability"),
        trees("ranking", 6, NUMBER),
        trees("dart", 10, NUMBER, ("batches",)),
        trees("linear", 10, NUMBER, ("batches",), values=whole),
        trees("forest", 10, NUMBER),
        trees("categories", 4, NUMBER, values=with_categories),
        Model(
            "columns", ("batches",), {name: ("FP32", (-1,)) for name in DIABETES}, {"predict": NUMBER},
            values=values, config=parameters(inputs="columns"),
        ),
    ),
    cannot={
        "identity": "trees do not hand their input on",
        "slow": "a row takes microseconds",
        "long": "the library has no way to end a prediction",
        "fails": "every row has an answer, whatever its numbers",
    },
)  # fmt: skip
