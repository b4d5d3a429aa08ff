"""Calls that arrive at random at a server, a Poisson process of a given rate, and the highest rate that it sustains."""

import dataclasses
import json
import subprocess

import load
from measure import median, progress
from processes import environment

WITHIN_SHARE = 0.99
STEPS = 7  # of the bisection: to 1% of where it begins
# Near the limit one run is too few calls to decide by; then two are put together.
DOUBTFUL = (0.97, 0.996)
# A run has at least so many calls, as long as it then takes no longer than so many seconds.
LEAST_CALLS, MOST_SECONDS = 400, 8


@dataclasses.dataclass
class Run:
    """One run of open_loop, or several put together."""

    rate: float
    seconds: float
    arrived: int
    within: int
    refused: int  # with the calls that were left out or never answered
    p50_us: float
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
            self.refused + other.refused, max(self.p50_us, other.p50_us), max(self.p99_us, other.p99_us),
            max(self.refused_p99_us, other.refused_p99_us), self.kept_up and other.kept_up,
            (self.client_cores + other.client_cores) / 2,
        )  # fmt: skip


class OpenLoad:
    """Calls of one request to a server that runs already. Every run has arrivals of its own seed; what is answered
    within the objective is counted apart."""

    def __init__(self, bench, server, request, objective_us, connections):
        self.bench = bench
        self.server = server
        self.request = request
        self.objective_us = objective_us
        self.connections = connections
        self.seed = 0
        load.ask_once(server.url, request)

    def run(self, rate, seconds=None):
        """`seconds` are chosen where none are given."""
        seconds = seconds or min(max(self.bench.options.objective_seconds, LEAST_CALLS / rate), MOST_SECONDS)
        self.seed += 1
        command = [
            self.bench.build / "bench/open_loop", self.server.url + self.request.path, "--body", self.request.body,
            "--rate", rate, "--seconds", seconds, "--warm-up", 0.5, "--connections", self.connections,
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
            *(answer["latency_us"][what] if answer["answered"] else 0.0 for what in ("p50", "p99")),
            (answer["refused_us"] or {}).get("p99", 0.0), answer["kept_up"], answer["cpu_seconds"] / seconds,
        )  # fmt: skip


def sustainable(arrivals, capacity, section):
    """The run at the highest rate that is sustained, sought up to a little above what a closed loop gets."""
    low, high, best = 0.0, 1.1 * capacity, None
    for _ in range(STEPS):
        rate = (low + high) / 2
        run = arrivals.run(rate)
        if DOUBTFUL[0] <= run.within_share <= DOUBTFUL[1]:
            run += arrivals.run(rate)
        elif run.within_share < WITHIN_SHARE:
            # All that comes later is sought below a rate that has failed, so no disturbance may decide it alone.
            run = arrivals.run(rate)
        held = run.within_share >= WITHIN_SHARE
        progress(section, [f"{rate:.1f}/s", f"{run.within_share:.2%} in time", "held" if held else "not held"])
        if held:
            low, best = rate, run
        else:
            high = rate
    return best


def closed_loop(bench, server, request, level):
    """Requests a second of a closed loop."""
    answer = len(load.ask_once(server.url, request))
    count = load.calibrate(server, request, level, bench.options.seconds, answer)
    runs = [load.run(server, request, level, count, answer) for _ in range(bench.options.repeats)]
    return median([run.requests_per_second for run in runs])
