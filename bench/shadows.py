"""What requests notice of a shadow of their route: the same calls along a route without a shadow, and along routes of
which a shadow gets a tenth and all of what is answered, in turn.

All routes lead to one version of a model; the shadow is another version of the same file, which the same cores run.
Calls arrive at random, at shares of what a closed loop along the route without a shadow gets: at the lower one there is
room for a copy of each request, at the higher one there is not, and what has no room is shed.
"""

import dataclasses
import json
import time

from load import Level
from measure import median, progress, table
from open_load import OpenLoad, closed_loop
from plain_call import call
from processes import OtherPrograms, Process

MODELS = ("cnn", "mlp")
SHARES = (0.3, 0.7)  # of what a closed loop gets
CONNECTIONS = 64
LEAST_REPEATS = 5
QUIET_CORES = 0.1
# What is still to be compared after a load: it is over when nothing was for STILL_SECONDS.
STILL_SECONDS, MOST_SECONDS = 2, 120
# By the route's name: what its shadow gets; None: it has no shadow.
ROUTES = {"alone": None, "a-tenth": "10%", "everything": "100%"}


@dataclasses.dataclass
class Measured:
    """One run of the load, and what became of the copies of its requests."""

    run: object
    compared: int
    shed: int


class Subject:
    """One model of the workloads behind a server of its own, and the routes to it."""

    def __init__(self, bench, name):
        folder, workload = bench.folder / "shadows" / name, bench.workload(name)
        for version in ("1", "2"):
            (folder / "models" / name / version).mkdir(parents=True)
            (folder / "models" / name / version / "model.onnx").symlink_to(workload.path)
        (folder / "models" / name / "config.pbtxt").write_text("version_policy { all { } }\n")
        self.name = name
        self.server = Process(
            "modelmill",
            [bench.build / "modelmill", "serve", folder / "models", "--port", 0, "--io-threads", 2,
             "--log-level", "warning", "--state-dir", folder / "state"],
            folder / "log",
        )  # fmt: skip
        self.requests = {route: bench.request(f"{name}.{route}", route, workload.inputs) for route in ROUTES}
        for route, share in ROUTES.items():
            shadow = [] if share is None else [{"target": f"{name}@2", "share": share}]
            self._admin("PUT", route, {"split": {f"{name}@1": 100}, "shadow": shadow})
        self.capacity = closed_loop(bench, self.server, self.requests["alone"], Level(CONNECTIONS, 1))
        self.loads = {
            route: OpenLoad(bench, self.server, request, 1e6, CONNECTIONS) for route, request in self.requests.items()
        }

    def _admin(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        status, text = call(self.server.url, method, f"/admin/routes/{path}", data)
        if status != 200:
            raise RuntimeError(f"{method} of route '{path}': {status} {text[:500]!r}")
        return json.loads(text)

    def _copies(self, route):
        """(compared, shed) of the route's shadow since it is there; answers of one file that differ are an error."""
        if ROUTES[route] is None:
            return 0, 0
        (shadow,) = self._admin("GET", f"{route}/shadow")["shadow"]
        if shadow["disagreed"] or shadow["failed"]:
            raise RuntimeError(f"copies of '{self.name}' fail, or have other answers: {shadow}")
        return shadow["compared"], shadow["shed"]

    def measure(self, route, rate, seconds):
        before = self._copies(route)
        run = self.loads[route].run(rate, seconds)
        compared, shed = (now - then for now, then in zip(self._copies_at_rest(route), before))
        return Measured(run, compared, shed)

    def _copies_at_rest(self, route):
        """Once no copy is under way, which would be counted, and keep cores busy, in the next run."""
        end = time.monotonic() + MOST_SECONDS
        copies, since = self._copies(route), time.monotonic()
        while ROUTES[route] is not None and time.monotonic() - since < STILL_SECONDS:
            if time.monotonic() > end:
                raise RuntimeError(f"copies of '{self.name}' along '{route}' go on {MOST_SECONDS} s after the load")
            time.sleep(0.1)
            if (now := self._copies(route)) != copies:
                copies, since = now, time.monotonic()
        return copies


def measure(bench):
    notes, rows = [], []
    for name in bench.options.shadow_models.split(","):
        subject = Subject(bench, name)
        try:
            note, of_model = _measure_model(bench, subject)
        finally:
            subject.server.stop()
        notes.append(note)
        rows += of_model
    return (
        "## A shadow of a route, and what requests notice of it\n\n"
        + "\n".join(f"- {note}" for note in notes)
        + "\n\n"
        + table(
            ["model", "load", "requests/s", "copied", "failed requests", "p50, ms: median, range",
             "p50 / without: median, range", "p99, ms: median, range", "p99 / without: median, range",
             "copies compared", "copies shed"], rows,
        )  # fmt: skip
    )


def _measure_model(bench, subject):
    """(what is to be known of it, its rows)"""
    others, rows = OtherPrograms(), []
    for share in SHARES:
        rate, runs = share * subject.capacity, {route: [] for route in ROUTES}
        for repeat in range(max(LEAST_REPEATS, bench.options.repeats)):
            names = list(ROUTES)
            for route in names[repeat % len(names) :] + names[: repeat % len(names)]:
                runs[route].append(subject.measure(route, rate, bench.options.shadow_seconds))
        for route in ROUTES:
            rows.append(_row(subject.name, share, rate, route, runs))
            progress("shadows", rows[-1])
    taken = others.cores()
    note = (
        f"{subject.name}: a closed loop of {CONNECTIONS} gets {subject.capacity:,.1f} requests/s along the route without"
        f" a shadow. Other programs kept {taken:.2f} cores busy"
        f"{'.' if taken <= QUIET_CORES else ': what follows is to be judged on a quieter machine.'}"
    )
    return note, rows


def _row(name, share, rate, route, runs):
    measured, without = runs[route], runs["alone"]
    cells = []
    for what in ("p50_us", "p99_us"):
        values = [getattr(one.run, what) / 1000 for one in measured]
        cells.append(f"{median(values):.2f}, {min(values):.2f} to {max(values):.2f}")
        pairs = [(getattr(one.run, what), getattr(base.run, what)) for one, base in zip(measured, without)]
        # A time of nothing is that of a run in which nothing was answered.
        ratios = [with_it / alone for with_it, alone in pairs if with_it > 0 and alone > 0]
        of_them = "nothing was answered"
        if ratios:
            of_them = f"**{median(ratios):.2f}**, {min(ratios):.2f} to {max(ratios):.2f}"
        cells.append("" if measured is without else of_them)
    if not all(one.run.kept_up for one in measured):
        cells[-2] += ", but the load generator could not keep up"
    failed = sum(one.run.refused for one in measured)
    compared, shed = (sum(getattr(one, what) for one in measured) for what in ("compared", "shed"))
    copies = ["", ""] if ROUTES[route] is None else [f"{compared:,}", f"{shed:,}"]
    return [name, f"{share:.0%}", f"{rate:,.1f}", ROUTES[route] or "nothing", str(failed), *cells, *copies]
