"""LightGBM: every objective and kind of answer that differs, each compared with its Python package."""

from kit import Kit, Model
from kits.xgboost import CLASS, DIABETES, trees, values, whole, with_categories
from repositories import parameters

NUMBER = ("FP64", (-1,))

KIT = Kit(
    backend="lightgbm",
    runtime="LightGBM",
    variable="MODELMILL_LIGHTGBM",
    library="lightgbm/lib/lib_lightgbm.so",
    install="pip install lightgbm",
    family="trees",
    default_file="model.lgb",
    broken_text="model.lgb",
    models=(
        trees("regression", 10, NUMBER, ("batches", "loads")),
        Model(
            "wide", ("batches",), {"features": ("FP64", (-1, 10))}, {"predict": NUMBER}, values=values, rtol=1e-13,
            config='input { name: "features" data_type: TYPE_FP64 dims: [ 10 ] }',
        ),
        trees("poisson", 10, NUMBER),
        trees("binary", 30, NUMBER, ("batches",)),
        trees("binary_margin", 30, NUMBER, output="margin"),
        trees("binary_leaf", 30, ("INT32", (-1, 12)), output="leaf"),
        trees("binary_contributions", 30, ("FP64", (-1, 31)), ("batches",), output="contributions"),
        trees("binary_class", 30, CLASS, output="class"),
        trees("binary_probability", 30, ("FP64", (-1, 2)), output="probability"),
        trees("iterations", 30, NUMBER, iterations="5"),
        trees("multiclass", 13, ("FP64", (-1, 3)), ("batches",)),
        trees("multiclass_class", 13, CLASS, ("batches",), output="class"),
        trees("multiclass_contributions", 13, ("FP64", (-1, 42)), output="contributions"),
        trees("one_versus_all", 13, ("FP64", (-1, 3))),
        trees("ranking", 6, NUMBER),
        trees("dart", 10, NUMBER),
        trees("forest", 10, NUMBER),
        trees("linear", 10, NUMBER, values=whole),
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
