"""The choice of a runtime where ONNX Runtime and OpenVINO are installed: `auto` against each of the two, in one run.

Each is a server of its own with the model as a plain file. `auto` is given its load until it has compared, chosen, and
judged what it chose, and the others as long. Then each single runtime is tried in all the layouts, instances and their
threads, that `auto` has compared, and is held against it at its best, beside ONNX Runtime as it is without any
configuration. Throughputs are of repeats in turns, and all must answer the same. For OpenVINO also the CPU of an
inference, less the identity's with as many bytes, against OpenVINO alone, called in a loop with the model compiled for
that one shape (bare_openvino.py): with one request in flight, and with several, whose batches bare OpenVINO has too.
"""

import dataclasses
import json
import subprocess
import time

import numpy as np

import load
from answers import Asking
from load import Level
from measure import (
    COST_HEAD, cost_row, median, progress, ratio, served, speed, table, verdict, verdict_at_least,
)  # fmt: skip
from processes import ROOT, Process, environment

LEVEL, ALONE = Level(8, 1), Level(1, 1)
OPENVINO = ROOT / "build/venvs/openvino"
SINGLES = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}
MODELS = ("cnn", "transformer", "mlp", "wide")
BATCHES = (1, 2, 4, 8)
# Throughput that must be reached: of the better single choice, and of ONNX Runtime without any configuration.
AUTO_TARGET = 0.97
WITHOUT_CONFIGURATION_TARGETS = {"cnn": 1.4, "transformer": 1.3}
CPU_TARGET, CPU_MODELS = 1.05, ("cnn", "transformer")  # those of half a millisecond and more
SAME = 1e-4  # of an output's largest value: what answers may differ by
SETTLED_SECONDS = 90  # at most, until the choice has been judged
SETTLED_LOOKS = 10  # without news of it


@dataclasses.dataclass(frozen=True, order=True)
class Layout:
    """Instances, and threads inside each; 0 leaves them to the server."""

    instances: int = 0
    threads: int = 0

    def __str__(self):
        return f"{self.instances} x {self.threads}" if self.instances else "as it is"


DEFAULT = Layout()


def _serve(bench, workload, choice, layout=DEFAULT):
    env = {**environment(), "MODELMILL_OPENVINO": str(OPENVINO)}
    name = f"{workload.name}.{choice}.{layout.instances}.{layout.threads}"
    command = [bench.build / "modelmill", "serve", f"{workload.name}={workload.path}", "--port", 0, "--io-threads", 2]
    command += ["--runtime", choice, "--state-dir", bench.folder / name, "--log-level", "warning"]
    if layout != DEFAULT:
        command += ["--instances", layout.instances, "--instance-threads", layout.threads]
    return Process(choice, command, bench.folder / f"{name}.log", env=env)


def _runtimes(server, model):
    """What the server tells of the choice."""
    result = subprocess.run(
        ["curl", "-sS", f"{server.url}/explain/{model}"], capture_output=True, text=True, check=True, env=environment()
    )
    return json.loads(result.stdout).get("runtimes")


def _settle(server, model, request):
    """Loads it until the choice has stayed the same for a while; (the layout, the layouts compared, seconds)."""
    answer = len(load.ask_once(server.url, request))
    count = load.calibrate(server, request, LEVEL, 1, answer)
    began, last, told, same = time.monotonic(), None, None, 0
    while time.monotonic() - began < SETTLED_SECONDS and same < SETTLED_LOOKS:
        load.run(server, request, LEVEL, count, answer)
        told = _runtimes(server, model)
        state = told and (told["chosen"], [candidate["seen"] for candidate in told["candidates"]])
        same = same + 1 if told and state == last else 0
        last = state
    seconds = time.monotonic() - began
    if not told:
        return "nothing was compared", [], seconds
    layouts = {Layout(candidate["instances"], candidate["threads"]) for candidate in told["candidates"]}
    chosen = told["chosen"]
    return f"{chosen['backend']}, {Layout(chosen['instances'], chosen['threads'])}", sorted(layouts), seconds


def _keep_busy(server, request, seconds):
    answer = len(load.ask_once(server.url, request))
    load.run(server, request, LEVEL, load.calibrate(server, request, LEVEL, seconds, answer), answer)


def _best_layout(bench, workload, choice, layouts, request):
    """The one in which a runtime alone answers most requests, by one run of each."""
    rates = {}
    for layout in [DEFAULT, *layouts]:
        server = _serve(bench, workload, choice, layout)
        try:
            _keep_busy(server, request, 1)
            rates[layout] = served(bench, server, request, LEVEL)().requests_per_second
        finally:
            server.stop()
        progress("runtimes", [workload.name, choice, str(layout), f"{rates[layout]:,.0f} req/s"])
    return max(rates, key=rates.get)


def _check_same(servers, request):
    """The largest difference between what they answer and what ONNX Runtime as it is does."""
    answers = {}
    for name, server in servers.items():
        with Asking(server, request) as asking:
            answers[name] = asking.ask()
    worst = max(answer.difference(answers["onnxruntime", DEFAULT]) for answer in answers.values())
    if worst > SAME:
        raise RuntimeError(f"the answers of {', '.join(map(str, servers))} differ by {worst:.1g} of the largest value")
    return worst


def _bare(bench, workload, batch):
    """One run of OpenVINO alone, as an outcome of rows."""
    command = [OPENVINO / "bin/python", ROOT / "bench/bare_openvino.py", workload.path]
    command += ["--batch", batch, "--seconds", bench.options.seconds, *workload.bare_arguments(bench.folder)]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    told = json.loads(result.stdout)
    return load.Outcome(told["runs"] * batch / told["seconds"], told["cpu_us"] / told["runs"] / batch)


def measure(bench):
    if not OPENVINO.is_dir():
        raise RuntimeError(f"there is no OpenVINO in {OPENVINO}; `tools/setup test` installs it")
    throughputs, costs = [], []
    for name in bench.options.runtime_models.split(","):
        rows = _measure_model(bench, bench.workload(name))
        throughputs.append(rows[0])
        costs += rows[1]
    return (
        f"## Which runtime, over gRPC, {LEVEL}\n\n"
        + table(["model", "ONNX Runtime as it is, req/s", "at its best (instances x threads)", "OpenVINO at its best",
                 "auto, req/s", "chose", "after, s", "auto against the better one", "target",
                 "auto against ONNX Runtime as it is", "target", "answers differ by", "target"], throughputs)
        + "\n\n### OpenVINO's CPU for an inference\n\n"
        + table(COST_HEAD, costs)
    )  # fmt: skip


def _measure_model(bench, workload):
    moved = sum(array.nbytes for array in workload.inputs.values()) + workload.output_bytes
    same_bytes = {"x": np.zeros((1, max(1, moved // 8)), np.float32)}
    identity = bench.request(f"{workload.name}.identity", "identity", same_bytes)
    request = bench.request(f"{workload.name}.runtimes", workload.name, workload.inputs)
    servers, best = {}, {}
    try:
        servers["auto"] = _serve(bench, workload, "auto")
        chosen, layouts, seconds = _settle(servers["auto"], workload.name, request)
        for choice in SINGLES.values():
            best[choice] = _best_layout(bench, workload, choice, layouts, request)
            for layout in dict.fromkeys([DEFAULT, best[choice]]):
                servers[choice, layout] = _serve(bench, workload, choice, layout)
                _keep_busy(servers[choice, layout], request, min(seconds, 10))
        _check_same(servers, request)
        measures = {choice: served(bench, server, request, LEVEL) for choice, server in servers.items()}
        measured_cpu = workload.name in CPU_MODELS
        if measured_cpu:
            measures["alone"] = served(bench, servers["openvino", DEFAULT], request, ALONE)
            measures |= {batch: lambda batch=batch: _bare(bench, workload, batch) for batch in BATCHES}
            for level in (ALONE, LEVEL):
                measures["identity", level] = served(bench, bench.modelmill, identity, level)
        measured = bench.interleaved(measures)
        difference = _check_same(servers, request)
    finally:
        for server in servers.values():
            server.stop()
    costs = []
    if measured_cpu:
        for level, ours, batches in ((ALONE, "alone", (1,)), (LEVEL, ("openvino", DEFAULT), BATCHES)):
            bares = {batch: measured[batch] for batch in batches}
            identity_at = measured["identity", level]
            costs.append(cost_row("runtimes", workload.name, level, measured[ours], identity_at, bares, CPU_TARGET))
    return _throughput_row(workload, measured, best, chosen, seconds, difference), costs


def _throughput_row(workload, measured, best, chosen, seconds, difference):
    def rate(of):
        return median(map(speed, measured[of]))

    single = [(choice, best[choice]) for choice in SINGLES.values()]
    as_it_is = ("onnxruntime", DEFAULT)
    against_better = ratio(measured["auto"], measured[max(single, key=rate)], speed)
    against_default = ratio(measured["auto"], measured[as_it_is], speed)
    row = [
        workload.name, f"{rate(as_it_is):,.0f}", *(f"{rate(of):,.0f} ({of[1]})" for of in single),
        f"{rate('auto'):,.0f}", chosen, f"{seconds:.0f}",
        f"**{against_better:.2f}**", verdict_at_least(against_better, AUTO_TARGET), f"**{against_default:.2f}**",
        verdict_at_least(against_default, WITHOUT_CONFIGURATION_TARGETS.get(workload.name)),
        f"{difference:.1g}", verdict(difference, SAME),
    ]  # fmt: skip
    progress("runtimes", row)
    return row
