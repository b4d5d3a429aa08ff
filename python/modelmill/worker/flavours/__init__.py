"""What a model's file can be written for: find() finds its Flavour."""

import importlib.util
import os
import sys

from modelmill.errors import Error

from . import own, triton


def load_module(file, name=None):
    """Runs a Python file as a module, with its folder on the path. In a version's folder it is a module of the package
    of that name, `1`, so that it can import from its own folder with a dot."""
    folder = os.path.dirname(os.path.abspath(file))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if name is None:
        name = os.path.splitext(os.path.basename(file))[0]
        version = os.path.basename(folder)
        if version.isdigit():
            sys.path.append(os.path.dirname(folder))
            importlib.import_module(version)
            name = f"{version}.{name}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# Files that need no code, by ending or name, and the module that serves them.
_BUILT_IN = {
    ".cbm": "catboost",
    ".joblib": "estimator",
    ".keras": "keras",
    ".pickle": "estimator",
    ".pkl": "estimator",
    ".pt": "pytorch",
    ".pt2": "pytorch",
    ".pth": "pytorch",
    ".torchscript": "pytorch",
    "MANIFEST.json": "torchserve",
    "MLmodel": "mlflow",
    "config.json": "huggingface",
    "model-settings.json": "mlserver",
    "modules.json": "huggingface",
}


def find(hello):
    """The flavour of what the server names in its first message."""
    file = hello["file"]
    name = os.path.basename(file)
    built_in = _BUILT_IN.get(name) or _BUILT_IN.get(os.path.splitext(name)[1])
    if not built_in and hello["config"].get("backend") == "pytorch":  # in the place of its plugin
        built_in = "pytorch"
    if built_in:
        return importlib.import_module(f".{built_in}", __name__).load(hello)
    if not file.endswith(".py"):
        raise Error(f"'{file}' is no Python file")
    sys.modules[triton.MODULE] = sys.modules[triton.NATIVE_MODULE] = triton.module
    module = load_module(file)
    return triton.load(module, hello) if hasattr(module, triton.CLASS) else own.load(module, hello)
