"""What the scheduler itself costs a request, with a backend that does nothing."""

import json
import subprocess

from measure import median, progress, table, verdict

TARGETS_US = {"inline": 0.3, "handed over": 1.5}


def measure(bench):
    runs = [_run(bench) for _ in range(bench.options.repeats)]
    rows = []
    for name in runs[0]:
        value = median([run[name] for run in runs]) / 1000
        target = next((us for kind, us in TARGETS_US.items() if name.startswith(kind)), None)
        rows.append([name, f"{value:.3f}", verdict(value, target)])
        progress("scheduler", rows[-1])
    return "## The scheduler, with a backend that does nothing\n\n" + table(["a request", "CPU us", "target"], rows)


def _run(bench):
    command = [str(bench.build / "src/schedule/mm_schedule_bench"), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
