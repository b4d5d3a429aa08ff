"""Tensors of a request as mlserver.types has them, and those of an answer as arrays. Numbers stay an array until somebody
looks at their list, which NumpyCodec does not."""

import base64
import functools
import importlib
import math

import numpy as np

from modelmill.errors import Error

from .. import frames

_ARRAY = "modelmill_array"
_lazy = None  # the class of such values; None: of this version of the package there is none


def prepare(package, own):
    """Before the model's module is imported."""
    global _lazy
    types = importlib.import_module("mlserver.types")
    if own:
        _lazy = types.TensorData
        return
    # The package's own is pydantic's.
    _lazy = _lazy_class(types.TensorData) if hasattr(types.TensorData, "model_construct") else None
    if _lazy is not None:
        _speed_up(importlib.import_module("mlserver.codecs.numpy"))


def _lazy_class(kind):
    class TensorData(kind):
        __doc__ = kind.__doc__

        def __getattr__(self, name):
            if name == "root" and (array := self.__dict__.get(_ARRAY)) is not None:
                self.__dict__["root"] = root = array.tolist()
                del self.__dict__[_ARRAY]  # the list may be changed from now on
                return root
            return super().__getattr__(name)

        @classmethod
        def of_array(cls, array):
            made = cls.model_construct(None)
            del made.__dict__["root"]
            made.__dict__[_ARRAY] = array
            return made

        @property
        def held_array(self):
            """The array, while nobody has looked at the list."""
            return self.__dict__.get(_ARRAY)

    return TensorData


def _speed_up(codec):
    """Has MLServer's own codec take arrays as they are."""
    read, write = getattr(codec, "_to_ndarray", None), getattr(codec, "_encode_data", None)
    if read is None or write is None:
        return

    @functools.wraps(read)
    def to_array(tensor):
        array = getattr(tensor.data, "held_array", None)
        return read(tensor) if array is None else np.array(array, codec.to_dtype(tensor))

    @functools.wraps(write)
    def encode(data, datatype):
        if data.dtype not in frames.OF_NUMPY or data.dtype == object or (data.dtype.kind == "f" and np.isnan(data).any()):
            return write(data, datatype)
        return _lazy.of_array(data.flatten())

    codec._to_ndarray, codec._encode_data = to_array, encode


def datatype_of(tensor):
    return str(getattr(tensor.datatype, "value", tensor.datatype))


def request_input(types, name, array, number, shape, parameters, from_json):
    """`number`: of the array's type. `parameters`: a dictionary or None. `from_json`: strings came as text, and are that."""
    datatype = "BYTES" if number == frames.STRING else frames.NAMES[number]
    values = {"name": name, "shape": list(shape), "datatype": types.Datatype(datatype).value}
    if parameters is not None:
        values["parameters"] = types.Parameters(**parameters)
    if number == frames.STRING:
        items = array.ravel().tolist()
        values["data"] = [_text(item) for item in items] if from_json else items
    elif _lazy is None:
        values["data"] = array.ravel().tolist()
    else:
        values["data"] = _lazy.of_array(array.reshape(-1))
        return getattr(types.RequestInput, "model_construct", types.RequestInput)(**values)
    return types.RequestInput(**values)


def _text(item):
    try:
        return item.decode()
    except UnicodeDecodeError:
        return item


def array_of(output):
    """A ResponseOutput's values in its shape and type."""
    datatype, shape = datatype_of(output), [int(size) for size in output.shape]
    number = frames.NUMBERS.get(datatype)
    if number is None:
        raise Error(f"output '{output.name}' has the datatype '{datatype}', which there is not", code="INTERNAL")
    array = getattr(output.data, "held_array", None)
    if array is None:
        root = getattr(output.data, "root", output.data)
        array = _strings(root, math.prod(shape)) if number == frames.STRING else _numbers(output.name, root, number)
    elif number != frames.STRING and array.dtype != frames.NUMPY[number]:
        array = array.astype(frames.NUMPY[number])
    if array.size != math.prod(shape):
        raise Error(f"output '{output.name}' has shape {shape} and {array.size} values; they must agree", code="INTERNAL")
    return array.reshape(shape)


def _numbers(name, root, number):
    try:
        return np.array(root, frames.NUMPY[number])
    except (TypeError, ValueError) as error:
        raise Error(f"output '{name}' does not become {frames.NAMES[number]}: {error}", code="INTERNAL") from None


def _strings(root, count):
    items = list(_flat(root if isinstance(root, (list, tuple)) else [root]))
    if len(items) == 1 and count > 1 and isinstance(items[0], bytes) and len(items[0]) % count == 0:
        size = len(items[0]) // count  # NumpyCodec puts all of an array's bytes into one
        items = [items[0][at : at + size] for at in range(0, count * size, size)]
    array = np.empty(len(items), object)
    array[:] = [item if isinstance(item, bytes) else str(item).encode() for item in items]
    return array


def _flat(values):
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(value)
        else:
            yield value


def dumped(parameters):
    """Parameters as a dictionary without those that are not set; None of none."""
    if parameters is None:
        return None
    dump = getattr(parameters, "model_dump", None) or parameters.dict
    return {name: value for name, value in dump().items() if value is not None and not name.startswith("_")}


def plain(value):
    """Of what JSON has not."""
    if isinstance(value, (bytes, bytearray)):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
