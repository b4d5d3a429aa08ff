"""Triton's four clients behind one face, so that a test is written once."""

import asyncio
import importlib

import ml_dtypes
import numpy as np
from google.protobuf import json_format
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

KINDS = ["http", "http.aio", "grpc", "grpc.aio"]

# What a code of gRPC is over HTTP, by Triton's map.
HTTP_STATUS = {"INVALID_ARGUMENT": "400", "NOT_FOUND": "404", "UNAVAILABLE": "503", "INTERNAL": "500"}

__all__ = ["ROW", "SIMPLE", "Client", "InferenceServerException", "KINDS", "assert_error", "dtype_of", "value_at"]

# Inputs of the models `simple`, and of all those that have one row of four.
SIMPLE = {"INPUT0": np.arange(16, dtype=np.int32)[None], "INPUT1": np.full((1, 16), 3, np.int32)}
ROW = {"x": np.array([[1, 2, 3, 4]], np.float32)}


def value_at(value, path):
    for key in path:
        value = value.get(key, 0) if isinstance(value, dict) else value
    return value if isinstance(value, int) else 0


def dtype_of(array):
    return np_to_triton_dtype(array.dtype)


class Client:
    """One client of `kind`. Coroutines are run to their end, so a test is plain code for all four."""

    def __init__(self, kind, address, **options):
        self.kind = kind
        self.is_grpc = kind.startswith("grpc")
        self.module = importlib.import_module(f"tritonclient.{kind}")
        self._loop = asyncio.new_event_loop() if kind.endswith(".aio") else None

        async def make():
            return self.module.InferenceServerClient(address, **options)

        if self._loop:
            self._client = self._loop.run_until_complete(make())
        else:
            self._client = self.module.InferenceServerClient(address, **options)

    def __getattr__(self, name):
        function = getattr(self._client, name)
        if self._loop is None:
            return function
        return lambda *args, **kwargs: self._loop.run_until_complete(function(*args, **kwargs))

    def close(self):
        if self._loop:
            self._loop.run_until_complete(self._client.close())
            self._loop.close()
        else:
            self._client.close()

    def json(self, method, *arguments):
        """A metadata-like answer as plain values; int64 as int, which protobuf's JSON writes as text."""
        if not self.is_grpc:
            return getattr(self, method)(*arguments)
        return _numbers(getattr(self, method)(*arguments, as_json=True))

    def config(self, model, version=""):
        """The configuration as a ModelConfig, from JSON parsed strictly where it comes as JSON."""
        if self.is_grpc:
            return self.get_model_config(model, version).config
        return json_format.ParseDict(self.get_model_config(model, version), model_config_pb2.ModelConfig())

    def inputs(self, arrays, binary=True):
        """InferInputs of {name: array}; (array, dtype) where the dtype is not the array's own."""
        made = []
        for name, array in arrays.items():
            array, dtype = array if isinstance(array, tuple) else (array, dtype_of(array))
            made.append(self.module.InferInput(name, list(array.shape), dtype))
            if self.is_grpc:
                made[-1].set_data_from_numpy(array)
            else:
                made[-1].set_data_from_numpy(array, binary_data=binary)
        return made

    def output(self, name, binary=True, class_count=0):
        if self.is_grpc:
            return self.module.InferRequestedOutput(name, class_count=class_count)
        return self.module.InferRequestedOutput(name, binary_data=binary, class_count=class_count)

    def infer(self, model, arrays, outputs=None, binary=True, **options):
        return self.infer_tensors(model, self.inputs(arrays, binary), outputs=outputs, **options)

    def infer_tensors(self, model, inputs, outputs=None, **options):
        """The same with InferInputs that the caller has made."""
        return self.__getattr__("infer")(model, inputs, outputs=outputs, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _numbers(value):
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value


def assert_error(error, code, *texts):
    """`error` (pytest's ExceptionInfo) has gRPC's `code` or its HTTP status, and a message with all of `texts`."""
    exception = error.value
    status = exception.status()
    assert status in (f"StatusCode.{code}", HTTP_STATUS[code]), (status, exception.message())
    for text in texts:
        assert text in exception.message(), exception.message()


def random_array(dtype, numpy_type, shape, seed=0):
    """Values of a data type, extremes among them."""
    random = np.random.default_rng(seed)
    if dtype == "BYTES":
        words = [b"", b"a", "größe".encode(), b"\x00\xff binary", b"x" * 300]
        return np.array([words[i % len(words)] for i in range(int(np.prod(shape)))], dtype=object).reshape(shape)
    if dtype == "BOOL":
        return random.integers(0, 2, shape).astype(np.bool_)
    if dtype in ("FP16", "BF16", "FP32", "FP64"):
        array = random.standard_normal(shape).astype(numpy_type)
        array.flat[0] = ml_dtypes.finfo(numpy_type).max
        return array
    info = np.iinfo(numpy_type)
    array = random.integers(info.min, info.max, shape, dtype=numpy_type, endpoint=True)
    array.flat[0], array.flat[-1] = info.min, info.max
    return array
