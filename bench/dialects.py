"""The same tensors to the same identity in one dialect of JSON after the other: what each costs beside the V2 protocol's.

Each is asked as its own clients ask; that all give back the tensors that were sent is checked first."""

import dataclasses
import json

import numpy as np

import load
from load import Level, Request
from measure import cpu, median, progress, ratio, served, speed, table, verdict

LEVEL = Level(8, 1)
TARGET = 1.3  # CPU of a dialect / CPU of V2's JSON
JSON = ("content-type: application/json",)


@dataclasses.dataclass(frozen=True)
class Case:
    """A model of workloads.IDENTITIES, and what it is sent."""

    label: str
    model: str
    tensors: dict

    def lists(self):
        return {name: array.tolist() for name, array in self.tensors.items()}

    def one_or_named(self, values):
        """As the dialects have it: a value with its name where there are several, and bare where there is one."""
        return values if len(values) > 1 else next(iter(values.values()))

    def rows(self):
        lists = self.lists()
        return [self.one_or_named(dict(zip(lists, row))) for row in zip(*lists.values())]


def make_cases():
    random = np.random.default_rng(6)

    def floats(*shape):
        return random.standard_normal(shape).astype(np.float32)

    words = np.array([[f"word {i} of a text" for i in range(32)]], np.object_)
    return [
        Case("FP32[1,16]", "identity", {"x": floats(1, 16)}),
        Case("FP32[1,1000]", "identity", {"x": floats(1, 1000)}),
        Case("FP32[32,16]", "identity", {"x": floats(32, 16)}),
        Case("INT64[1,256]", "whole", {"x": random.integers(0, 30000, (1, 256))}),
        Case("BYTES[1,32]", "texts", {"x": words}),
        Case("two of FP32[16,8]", "pair", {"a": floats(16, 8), "b": floats(16, 8)}),
    ]


def _v2_datatype(array):
    return {"float32": "FP32", "int64": "INT64", "object": "BYTES"}[array.dtype.name]


def _v2(case):
    inputs = [
        {"name": name, "shape": array.shape, "datatype": _v2_datatype(array), "data": array.ravel().tolist()}
        for name, array in case.tensors.items()
    ]
    return f"/v2/models/{case.model}/infer", {"inputs": inputs}


def _rows(path):
    return lambda case: (f"{path}/{case.model}:predict", {"instances": case.rows()})


def _columns(case):
    return f"/v1/models/{case.model}:predict", {"inputs": case.one_or_named(case.lists())}


def _torchserve(case):
    return f"/predictions/{case.model}", case.lists()


V2 = "V2"
# What is asked, and whether the target is meant for it.
DIALECTS = {
    V2: (_v2, False),
    "TF Serving, rows": (_rows("/v1/models"), True),
    "TF Serving, columns": (_columns, True),
    "TorchServe": (_torchserve, True),
    "KServe V1": (_rows("/kserve/v1/models"), False),
    "/predict": (lambda case: (f"/predict/{case.model}", case.lists()), False),
}


def _flat(value):
    """The values in nested lists and objects, names left out, sorted: dialects differ in their order."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return [value]
    return sorted(one for inner in value for one in _flat(inner))


def _given_back(answer):
    """The tensors' values in an answer of any of the dialects."""
    if isinstance(answer, dict) and "model_name" in answer:
        return _flat([output["data"] for output in answer["outputs"]])
    for member in ("predictions", "outputs"):
        if isinstance(answer, dict) and member in answer:
            return _flat(answer[member])
    return _flat(answer)


def _request(bench, case, dialect):
    """Its Request, once its answer has been looked at."""
    path, body = DIALECTS[dialect][0](case)
    file = bench.folder / f"{case.model}.{len(list(bench.folder.glob('*.json')))}.json"
    file.write_text(json.dumps(body))
    request = Request(path, str(file), JSON, grpc=False)
    found = _given_back(json.loads(load.ask_once(bench.modelmill.url, request)))
    sent = sorted(one for array in case.tensors.values() for one in array.ravel().tolist())
    same = np.allclose(found, sent, rtol=1e-6) if isinstance(sent[0], float) else found == sent
    if len(found) != len(sent) or not same:
        raise RuntimeError(f"{dialect}: {path} gave back other values than were sent in {case.label}")
    return request


def _rows_of(bench, case):
    measured = bench.interleaved({
        dialect: served(bench, bench.modelmill, _request(bench, case, dialect), LEVEL) for dialect in DIALECTS
    })  # fmt: skip
    rows = []
    for dialect, (_, is_meant) in DIALECTS.items():
        ours, v2 = measured[dialect], measured[V2]
        value = ratio(ours, v2, cpu)
        rows.append([
            case.label, dialect, f"{median(map(cpu, ours)):.1f}", "" if dialect == V2 else f"**{value:.2f}**",
            verdict(value, TARGET if is_meant else None), f"{median(map(speed, ours)):,.0f}",
        ])  # fmt: skip
        progress("dialects", rows[-1])
    return rows


def measure(bench):
    rows = [row for case in make_cases() for row in _rows_of(bench, case)]
    return f"## Dialects of JSON, identity, {LEVEL}\n\n" + table(
        ["tensors", "dialect", "CPU us", "to V2's", "target", "req/s"], rows
    )
