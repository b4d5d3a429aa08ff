"""Starts the server's binary, and tells it where the runtimes of this Python environment are."""

import importlib.util
import os
import pathlib
import sys

BINARY = pathlib.Path(__file__).resolve().parent / "bin" / "modelmill"


def onnxruntime_library():
    """The shared library inside the onnxruntime package, if that is installed; found without importing it."""
    spec = importlib.util.find_spec("onnxruntime")
    for folder in spec.submodule_search_locations or [] if spec else []:
        for library in sorted(pathlib.Path(folder, "capi").glob("libonnxruntime.so.*")):
            return str(library)
    return None


def main():
    if "MODELMILL_ONNXRUNTIME" not in os.environ:
        library = onnxruntime_library()
        if library:
            os.environ["MODELMILL_ONNXRUNTIME"] = library
    os.execv(BINARY, [str(BINARY), *sys.argv[1:]])
