"""1 MB of FP32 as JSON, there and back, by modelmill's native identity and by Triton with one of its Python backend."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402

import load  # noqa: E402
import run as bench_run  # noqa: E402
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
                "ours": bench_run.served(bench, bench.modelmill, request, level),
                "theirs": unchecked(bench, server, request, level),
            })  # fmt: skip
            rows.append(_row(level, measured["ours"], measured["theirs"]))
            bench_run.progress("json", rows[-1])
    finally:
        server.stop()
    return "## 1 MB of FP32 as JSON, against nvidia-pytriton's tritonserver\n\n" + bench_run.table(
        ["connections x streams", "modelmill, CPU us", "Triton, CPU us", "ratio", "target", "modelmill, req/s",
         "Triton, req/s", "ratio"], rows,
    )  # fmt: skip


def _row(level, ours, theirs):
    value = bench_run.ratio(ours, theirs, bench_run.cpu)
    return [
        str(level), f"{bench_run.median(map(bench_run.cpu, ours)):,.0f}",
        f"{bench_run.median(map(bench_run.cpu, theirs)):,.0f}", f"**{value:.2f}**", bench_run.verdict(value, TARGET),
        f"{bench_run.median(map(bench_run.speed, ours)):.1f}",
        f"{bench_run.median(map(bench_run.speed, theirs)):.1f}",
        f"{bench_run.ratio(ours, theirs, bench_run.speed):.1f}",
    ]  # fmt: skip
