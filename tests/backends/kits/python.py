"""Functions in Python: every type that the protocols have, each compared with the function when it is called without a
server."""

import dataclasses

import numpy as np

from kit import Kit, Model, identities

ROWS = {"x": ("FP32", (-1, 4))}


@dataclasses.dataclass(frozen=True)
class PythonKit(Kit):
    __hash__ = Kit.__hash__

    def runtime_path(self):
        """The runtime is the interpreter itself."""
        return self.python if self.python.exists() else None


KIT = PythonKit(
    backend="python",
    runtime="Python",
    variable="MODELMILL_PYTHON",
    library="",
    install="install Python 3.9 or later",
    default_file="model.py",
    broken_text="model.py",
    models=(
        *identities((30, 9000)),
        Model("scalars", ("answers",), {"a": ("FP32", ()), "b": ("INT16", ())}, {"y": ("FP32", ())}),
        Model("words", ("answers",), {"x": ("BYTES", (-1,))}, {"y": ("BYTES", (-1,))}, sizes=((1,), (9,), (0,))),
        Model("positions", ("answers",), {"x": ("INT32", (-1,))}, {"y": ("INT64", (-1,))}, sizes=((1,), (9,), (0,))),
        Model("mlp", ("batches", "loads"), {"x": ("FP32", (-1, 64))}, {"y": ("FP32", (-1, 10))}, rtol=1e-4),
        Model(
            "label_and_total", ("batches",), {"x": ("FP64", (-1, 3, 5)), "scale": ("FP32", (-1,))},
            {"label": ("INT64", (-1,)), "total": ("FP64", (-1,))},
        ),
        Model("joined", ("batches",), {"left": ("BYTES", (-1,)), "right": ("BYTES", (-1,))}, {"y": ("BYTES", (-1,))}),
        Model("waits", ("batches",), {"x": ("FP32", (-1, 8))}, {"y": ("FP32", (-1, 8))}),
        Model("large", ("batches",), {"x": ("FP32", (-1, 4096))}, {"same": ("FP32", (-1, 4096)), "twice": ("FP32", (-1, 4096))}),
        Model("slow", ("slow",), ROWS, {"y": ("FP32", (-1, 4))}),
        Model(
            "gather", ("fails",), {"index": ("INT64", (-1,))}, {"y": ("FP32", (-1,))},
            bad={"index": np.array([99], np.int64)}, fails_with="IndexError",
        ),
    ),
    cannot={"long": "the code is told that its request is cancelled, and decides itself"},
)  # fmt: skip
