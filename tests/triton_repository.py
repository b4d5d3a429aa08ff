"""Repositories of models as they are written for Triton's Python backend."""

import textwrap

FP32_4 = 'input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } ] output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]'
MODELS = {}


def model(name, config, code):
    MODELS[name] = (config, textwrap.dedent(code))


def write(folder, *names):
    """A repository with those models."""
    for name in names or MODELS:
        add(folder, name, *MODELS[name])
    return folder


def add(folder, name, config, code):
    """`config` None: without a config.pbtxt."""
    version = folder / name / "1"
    version.mkdir(parents=True)
    if config is not None:
        (folder / name / "config.pbtxt").write_text(f'backend: "python" {config}\n')
    head = "import json\nimport numpy as np\nimport triton_python_backend_utils as pb_utils\n"
    (version / "model.py").write_text(head + textwrap.dedent(code))
    (version / "helper.py").write_text('WORD = "from beside"\n')
    return folder / name
