"""OpenVINO's side of its kit: see kit.py."""

import numpy as np
import openvino as ov
from openvino import opset15 as op

TYPES = {
    "BOOL": ov.Type.boolean, "UINT8": ov.Type.u8, "UINT16": ov.Type.u16, "UINT32": ov.Type.u32, "UINT64": ov.Type.u64,
    "INT8": ov.Type.i8, "INT16": ov.Type.i16, "INT32": ov.Type.i32, "INT64": ov.Type.i64, "FP16": ov.Type.f16,
    "BF16": ov.Type.bf16, "FP32": ov.Type.f32, "FP64": ov.Type.f64, "BYTES": ov.Type.string,
}  # fmt: skip


def port(name, dtype, shape):
    node = op.parameter(ov.PartialShape(list(shape)), TYPES[dtype])
    node.output(0).set_names({name})
    return node


def model(inputs, **outputs):
    results = []
    for name, node in outputs.items():
        node.output(0).set_names({name})
        results.append(op.result(node.output(0)))
    return ov.Model(results, list(inputs), "model")


def identity(dtype):
    x = port("x", dtype, (-1, -1))
    return model([x], y=op.reshape(x, op.constant(np.array([0, 0])), True))


def scalars():
    a, b = port("a", "FP32", ()), port("b", "FP32", ())
    return model([a, b], y=op.multiply(a, b))


def non_zero():
    x = port("x", "FP32", (-1,))
    return model([x], positions=op.non_zero(x, "i64"))


def weights(random, *shape):
    return op.constant((random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))


def mlp():
    random = np.random.default_rng(1)
    x = last = port("x", "FP32", (-1, 64))
    for inside, outside in ((64, 128), (128, 64)):
        last = op.relu(op.add(op.matmul(last, weights(random, inside, outside), False, False), weights(random, outside)))
    return model([x], probabilities=op.softmax(op.matmul(last, weights(random, 64, 10), False, False), 1))


def wide():
    """Answers that are large beside what is asked."""
    x = port("x", "FP32", (-1, 4))
    return model([x], y=op.matmul(x, weights(np.random.default_rng(2), 4, 4096), False, False))


def two_inputs():
    a, b = port("a", "INT32", (-1, -1)), port("b", "INT32", (-1, -1))
    total = op.add(a, b)
    return model([a, b], sum=total, largest=op.reduce_max(total, op.constant(np.array([1])), False))


def slow(layers=400, width=512):
    """y = 2 x, after products of large matrices whose sum is multiplied by zero."""
    random = np.random.default_rng(3)
    x = port("x", "FP32", (-1, 4))
    square = weights(random, width, width)
    table = weights(random, width, width)
    h = op.add(op.matmul(x, weights(random, 4, width), False, False), op.constant(np.float32(0)))
    h = op.add(op.unsqueeze(h, op.constant(1)), table)  # [rows, width, width]
    for _ in range(layers // 20):
        h = op.tanh(op.matmul(h, square, False, False))
    nothing = op.multiply(op.reduce_sum(h, op.constant(np.array([1, 2])), False), op.constant(np.float32(0)))
    nothing = op.unsqueeze(nothing, op.constant(1))
    return model([x], y=op.add(op.multiply(x, op.constant(np.float32(2))), nothing))


def broadcast():
    """Fails for sizes that do not fit together."""
    a, b = port("a", "FP32", (-1, -1)), port("b", "FP32", (-1, -1))
    return model([a, b], y=op.add(a, b))


def doubled(shape, names=True):
    x = port("x", "FP32", shape) if names else op.parameter(ov.PartialShape(list(shape)), ov.Type.f32)
    twice = op.multiply(x, op.constant(np.float32(2)))
    return model([x], y=twice) if names else ov.Model([op.result(twice)], [x], "nameless")


def any_rank():
    x = op.parameter(ov.PartialShape.dynamic(), ov.Type.f32)
    x.output(0).set_names({"x"})
    return model([x], y=op.multiply(x, op.constant(np.float32(2))))


def stateful():
    """Adds what it is asked to all that it was asked before."""
    x = port("x", "FP32", (1, 4))
    before = op.read_value(op.constant(np.zeros((1, 4), np.float32)), "total", ov.Type.f32, ov.PartialShape([1, 4]))
    total = op.add(before, x)
    total.output(0).set_names({"y"})
    return ov.Model([op.result(total)], [op.assign(total, "total")], [x], "stateful")


def rows_along(axis_of_sum):
    """Looks as if it had a batch: the first size is free, and the answers' too."""
    x = port("x", "FP32", (-1, 4))
    return model([x], y=op.cum_sum(x, op.constant(np.int64(axis_of_sum))))


def special():
    """Models of tests/backends/test_openvino.py alone."""
    return {
        "one_row": doubled((1, 4)), "four_rows": doubled((4, 4)), "no_names": doubled((-1, 4), names=False), "any_rank": any_rank(),
        "stateful": stateful(), "rows_depend": rows_along(0), "rows_alone": rows_along(1),
        "outer": outer(),
    }  # fmt: skip


def outer():
    """Two inputs with rows, and an answer that has them twice."""
    a, b = port("a", "FP32", (-1, 4)), port("b", "FP32", (-1, 4))
    return model([a, b], y=op.matmul(a, b, False, True))


def make(folder):
    made = {f"identity_{dtype.lower()}": identity(dtype) for dtype in TYPES}
    made |= {"scalars": scalars(), "non_zero": non_zero(), "mlp": mlp(), "wide": wide(), "two_inputs": two_inputs()}
    made |= {"slow": slow(), "broadcast": broadcast()} | special()
    for name, proto in made.items():
        (folder / name / "1").mkdir(parents=True)
        ov.save_model(proto, folder / name / "1/model.xml", compress_to_fp16=False)


CORE = ov.Core()


def load(folder):
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    return CORE.compile_model(CORE.read_model(folder / "model.xml"), "CPU", options).create_infer_request()


def answer(request, arrays):
    results = request.infer({name: np.asarray(array, order="C") for name, array in arrays.items()})
    return {port.any_name: np.array(value) for port, value in results.items()}
