"""ONNX Runtime: every type that the protocols have."""

import numpy as np

from kit import Kit, Model, identities

ROWS = {"x": ("FP32", (-1, 4))}

KIT = Kit(
    backend="onnxruntime",
    runtime="ONNX Runtime",
    variable="MODELMILL_ONNXRUNTIME",
    library="onnxruntime/capi/libonnxruntime.so*",
    install="pip install onnxruntime",
    default_file="model.onnx",
    broken_text="model.onnx",
    models=(
        *identities(),
        Model("scalars", ("answers",), {"a": ("FP32", ()), "b": ("FP32", ())}, {"y": ("FP32", ())}),
        Model("non_zero", ("answers",), {"x": ("FP32", (-1,))}, {"positions": ("INT64", (1, -1))}, sizes=((1,), (9,), (0,))),
        Model("mlp", ("batches", "loads"), {"x": ("FP32", (-1, 64))}, {"probabilities": ("FP32", (-1, 10))}),
        Model(
            "argmax_and_scores", ("batches",), {"x": ("FP32", (-1, 3))}, {"scores": ("FP32", (-1, 3)), "label": ("INT64", (-1,))}
        ),
        Model("string_concat", ("batches",), {"left": ("BYTES", (-1, 2)), "right": ("BYTES", (-1, 2))}, {"joined": ("BYTES", (-1, 2))}),
        Model("slow", ("slow",), ROWS, {"y": ("FP32", (-1, 4))}),
        Model("long", ("long",), ROWS, {"y": ("FP32", (-1, 4))}, sizes=((1600,),)),
        Model(
            "gather", ("fails",), {"index": ("INT64", (-1,))}, {"y": ("FP32", (-1,))},
            bad={"index": np.array([99], np.int64)}, fails_with="ONNX Runtime",
        ),
    ),
    cannot={},
)  # fmt: skip
