"""Tensors of requests and responses, and the names and numbers of their types."""

import struct

import numpy as np

from modelmill.worker import frames

from . import dlpack
from .errors import TritonModelException

_BF16 = frames.BF16
_NAMES = {number: "TYPE_" + name for number, name in frames.NAMES.items()}
_NUMPY = {
    number: (np.object_ if number == frames.STRING else dtype.type)
    for number, dtype in frames.NUMPY.items()
    if number != _BF16
}
_OF_NUMPY = {dtype: number for dtype, number in frames.OF_NUMPY.items() if number != _BF16}
_BITS = np.dtype(np.uint16)  # arrays of BF16 are kept as these


class Tensor:
    """An array with a name. Arrays of inputs are views on the request's memory."""

    __slots__ = ("_array", "_dtype", "_name")

    def __init__(self, name, numpy_array):
        if not isinstance(numpy_array, np.ndarray):
            raise TritonModelException(f"tensor '{name}' is a numpy.ndarray, no {type(numpy_array).__name__}")
        self._name = name
        self._dtype = _OF_NUMPY.get(numpy_array.dtype)
        self._array = numpy_array if self._dtype else self._taken(numpy_array)

    def _taken(self, array):
        """Of a dtype that is not one of Triton's as it stands."""
        if array.dtype.kind in "SU":
            self._dtype = frames.STRING
            return array.astype(object)
        native = array.dtype.newbyteorder("=")
        if native in _OF_NUMPY:
            self._dtype = _OF_NUMPY[native]
            return array.astype(native)
        if array.dtype.name == "bfloat16":
            self._dtype = _BF16
            return np.ascontiguousarray(array).view(_BITS)
        raise TritonModelException(f"tensor '{self._name}': there is no type of Triton's for numpy's {array.dtype}")

    @classmethod
    def _of(cls, name, array, dtype):
        tensor = cls.__new__(cls)
        tensor._name, tensor._dtype = name, dtype
        tensor._array = array.view(_BITS) if dtype == _BF16 else array
        return tensor

    def name(self):
        return self._name

    def shape(self):
        return list(self._array.shape)

    def triton_dtype(self):
        """The type's number, as numpy_to_triton_type() has it."""
        return self._dtype

    def is_cpu(self):
        return True

    def as_numpy(self):
        if self._dtype == _BF16:
            raise TritonModelException(f"tensor '{self._name}' is of the type BF16, which numpy lacks; use to_dlpack()")
        return self._array

    @staticmethod
    def from_dlpack(name, tensor):
        """Of an object that has __dlpack__, or of a capsule. It must be in the CPU's memory."""
        array, is_bf16 = dlpack.take(name, tensor)
        return Tensor._of(name, array, _BF16) if is_bf16 else Tensor(name, array)

    def to_dlpack(self):
        return self.__dlpack__()

    def __dlpack__(self, *, stream=None, **_):
        if self._dtype == frames.STRING:
            raise TritonModelException(f"tensor '{self._name}' is of strings, which DLPack doesn't have")
        return dlpack.give(self._array, self._dtype == _BF16)

    def __dlpack_device__(self):
        return dlpack.CPU

    def __repr__(self):
        return f"Tensor(name={self._name!r}, type={_NAMES[self._dtype]}, shape={self.shape()})"


def triton_string_to_numpy(triton_type_string):
    """numpy's type of "TYPE_FP32"; of strings it is numpy.object_."""
    number = frames.NUMBERS.get(str(triton_type_string).removeprefix("TYPE_"))
    if number not in _NUMPY:
        raise TritonModelException(f"numpy has no type for '{triton_type_string}'")
    return _NUMPY[number]


def triton_to_numpy_type(data_type):
    """numpy's type of a type's number."""
    if data_type not in _NUMPY:
        raise TritonModelException(f"numpy has no type for {_NAMES.get(data_type, data_type)}")
    return _NUMPY[data_type]


def numpy_to_triton_type(data_type):
    """The number of numpy's type."""
    dtype = np.dtype(data_type)
    number = frames.STRING if dtype.kind in "SU" else _OF_NUMPY.get(dtype)
    if number is None:
        raise TritonModelException(f"there is no type of Triton's for numpy's {dtype}")
    return number


def serialize_byte_tensor(input_tensor):
    """Strings one after another, each behind its length in four bytes; None for an array of anything else."""
    if input_tensor.size == 0:
        return np.empty([0], object)
    if input_tensor.dtype != object and input_tensor.dtype.kind not in "SU":
        return None
    items = [text if isinstance(text, bytes) else str(text).encode() for text in input_tensor.ravel().tolist()]
    whole = np.empty((), object)
    whole[()] = b"".join(struct.pack("<I", len(text)) + text for text in items)
    return whole


def deserialize_bytes_tensor(encoded_tensor):
    """A flat array of what serialize_byte_tensor() put together."""
    texts, at, data = [], 0, bytes(encoded_tensor)
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    out = np.empty(len(texts), object)
    out[:] = texts
    return out
