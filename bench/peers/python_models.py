"""A function in Python that returns its input, by modelmill's Python backend, by Triton's and by BentoML: the CPU of a
request, that of the server and of its workers together. Each has two workers; Triton's is asked with and without its
batching."""

import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402

import load  # noqa: E402
import measure as measuring  # noqa: E402
from load import Level, Request  # noqa: E402
from peers.run import JSON, BentoML, Triton, unchecked  # noqa: E402
from processes import Process  # noqa: E402

LARGE_LEVELS = (Level(1, 1), Level(8, 1))
# CPU of modelmill / CPU of the peer, with 64 requests in flight.
TRITON_TARGET, BENTOML_TARGET = 1 / 3, 0.1
SERVICE = """
import modelmill
import numpy as np


@modelmill.model(batch=64, workers=2, output="y")
def identity(x: modelmill.Tensor[np.float32, -1]) -> modelmill.Tensor[np.float32, -1]:
    return x
"""


class BentoMLIdentity(BentoML):
    service = "identity:Identity"

    def request(self):
        return Request("/predict", self.file("plain.json", {"x": np.zeros((1, 16)).tolist()}), JSON, grpc=False)


@contextlib.contextmanager
def stopped_at_the_end(server):
    try:
        yield server
    finally:
        server.stop()


def _modelmill(bench):
    path = bench.folder / "python/identity.py"
    path.parent.mkdir()
    path.write_text(SERVICE)
    command = [bench.build / "modelmill", "serve", path, "--port", 0, "--io-threads", 2, "--log-level", "warning"]
    return Process("modelmill", command, bench.folder / "python.log")


def _compare(bench, what, level, target, ours, theirs):
    """A row. `ours` and `theirs` are (server, request)."""
    measured = bench.interleaved(
        {"ours": measuring.served(bench, *ours, level), "theirs": unchecked(bench, *theirs, level)}
    )
    value = measuring.ratio(measured["ours"], measured["theirs"], measuring.cpu)
    row = [
        what, str(level), f"{measuring.median(map(measuring.cpu, measured['ours'])):,.0f}",
        f"{measuring.median(map(measuring.cpu, measured['theirs'])):,.0f}", f"**{value:.2f}**",
        measuring.verdict(value, target and round(target, 2)),
        f"{measuring.median(map(measuring.speed, measured['ours'])):,.0f}",
        f"{measuring.median(map(measuring.speed, measured['theirs'])):,.0f}",
    ]  # fmt: skip
    measuring.progress("python", row)
    return row


def _against_triton(bench, modelmill):
    triton = Triton(bench.folder / "peers", bench.work[0].path)
    triton.install()
    random = np.random.default_rng(1)
    rows = []
    with stopped_at_the_end(triton.serve()) as server:
        for size, label, levels, target in (
            (16, "FP32[1,16]", (Level(8, 8),), TRITON_TARGET), (262144, "1 MB", LARGE_LEVELS, None),
        ):  # fmt: skip
            tensors = {"x": random.standard_normal((1, size)).astype(np.float32)}
            ours = load.grpc_request(bench.folder, f"python{size}", "identity", tensors)
            for model, how in (("identity", "Triton"), ("identity_batched", "Triton, batched")):
                theirs = load.grpc_request(bench.folder, f"{model}{size}", model, tensors)
                for level in levels:
                    what = f"{label}, gRPC, {how}"
                    rows.append(_compare(bench, what, level, target, (modelmill, ours), (server, theirs)))
    return rows


def _against_bentoml(bench, modelmill):
    bentoml = BentoMLIdentity(bench.folder / "peers", bench.work[0].path)
    bentoml.install()
    theirs = bentoml.request()
    ours = Request("/predict/identity", theirs.body, theirs.headers, grpc=False)
    with stopped_at_the_end(bentoml.serve()) as server:
        what = "FP32[1,16], JSON, BentoML"
        return [_compare(bench, what, Level(64, 1), BENTOML_TARGET, (modelmill, ours), (server, theirs))]


def measure(bench):
    """The table, of a run beside the servers of bench/run.py."""
    with stopped_at_the_end(_modelmill(bench)) as modelmill:
        rows = _against_triton(bench, modelmill) + _against_bentoml(bench, modelmill)
    return "## An identity in Python, against Triton's Python backend and BentoML\n\n" + measuring.table(
        ["what", "connections x streams", "modelmill, CPU us", "peer, CPU us", "ratio", "target", "modelmill, req/s",
         "peer, req/s"], rows,
    )  # fmt: skip
