"""The functions of the Python kit: see kit.py. The framework is Python, which calls them without a server."""

import asyncio
import importlib.util
import inspect
import pathlib
import sys
import textwrap

import numpy as np

TYPES = (
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BF16", "BYTES",
)  # fmt: skip
HEAD = """
import modelmill
import numpy as np
from modelmill import Tensor
"""
IDENTITY = """
@modelmill.model(output="y")
def identity(x: Tensor["{dtype}", -1, -1]) -> Tensor["{dtype}", -1, -1]:
    return x
"""
FUNCTIONS = {
    "scalars": """
        @modelmill.model(output="y")
        def scalars(a: np.float32, b: np.int16) -> np.float32:
            return a * np.float32(b)
    """,
    "words": """
        @modelmill.model(output="y")
        def words(x: list[str]) -> list[str]:
            return [word.upper() + "\u00e9" for word in reversed(x)]
    """,
    "positions": """
        @modelmill.model(output="y")
        def positions(x: Tensor[np.int32, -1]) -> Tensor[np.int64, -1]:
            return np.flatnonzero(x)
    """,
    "mlp": """
        chance = np.random.default_rng(1)
        first, second = (chance.standard_normal(shape).astype(np.float32) for shape in ((64, 32), (32, 10)))

        @modelmill.model(batch=64, output="y")
        def mlp(x: Tensor[np.float32, 64]) -> Tensor[np.float32, 10]:
            return np.maximum(x @ first, 0) @ second
    """,
    "label_and_total": """
        @modelmill.model(batch=64, outputs={"label": int, "total": float})
        def label_and_total(x: Tensor[np.float64, 3, 5], scale: np.float32):
            return {"label": x.sum(2).argmax(1), "total": x.sum((1, 2)) * scale}
    """,
    "joined": """
        @modelmill.model(batch=64, output="y")
        def joined(left: str, right: str) -> str:
            return [one + "+" + other for one, other in zip(left, right)]
    """,
    "waits": """
        import asyncio

        @modelmill.model(batch=64, output="y")
        async def waits(x: Tensor[np.float32, 8]) -> Tensor[np.float32, 8]:
            await asyncio.sleep(0.001)
            return x + 1
    """,
    "large": """
        @modelmill.model(batch=64, outputs={"same": Tensor[np.float32, 4096], "twice": Tensor[np.float32, 4096]})
        def large(x: Tensor[np.float32, 4096]):
            return {"same": x, "twice": 2 * x}
    """,
    "slow": """
        import time

        @modelmill.model(output="y")
        def slow(x: Tensor[np.float32, -1, 4]) -> Tensor[np.float32, -1, 4]:
            time.sleep(0.2)
            return x
    """,
    "gather": """
        table = np.arange(10, dtype=np.float32)

        @modelmill.model(output="y")
        def gather(index: Tensor[np.int64, -1]) -> Tensor[np.float32, -1]:
            return table[index]
    """,
}


def make(folder):
    codes = {f"identity_{dtype.lower()}": IDENTITY.format(dtype=dtype) for dtype in TYPES}
    codes |= {name: textwrap.dedent(code) for name, code in FUNCTIONS.items()}
    for name, code in codes.items():
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "1/model.py").write_text(HEAD + code)


def load(folder):
    """The function that the file marks."""
    package = str(pathlib.Path(__file__).parents[3] / "python")
    if package not in sys.path:
        sys.path.insert(0, package)
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return next(value for value in vars(module).values() if hasattr(value, "__modelmill__"))


def plain(array):
    return [word.decode() for word in array.tolist()] if array.dtype == object else array[()]


def answer(function, arrays):
    result = function(**{name: plain(array) for name, array in arrays.items()})
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    outputs = result if isinstance(result, dict) else {"y": result}
    return {name: np.array(value, object) if isinstance(value, list) else np.asarray(value) for name, value in outputs.items()}
