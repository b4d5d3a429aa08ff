"""ONNX models for the tests, made by hand-written graphs with seeded weights: the same bytes every time.

Each function returns a ModelProto whose behaviour is known in closed form or by ONNX Runtime in Python.
"""

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
IR_VERSION = 10

# Triton's names of data types, what ONNX and numpy call them.
DTYPES = {
    "BOOL": (TensorProto.BOOL, np.bool_),
    "UINT8": (TensorProto.UINT8, np.uint8),
    "UINT16": (TensorProto.UINT16, np.uint16),
    "UINT32": (TensorProto.UINT32, np.uint32),
    "UINT64": (TensorProto.UINT64, np.uint64),
    "INT8": (TensorProto.INT8, np.int8),
    "INT16": (TensorProto.INT16, np.int16),
    "INT32": (TensorProto.INT32, np.int32),
    "INT64": (TensorProto.INT64, np.int64),
    "FP16": (TensorProto.FLOAT16, np.float16),
    "BF16": (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
    "FP32": (TensorProto.FLOAT, np.float32),
    "FP64": (TensorProto.DOUBLE, np.float64),
    "BYTES": (TensorProto.STRING, np.object_),
}

FLOAT = TensorProto.FLOAT


def value(name, dtype, shape):
    """One input or output; `dtype` is Triton's name of it."""
    return helper.make_tensor_value_info(name, DTYPES[dtype][0], shape)


def model(name, nodes, inputs, outputs, constants=(), opset=OPSET):
    initializers = [numpy_helper.from_array(np.asarray(array), key) for key, array in dict(constants).items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)
    proto.producer_name = "modelmill-tests"
    onnx.checker.check_model(proto)
    return proto


def identity(dtype="FP32", shape=("batch", "n")):
    return model(
        "identity",
        [helper.make_node("Identity", ["x"], ["y"])],
        [value("x", dtype, shape)],
        [value("y", dtype, shape)],
    )


def scaled(factor, shape=("batch", 4)):
    """y = factor * x, to tell versions apart."""
    return model(
        "scaled",
        [helper.make_node("Mul", ["x", "factor"], ["y"])],
        [value("x", "FP32", shape)],
        [value("y", "FP32", shape)],
        {"factor": np.float32(factor)},
    )


def add_sub(dtype="INT32", shape=("batch", 16)):
    """Triton's "simple": OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1."""
    return model(
        "add_sub",
        [
            helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
            helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
        ],
        [value("INPUT0", dtype, shape), value("INPUT1", dtype, shape)],
        [value("OUTPUT0", dtype, shape), value("OUTPUT1", dtype, shape)],
    )


def string_concat(shape=("batch", "n")):
    """joined = left + right, on strings."""
    return model(
        "string_concat",
        [helper.make_node("StringConcat", ["left", "right"], ["joined"])],
        [value("left", "BYTES", shape), value("right", "BYTES", shape)],
        [value("joined", "BYTES", shape)],
    )


def mlp(sizes=(64, 128, 64, 10), seed=1):
    """Relu layers and a softmax: x [batch, sizes[0]] -> probabilities [batch, sizes[-1]]."""
    random = np.random.default_rng(seed)
    nodes, constants, last = [], {}, "x"
    for i, (inside, outside) in enumerate(zip(sizes, sizes[1:])):
        constants[f"w{i}"] = (random.standard_normal((inside, outside)) / np.sqrt(inside)).astype(np.float32)
        constants[f"b{i}"] = random.standard_normal(outside).astype(np.float32) * np.float32(0.1)
        nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"h{i}"]))
        last = f"h{i}"
        if i + 2 < len(sizes):
            nodes.append(helper.make_node("Relu", [last], [f"r{i}"]))
            last = f"r{i}"
    nodes.append(helper.make_node("Softmax", [last], ["probabilities"], axis=1))
    return model(
        "mlp",
        nodes,
        [value("x", "FP32", ("batch", sizes[0]))],
        [value("probabilities", "FP32", ("batch", sizes[-1]))],
        constants,
    )


def argmax_and_scores(classes=3):
    """Two outputs of different types and ranks: scores [batch, classes] and label [batch]."""
    return model(
        "argmax_and_scores",
        [
            helper.make_node("Softmax", ["x"], ["scores"], axis=1),
            helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0),
        ],
        [value("x", "FP32", ("batch", classes))],
        [value("scores", "FP32", ("batch", classes)), value("label", "INT64", ("batch",))],
    )


def scalars():
    """Inputs and an output of rank 0: y = a * b."""
    return model(
        "scalars",
        [helper.make_node("Mul", ["a", "b"], ["y"])],
        [value("a", "FP32", ()), value("b", "FP32", ())],
        [value("y", "FP32", ())],
    )


def gather():
    """Fails inside the runtime for an index that is out of range: y = table[index]."""
    return model(
        "gather",
        [helper.make_node("Gather", ["table", "index"], ["y"])],
        [value("index", "INT64", ("batch",))],
        [value("y", "FP32", ("batch",))],
        {"table": np.arange(10, dtype=np.float32) * 10},
    )


def non_zero():
    """An output whose size depends on the data: positions [1, n] of what is not zero in x [m]."""
    return model(
        "non_zero",
        [helper.make_node("NonZero", ["x"], ["positions"])],
        [value("x", "FP32", ("m",))],
        [value("positions", "INT64", (1, "n"))],
    )


# ---- models that look as if they could be batched, or not ----------------------------------------------------


def cumulative_sum(first="sequence"):
    """[sequence, features], summed along the sequence: rows depend on the rows before them."""
    return model(
        "cumulative_sum",
        [helper.make_node("CumSum", ["x", "axis"], ["y"])],
        [value("x", "FP32", (first, 4))],
        [value("y", "FP32", (first, 4))],
        {"axis": np.int64(0)},
    )


def centred(first="batch"):
    """x minus its mean over axis 0: every row depends on all."""
    return model(
        "centred",
        [
            helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
            helper.make_node("Sub", ["x", "mean"], ["y"]),
        ],
        [value("x", "FP32", (first, 4))],
        [value("y", "FP32", (first, 4))],
        {"axes": np.array([0], dtype=np.int64)},
    )


def two_symbols():
    """Inputs whose first dimensions are of different names: y = a @ b^T, [rows, columns]."""
    return model(
        "two_symbols",
        [
            helper.make_node("Transpose", ["b"], ["bt"], perm=[1, 0]),
            helper.make_node("MatMul", ["a", "bt"], ["y"]),
        ],
        [value("a", "FP32", ("rows", 4)), value("b", "FP32", ("columns", 4))],
        [value("y", "FP32", ("rows", "columns"))],
    )


def fixed_first(rows=2):
    """A first dimension that is a number: y = 2 x."""
    return scaled(2, (rows, 4))


def reversed_rows(first="batch"):
    """Rows come out in the opposite order: each is right alone, and wrong in a batch."""
    return model(
        "reversed_rows",
        [helper.make_node("Slice", ["x", "starts", "ends", "axes", "steps"], ["y"])],
        [value("x", "FP32", (first, 4))],
        [value("y", "FP32", (first, 4))],
        {
            "starts": np.array([-1], dtype=np.int64),
            "ends": np.array([np.iinfo(np.int64).min], dtype=np.int64),
            "axes": np.array([0], dtype=np.int64),
            "steps": np.array([-1], dtype=np.int64),
        },
    )


# ---- a model that takes its time -------------------------------------------------------------------------------


def slow(turns=1000, width=128, seed=2):
    """y = 2 x, after `turns` products of matrices whose sum is multiplied by zero: about ten microseconds each."""
    random = np.random.default_rng(seed)
    weights = (random.standard_normal((width, width)) / np.sqrt(width)).astype(np.float32)
    spread = (random.standard_normal((4, width)) / 2).astype(np.float32)
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["h_in", "weights"], ["product"]),
            helper.make_node("Tanh", ["product"], ["h_out"]),
            helper.make_node("Identity", ["go"], ["go_out"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("h_in", FLOAT, ("batch", width)),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("h_out", FLOAT, ("batch", width)),
        ],
    )
    return model(
        "slow",
        [
            helper.make_node("MatMul", ["x", "spread"], ["h"]),
            helper.make_node("Loop", ["turns", "", "h"], ["h_end"], body=body),
            helper.make_node("ReduceSum", ["h_end", "axes"], ["sum"], keepdims=1),
            helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
            helper.make_node("Mul", ["x", "two"], ["doubled"]),
            helper.make_node("Add", ["doubled", "nothing"], ["y"]),
        ],
        [value("x", "FP32", ("batch", 4))],
        [value("y", "FP32", ("batch", 4))],
        {
            "weights": weights,
            "spread": spread,
            "turns": np.int64(turns),
            "axes": np.array([1], dtype=np.int64),
            "zero": np.float32(0),
            "two": np.float32(2),
        },
    )


def save(proto, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return path
