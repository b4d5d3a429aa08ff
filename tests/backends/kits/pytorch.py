"""PyTorch: TorchScript that was traced or scripted, and a package of AOTInductor."""

import numpy as np

from kit import NUMPY_TYPES, Kit, Model


def config(inputs, outputs):
    """What scripted programs do not tell, in config.pbtxt."""

    def ports(kind, tensors):
        for name, (dtype, shape) in tensors.items():
            dtype = "STRING" if dtype == "BYTES" else dtype
            yield f'{kind} {{ name: "{name}" data_type: TYPE_{dtype} dims: {list(shape)} }}'

    return "\n".join([*ports("input", inputs), *ports("output", outputs)])


def configured(name, roles, inputs, outputs, **more):
    return Model(name, roles, inputs, outputs, config=config(inputs, outputs), **more)


def identity(dtype):
    shape = (-1,) if dtype == "BYTES" else (-1, -1)
    sizes = ((1,), (3,), (0,)) if dtype == "BYTES" else ((1, 5), (3, 2), (0, 4), (2, 0))
    return configured(f"identity_{dtype.lower()}", ("identity",), {"x": (dtype, shape)}, {"y": (dtype, shape)}, sizes=sizes)


KIT = Kit(
    backend="pytorch",
    runtime="PyTorch",
    variable="MODELMILL_PYTORCH",
    library="torch/lib/libtorch_cpu.so",
    install="pip install torch",
    family="pytorch",
    default_file="model.pt",
    broken_text="is no file of PyTorch's",
    models=(
        *(identity(dtype) for dtype in NUMPY_TYPES),
        Model("scalar", ("answers",), {"x": ("FP32", ())}, {"OUTPUT__0": ("FP32", ())}),
        configured(
            "attend", ("answers",), {"x": ("FP32", (-1, -1, 8))},
            {"OUTPUT__0": ("FP32", (-1, -1, 8)), "OUTPUT__1": ("FP32", (-1,))},
            sizes=((1, 1), (3, 7), (0, 3)), rtol=1e-4,
        ),
        Model("wide", ("answers",), {"input": ("FP32", (-1, 4))}, {"OUTPUT__0": ("FP32", (-1, 4096))}),
        Model("half", ("answers",), {"input": ("FP16", (-1, 64))}, {"OUTPUT__0": ("FP16", (-1, 10))}, rtol=1e-2),
        Model("mlp", ("batches", "loads"), {"input": ("FP32", (-1, 64))}, {"OUTPUT__0": ("FP32", (-1, 10))}),
        Model("cnn", ("batches",), {"input": ("FP32", (-1, 3, 32, 32))}, {"OUTPUT__0": ("FP32", (-1, 10))}, rtol=1e-4),
        Model(
            "add_sub", ("batches",), {"a": ("INT32", (-1, 16)), "b": ("INT32", (-1, 16))},
            {"difference": ("INT32", (-1, 16)), "sum": ("INT32", (-1, 16))},
        ),
        Model("strings", ("batches",), {"s": ("BYTES", (-1,))}, {"OUTPUT__0": ("BYTES", (-1,)), "OUTPUT__1": ("INT64", (-1,))}),
        Model(
            "packed", ("batches",), {"INPUT__0": ("FP32", (-1, 64)), "scale": ("FP32", (-1, 1))},
            {"y": ("FP32", (-1, 10)), "total": ("FP32", (-1,))}, rtol=1e-4,
        ),
        configured("slow", ("slow",), {"x": ("FP32", (1, 16))}, {"OUTPUT__0": ("FP32", (1, 1))}),
        configured(
            "pick", ("fails",), {"index": ("INT64", (-1,))}, {"OUTPUT__0": ("FP32", (-1,))},
            bad={"index": np.array([7])}, fails_with="PyTorch",
        ),
        configured(
            "refuse", ("fails",), {"x": ("FP32", (-1,))}, {"OUTPUT__0": ("FP32", (-1,))},
            bad={"x": np.array([-1], np.float32)}, fails_with="x is below zero",
            values=lambda random, dtype, shape: random.random(shape, np.float32),
        ),
    ),
    cannot={"long": "torch has no way to end a run"},
)  # fmt: skip
