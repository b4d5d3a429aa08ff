"""TensorFlow: SavedModels of every type that the protocols have."""

import numpy as np

from kit import Kit, Model, identities

KIT = Kit(
    backend="tensorflow",
    runtime="TensorFlow",
    variable="MODELMILL_TENSORFLOW",
    library="tensorflow/libtensorflow_cc.so.2",
    install="pip install tensorflow-cpu",
    family="tensorflow",
    default_file="saved_model.pb",
    broken_text="can't be loaded",
    models=(
        *identities(),
        Model("scalar", ("answers",), {"x": ("FP32", ())}, {"y": ("FP32", ())}),
        Model("sorted", ("answers",), {"x": ("FP32", (-1,))}, {"y": ("FP32", (-1,))}, sizes=((1,), (9,), (0,))),
        Model(
            "attend", ("answers",), {"x": ("FP32", (-1, -1, 8))}, {"mean": ("FP32", (-1,)), "y": ("FP32", (-1, -1, 8))},
            sizes=((1, 1), (3, 7), (2, 0), (0, 3)), rtol=1e-4,
        ),
        Model("vocabulary", ("answers",), {"word": ("BYTES", (-1,))}, {"id": ("INT64", (-1,))}),
        Model(
            "twice", ("answers",), {"x": ("FP32", (-1, 512))},
            {"one": ("FP32", (-1, 512)), "same": ("FP32", (-1, 512)), "two": ("FP32", (-1, 512))},
        ),
        Model("mlp", ("batches", "loads"), {"x": ("FP32", (-1, 64))}, {"y": ("FP32", (-1, 10))}),
        Model("cnn", ("batches",), {"image": ("FP32", (-1, 28, 28, 1))}, {"output_0": ("FP32", (-1, 10))}, rtol=1e-4),
        Model(
            "add_sub", ("batches",), {"a": ("INT32", (-1, 16)), "b": ("INT32", (-1, 16))},
            {"difference": ("INT32", (-1, 16)), "sum": ("INT32", (-1, 16))},
        ),
        Model("strings", ("batches",), {"s": ("BYTES", (-1,))}, {"length": ("INT32", (-1,)), "upper": ("BYTES", (-1,))}),
        Model("slow", ("slow",), {"x": ("FP32", (1, 16))}, {"y": ("FP32", (1, 1))}),
        Model(
            "pick", ("fails",), {"index": ("INT32", (-1,))}, {"value": ("FP32", (-1,))},
            bad={"index": np.array([7], np.int32)}, fails_with="TensorFlow",
        ),
    ),
    cannot={"long": "its C API has no way to end a run"},
)  # fmt: skip
