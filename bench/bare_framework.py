"""The yardstick of bench/frameworks.py, in the environment of one family: a runtime alone, called in a loop on one thread.

    bare_framework.py make FRAMEWORK FOLDER
    bare_framework.py run FRAMEWORK FOLDER --rows N --seconds S

`make` writes the model into FOLDER as it is served, with seeded weights or trained on seeded data. `run` gives the
runtime N rows at a time and prints one JSON object: runs, seconds, cpu_us (user and system, of the whole process, in the
measured part). TensorFlow, XGBoost and LightGBM are called through their C libraries, as the server does it; the loop's
own Python is a few microseconds of a run.
"""

import argparse
import ctypes
import json
import os
import pathlib
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

IMAGE, FEATURES = (80, 80), 64
TREES, DEPTH = 1000, 8
CHANNELS = ((3, 32, 1), (32, 64, 2), (64, 64, 2))  # of each convolution: in, out, stride


def convolutions():
    """(weights [out, in, 3, 3], stride) of each."""
    random = np.random.default_rng(3)
    for inside, outside, stride in CHANNELS:
        yield (random.standard_normal((outside, inside, 3, 3)) / np.sqrt(9 * inside)).astype(np.float32), stride


def training_data():
    random = np.random.default_rng(5)
    rows = random.standard_normal((4000, FEATURES)).astype(np.float32)
    return rows, np.sin(rows[:, 0] * 3) + rows[:, 1] * rows[:, 2] + random.standard_normal(len(rows)) / 10


def images(rows, last):
    return np.random.default_rng(7).standard_normal((rows, *((*IMAGE, 3) if last else (3, *IMAGE)))).astype(np.float32)


def features(rows):
    return np.random.default_rng(7).standard_normal((rows, FEATURES)).astype(np.float32)


class TensorFlow:
    @staticmethod
    def make(folder):
        import tensorflow as tf
        from tensorflow.core.protobuf import saved_model_pb2

        weights = [(tf.constant(w.transpose(2, 3, 1, 0)), stride) for w, stride in convolutions()]

        class Net(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([None, *IMAGE, 3], tf.float32, "x")])
            def call(self, x):
                for kernel, stride in weights:
                    x = tf.nn.relu(tf.nn.conv2d(x, kernel, stride, "SAME"))
                return {"y": tf.reduce_mean(x, [1, 2])}

        net = Net()
        tf.saved_model.save(net, str(folder / "1"), signatures=net.call)
        saved = saved_model_pb2.SavedModel()
        saved.ParseFromString((folder / "1/saved_model.pb").read_bytes())
        signature = saved.meta_graphs[0].signature_def["serving_default"]
        names = {"input": signature.inputs["x"].name, "output": signature.outputs["y"].name}
        (folder / ".names.json").write_text(json.dumps(names))

    def __init__(self, folder, rows):
        import importlib.util

        library = pathlib.Path(importlib.util.find_spec("tensorflow").origin).parent / "libtensorflow_cc.so.2"
        self.tf = ctypes.CDLL(str(library))
        for name in ("NewStatus", "NewSessionOptions", "NewGraph", "LoadSessionFromSavedModel", "GraphOperationByName", "NewTensor"):
            getattr(self.tf, "TF_" + name).restype = ctypes.c_void_p
        self.tf.TF_Message.restype = ctypes.c_char_p
        self.status = ctypes.c_void_p(self.tf.TF_NewStatus())
        options = ctypes.c_void_p(self.tf.TF_NewSessionOptions())
        # One thread inside an operator, and none but the caller's between them.
        config = b"\x10\x01" + b"\x28" + b"\xff" * 9 + b"\x01"
        self.tf.TF_SetConfig(options, config, ctypes.c_size_t(len(config)), self.status)
        graph = ctypes.c_void_p(self.tf.TF_NewGraph())
        tags = (ctypes.c_char_p * 1)(b"serve")
        self.session = ctypes.c_void_p(
            self.tf.TF_LoadSessionFromSavedModel(
                options, None, str(folder / "1").encode(), tags, 1, graph, None, self.status
            )
        )
        self.check()
        names = json.loads((folder / ".names.json").read_text())
        self.places = {which: self.place(graph, name) for which, name in names.items()}
        self.x = images(rows, True)
        sizes = (ctypes.c_int64 * 4)(*self.x.shape)
        self.release = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)(lambda *_: None)
        self.given = (ctypes.c_void_p * 1)(
            self.tf.TF_NewTensor(
                1, sizes, 4, ctypes.c_void_p(self.x.ctypes.data), ctypes.c_size_t(self.x.nbytes), self.release, None
            )
        )
        self.answers = (ctypes.c_void_p * 1)()

    def check(self):
        if self.tf.TF_GetCode(self.status):
            raise RuntimeError(self.tf.TF_Message(self.status).decode())

    def place(self, graph, name):
        """A TF_Output of "node:0"."""

        class Output(ctypes.Structure):
            _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))

        node, _, index = name.partition(":")
        return Output(self.tf.TF_GraphOperationByName(graph, node.encode()), int(index))

    def run(self):
        self.tf.TF_SessionRun(
            self.session, None, ctypes.byref(self.places["input"]), self.given, 1, ctypes.byref(self.places["output"]),
            self.answers, 1, None, 0, None, self.status,
        )  # fmt: skip
        self.check()
        self.tf.TF_DeleteTensor(ctypes.c_void_p(self.answers[0]))


class PyTorch:
    @staticmethod
    def make(folder):
        import torch

        layers = []
        for weights, stride in convolutions():
            layer = torch.nn.Conv2d(weights.shape[1], weights.shape[0], 3, stride, 1, bias=False)
            layer.weight.data = torch.from_numpy(weights)
            layers += [layer, torch.nn.ReLU()]

        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = torch.nn.Sequential(*layers)

            def forward(self, x):
                return self.layers(x).mean((2, 3))

        torch.jit.trace(Net().eval(), torch.from_numpy(images(2, False))).save(str(folder / "model.pt"))

    def __init__(self, folder, rows):
        import torch

        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        self.torch = torch
        self.module = torch.jit.load(str(folder / "model.pt")).eval()
        self.x = torch.from_numpy(images(rows, False))

    def run(self):
        with self.torch.inference_mode():
            self.module(self.x)


class XGBoost:
    @staticmethod
    def make(folder):
        import xgboost

        rows, target = training_data()
        parameters = {"max_depth": DEPTH, "eta": 0.05, "tree_method": "hist", "seed": 1}
        xgboost.train(parameters, xgboost.DMatrix(rows, target), TREES).save_model(folder / "model.ubj")

    def __init__(self, folder, rows):
        import xgboost

        self.library = ctypes.CDLL(xgboost.core.find_lib_path()[0])
        self.library.XGBGetLastError.restype = ctypes.c_char_p
        self.booster = ctypes.c_void_p()
        self.check(self.library.XGBoosterCreate(None, 0, ctypes.byref(self.booster)))
        self.check(self.library.XGBoosterLoadModel(self.booster, str(folder / "model.ubj").encode()))
        self.check(self.library.XGBoosterSetParam(self.booster, b"nthread", b"1"))
        self.x = features(rows)
        self.array = json.dumps(self.x.__array_interface__ | {"data": [self.x.ctypes.data, True], "strides": None}).encode()
        self.config = b'{"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false,"missing":NaN,"cache_id":0}'
        # With a matrix that is kept, XGBoost makes none for each call.
        self.proxy = ctypes.c_void_p()
        self.check(self.library.XGProxyDMatrixCreate(ctypes.byref(self.proxy)))
        self.told = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()

    def check(self, failed):
        if failed:
            raise RuntimeError(self.library.XGBGetLastError().decode())

    def run(self):
        shape, rank, result = self.told
        self.check(
            self.library.XGBoosterPredictFromDense(
                self.booster, self.array, self.config, self.proxy, ctypes.byref(shape), ctypes.byref(rank), ctypes.byref(result)
            )
        )


class LightGBM:
    @staticmethod
    def make(folder):
        import lightgbm

        rows, target = training_data()
        parameters = {"num_leaves": 2**DEPTH, "max_depth": DEPTH, "learning_rate": 0.05, "verbose": -1, "min_data_in_leaf": 5, "seed": 1}
        lightgbm.train(parameters, lightgbm.Dataset(rows, target), TREES).save_model(folder / "model.txt")

    def __init__(self, folder, rows):
        import lightgbm

        (path,) = pathlib.Path(lightgbm.__file__).parent.glob("**/lib_lightgbm.so")
        self.library = ctypes.CDLL(str(path))
        self.library.LGBM_GetLastError.restype = ctypes.c_char_p
        self.booster, self.trees = ctypes.c_void_p(), ctypes.c_int()
        self.check(
            self.library.LGBM_BoosterCreateFromModelfile(
                str(folder / "model.txt").encode(), ctypes.byref(self.trees), ctypes.byref(self.booster)
            )
        )
        self.x, self.rows = features(rows), rows
        self.results, self.given = np.zeros(rows), ctypes.c_int64()
        self.fast = ctypes.c_void_p()
        self.check(
            self.library.LGBM_BoosterPredictForMatSingleRowFastInit(
                self.booster, 0, 0, self.trees, 0, FEATURES, b"num_threads=1", ctypes.byref(self.fast)
            )
        )

    def check(self, failed):
        if failed:
            raise RuntimeError(self.library.LGBM_GetLastError().decode())

    def run(self):
        at, to = ctypes.c_void_p(self.x.ctypes.data), ctypes.c_void_p(self.results.ctypes.data)
        if self.rows == 1:
            return self.check(
                self.library.LGBM_BoosterPredictForMatSingleRowFast(self.fast, at, ctypes.byref(self.given), to)
            )
        return self.check(
            self.library.LGBM_BoosterPredictForMat(
                self.booster, at, 0, self.rows, FEATURES, 1, 0, 0, self.trees, b"num_threads=1", ctypes.byref(self.given), to
            )
        )


FRAMEWORKS = {"tensorflow": TensorFlow, "pytorch": PyTorch, "xgboost": XGBoost, "lightgbm": LightGBM}


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("make", "run"))
    parser.add_argument("framework", choices=FRAMEWORKS)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    framework = FRAMEWORKS[options.framework]
    if options.what == "make":
        return framework.make(options.folder)
    model = framework(options.folder, options.rows)
    for _ in range(3):
        model.run()  # prepares its memory
    runs, cpu_before, began = 0, cpu_us(), time.perf_counter()
    while (seconds := time.perf_counter() - began) < options.seconds:
        model.run()
        runs += 1
    return print(json.dumps({"runs": runs, "seconds": seconds, "cpu_us": cpu_us() - cpu_before}))


if __name__ == "__main__":
    main()
