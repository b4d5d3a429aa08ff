"""What the sections of bench/run.py share: measures that can be interleaved, their ratios, and tables."""

import statistics
import sys

import load


def served(bench, server, request, level):
    """A measure of one server at one level, calibrated once and checked against its first answer."""
    answer = len(load.ask_once(server.url, request))
    count = load.calibrate(server, request, level, bench.options.seconds, answer)
    return lambda: load.run(server, request, level, count, answer)


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


def table(head, rows):
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(r) + " |" for r in rows)]
    )


def progress(section, row):
    print(f"{section:9}", "  ".join(row), file=sys.stderr, flush=True)
