"""What it costs to find a model and pin its version, by how many models there are."""

import json
import subprocess

from measure import median, progress, table, verdict

FLAT_TARGET = 1.5  # times what it costs among the fewest


def measure(bench):
    runs = [_run(bench) for _ in range(bench.options.repeats)]
    rows, fewest = [], next(iter(runs[0]))
    for count in runs[0]:
        flat = median([run[count]["one_name"] / run[fewest]["one_name"] for run in runs])
        row = [f"{int(count):,}"]
        row += [f"{median([run[count][which] for run in runs]):.0f}" for which in ("one_name", "any_name")]
        rows.append([*row, f"**{flat:.2f}**", verdict(flat, FLAT_TARGET)])
        progress("lookup", rows[-1])
    return "## To find a model and pin its version\n\n" + table(
        ["models", "one name, ns", "names by chance, ns", f"one name / among {fewest}", "target"], rows
    )


def _run(bench):
    command = [str(bench.build / "src/catalog/mm_catalog_bench"), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
