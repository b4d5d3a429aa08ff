"""A latency objective under load as the world makes it: calls that arrive at random, whatever the server does.

For each model the time of a single request is measured first, one after another; the objective is five times that.
A server is started with it. The sustainable load is the highest rate of a Poisson process at which 99% of the calls are
answered within the objective, found by bisection. Then shares of it are run, each five times, with calls that carry no
deadline of their own: what cannot be answered in time is for the server to refuse.
"""

from load import Level
from measure import median, progress, table
from open_load import OpenLoad, closed_loop, sustainable
from processes import OtherPrograms, Process

MODELS = ("cnn", "transformer")
TIMES_SINGLE = 5
SHARES = (0.5, 0.8, 0.95, 3.0)
RUNS = 5
CONNECTIONS = 8
QUIET_CORES = 0.1  # that other programs may use where latencies are to be judged
REFUSED_TARGET = 0.01
GOODPUT_TARGET = 0.9


def measure(bench):
    rows, notes = [], []
    for name in bench.options.objective_models.split(","):
        request = bench.request(f"{name}.objective", name, bench.workload(name).inputs)
        single = closed_loop(bench, bench.modelmill, request, Level(1, 1))
        objective_us = TIMES_SINGLE * 1e6 / single
        capacity = closed_loop(bench, bench.modelmill, request, Level(CONNECTIONS, 4))
        server, others = _serve(bench, name, objective_us), OtherPrograms()
        try:
            arrivals = OpenLoad(bench, server, request, objective_us, CONNECTIONS)
            # What is learned of the model while it is busy, before anything is judged.
            arrivals.run(0.7 * capacity)
            best = sustainable(arrivals, capacity, "objective")
            if best is None:
                notes.append(f"{name}: no load was sustained within {objective_us / 1000:.1f} ms. MISSED")
                continue
            runs = {share: [] for share in SHARES}
            for _ in range(RUNS):
                for share, of_share in runs.items():
                    of_share.append(arrivals.run(share * best.rate))
        finally:
            server.stop()
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


def _serve(bench, name, objective_us):
    return Process(
        "modelmill",
        [bench.build / "modelmill", "serve", bench.folder / "models" / name, "--port", 0, "--io-threads", 2,
         "--log-level", "warning", "--objective-p99", f"{objective_us:.0f}us"],
        bench.folder / f"{name}.objective.log",
    )  # fmt: skip


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
