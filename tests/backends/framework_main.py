"""Runs in a framework's own Python and does what the suite asks of it: makes models, answers, loads and unloads.

    PYTHON framework_main.py NAME_side

Standard input has commands, standard output their results, each as a pickle of plain values (text, numbers, bytes,
lists, dictionaries: nothing of numpy's own, of which the two sides may have unlike versions).
"""

import importlib
import os
import pathlib
import pickle
import sys
import traceback

import numpy as np

NUMPY_TYPES = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
    "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
}  # fmt: skip


def numpy_type(dtype):
    if dtype != "BF16":
        return np.dtype(NUMPY_TYPES[dtype])
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def encode(arrays):
    """{name: (type, shape, bytes, or a list of bytes for strings)} of {name: array}."""
    encoded = {}
    for name, array in arrays.items():
        array = np.asarray(array)
        if array.dtype.kind in "OSU":
            values = [v.encode() if isinstance(v, str) else bytes(v) for v in array.reshape(-1).tolist()]
            encoded[name] = ("BYTES", array.shape, values)
        elif array.dtype.name == "bfloat16":
            encoded[name] = ("BF16", array.shape, array.tobytes())
        else:
            dtype = next(key for key, value in NUMPY_TYPES.items() if np.dtype(value) == array.dtype)
            encoded[name] = (dtype, array.shape, array.tobytes())
    return encoded


def decode(encoded):
    arrays = {}
    for name, (dtype, shape, values) in encoded.items():
        if dtype == "BYTES":
            arrays[name] = np.empty(len(values), object)
            arrays[name][:] = values
            arrays[name] = arrays[name].reshape(shape)
        else:
            arrays[name] = np.frombuffer(values, numpy_type(dtype)).reshape(shape)
    return arrays


def rss_bytes():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Framework:
    def __init__(self, side):
        self.side = side
        self.loaded = {}

    def make(self, folder):
        self.side.make(pathlib.Path(folder))

    def answer(self, folder, requests):
        """Outputs of each of `requests`, by the model in `folder`."""
        if folder not in self.loaded:
            self.loaded[folder] = self.side.load(pathlib.Path(folder))
        return [encode(self.side.answer(self.loaded[folder], decode(request))) for request in requests]

    def loads(self, folder, request, settled, count):
        """RSS after `settled` and after `count` times of loading the model, asking it once and letting it go."""
        sizes = []
        arrays = decode(request)
        for _ in range(count):
            self.side.answer(self.side.load(pathlib.Path(folder)), arrays)
            sizes.append(rss_bytes())
        return sizes[settled - 1], sizes[-1]


def main():
    # What the framework prints is none of our results.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    framework = Framework(importlib.import_module(f"kits.{sys.argv[1]}"))
    while True:
        try:
            command, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            result = ("ok", getattr(framework, command)(*arguments))
        except Exception:  # noqa: BLE001
            result = ("error", traceback.format_exc())
        pickle.dump(result, results)
        results.flush()


if __name__ == "__main__":
    main()
