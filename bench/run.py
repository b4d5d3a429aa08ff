#!/usr/bin/env python3
"""Measures modelmill against its yardsticks and prints ratios: all in one run, interleaved, medians over the repeats.

    bench/run.py [--build build/bench] [--repeats 3] [--seconds 1.5] [--only SECTION,...] [--no-file]
                 [--objective-seconds 2] [--objective-models cnn,transformer]
                 [--swap-seconds 4] [--swap-models cnn,mlp] [--shadow-seconds 4] [--shadow-models cnn,mlp]
                 [--runtime-models cnn,transformer,mlp,wide] [--frameworks tensorflow,pytorch,xgboost,lightgbm]

identity: modelmill's native identity backend over gRPC against a gRPC C++ callback server that echoes the same
messages, both with two I/O threads; 1 MB also over HTTP, as binary data, against the same echo.
scheduler: what the scheduler alone costs a request (mm_schedule_bench).
models: modelmill as it is by default against the best that ONNX Runtime does when it is called in a loop (bare_ort).
What serving adds to a model is its CPU per inference less what the identity costs at the same load with as many bytes,
half of the model's input and output each way.
runtimes: where OpenVINO is installed too, the runtime that modelmill chooses against each single one, and OpenVINO's
CPU for an inference against OpenVINO alone.
frameworks: TensorFlow, PyTorch, XGBoost and LightGBM, each against its own runtime alone, likewise.
objective: modelmill with a latency objective under calls that arrive at random, at shares of the load that it sustains.
swaps: what requests notice of version swaps: the same load, calls that arrive at random, without and with them.
shadows: what requests notice of a shadow of their route, p50 and p99: likewise, at a load that leaves room for a copy
of each request and at one that does not.
many: 10,000 models that are known and not loaded, and memory over 1,000 loads and unloads, beside bare ONNX Runtime's.
lookup: what it costs to find a model among 10 and among 10,000 (mm_catalog_bench).
ensembles: an ensemble of three against its members asked one by one.
shared: tensors in shared memory against the same in the request.
dialects: the same tensors as JSON in TensorFlow Serving's, TorchServe's and KServe's words, against the V2 protocol's.
start: the time to the first answer, and sizes. copies: how often the server copies a tensor, counted. idle: the memory
of 10,000 connections that do nothing.
On demand only. json: 1 MB as JSON against Triton, which is installed for it. python: a function in Python that returns
its input, against Triton's Python backend and BentoML, installed likewise. disturbed: bare ONNX Runtime with pauses,
and beside traffic, as a server has both.

Ratios are of one repeat; the table has their medians.
"""

import argparse
import datetime
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import numpy as np  # noqa: E402

import copies  # noqa: E402
import dialects  # noqa: E402
import disturbed  # noqa: E402
import ensembles  # noqa: E402
import frameworks  # noqa: E402
import idle  # noqa: E402
import load  # noqa: E402
import lookup  # noqa: E402
import machine  # noqa: E402
import many  # noqa: E402
import objective  # noqa: E402
import runtimes  # noqa: E402
import scheduler  # noqa: E402
import served_models  # noqa: E402
import shadows  # noqa: E402
import shared_memory  # noqa: E402
import swaps  # noqa: E402
import workloads  # noqa: E402
from load import Level  # noqa: E402
from measure import cpu, interleaved, median, progress, ratio, served, speed, table, verdict  # noqa: E402
from processes import ROOT, OtherPrograms, Process, free_port  # noqa: E402

IDENTITY_LEVELS = (Level(1, 1), Level(8, 1), Level(8, 8), Level(8, 16))
LARGE_LEVELS = (Level(1, 1), Level(8, 1), Level(8, 8))
HTTP_LEVELS = (Level(1, 1), Level(8, 1))
# What must be reached: CPU of modelmill / CPU of the yardstick.
IDENTITY_TARGETS = {Level(8, 1): 0.6, Level(8, 16): 0.3}
LARGE_TARGET = 0.5
START_TARGET_MS, RSS_TARGET_MB, BINARY_TARGET_MB = 100, 15, 15
PIPELINE_TARGET_MS = 2000
IDLE_TARGET_MB = 100


class Bench:
    """The servers under measurement, and what has been measured."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.build = pathlib.Path(options.build).resolve()
        self.work = workloads.make_workloads(folder / "files")
        self.cores = min(2, len(os.sched_getaffinity(0)))
        repository = workloads.make_repository(folder / "models", self.work)
        self.modelmill = Process(
            "modelmill",
            [self.build / "modelmill", "serve", repository, "--port", 0, "--io-threads", 2, "--log-level", "warning",
             "--allow-client-shm", "/"],
            folder / "modelmill.log",
        )
        self.others = []

    def stop(self):
        for server in (self.modelmill, *self.others):
            server.stop()

    @functools.cached_property
    def echo(self):
        server = Process("grpc_echo", [self.build / "bench/grpc_echo"], self.folder / "echo.log")
        self.others.append(server)
        return server

    def workload(self, name):
        return next(workload for workload in self.work if workload.name == name)

    def request(self, label, model, tensors):
        return load.grpc_request(self.folder, label, model, tensors)

    @functools.cached_property
    def ort_library(self):
        import importlib.util

        folder = pathlib.Path(importlib.util.find_spec("onnxruntime").origin).parent / "capi"
        return next(folder.glob("libonnxruntime.so.*"))

    def bare(self, workload, threads, **how):
        """One run of bare_ort, as parsed JSON."""
        arguments = [part for key, value in how.items() for part in (f"--{key}", str(value))]
        command = [self.build / "bench/bare_ort", self.ort_library, workload.path, "--threads", threads]
        command += [*arguments, *workload.bare_arguments(self.folder)]
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
        return json.loads(result.stdout)

    def interleaved(self, measures):
        return interleaved(measures, self.options.repeats)


def measure_identity(bench):
    """modelmill against the gRPC C++ echo."""
    small = {"x": np.random.default_rng(1).standard_normal((1, 16)).astype(np.float32)}
    large = {"x": np.random.default_rng(1).standard_normal((1, 262144)).astype(np.float32)}
    grpc_small, grpc_large = (bench.request(name, "identity", x) for name, x in (("small", small), ("large", large)))
    http_large = load.binary_request(bench.folder, "large", "identity", large)
    rows = []
    for label, ours, echo, levels in (
        ("FP32[1,16]", grpc_small, grpc_small, IDENTITY_LEVELS),
        ("1 MB", grpc_large, grpc_large, LARGE_LEVELS),
        ("1 MB, HTTP binary against gRPC", http_large, grpc_large, HTTP_LEVELS),
    ):
        for level in levels:
            measures = {
                "modelmill": served(bench, bench.modelmill, ours, level),
                "echo": served(bench, bench.echo, echo, level),
            }
            target = IDENTITY_TARGETS.get(level) if ours is grpc_small else LARGE_TARGET
            rows.append(identity_row(label, level, bench.interleaved(measures), target))
            progress("identity", rows[-1])
    return "## Identity, against a gRPC C++ callback echo\n\n" + table(
        ["tensor", "connections x streams", "modelmill, CPU us", "echo, CPU us", "ratio", "target", "modelmill, req/s",
         "echo, req/s", "ratio"], rows,
    )  # fmt: skip


def identity_row(label, level, measured, target):
    ours, echo = measured["modelmill"], measured["echo"]
    value = ratio(ours, echo, cpu)
    return [
        label, str(level), f"{median(map(cpu, ours)):.1f}", f"{median(map(cpu, echo)):.1f}", f"**{value:.2f}**",
        verdict(value, target), f"{median(map(speed, ours)):,.0f}", f"{median(map(speed, echo)):,.0f}",
        f"{ratio(ours, echo, speed):.2f}",
    ]  # fmt: skip


def first_answer_ms(bench, name, path, inputs, *arguments):
    """From the start of the process to its first right answer over HTTP, and its memory then."""
    port = free_port()
    body = json.dumps(inputs).encode()
    head = (
        f"POST /predict/{name} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    began = time.perf_counter()
    server = Process(
        "modelmill",
        [bench.build / "modelmill", "serve", path, "--port", port, "--io-threads", 2, *arguments],
        bench.folder / "start.log",
        url=f"http://127.0.0.1:{port}",
    )
    try:
        while time.perf_counter() - began < 60:
            reply = try_http(port, head + body)
            if reply.startswith(b"HTTP/1.1 200"):
                return (time.perf_counter() - began) * 1000, server.rss_kb()
            time.sleep(0.0005)
        raise RuntimeError(f"no answer in 60 s: {server.log.read_text()}")
    finally:
        server.stop()


def try_http(port, request):
    import socket

    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request)
            return connection.makefile("rb").read()
    except OSError:
        return b""


def measure_start(bench):
    """Start to first answer, memory over the bare runtime's, sizes."""
    workload = bench.work[0]
    starts, extra = [], []
    for _ in range(max(5, bench.options.repeats)):
        inputs = {"x": [workload.inputs["x"][0].tolist()]}
        milliseconds, rss_kb = first_answer_ms(bench, workload.name, workload.path, inputs)
        starts.append(milliseconds)
        extra.append((rss_kb - bench.bare(workload, 1, runs=1)["rss_kb"]) / 1000)
    binary = (bench.build / "modelmill").stat().st_size / 1e6
    rows = [
        ["start to first answer, ms", f"{median(starts):.0f}", verdict(median(starts), START_TARGET_MS)],
        pipeline_start(bench),
        ["RSS over the bare runtime, MB", f"{median(extra):.1f}", verdict(median(extra), RSS_TARGET_MB)],
        ["the binary, MB", f"{binary:.1f}", verdict(binary, BINARY_TARGET_MB)],
    ]
    for plugin in sorted(bench.build.glob("modelmill_*.so")):
        rows.append([f"{plugin.name}, MB", f"{plugin.stat().st_size / 1e6:.1f}", ""])
    for row in rows:
        progress("start", row)
    return "## Start and size, with the MLP\n\n" + table(["what", "measured", "target"], rows)


def pipeline_start(bench):
    """The same of a pickled pipeline of scikit-learn, most of which is the time to import it."""
    python, path = ROOT / "build/venvs/trees/bin/python", bench.folder / "iris.joblib"
    subprocess.run([python, ROOT / "bench/pipeline_side.py", path], check=True)
    inputs = {"input-0": [[5.1, 3.5, 1.4, 0.2]]}
    repeats = max(5, bench.options.repeats)
    times = [first_answer_ms(bench, "iris", path, inputs, "--python", python)[0] for _ in range(repeats)]
    return ["the same of a scikit-learn pipeline, ms", f"{median(times):.0f}", verdict(median(times), PIPELINE_TARGET_MS)]


def measure_copies(bench):
    """Copies of a tensor of 1 MB outside the kernel."""
    tensors = {"x": np.random.default_rng(1).standard_normal((1, 262144)).astype(np.float32)}
    size = tensors["x"].nbytes
    grpc = load.grpc_request(bench.folder, "copied", "identity", tensors)
    http = load.binary_request(bench.folder, "copied", "identity", tensors)
    rows = []
    for label, request, target in (("gRPC", grpc, 1.0), ("HTTP/1.1, binary", http, 0.0)):
        value = copies.copied_for_each_byte(bench, request, size, Level(2, 1))
        rows.append([label, f"{value:.2f}", f"at most {target:g}, {'reached' if value < target + 0.1 else 'MISSED'}"])
        progress("copies", rows[-1])
    return "## Copies of a tensor of 1 MB in the server, in and out together\n\n" + table(
        ["protocol", "bytes copied for each byte", "target"], rows
    )


def measure_idle(bench):
    """The memory of connections that wait."""
    rows = []
    for kind, what in idle.KINDS.items():
        before, after = idle.rss_mb(bench.build, bench.folder, kind, idle.CONNECTIONS)
        rows.append([
            what, f"{before:.1f}", f"{after:.1f}", f"{(after - before) * 1e6 / idle.CONNECTIONS:,.0f}",
            verdict(after, IDLE_TARGET_MB),
        ])  # fmt: skip
        progress("idle", rows[-1])
    return f"## {idle.CONNECTIONS:,} idle connections\n\n" + table(
        ["each has", "RSS before, MB", "RSS with them, MB", "bytes each", "target"], rows
    )


def measure_json(bench):
    """1 MB of FP32 as JSON, against Triton."""
    from peers import large_json

    return large_json.measure(bench)


def measure_python(bench):
    """Identity in Python, against peers."""
    from peers import python_models

    return python_models.measure(bench)


SECTIONS = {"identity": measure_identity, "scheduler": scheduler.measure, "models": served_models.measure,
            "runtimes": runtimes.measure, "frameworks": frameworks.measure,
            "objective": objective.measure, "swaps": swaps.measure, "shadows": shadows.measure,
            "many": many.measure, "lookup": lookup.measure,
            "ensembles": ensembles.measure, "shared": shared_memory.measure, "dialects": dialects.measure,
            "start": measure_start, "copies": measure_copies, "idle": measure_idle}
ON_DEMAND = {"json": measure_json, "python": measure_python, "disturbed": disturbed.measure}


def report(options, sections, commit, others):
    import onnxruntime

    when = datetime.datetime.now(datetime.timezone.utc)
    grpc = machine.command_output("pkg-config", "--modversion", "grpc++")
    how = (
        f"{machine.description()}; load from the same cores by h2load; gRPC C++ {grpc}, ONNX Runtime {onnxruntime.__version__}."
        f" {options.repeats} repeats of about {options.seconds:g} s, interleaved; medians. CPU is the server's user and"
        " system time for each request. Absolutes are this machine's at that hour; ratios were measured side by side."
        f" Other programs took {others.cores():.2f} cores meanwhile."
    )
    return "\n\n".join([f"# Bench of {when:%Y-%m-%d}, commit {commit}", how, *sections]) + "\n"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build/bench", help="folder with modelmill, its plugins and bench/")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="about how long one measurement takes")
    parser.add_argument("--objective-seconds", type=float, default=2, help="at least, of a run under an objective")
    parser.add_argument("--objective-models", default=",".join(objective.MODELS), help="separated by commas")
    parser.add_argument("--swap-seconds", type=float, default=4, help="of a run without or with version swaps")
    parser.add_argument("--swap-models", default=",".join(swaps.MODELS), help="separated by commas")
    parser.add_argument("--shadow-seconds", type=float, default=4, help="of a run along a route without or with a shadow")
    parser.add_argument("--shadow-models", default=",".join(shadows.MODELS), help="separated by commas")
    parser.add_argument("--runtime-models", default=",".join(runtimes.MODELS), help="separated by commas")
    parser.add_argument("--frameworks", default=",".join(frameworks.ALL), help="separated by commas")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas")
    parser.add_argument("--no-file", action="store_true", help="print only; write nothing into bench/results")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(SECTIONS) - set(ON_DEMAND)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join((*SECTIONS, *ON_DEMAND))}")
    return options


def main():
    options = parse()
    commit = machine.commit()
    if machine.command_output("git", "status", "--porcelain", "--", "src", "backends", "include"):
        commit += "-dirty"
    with tempfile.TemporaryDirectory(prefix="modelmill-bench-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        try:
            others = OtherPrograms()
            sections = [{**SECTIONS, **ON_DEMAND}[name](bench) for name in options.only.split(",")]
            text = report(options, sections, commit, others)
        finally:
            bench.stop()
    print(text)
    if not options.no_file:
        path = ROOT / f"bench/results/{datetime.date.today():%Y-%m-%d}-{commit}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
