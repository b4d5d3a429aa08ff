"""1 MB of FP32 as JSON, there and back, by modelmill's native identity and by Triton with one of its Python backend."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402

import load  # noqa: E402
import measure as measuring  # noqa: E402
from load import Level  # noqa: E402
from peers.run import Triton, unchecked  # noqa: E402

LEVELS = (Level(1, 1), Level(8, 1))
TARGET = 0.2  # CPU of modelmill / CPU of Triton


def measure(bench):
    """The table, of a run beside the servers of bench/run.py."""
    triton = Triton(bench.folder / "peers", bench.work[0].path)
    triton.install()
    server = triton.serve()
    server.url = triton.http_url
    try:
        tensors = {"x": np.random.default_rng(1).standard_normal((1, 262144)).astype(np.float32)}
        request = load.json_request(bench.folder, "large", "identity", tensors)
        rows = []
        for level in LEVELS:
            measured = bench.interleaved({
                "ours": measuring.served(bench, bench.modelmill, request, level),
                "theirs": unchecked(bench, server, request, level),
            })  # fmt: skip
            rows.append(_row(level, measured["ours"], measured["theirs"]))
            measuring.progress("json", rows[-1])
    finally:
        server.stop()
    return "## 1 MB of FP32 as JSON, against nvidia-pytriton's tritonserver\n\n" + measuring.table(
        ["connections x streams", "modelmill, CPU us", "Triton, CPU us", "ratio", "target", "modelmill, req/s",
         "Triton, req/s", "ratio"], rows,
    )  # fmt: skip


def _row(level, ours, theirs):
    value = measuring.ratio(ours, theirs, measuring.cpu)
    return [
        str(level), f"{measuring.median(map(measuring.cpu, ours)):,.0f}",
        f"{measuring.median(map(measuring.cpu, theirs)):,.0f}", f"**{value:.2f}**", measuring.verdict(value, TARGET),
        f"{measuring.median(map(measuring.speed, ours)):.1f}",
        f"{measuring.median(map(measuring.speed, theirs)):.1f}",
        f"{measuring.ratio(ours, theirs, measuring.speed):.1f}",
    ]  # fmt: skip
