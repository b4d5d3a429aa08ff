"""Arrays."""

import numpy as np

from ..types import Datatype, Parameters, ResponseOutput, TensorData
from .base import InputCodec, register_input_codec, register_request_codec
from .utils import SingleInputRequestCodec, inject_batch_dimension, request_input_of

_DTYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
_DATATYPES = {np.dtype(dtype): datatype for datatype, dtype in _DTYPES.items()}


def to_dtype(tensor):
    datatype = Datatype(tensor.datatype).value
    if datatype != "BYTES":
        return np.dtype(_DTYPES[datatype])
    root = tensor.data.root
    if isinstance(root, list) and all(isinstance(item, str) for item in root):
        return np.dtype(str)
    return np.dtype((bytes, tensor.shape[-1]))


def to_datatype(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "OSU":
        return "BYTES"
    if dtype not in _DATATYPES:
        raise TypeError(f"arrays of {dtype} have no datatype of the V2 protocol")
    return _DATATYPES[dtype]


def _array_of(tensor):
    dtype, held = to_dtype(tensor), tensor.data.held_array
    if held is not None:
        return np.array(held, dtype)
    root = tensor.data.root
    if dtype.kind == "S" and isinstance(root, list) and all(isinstance(item, bytes) for item in root):
        return np.concatenate([np.frombuffer(item, dtype) for item in root])
    return np.array(root, dtype)


def convert_nan(value):
    return None if np.isnan(value) else value


def _values_of(array, datatype):
    if datatype != "BYTES":
        if array.dtype.kind == "f" and np.isnan(array).any():
            return [convert_nan(value) for value in array.flatten().tolist()]
        return TensorData.of_array(array.flatten())
    if array.dtype.kind == "U":
        return [text.encode() for text in array.flatten().tolist()]
    return [array.tobytes()] if array.dtype.kind == "S" else array.flatten().tolist()


@register_input_codec
class NumpyCodec(InputCodec):
    ContentType = "np"
    TypeHint = np.ndarray

    @classmethod
    def can_encode(cls, payload):
        return isinstance(payload, np.ndarray)

    @classmethod
    def encode_output(cls, name, payload, **kwargs):
        datatype = to_datatype(payload.dtype)
        return ResponseOutput(
            name=name, datatype=datatype, shape=inject_batch_dimension(list(payload.shape)),
            data=_values_of(payload, datatype), parameters=Parameters(content_type=cls.ContentType),
        )  # fmt: skip

    @classmethod
    def decode_output(cls, response_output):
        return cls.decode_input(response_output)

    @classmethod
    def encode_input(cls, name, payload, **kwargs):
        return request_input_of(cls.encode_output(name, payload))

    @classmethod
    def decode_input(cls, request_input):
        return _array_of(request_input).reshape(request_input.shape)


@register_request_codec
class NumpyRequestCodec(SingleInputRequestCodec):
    InputCodec = NumpyCodec
    ContentType = NumpyCodec.ContentType
    TypeHint = type(None)  # an array that is annotated is one input
