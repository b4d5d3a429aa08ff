"""What requests notice of the swaps of their model's versions: the same load without them and with them, in turn.

The load is a share of what is sustained: of the highest rate of a Poisson process at which 99% of the calls are
answered within five times the time of a single request. Swaps go through the V2 API, each followed by the load and the
unload of another model; once a second, as a busy deployment may, and without a rest, so that every request meets one.

Each version answers otherwise than the one before. Beside the load a client looks at a sample of answers: whether the
version that an answer names may have served at that moment, and whether the answer is that version's.
"""

import dataclasses

from answers import Asking, Sampling
from load import Level
from measure import median, progress, table, verdict
from open_load import OpenLoad, closed_loop, sustainable
from processes import OtherPrograms
from versioned_model import Swapping, VersionedModel, check_served, explicit_server

MODELS = ("cnn", "mlp")
TIMES_SINGLE = 5
SHARE = 0.7
CONNECTIONS = 64
LEAST_REPEATS = 5
ALONE = 10  # swaps without load
QUIET_CORES = 0.1
VARIANTS = 4  # of the versions' answers
SAME = 1e-4  # of an output's largest value
P99_TARGET = 1.5  # of that without swaps
# By name: seconds between two swaps; None: no swaps.
WAYS = {"none": None, "one a second": 1.0, "without a rest": 0.0}


@dataclasses.dataclass
class Measured:
    """One run of the load, with the swaps that were done meanwhile, and the answers that were looked at."""

    run: object
    load_ms: list
    looked_at: int
    misrouted: list


class Subject:
    """One model of the workloads behind a server of its own, and beside it `other`, which is the same."""

    def __init__(self, bench, name):
        repository = bench.folder / "swaps" / name / "models"
        workload = bench.workload(name)
        self.bench = bench
        self.name = name
        self.model = VersionedModel(repository, name, workload.path, VARIANTS)
        VersionedModel(repository, "other", workload.path)
        self.request = bench.request(f"{name}.swaps", name, workload.inputs)
        self.server = explicit_server(bench, f"{name}.swaps", repository, f"--load-model={name}")
        with Asking(self.server, self.request) as asking:
            self.expected = asking.ask()
        self.model.served = self.expected.version

    def arrivals(self):
        """What loads it, after its sustainable load has been found; that load's run, or None."""
        single = closed_loop(self.bench, self.server, self.request, Level(1, 1))
        capacity = closed_loop(self.bench, self.server, self.request, Level(CONNECTIONS, 1))
        arrivals = OpenLoad(self.bench, self.server, self.request, TIMES_SINGLE * 1e6 / single, CONNECTIONS)
        return arrivals, sustainable(arrivals, capacity, "swaps")

    def sampling(self):
        return Sampling(self.server, self.request, lambda: self.model.served, self.what_is_wrong)

    def what_is_wrong(self, served, answer):
        """Of an answer that was asked for when the version `served` did."""
        if not served <= answer.version <= self.model.version:
            return f"version {answer.version} answered, after {served} and before {self.model.version + 1} were there"
        difference = answer.difference(self.expected, self.model.factor_of(answer.version))
        return f"the answer of version {answer.version} is {difference:.1g} off" if difference > SAME else None

    def measure(self, arrivals, rate, interval):
        """One run; its seconds and the sampling are the same with and without swaps."""
        seconds, load_ms = self.bench.options.swap_seconds, []
        with self.sampling() as sampling:
            if interval is None:
                run = arrivals.run(rate, seconds)
            else:
                with Swapping(self.server, self.model, "other", interval) as swapping:
                    run = arrivals.run(rate, seconds)
                check_served(self.server, self.model)
                load_ms = swapping.load_ms
        return Measured(run, load_ms, sampling.count, sampling.wrong)


def measure(bench):
    notes, rows = [], []
    for name in bench.options.swap_models.split(","):
        subject = Subject(bench, name)
        try:
            note, of_model = _measure_model(bench, subject)
        finally:
            subject.server.stop()
        notes.append(note)
        rows += of_model
    return (
        "## Version swaps under load\n\n"
        + "\n".join(f"- {note}" for note in notes)
        + "\n\n"
        + table(
            ["model", "swaps", "swaps done", "failed requests", "target", "misrouted, of those looked at",
             "target", "p99, ms: median, range",
             "p99 / without: median, range", "target", "a load, ms: median, worst"], rows,
        )  # fmt: skip
    )


def _measure_model(bench, subject):
    """(what is to be known of it, its rows)"""
    arrivals, best = subject.arrivals()
    if best is None:
        return f"{subject.name}: no load was sustained. MISSED", []
    rate, others = SHARE * best.rate, OtherPrograms()
    alone = [subject.model.swap(subject.server) for _ in range(ALONE)]
    runs = {way: [] for way in WAYS}
    for repeat in range(max(LEAST_REPEATS, bench.options.repeats)):
        names = list(WAYS)
        for way in names[repeat % len(names) :] + names[: repeat % len(names)]:
            runs[way].append(subject.measure(arrivals, rate, WAYS[way]))
    taken = others.cores()
    note = (
        f"{subject.name}: {best.rate:,.1f} requests/s are sustained within {arrivals.objective_us / 1000:.2f} ms, and"
        f" {rate:,.1f} were sent over {CONNECTIONS} connections. A swap alone takes {median(alone):.1f} ms"
        f" ({min(alone):.1f} to {max(alone):.1f}). Other programs kept {taken:.2f} cores busy"
        f"{'.' if taken <= QUIET_CORES else ': what follows is to be judged on a quieter machine.'}"
    )
    rows = []
    for way in WAYS:
        rows.append(_row(subject.name, way, runs[way], runs["none"]))
        progress("swaps", rows[-1])
    return note, rows


def _row(name, way, measured, without):
    p99 = [one.run.p99_us / 1000 for one in measured]
    failed = sum(one.run.refused for one in measured)
    misrouted = [wrong for one in measured for wrong in one.misrouted]
    for wrong in misrouted:
        progress("swaps", [name, way, wrong])
    looked_at = f"{len(misrouted)} of {sum(one.looked_at for one in measured)}"
    p99_text = f"{median(p99):.2f}, {min(p99):.2f} to {max(p99):.2f}"
    row = [name, way, "", str(failed), "", looked_at, verdict(len(misrouted), 0), p99_text, "", "", ""]
    if measured is without:
        return row
    ratios = [one.run.p99_us / base.run.p99_us for one, base in zip(measured, without)]
    load_ms = [took for one in measured for took in one.load_ms]
    row[2], row[4] = str(len(load_ms)), verdict(failed, 0)
    row[8] = f"**{median(ratios):.2f}**, {min(ratios):.2f} to {max(ratios):.2f}"
    row[9] = verdict(median(ratios), P99_TARGET)
    if not all(one.run.kept_up for one in (*measured, *without)):
        row[9] += ", but the load generator could not keep up"
    row[10] = f"{median(load_ms):.1f}, {max(load_ms):.1f}"
    return row
