"""The models that are measured, and the repository that modelmill serves them from."""

import pathlib
import sys

import numpy as np
from onnx import helper

from processes import ROOT

sys.path.insert(0, str(ROOT / "tests"))
import models  # noqa: E402
from repositories import package_file  # noqa: E402

SEQUENCE, WIDTH, HEADS, LAYERS, VOCABULARY = 128, 384, 12, 6, 1000
WIDE, WIDE_LAYERS = 2048, 4


def transformer(seed=3):
    """An encoder as MiniLM's: ids [batch, 128] -> the mean of its states [batch, 384]; seeded weights."""
    random = np.random.default_rng(seed)
    nodes, constants = [], {}

    def constant(name, *shape, scale=None):
        scale = scale if scale is not None else 1 / np.sqrt(shape[0])
        constants[name] = (random.standard_normal(shape) * scale).astype(np.float32)
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def linear(x, name, inside, outside):
        product = node("MatMul", [x, constant(f"{name}.w", inside, outside)], f"{name}.product")
        return node("Add", [product, constant(f"{name}.b", outside, scale=0.02)], f"{name}.out")

    def normal(x, name):
        constants[f"{name}.scale"], constants[f"{name}.bias"] = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        return node("LayerNormalization", [x, f"{name}.scale", f"{name}.bias"], f"{name}.out", axis=-1)

    constants["split"] = np.array([0, 0, HEADS, WIDTH // HEADS], np.int64)
    constants["merge"] = np.array([0, 0, WIDTH], np.int64)
    constants["scale"] = np.float32(1 / np.sqrt(WIDTH // HEADS))
    constants["axes"] = np.array([1], np.int64)
    words = node("Gather", [constant("words", VOCABULARY, WIDTH, scale=1), "ids"], "embedded")
    x = normal(node("Add", [words, constant("places", SEQUENCE, WIDTH, scale=1)], "placed"), "begin")
    for layer in range(LAYERS):
        p = f"layer{layer}"
        parts = {}
        for part, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            projected = linear(x, f"{p}.{part}", WIDTH, WIDTH)
            split = node("Reshape", [projected, "split"], f"{p}.{part}.split")
            parts[part] = node("Transpose", [split], f"{p}.{part}.heads", perm=order)
        scores = node("MatMul", [parts["q"], parts["k"]], f"{p}.scores")
        weights = node("Softmax", [node("Mul", [scores, "scale"], f"{p}.scaled")], f"{p}.weights", axis=-1)
        mixed = node("Transpose", [node("MatMul", [weights, parts["v"]], f"{p}.mixed")], f"{p}.back", perm=[0, 2, 1, 3])
        attended = linear(node("Reshape", [mixed, "merge"], f"{p}.merged"), f"{p}.o", WIDTH, WIDTH)
        x = normal(node("Add", [x, attended], f"{p}.sum1"), f"{p}.norm1")
        wide = node("Gelu", [linear(x, f"{p}.up", WIDTH, 4 * WIDTH)], f"{p}.gelu")
        x = normal(node("Add", [x, linear(wide, f"{p}.down", 4 * WIDTH, WIDTH)], f"{p}.sum2"), f"{p}.norm2")
    node("ReduceMean", [x, "axes"], "embedding", keepdims=0)
    return models.model(
        "transformer",
        nodes,
        [models.value("ids", "INT64", ("batch", SEQUENCE))],
        [models.value("embedding", "FP32", ("batch", WIDTH))],
        constants,
    )


def wide_mlp(seed=5):
    """Four layers of 2,048: each inference reads 67 MB of weights, more than a core's caches hold, so that rows which
    run together share what costs most. Seeded weights."""
    random = np.random.default_rng(seed)
    nodes, constants, x = [], {}, "x"
    for layer in range(WIDE_LAYERS):
        weights, last = f"w{layer}", layer == WIDE_LAYERS - 1
        constants[weights] = (random.standard_normal((WIDE, WIDE)) / np.sqrt(WIDE)).astype(np.float32)
        nodes.append(helper.make_node("MatMul", [x, weights], ["y" if last else f"product{layer}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"product{layer}"], [f"x{layer}"]))
            x = f"x{layer}"
    return models.model(
        "wide", nodes, [models.value("x", "FP32", ("batch", WIDE))], [models.value("y", "FP32", ("batch", WIDE))],
        constants,
    )  # fmt: skip


class Workload:
    """A model's file, one request's inputs, and the bytes of its output."""

    def __init__(self, name, path, inputs, output_bytes):
        self.name = name
        self.path = pathlib.Path(path)
        self.inputs = inputs
        self.output_bytes = output_bytes

    def bare_arguments(self, folder):
        """--input arguments of bare_ort, their data written into `folder`."""
        arguments = []
        for name, array in self.inputs.items():
            path = folder / f"{self.name}.{name}.bin"
            path.write_bytes(array.tobytes())
            dtype = {"float32": "FP32", "int32": "INT32", "int64": "INT64"}[array.dtype.name]
            arguments += ["--input", f"{name}:{dtype}:{'x'.join(map(str, array.shape))}:{path}"]
        return arguments


def make_workloads(folder):
    random = np.random.default_rng(4)
    return [
        Workload(
            "mlp", models.save(models.mlp(), folder / "mlp.onnx"),
            {"x": random.standard_normal((1, 64)).astype(np.float32)}, 40,
        ),
        Workload(
            "cnn", package_file("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
            {"x": random.standard_normal((1, 3, 48, 192)).astype(np.float32)}, 8,
        ),
        Workload(
            "transformer", models.save(transformer(), folder / "transformer.onnx"),
            {"ids": random.integers(0, VOCABULARY, (1, SEQUENCE), dtype=np.int64)}, 4 * WIDTH,
        ),
        Workload(
            "wide", models.save(wide_mlp(), folder / "wide.onnx"),
            {"x": random.standard_normal((1, WIDE)).astype(np.float32)}, 4 * WIDE,
        ),
    ]  # fmt: skip


# The native identity by other names: (type, names of the inputs).
IDENTITIES = {
    "identity": ("TYPE_FP32", ("x",)),
    "whole": ("TYPE_INT64", ("x",)),
    "texts": ("TYPE_STRING", ("x",)),
    "pair": ("TYPE_FP32", ("a", "b")),
}


def make_identity(folder, kind, inputs):
    """Output `y` for input `x`, and `NAME_back` for others."""
    tensors = "".join(
        f'{side} [ {{ name: "{name}" data_type: {kind} dims: [ -1 ] }} ]\n'
        for side, names in (
            ("input", inputs),
            ("output", ["y" if name == "x" else f"{name}_back" for name in inputs]),
        )
        for name in names
    )
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(f'backend: "identity"\nmax_batch_size: 64\n{tensors}')


def make_repository(folder, workloads):
    """Each model twice: as found, batched by default, and NAME_off with batching off; and the native identities."""
    for name, (kind, inputs) in IDENTITIES.items():
        make_identity(folder / name, kind, inputs)
    for workload in workloads:
        for name, config in (
            (workload.name, None),
            (f"{workload.name}_off", 'backend: "onnxruntime"\nmax_batch_size: 0\n'),
        ):
            version = folder / name / "1"
            version.mkdir(parents=True)
            (version / "model.onnx").symlink_to(workload.path)
            if config:
                (folder / name / "config.pbtxt").write_text(config)
    return folder
