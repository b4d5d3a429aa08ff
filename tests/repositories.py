"""What the tests' servers serve: repositories in Triton's layout, single files, real models out of packages."""

import fcntl
import importlib.util
import pathlib

import models


def package_file(package, path):
    """A file that an installed package carries, without importing the package."""
    return pathlib.Path(importlib.util.find_spec(package).origin).parent / path


# Real models: the name they are served by, and where they are.
REAL_MODELS = {
    "magika": ("magika", "models/standard_v3_3/model.onnx"),
    "ocr_det": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx"),
    "ocr_rec": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"),
    "ocr_cls": ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "silero_vad": ("silero_vad", "data/silero_vad.onnx"),
}

SIMPLE_CONFIG = """
name: "simple"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [
  { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "INPUT1" data_type: TYPE_INT32 dims: [ 16 ] }
]
output [
  { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "OUTPUT1" data_type: TYPE_INT32 dims: [ 16 ] }
]
"""

NATIVE_IDENTITY_CONFIG = """
backend: "identity"
max_batch_size: 64
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
"""

LABELED_CONFIG = """
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 3 ] } ]
output [
  { name: "scores" data_type: TYPE_FP32 dims: [ 3 ] label_filename: "fruit.txt" },
  { name: "label" data_type: TYPE_INT64 dims: [ 1 ] reshape: { shape: [ ] } }
]
"""

BATCHED_CONFIG = """
backend: "onnxruntime"
max_batch_size: 16
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 500 }
parameters: { key: "intra_op_thread_count" value: { string_value: "1" } }
"""

UNBATCHED_CONFIG = """
backend: "onnxruntime"
max_batch_size: 0
"""

VERSIONS_CONFIG = """
backend: "onnxruntime"
version_policy: { all { } }
"""


def add(folder, name, proto, config=None, versions=(1,), files=None):
    """One model in Triton's layout; `proto` may be a function of the version."""
    for version in versions:
        models.save(proto(version) if callable(proto) else proto, folder / name / str(version) / "model.onnx")
    if config is not None:
        (folder / name / "config.pbtxt").write_text(config)
    for file, text in (files or {}).items():
        (folder / name / file).write_text(text)
    return folder / name


def main_repository(folder):
    """The models that most tests use."""
    for dtype in models.DTYPES:
        add(folder, f"identity_{dtype.lower()}", models.identity(dtype))
    add(folder, "simple", models.add_sub(), SIMPLE_CONFIG)
    add(folder, "string_concat", models.string_concat())
    add(
        folder, "labeled", models.argmax_and_scores(), files={"fruit.txt": "apple\npear\nplum\n"}, config=LABELED_CONFIG
    )
    add(folder, "two_outputs", models.argmax_and_scores())
    add(folder, "versions", models.scaled, VERSIONS_CONFIG, versions=(1, 3))
    add(folder, "latest", models.scaled, versions=(1, 2, 10))
    add(folder, "batched", models.scaled(2), BATCHED_CONFIG)
    add(folder, "unbatched", models.scaled(2), UNBATCHED_CONFIG)
    add(folder, "scalars", models.scalars())
    add(folder, "gather", models.gather())
    add(folder, "non_zero", models.non_zero())
    add_identity(folder, "native_identity")
    return folder


def parameter(key, value):
    """As config.pbtxt has it."""
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'


def parameters(**values):
    return "".join(parameter(key, value) for key, value in values.items())


def add_configured(folder, name, config):
    """A model that is nothing but its configuration."""
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "config.pbtxt").write_text(config)
    return folder / name


def add_identity(folder, name, more=""):
    """A model of the identity backend, INPUT0 to OUTPUT0; `more` is added to its configuration."""
    return add_configured(folder, name, NATIVE_IDENTITY_CONFIG + more)


def add_repeating_identity(folder, name, data_type="TYPE_FP32"):
    """A model of one instance that answers as often as a request's parameter `responses` says."""
    config = f"""
backend: "identity"
instance_group {{ count: 1 kind: KIND_CPU }}
model_transaction_policy {{ decoupled: true }}
input [ {{ name: "INPUT0" data_type: {data_type} dims: [ -1 ] }} ]
output [ {{ name: "OUTPUT0" data_type: {data_type} dims: [ -1 ] }} ]
"""
    return add_configured(folder, name, config)


def add_slow_identity(folder, name, milliseconds, more=""):
    """One that takes so long for each execution, of one request at a time."""
    delay = f'parameters: {{ key: "execute_delay_ms" value: {{ string_value: "{milliseconds}" }} }}'
    config = NATIVE_IDENTITY_CONFIG.replace("max_batch_size: 64", "max_batch_size: 1") + delay + more
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "config.pbtxt").write_text(config)
    return folder / name


class Gate:
    """Holds up the executions of models that add_gated_identity() has made with it, from close() to open()."""

    def __init__(self, path):
        self.path = path
        self._file = open(path, "wb")

    def close(self):
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def open(self):
        fcntl.flock(self._file, fcntl.LOCK_UN)


def add_gated_identity(folder, name, gate, more="", backend="gate"):
    """One whose executions, of one request at a time, begin when they like and end when `gate` is open."""
    parameter = f'parameters: {{ key: "gate" value: {{ string_value: "{gate.path}" }} }}'
    config = NATIVE_IDENTITY_CONFIG.replace("max_batch_size: 64", "max_batch_size: 1").replace('"identity"', f'"{backend}"')
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "config.pbtxt").write_text(config + parameter + more)
    return folder / name


# Models that must not be batched unless they are told to be, and the reason.
BETRAYERS = {
    "cumulative_sum": models.cumulative_sum,
    "cumulative_sum_batch": lambda: models.cumulative_sum("batch"),
    "centred": models.centred,
    "reversed_rows": models.reversed_rows,
    "two_symbols": models.two_symbols,
    "fixed_first": models.fixed_first,
}


def betrayers(folder):
    return [models.save(make(), folder / f"{name}.onnx") for name, make in BETRAYERS.items()]


def real_models(folder):
    """Links with the names they are served by."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (package, path) in REAL_MODELS.items():
        link = folder / f"{name}.onnx"
        link.symlink_to(package_file(package, path))
        paths.append(link)
    return paths
