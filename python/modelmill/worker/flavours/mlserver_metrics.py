"""mlserver.register() and mlserver.log(), whose metrics the server shows at /metrics."""

import contextlib
import importlib

from modelmill import api


_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)  # as MLServer's have


class Metric:
    """What register() gives: a histogram, as MLServer's are. Each set of labels is a series of its own."""

    def __init__(self, name, description):
        self._name, self._description = name, description
        self._series = {}

    def labels(self, *_, **labels):
        return _Labelled(self, labels)

    def observe(self, value, *_, **__):
        self._observe(value, {})

    def _observe(self, value, labels):
        own = {"model_name": api.name(), "model_version": _version()}
        labels = {**own, **{name: str(text) for name, text in labels.items()}}
        key = tuple(sorted(labels.items()))
        if key not in self._series:
            self._series[key] = api.Histogram(self._name, self._description, _BUCKETS, labels)
        self._series[key].observe(value)


class _Labelled:
    def __init__(self, metric, labels):
        self._metric, self._labels = metric, labels

    def observe(self, value, *_, **__):
        self._metric._observe(value, self._labels)


def _version():
    with contextlib.suppress(ImportError, LookupError):
        return importlib.import_module("mlserver.context").model_version_var.get() or ""
    return ""


_metrics = {}


def register(name, description):
    return _metrics.setdefault(name, Metric(name, description))


def log(**metrics):
    for name, value in metrics.items():
        register(name, name).observe(value)


def take_over(package):
    """Before the model's module is imported: what it imports of the package is these."""
    package.register, package.log = register, log
    for module in ("mlserver.metrics", "mlserver.metrics.context"):
        with contextlib.suppress(ImportError):
            found = importlib.import_module(module)
            found.register, found.log = register, log
