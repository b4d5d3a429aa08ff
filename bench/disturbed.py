"""Where the CNN's cost above bare ONNX Runtime comes from: bare ONNX Runtime again, under what a server lives with."""

import subprocess
import time

import numpy as np

import load
from load import Level
from measure import median, progress, served, table
from processes import environment

LEVELS = (Level(1, 1), Level(8, 1))


class _Traffic:
    """Calls of the identity at a rate, over as many connections, while a block runs."""

    def __init__(self, bench, request, level, rate):
        self.command = [
            "h2load", "-D", "60", "-c", str(level.connections), "-m", "1", "-t", "1",
            "--rps", str(max(1, round(rate / level.connections))), "-d", request.body,
            *load.header_arguments(request), bench.modelmill.url + request.path,
        ]  # fmt: skip

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, env=environment())
        time.sleep(0.3)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def measure(bench):
    workload = next(w for w in bench.work if w.name == "cnn")
    moved = sum(array.nbytes for array in workload.inputs.values()) + workload.output_bytes
    identity = bench.request("cnn.identity", "identity", {"x": np.zeros((1, moved // 8), np.float32)})
    request = bench.request("cnn_off", "cnn_off", workload.inputs)
    rows = []
    for level in LEVELS:
        threads = min(level.in_flight, bench.cores)
        serve = served(bench, bench.modelmill, request, level)
        rate = serve().requests_per_second
        alone = bench.bare(workload, threads, seconds=bench.options.seconds)
        pause = max(0, int(1e6 * threads / rate - 1e6 * threads * alone["seconds"] / alone["runs"]))

        def bare(**how):
            result = bench.bare(workload, threads, seconds=bench.options.seconds, **how)  # noqa: B023
            return result["cpu_us"] / result["runs"]

        def beside_traffic():
            with _Traffic(bench, identity, level, rate):  # noqa: B023
                return bare()  # noqa: B023

        measured = bench.interleaved({
            "bare": bare,
            "idle": lambda: bare(**{"pause-us": pause}),  # noqa: B023
            "traffic": beside_traffic,
            "served": lambda: serve().cpu_us,  # noqa: B023
            "identity": served(bench, bench.modelmill, identity, level),
        })  # fmt: skip
        net = [a - b.cpu_us for a, b in zip(measured["served"], measured["identity"])]
        for label, values in (
            (f"bare, {threads} threads", measured["bare"]),
            (f"bare, pausing {pause} us after each run", measured["idle"]),
            (f"bare, beside {rate:,.0f} calls/s of the identity", measured["traffic"]),
            ("served, less the identity", net),
        ):
            times = median([value / base for value, base in zip(values, measured["bare"])])
            rows.append([str(level), label, f"{median(values):.0f}", f"{times:.2f}"])
            progress("disturbed", rows[-1])
    return "## The CNN, and what disturbs it\n\n" + table(
        ["connections x streams", "what", "CPU us for each run", "times bare"], rows
    )
