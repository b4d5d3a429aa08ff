"""What the sections of bench/run.py share: measures that can be interleaved, their ratios, and tables."""

import statistics
import sys

import load


def served(bench, server, request, level):
    """A measure of one server at one level, calibrated once and checked against its first answer."""
    answer = len(load.ask_once(server.url, request))
    count = load.calibrate(server, request, level, bench.options.seconds, answer)
    return lambda: load.run(server, request, level, count, answer)


def interleaved(measures, repeats):
    """{name: [value of each repeat]}; every repeat takes all, each time beginning with another."""
    values = {name: [] for name in measures}
    names = list(measures)
    for repeat in range(repeats):
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            values[name].append(measures[name]())
    return values


def median(values):
    return statistics.median(values)


def ratio(over, under, of):
    return median([of(a) / of(b) for a, b in zip(over, under)])


def cpu(outcome):
    return outcome.cpu_us


def speed(outcome):
    return outcome.requests_per_second


def verdict(value, target):
    """Of what must not be above its target."""
    return "" if target is None else f"{target:g} {'reached' if value <= target else 'MISSED'}"


def verdict_at_least(value, target):
    return "" if target is None else f"{target:g} {'reached' if value >= target else 'MISSED'}"


def cost_row(section, name, level, ours, identity, bares, target):
    """CPU of an inference, less the identity's with as many bytes, against bare runs: `bares` has their outcomes by the
    size of their batches, of which the cheapest counts. Its columns are COST_HEAD."""
    batch = min(bares, key=lambda batch: median(map(cpu, bares[batch])))
    bare = bares[batch]
    value = median([(a.cpu_us - i.cpu_us) / b.cpu_us for a, i, b in zip(ours, identity, bare)])
    row = [
        name, str(level), f"{median(map(cpu, ours)):.1f}", f"{median(map(cpu, identity)):.1f}",
        f"{median(map(cpu, bare)):.1f} ({batch} at a time)", f"**{value:.3f}**", verdict(value, target),
    ]  # fmt: skip
    progress(section, row)
    return row


COST_HEAD = ["model", "connections x streams", "CPU us", "the identity's", "bare at its cheapest, CPU us",
             "bare, less the identity", "target"]  # fmt: skip


def table(head, rows):
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(r) + " |" for r in rows)]
    )


def progress(section, row):
    print(f"{section:9}", "  ".join(row), file=sys.stderr, flush=True)
