"""A latency objective under load as the world makes it: calls that arrive at random, whatever the server does.

For each model the time of a single request is measured first, one after another; the objective is five times that.
A server is started with it. The sustainable load is the highest rate of a Poisson process at which 99% of the calls are
answered within the objective, found by bisection. Then shares of it are run, each five times, with calls that carry no
deadline of their own: what cannot be answered in time is for the server to refuse.
"""

import dataclasses
import json
import subprocess

import load
from load import Level
from measure import median, progress, table
from processes import OtherPrograms, Process, environment

MODELS = ("cnn", "transformer")
TIMES_SINGLE = 5
SHARES = (0.5, 0.8, 0.95, 3.0)
RUNS = 5
CONNECTIONS = 8
QUIET_CORES = 0.1  # that other programs may use where latencies are to be judged
WITHIN_SHARE = 0.99
STEPS = 7  # of the bisection: to 1% of where it begins
# Near the limit one run is too few calls to decide by; then two are put together.
DOUBTFUL = (0.97, 0.996)
# A run has at least so many calls, as long as it then takes no longer than so many seconds.
LEAST_CALLS, MOST_SECONDS = 400, 8
REFUSED_TARGET = 0.01
GOODPUT_TARGET = 0.9


@dataclasses.dataclass
class Run:
    """One run of open_loop, or several put together."""

    rate: float
    seconds: float
    arrived: int
    within: int
    refused: int  # with the calls that were left out or never answered
    p99_us: float
    refused_p99_us: float
    kept_up: bool
    client_cores: float

    @property
    def within_share(self):
        return self.within / max(1, self.arrived)

    @property
    def refused_share(self):
        return self.refused / max(1, self.arrived)

    @property
    def goodput(self):
        return self.within / self.seconds

    def __add__(self, other):
        return Run(
            self.rate, self.seconds + other.seconds, self.arrived + other.arrived, self.within + other.within,
            self.refused + other.refused, max(self.p99_us, other.p99_us),
            max(self.refused_p99_us, other.refused_p99_us), self.kept_up and other.kept_up,
            (self.client_cores + other.client_cores) / 2,
        )  # fmt: skip


class Served:
    """A model that is served with an objective, and the load on it. Every run has arrivals of its own seed."""

    def __init__(self, bench, workload, objective_us):
        self.bench = bench
        self.objective_us = objective_us
        self.request = bench.request(f"{workload.name}.objective", workload.name, workload.inputs)
        self.seed = 0
        self.server = Process(
            "modelmill",
            [bench.build / "modelmill", "serve", bench.folder / "models" / workload.name, "--port", 0, "--io-threads",
             2, "--log-level", "warning", "--objective-p99", f"{objective_us:.0f}us"],
            bench.folder / f"{workload.name}.objective.log",
        )  # fmt: skip
        try:
            load.ask_once(self.server.url, self.request)
        except BaseException:
            self.server.stop()
            raise

    def run(self, rate):
        seconds = min(max(self.bench.options.objective_seconds, LEAST_CALLS / rate), MOST_SECONDS)
        self.seed += 1
        command = [
            self.bench.build / "bench/open_loop", self.server.url + self.request.path, "--body", self.request.body,
            "--rate", rate, "--seconds", seconds, "--warm-up", 0.5, "--connections", CONNECTIONS,
            "--objective-us", round(self.objective_us), "--seed", self.seed, "--real-time", 1,
            "--max-outstanding", 100_000,
        ]  # fmt: skip
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False, env=environment()
        )
        if result.returncode != 0:
            raise RuntimeError(f"{result.stderr}{self.server.log.read_text()[-2000:]}")
        answer = json.loads(result.stdout)
        return Run(
            rate, seconds, answer["arrived"], answer["within"], answer["arrived"] - answer["answered"],
            answer["latency_us"]["p99"] if answer["answered"] else 0.0,
            (answer["refused_us"] or {}).get("p99", 0.0), answer["kept_up"], answer["cpu_seconds"] / seconds,
        )  # fmt: skip


def sustainable(served, capacity):
    """The run at the highest rate that is sustained, sought up to a little above what a closed loop gets."""
    low, high, best = 0.0, 1.1 * capacity, None
    for _ in range(STEPS):
        rate = (low + high) / 2
        run = served.run(rate)
        if DOUBTFUL[0] <= run.within_share <= DOUBTFUL[1]:
            run += served.run(rate)
        elif run.within_share < WITHIN_SHARE:
            # All that comes later is sought below a rate that has failed, so no disturbance may decide it alone.
            run = served.run(rate)
        held = run.within_share >= WITHIN_SHARE
        progress("objective", [f"{rate:.1f}/s", f"{run.within_share:.2%} in time", "held" if held else "not held"])
        if held:
            low, best = rate, run
        else:
            high = rate
    return best


def measure(bench):
    rows, notes = [], []
    for name in bench.options.objective_models.split(","):
        workload = next(workload for workload in bench.work if workload.name == name)
        request = bench.request(f"{name}.objective", name, workload.inputs)
        single = closed_loop(bench, request, Level(1, 1))
        objective_us = TIMES_SINGLE * 1e6 / single
        capacity = closed_loop(bench, request, Level(CONNECTIONS, 4))
        served, others = Served(bench, workload, objective_us), OtherPrograms()
        try:
            # What is learned of the model while it is busy, before anything is judged.
            served.run(0.7 * capacity)
            best = sustainable(served, capacity)
            if best is None:
                notes.append(f"{name}: no load was sustained within {objective_us / 1000:.1f} ms. MISSED")
                continue
            runs = {share: [] for share in SHARES}
            for _ in range(RUNS):
                for share, of_share in runs.items():
                    of_share.append(served.run(share * best.rate))
        finally:
            served.server.stop()
        taken = others.cores()
        notes.append(
            f"{name}: a single request takes {1e3 / single:.2f} ms, so the objective is {objective_us / 1000:.2f} ms;"
            f" {best.rate:,.1f} requests/s are sustained, {best.rate / capacity:.0%} of what a closed loop of"
            f" {Level(CONNECTIONS, 4).in_flight} gets without an objective. Other programs kept {taken:.2f} cores busy"
            f"{'.' if taken <= QUIET_CORES else ': what follows is to be judged on a quieter machine.'}"
        )
        most = max(best.goodput, *(median([run.goodput for run in runs[share]]) for share in SHARES if share <= 1))
        for share, of_share in runs.items():
            rows.append(_row(name, share, of_share, objective_us, most))
            progress("objective", rows[-1])
    return (
        "## Latency objectives, under calls that arrive at random\n\n"
        + "\n".join(f"- {note}" for note in notes)
        + "\n\n"
        + table(
            ["model", "load", "requests/s", "refused: median, worst", "p99 / objective: median, worst",
             "goodput / the most", "p99 of refusals, ms", "the client's cores", "target"], rows,
        )  # fmt: skip
    )


def closed_loop(bench, request, level):
    """Requests a second of a closed loop, without an objective."""
    answer = len(load.ask_once(bench.modelmill.url, request))
    count = load.calibrate(bench.modelmill, request, level, bench.options.seconds, answer)
    runs = [load.run(bench.modelmill, request, level, count, answer) for _ in range(bench.options.repeats)]
    return median([run.requests_per_second for run in runs])


def _verdict(share, runs, objective_us, most):
    """Whether each run was what its share of the sustainable load has to be; at three times it, their median."""
    in_time = all(run.p99_us <= objective_us for run in runs)
    if share > 1:
        goodput = median([run.goodput for run in runs]) / most
        what, reached = "goodput 0.9, p99 held", goodput >= GOODPUT_TARGET and in_time
    elif share > 0.9:
        what, reached = "1% refused", all(run.refused_share <= REFUSED_TARGET for run in runs)
    else:
        what, reached = "nothing refused, p99 held", in_time and all(run.refused == 0 for run in runs)
    text = f"{what}: {'reached' if reached else 'MISSED'}"
    return text if all(run.kept_up for run in runs) else text + ", but the load generator could not keep up"


def _row(name, share, runs, objective_us, most):
    p99 = [run.p99_us / objective_us for run in runs]
    refused = [run.refused_share for run in runs]
    return [
        name, f"{share:.0%}", f"{runs[0].rate:,.1f}", f"{median(refused):.2%}, {max(refused):.2%}",
        f"**{median(p99):.2f}**, {max(p99):.2f}", f"**{median([run.goodput for run in runs]) / most:.2f}**",
        f"{median([run.refused_p99_us for run in runs]) / 1000:.2f}", f"{median([r.client_cores for r in runs]):.2f}",
        _verdict(share, runs, objective_us, most),
    ]  # fmt: skip
