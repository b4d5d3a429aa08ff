"""OpenVINO: models in its own format (IR), which its Python side makes."""

import numpy as np

from kit import NUMPY_TYPES, Kit, Model, identities

ANY = (-1, -1)



def narrower(low, high):
    """Values of a type that the CPU computes with half as many bits, and which survive that."""
    return lambda random, dtype, shape: random.integers(low, high, shape).astype(NUMPY_TYPES[dtype])


# OpenVINO's CPU device has no 64 bits; what it makes of larger values is its own affair, not the server's.
NARROWER = {
    "INT64": narrower(-(2**31), 2**31),
    "UINT64": narrower(0, 2**31),
    "FP64": narrower(-(2**24), 2**24),
}

KIT = Kit(
    backend="openvino",
    runtime="OpenVINO",
    variable="MODELMILL_OPENVINO",
    library="openvino/libs/libopenvino_c.so*",
    install="pip install openvino",
    family="openvino",
    default_file="model.xml",
    broken_text="model.xml",
    models=(
        *identities(values=NARROWER),
        Model("scalars", ("answers",), {"a": ("FP32", ()), "b": ("FP32", ())}, {"y": ("FP32", ())}),
        Model("non_zero", ("answers",), {"x": ("FP32", (-1,))}, {"positions": ("INT64", (1, -1))}, sizes=((1,), (9,))),
        Model("mlp", ("batches", "loads"), {"x": ("FP32", (-1, 64))}, {"probabilities": ("FP32", (-1, 10))}),
        Model("wide", ("batches",), {"x": ("FP32", (-1, 4))}, {"y": ("FP32", (-1, 4096))}),
        Model("two_inputs", ("batches",), {"a": ("INT32", ANY), "b": ("INT32", ANY)}, {"sum": ("INT32", ANY), "largest": ("INT32", (-1,))}),
        Model("slow", ("slow",), {"x": ("FP32", (-1, 4))}, {"y": ("FP32", (-1, 4))}),
        Model(
            "broadcast", ("fails",), {"a": ("FP32", ANY), "b": ("FP32", ANY)}, {"y": ("FP32", ANY)},
            bad={"a": np.ones((1, 2), np.float32), "b": np.ones((1, 3), np.float32)}, fails_with="OpenVINO",
        ),
    ),
    cannot={"long": "after a run that was cancelled OpenVINO's next answer may be of that one's shape"},
)  # fmt: skip
