"""What the sides share: programs `NAME_side.py FOLDER` that run in a framework's own Python (build/venvs/FAMILY), write
models there, and answers.json with what the framework itself answers: [{model, inputs, outputs}] for requests."""

import json
import pathlib
import sys

import numpy as np


class Answers:
    def __init__(self):
        self.folder = pathlib.Path(sys.argv[1])
        self._answers = []

    def add(self, model, inputs, **outputs):
        """Arrays or lists by name."""
        self._answers.append({"model": model, "inputs": _plain(inputs), "outputs": _plain(outputs)})

    def write(self):
        (self.folder / "answers.json").write_text(json.dumps(self._answers))


def _plain(arrays):
    return {name: np.asarray(array).tolist() for name, array in arrays.items()}
