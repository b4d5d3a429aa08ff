"""Models served as they are by default, against the best that bare ONNX Runtime can do with them in the same run.

Bare ONNX Runtime's best is searched first: sizes of batches, and ways to share the cores between threads that run and
threads inside a run. What is cheapest and what is fastest are then measured again between the servers' measures.
"""

import dataclasses

import numpy as np

import load
from load import Level
from measure import cpu, median, progress, served, speed, table, verdict, verdict_at_least

LEVELS = (Level(8, 1), Level(8, 8), Level(8, 32))
BATCHES = (1, 2, 4, 8, 16, 32, 64)
SEARCH_SECONDS = 0.3
# A layout's larger batches are left out once one has cost so much more than its best.
HOPELESS = 1.15
# What must be reached: CPU of an inference against ...
CNN_TARGET = 1.05  # bare, the identity's taken off
TRANSFORMER_TARGET = 1.03  # bare, all included
MLP_TARGET = 1.3  # the identity's
WIDE_TARGET, WIDE_LEVEL = 4, Level(8, 8)  # times less than with batching off
SPEED_TARGET = 0.95  # of bare on the cores that the client leaves over
SPEED_MODELS = ("cnn", "transformer")


@dataclasses.dataclass(frozen=True)
class Bare:
    """A way to run bare ONNX Runtime."""

    batch: int
    threads: int
    intra_op: int

    def __str__(self):
        return f"{self.batch} rows, {self.threads} x {self.intra_op}"

    def run(self, bench, workload, seconds):
        """Its rows, as an outcome."""
        how = {"batch": self.batch, "intra-op": self.intra_op, "seconds": seconds}
        result = bench.bare(workload, self.threads, **how)
        rows = result["runs"] * self.batch
        return load.Outcome(rows / result["seconds"], result["cpu_us"] / rows)


def search_bare(bench, workload):
    """(the cheapest way, the fastest way)"""
    found = {}
    for threads, intra_op in sorted({(1, 1), (bench.cores, 1), (1, bench.cores)}):
        best = float("inf")
        for batch in BATCHES:
            way = Bare(batch, threads, intra_op)
            found[way] = way.run(bench, workload, SEARCH_SECONDS)
            best = min(best, found[way].cpu_us)
            if found[way].cpu_us > HOPELESS * best:
                break
    # What leaves a core out is the fastest only where something else was using that core.
    whole = [way for way in found if way.threads * way.intra_op == bench.cores]
    return min(found, key=lambda way: found[way].cpu_us), max(whole, key=lambda way: found[way].requests_per_second)


def measure(bench):
    rows = []
    for workload in bench.work:
        rows += _measure_model(bench, workload)
    return "## Models over gRPC, against the best of bare ONNX Runtime\n\n" + table(
        ["model", "connections x streams", "batching", "CPU us", "the identity's", "bare at its cheapest, CPU us a row",
         "held against", "ratio", "target", "req/s", "the client's cores", "bare at its fastest, rows/s",
         "share of it on the cores left over", "target"], rows,
    )  # fmt: skip


def _measure_model(bench, workload):
    cheapest, fastest = search_bare(bench, workload)
    moved = sum(array.nbytes for array in workload.inputs.values()) + workload.output_bytes
    same_bytes = {"x": np.zeros((1, max(1, moved // 8)), np.float32)}
    identity = bench.request(f"{workload.name}.identity", "identity", same_bytes)
    requests = {name: bench.request(name, name, workload.inputs) for name in (workload.name, f"{workload.name}_off")}
    measures = {way: lambda way=way: way.run(bench, workload, bench.options.seconds) for way in {cheapest, fastest}}
    for level in LEVELS:
        measures["identity", level] = served(bench, bench.modelmill, identity, level)
        measures["default", level] = served(bench, bench.modelmill, requests[workload.name], level)
        if workload.name == "wide" and level == WIDE_LEVEL:
            measures["off", level] = served(bench, bench.modelmill, requests[f"{workload.name}_off"], level)
    measured = bench.interleaved(measures)
    rows = []
    for level in LEVELS:
        for batching in ("default", "off"):
            if (batching, level) in measured:
                rows.append(_row(bench, workload, level, batching, measured, cheapest, fastest))
                progress("models", rows[-1])
    return rows


def _held_against(workload, level, batching, measured, cheapest):
    """(what its CPU is held against, the ratio, the target's verdict)"""
    ours, identity, bare = measured[batching, level], measured["identity", level], measured[cheapest]
    if batching == "off":
        return "", "", ""
    if workload.name == "mlp":
        value = median([a.cpu_us / b.cpu_us for a, b in zip(ours, identity)])
        return "the identity", f"**{value:.2f}**", verdict(value, MLP_TARGET)
    if workload.name == "wide" and ("off", level) in measured:
        value = median([a.cpu_us / b.cpu_us for a, b in zip(measured["off", level], ours)])
        return "batching off, its CPU over this", f"**{value:.2f}**", verdict_at_least(value, WIDE_TARGET)
    if workload.name == "transformer":
        value = median([a.cpu_us / b.cpu_us for a, b in zip(ours, bare)])
        return "bare", f"**{value:.3f}**", verdict(value, TRANSFORMER_TARGET)
    value = median([(a.cpu_us - i.cpu_us) / b.cpu_us for a, i, b in zip(ours, identity, bare)])
    return "bare, less the identity", f"**{value:.3f}**", verdict(value, CNN_TARGET if workload.name == "cnn" else None)


def _row(bench, workload, level, batching, measured, cheapest, fastest):
    ours, bare = measured[batching, level], measured[fastest]
    against, value, reached = _held_against(workload, level, batching, measured, cheapest)
    share = median([
        a.requests_per_second / (b.requests_per_second * (bench.cores - a.client_cores) / bench.cores)
        for a, b in zip(ours, bare)
    ])  # fmt: skip
    return [
        workload.name, str(level), batching, f"{median(map(cpu, ours)):.1f}",
        f"{median(map(cpu, measured['identity', level])):.1f}",
        f"{median(map(cpu, measured[cheapest])):.1f} ({cheapest})", against, value, reached,
        f"{median(map(speed, ours)):,.0f}", f"{median([a.client_cores for a in ours]):.2f}",
        f"{median(map(speed, bare)):,.0f} ({fastest})", f"**{share:.2f}**",
        verdict_at_least(share, SPEED_TARGET if workload.name in SPEED_MODELS else None),
    ]  # fmt: skip
