"""A kit is what the suite knows of one backend: the models that its framework makes, and what it can't do.

To add a backend, write two modules in kits/:

`NAME_side.py` runs in the framework's own Python (build/venvs/FAMILY, which need not have pytest) and may import it:

    make(folder)            writes every model as folder/MODEL/1/..., as the backend expects it in a version's folder
    load(folder)            one of them, loaded by the framework from its version's folder
    answer(loaded, arrays)  {output: array} of {input: array}, as the framework itself computes it

`NAME.py` runs with the tests and has KIT, a Kit: names, the variable that leads the server to the runtime, and one Model
for each that make() writes. A model's `roles` say which tests it takes part in:

    identity    one input, one output, which are equal bit by bit: one for each type that the backend has
    answers     compared with what the framework answers, for requests of the sizes in `sizes`
    batches     the same, and its rows are independent: the server forms batches of it under 64 clients
    slow        an execution of one request of draw() takes about 100 ms or more
    long        an execution of as many rows as `sizes` has takes many seconds, and the runtime can end it on the way
    fails       `bad` are inputs that pass every check and fail inside the framework
    loads       small, to be loaded and unloaded a hundred times

Every role and every type that no model has must be in the kit's `cannot`, with the reason.
"""

import dataclasses
import os
import pathlib
import typing

import numpy as np

import clients
import models
import servers

NUMPY_TYPES = {dtype: numpy_type for dtype, (_, numpy_type) in models.DTYPES.items()}
ROLES = ("identity", "answers", "batches", "slow", "long", "fails", "loads")


@dataclasses.dataclass(frozen=True)
class Model:
    """`inputs` and `outputs` are {name: (Triton's name of the type, shape with -1 for any size)}, as the server shows
    them; of a model with rows the first size is their number."""

    name: str
    roles: tuple
    inputs: dict
    outputs: dict
    config: str = ""  # more of config.pbtxt than its `backend`
    sizes: tuple = ((1,), (3,))  # what stands for the sizes that are -1, in order, in each request
    rtol: float = 1e-5
    bad: dict = dataclasses.field(default_factory=dict, hash=False)
    fails_with: str = ""  # what the message of a failed execution has
    # Of a model whose inputs are not just any numbers: values(random, dtype, shape) -> array.
    values: typing.Callable = None

    def draw(self, sizes=(1,), seed=0):
        """Inputs in which the i-th size of any value is sizes[i]; the last one stands for those that follow."""
        random = np.random.default_rng(seed)
        arrays = {}
        for number, (name, (dtype, shape)) in enumerate(self.inputs.items()):
            free = iter([*sizes, *[sizes[-1]] * len(shape)])
            concrete = tuple(next(free) if size < 0 else size for size in shape)
            if self.values:
                arrays[name] = self.values(random, dtype, concrete)
            elif int(np.prod(concrete)) == 0:
                arrays[name] = np.zeros(concrete, NUMPY_TYPES[dtype])
            elif "identity" in self.roles:
                arrays[name] = clients.random_array(dtype, NUMPY_TYPES[dtype], concrete, seed + number)
            else:
                arrays[name] = _plain_values(random, dtype, concrete)
        return arrays


def _plain_values(random, dtype, shape):
    if dtype == "BYTES":
        words = [f"<{random.integers(1000)}>" * int(random.integers(4)) for _ in range(int(np.prod(shape)))]
        return np.array([word.encode() for word in words], object).reshape(shape)
    if dtype in ("FP16", "BF16", "FP32", "FP64"):
        return random.standard_normal(shape).astype(NUMPY_TYPES[dtype])
    return random.integers(0, 2, shape).astype(NUMPY_TYPES[dtype])


def identities(*sizes, values=None):
    """For each type a model that gives any matrix back. `sizes`: more than the usual; `values`: {type: Model.values}."""
    return tuple(
        Model(
            f"identity_{dtype.lower()}", ("identity",), {"x": (dtype, (-1, -1))}, {"y": (dtype, (-1, -1))},
            sizes=((1, 5), (3, 2), (0, 4), (2, 0), *sizes), values=(values or {}).get(dtype),
        )  # fmt: skip
        for dtype in NUMPY_TYPES
    )


@dataclasses.dataclass(frozen=True)
class Kit:
    backend: str
    runtime: str  # as `modelmill doctor` names it
    variable: str  # leads the server to the runtime: MODELMILL_ONNXRUNTIME
    library: str  # where it is in the Python's site-packages: a file or folder, maybe with *
    install: str  # what an error about a missing runtime tells to do
    models: tuple
    cannot: dict
    family: str = ""  # its Python is build/venvs/FAMILY; empty: build/venv
    default_file: str = ""  # which a broken model is made of; empty: broken() of the kit's own
    broken: typing.Callable = None  # broken(folder): writes what can't be loaded as a version's folder
    broken_text: str = ""  # what the error of a broken model has, beside the model's name

    def __hash__(self):
        return hash(self.backend)

    @property
    def venv(self):
        return servers.ROOT / "build" / (f"venvs/{self.family}" if self.family else "venv")

    @property
    def python(self):
        return self.venv / "bin/python"

    def runtime_path(self):
        """What the variable is set to; None where the runtime is not installed."""
        found = sorted(self.venv.glob(f"lib/python3*/site-packages/{self.library}"))
        return found[0] if found else None

    def environment(self):
        return {self.variable: str(self.runtime_path())}

    def of_role(self, role):
        return [model for model in self.models if role in model.roles]

    def model(self, name):
        return next(model for model in self.models if model.name == name)

    def break_model(self, folder):
        """A version's folder whose model is no model."""
        folder.mkdir(parents=True)
        if self.broken:
            self.broken(folder)
        else:
            (folder / self.default_file).write_bytes(b"this is no model at all" * 100)


def same(left, right):
    """Equal bit by bit, NaNs among them."""
    if left.dtype == object or right.dtype == object:
        return left.shape == right.shape and [_bytes(v) for v in left.flat] == [_bytes(v) for v in right.flat]
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def _bytes(value):
    return value.encode() if isinstance(value, str) else bytes(value)


def assert_close(model, got, expected, what=""):
    """Every output is the framework's, numbers of a fraction up to the model's rtol."""
    assert set(got) == set(expected), what
    for name, value in expected.items():
        if value.dtype.kind in "fV":
            assert got[name].shape == value.shape, (what, name)
            left, right = got[name].astype(np.float64), value.astype(np.float64)
            np.testing.assert_allclose(left, right, rtol=model.rtol, atol=model.rtol, err_msg=f"{what} {name}")
        else:
            assert same(got[name], value), (what, name, got[name], value)


def made_folder(kit):
    """Where the kit's models are kept, so that they are made once."""
    build = pathlib.Path(os.environ.get("MODELMILL_BUILD", servers.build_dir()))
    return build.parent / "kits" / kit.backend
