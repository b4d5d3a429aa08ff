"""TensorFlow, PyTorch, XGBoost and LightGBM, each with a model of its own against its runtime alone, in one run.

A server for each, with the model as a plain file or folder and nothing configured. What serving adds is its CPU per
inference less what the identity costs at the same load with as many bytes; the yardstick is the same library called in a
loop on one thread (bare_framework.py) with the rows of one request, and, where several requests are in flight, also with
those of several, whichever is cheapest.
"""

import functools
import json
import subprocess

import numpy as np

import bare_framework
import load
from load import Level
from measure import COST_HEAD, cost_row, served, table
from processes import ROOT, Process, environment

ALONE, LEVEL = Level(1, 1), Level(8, 1)
TARGET = 1.05  # of models of half a millisecond and more
AT_ONCE = (1, 2, 4, 8)  # requests that bare runs have together
TREE_ROWS = 64  # of a request that takes any tree library half a millisecond and more


class Framework:
    """A family's environment, and how its model is asked."""

    def __init__(self, family, variable, library, rows, inputs):
        self.family, self.variable, self.library = family, variable, library
        self.rows = rows  # of the requests that are measured, each with its target
        self.inputs = inputs  # of so many rows

    @property
    def python(self):
        return ROOT / f"build/venvs/{self.family}/bin/python"

    def environment(self):
        (path,) = (ROOT / f"build/venvs/{self.family}").glob(f"lib/python3*/site-packages/{self.library}")
        return {**environment(), self.variable: str(path)}


def _images(rows, last):
    return {"x": bare_framework.images(rows, last)}


def _features(rows):
    return {"input-0": bare_framework.features(rows)}


ALL = {
    "tensorflow": Framework(
        "tensorflow", "MODELMILL_TENSORFLOW", "tensorflow/libtensorflow_cc.so.2", {1: TARGET}, lambda rows: _images(rows, True)
    ),
    "pytorch": Framework(
        "pytorch", "MODELMILL_PYTORCH", "torch/lib/libtorch_cpu.so", {1: TARGET}, lambda rows: _images(rows, False)
    ),
    "xgboost": Framework(
        "trees", "MODELMILL_XGBOOST", "xgboost/lib/libxgboost.so", {1: TARGET, TREE_ROWS: TARGET}, _features
    ),
    "lightgbm": Framework(
        "trees", "MODELMILL_LIGHTGBM", "lightgbm/lib/lib_lightgbm.so", {1: None, TREE_ROWS: TARGET}, _features
    ),
}


def measure(bench):
    rows = []
    for name in bench.options.frameworks.split(","):
        if not ALL[name].python.exists():
            raise RuntimeError(f"there is no {ALL[name].python}; `tools/setup test` makes it")
        rows += _measure(bench, name, ALL[name])
    return "## Frameworks' own models over gRPC, against their runtimes alone\n\n" + table(COST_HEAD, rows)


def _program(framework, *arguments):
    command = [framework.python, ROOT / "bench/bare_framework.py", *arguments]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"bare_framework.py {' '.join(map(str, arguments))}: {result.stderr}")
    return result.stdout


def _bare(bench, name, framework, folder, rows, requests):
    """One run of the runtime alone with the rows of several requests at once, as an outcome of requests."""
    told = json.loads(
        _program(framework, "run", name, folder, "--rows", rows * requests, "--seconds", bench.options.seconds)
    )
    return load.Outcome(told["runs"] * requests / told["seconds"], told["cpu_us"] / told["runs"] / requests)


def _measure(bench, name, framework):
    folder = bench.folder / name
    folder.mkdir()
    _program(framework, "make", name, folder)
    models = [path for path in folder.iterdir() if path.name.startswith("model.")]
    command = [bench.build / "modelmill", "serve", f"{name}={models[0] if models else folder}", "--port", 0]
    command += ["--io-threads", 2, "--log-level", "warning"]
    server = Process(name, command, bench.folder / f"{name}.log", env=framework.environment())
    try:
        return [
            row
            for rows, target in framework.rows.items()
            for row in _measure_requests(bench, name, framework, folder, server, rows, target)
        ]
    finally:
        server.stop()


def _measure_requests(bench, name, framework, folder, server, rows, target):
    """Of requests of so many rows."""
    label = name if rows == 1 else f"{name}, {rows} rows"
    inputs = framework.inputs(rows)
    request = bench.request(f"{name}.{rows}", name, inputs)
    moved = sum(array.nbytes for array in inputs.values())
    same_bytes = {"x": np.zeros((1, max(1, moved // 8)), np.float32)}
    identity = bench.request(f"{name}.{rows}.identity", "identity", same_bytes)
    measures = {n: functools.partial(_bare, bench, name, framework, folder, rows, n) for n in AT_ONCE}
    for level in (ALONE, LEVEL):
        measures["ours", level] = served(bench, server, request, level)
        measures["identity", level] = served(bench, bench.modelmill, identity, level)
    measured = bench.interleaved(measures)
    return [
        cost_row(
            "frameworks", label, level, measured["ours", level], measured["identity", level],
            {n: measured[n] for n in at_once}, target,
        )
        for level, at_once in ((ALONE, (1,)), (LEVEL, AT_ONCE))
    ]  # fmt: skip
