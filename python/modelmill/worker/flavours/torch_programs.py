"""Programs that torch runs: TorchScript, and packages of AOTInductor."""

import contextlib
import dataclasses
import io
import pickle
import re
import sys

import numpy as np

from modelmill.errors import Error
from modelmill.worker import frames

from .torch_files import TYPES
from .torch_names import pytree_names

TENSOR, TEXTS, NUMBER, DICTIONARY, OTHER = range(5)
_MOST_WORDS = 2000
# An IndexError of torch's that went through the interpreter of TorchScript is one by its words only.
_INDEX_ERROR = re.compile(r"index .*out of (range|bounds)|Dimension out of range")


@dataclasses.dataclass
class Argument:
    """A parameter of a program's forward(), or an input of a package."""

    name: str = ""
    kind: int = TENSOR
    type: str = "Tensor"  # as the program says it, for messages
    optional: bool = False
    default: object = None
    dtype: int = None
    example: list = None  # what a traced program was traced with


def torch_types(torch):
    """{torch's type: the number of ours}"""
    return {getattr(torch, name): frames.NUMBERS[ours] for name, ours in TYPES.items() if hasattr(torch, name)}


class Values:
    """Arrays as torch's tensors, and back."""

    def __init__(self, torch):
        self._torch = torch
        self._types = torch_types(torch)

    def dtype_of(self, tensor):
        return self._types.get(tensor.dtype)

    def tensor(self, array, dtype):
        """On the array's memory."""
        if dtype == frames.BF16:
            return self._torch.from_numpy(array.view(np.int16)).view(self._torch.bfloat16)
        try:
            return self._torch.from_numpy(array)
        except TypeError:
            raise Error(f"torch {self._torch.__version__} has no tensors of type {frames.NAMES[dtype]}") from None
        except RuntimeError as error:  # a torch that was built for an older numpy
            raise Error(
                f"torch {self._torch.__version__} does not go with numpy {np.__version__} ({error}); "
                f"{sys.executable} -m pip install 'numpy<2'",
                code="FAILED_PRECONDITION",
            ) from None

    def array(self, tensor):
        tensor = tensor.detach().cpu().resolve_neg().contiguous()
        if tensor.dtype == self._torch.bfloat16:
            return tensor.view(self._torch.int16).numpy().view(frames.NUMPY[frames.BF16])
        return tensor.numpy()

    def flatten(self, value, key=""):
        """(key, type, array) of each tensor, number and list of strings of an answer; `key` names it in what it was
        part of."""
        torch = self._torch
        if isinstance(value, torch.Tensor):
            dtype = self.dtype_of(value)
            if dtype is None or value.layout != torch.strided or value.is_quantized:
                raise Error(
                    f"the model answered with a tensor of {value.dtype} that is not plain numbers; answer with a dense "
                    "tensor of another type",
                    code="UNIMPLEMENTED",
                )
            yield key, dtype, self.array(value)
        elif isinstance(value, dict):
            for name, item in value.items():
                yield from self.flatten(item, name if isinstance(name, str) else "")
        elif isinstance(value, (list, tuple)):
            if isinstance(value, list) and all(isinstance(item, str) for item in value):  # also of none
                array = np.empty(len(value), object)
                array[:] = [item.encode() for item in value]
                yield key, frames.STRING, array
                return
            names = getattr(value, "_fields", None)
            for place, item in enumerate(value):
                yield from self.flatten(item, names[place] if names else key if len(value) == 1 else "")
        elif isinstance(value, (bool, int, float)):
            dtype = {bool: np.bool_, int: np.int64, float: np.float64}[type(value)]
            array = np.array(value, dtype)
            yield key, frames.OF_NUMPY[array.dtype], array
        else:
            raise Error(
                f"the model answered with a value of type {type(value).__name__}: it must be a tensor, a list of strings, "
                "or a tuple, list or dictionary of them",
                code="UNIMPLEMENTED",
            )


def last_words(error):
    """What went wrong, of a traceback of TorchScript or of a plain message."""
    text = str(error).strip()
    text = text.rpartition("RuntimeError: ")[2]
    return text if len(text) <= _MOST_WORDS else text[:_MOST_WORDS] + "..."


@contextlib.contextmanager
def translated(torch, context=""):
    """What torch raises becomes an Error with its message, without the stack of its C++."""
    begin = f"{context}: " if context else "PyTorch: "
    try:
        yield
    except Error:
        raise
    except torch.jit.Error as error:  # a `raise` of the model's author: about what the client sent
        lines = str(error).strip().splitlines() or [""]
        raise Error(begin + lines[-1].removeprefix("builtins."), code="INVALID_ARGUMENT") from None
    except (IndexError, ValueError) as error:
        raise Error(begin + last_words(error), code="INVALID_ARGUMENT") from None
    except MemoryError:
        raise Error(begin + "out of memory", code="RESOURCE_EXHAUSTED") from None
    except (RuntimeError, TypeError, NotImplementedError, OSError) as error:
        words = last_words(error)
        code = "RESOURCE_EXHAUSTED" if "not enough memory" in words else "INTERNAL"
        if _INDEX_ERROR.match(words):
            code = "INVALID_ARGUMENT"
        raise Error(begin + words, code=code) from None


class Script:
    """TorchScript: a module of torch.jit's."""

    def __init__(self, torch, file, values):
        with translated(torch, f"file '{file}' can't be loaded"):
            self._module = torch.jit.load(file, map_location="cpu").eval()
        if not hasattr(self._module, "forward"):
            raise Error("the program has no method forward(), which is what is served")
        method = self._module._c._get_method("forward")
        self.arguments = [_argument(one) for one in method.schema.arguments[1:]]
        self.output_names = []
        _add_examples(torch, file, self.arguments, values)
        self.keeps_state, self.copies_inputs = _writes(torch, method.graph)

    def run(self, values):
        """`values`: one for each argument."""
        return self._module(*values)


def _argument(schema):
    kind, dtype, optional = _kind(schema.type)
    default = schema.default_value if schema.has_default_value() else None
    text = schema.type.annotation_str
    return Argument(schema.name, kind, text, optional or schema.has_default_value(), default, dtype)


def _kind(kind):
    """(kind, the type of those that have one, whether it may be None)"""
    text, name = kind.annotation_str, kind.kind()
    if name == "OptionalType":
        return *_kind(kind.getElementType())[:2], True
    if name == "TensorType":
        return TENSOR, None, False
    numbers = {"IntType": "INT64", "FloatType": "FP64", "BoolType": "BOOL"}
    if name in numbers:
        return NUMBER, frames.NUMBERS[numbers[name]], False
    if text == "List[str]":
        return TEXTS, frames.STRING, False
    return (DICTIONARY if text == "Dict[str, Tensor]" else OTHER), None, False


def _writes(torch, graph):
    """(an execution changes what the next one finds, it writes over its inputs); both where it can't be told."""
    graph = graph.copy()
    try:
        torch._C._jit_pass_inline(graph)
        aliases = graph.alias_db()
        state = any(_changes_state(node, aliases) for node in _nodes(graph))
        return state, any(aliases.has_writers(value) for value in list(graph.inputs())[1:])
    except AttributeError:  # a torch that doesn't show it
        return "= prim::SetAttr" in str(graph) or re.search(r"::\w+_\(", str(graph)) is not None, True


def _nodes(block):
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _changes_state(node, aliases):
    if node.kind() == "prim::SetAttr":
        return True
    return (
        node.kind() == "prim::GetAttr"
        and node.output().type().kind() != "ClassType"
        and aliases.has_writers(node.output())
    )


class _Storage:
    """A class of torch's for the numbers of one type: `torch.FloatStorage`."""

    def __init__(self, name):
        self.name = name


_STORAGES = {
    "BoolStorage": "BOOL", "ByteStorage": "UINT8", "CharStorage": "INT8", "ShortStorage": "INT16", "IntStorage": "INT32",
    "LongStorage": "INT64", "HalfStorage": "FP16", "FloatStorage": "FP32", "DoubleStorage": "FP64", "BFloat16Storage": "BF16",
}  # fmt: skip


class _TracedInputs(pickle.Unpickler):
    """Reads what torch.jit.trace called forward() with, as (type, sizes); runs nothing that the file names."""

    def find_class(self, module, name):
        known = {
            ("torch.jit._pickle", "restore_type_tag"): lambda value, tag: value,
            ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, sizes, *more: (storage, list(sizes)),
            ("collections", "OrderedDict"): dict,
        }
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in _STORAGES:
            return _Storage(name)
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid):
        return frames.NUMBERS[_STORAGES[pid[1].name]]


def _add_examples(torch, file, arguments, values):
    try:
        reader = torch._C.PyTorchFileReader(file)
        if not reader.has_record("traced_inputs.pkl"):
            return
        traced = _TracedInputs(io.BytesIO(reader.get_record("traced_inputs.pkl"))).load().get("forward", ())
    except Exception:  # what isn't told has to be configured
        return
    for argument, example in zip(arguments, traced):
        if argument.kind == TENSOR and isinstance(example, tuple):
            argument.dtype, argument.example = example


class Package:
    """What AOTInductor compiled: native code, which torch unpacks and opens."""

    keeps_state, copies_inputs = False, False

    def __init__(self, torch, file, model, known):
        try:
            from torch._inductor.package import load_package
        except ImportError:
            raise Error(
                f"'{file}' is a package of AOTInductor, which torch {torch.__version__} can't open; pip install 'torch>=2.6'",
                code="FAILED_PRECONDITION",
            ) from None
        with translated(torch, f"file '{file}' can't be loaded"):
            self._loader = load_package(file, model).loader
            takes, returns = self._loader.get_call_spec()
        names = pytree_names(takes)
        count = len(known) if known else len(names)
        names = names if len(names) == count else [""] * count
        self.arguments = [Argument(name) for name in names]
        self.output_names = pytree_names(returns)

    def run(self, values):
        return tuple(self._loader.run(values))
