"""A model's own metrics, and the log."""

import enum
import logging
import threading

from modelmill import api

from .errors import TritonModelException

_log = logging.getLogger("modelmill.triton")
_log.setLevel(logging.DEBUG)  # the server has the say


class MetricKind(enum.IntEnum):
    COUNTER, GAUGE, HISTOGRAM = range(3)


class MetricFamily:
    """Metrics of one name, which differ in their labels.

    The server's /metrics has them with the labels `model` and `version` of the model beside their own. A counter whose
    name does not end in _total gets that ending.
    """

    COUNTER, GAUGE, HISTOGRAM = MetricKind

    def __init__(self, name, description, kind):
        if kind not in (self.COUNTER, self.GAUGE, self.HISTOGRAM):
            raise TritonModelException(f"metric '{name}': {kind!r} is no kind; there are COUNTER, GAUGE, HISTOGRAM")
        self._name, self._description, self._kind, self._metrics = name, description, kind, {}

    def Metric(self, labels=None, buckets=None):
        """The one with these labels; the same again for the same labels. `buckets`: upper bounds, of a histogram."""
        labels = {str(key): str(value) for key, value in (labels or {}).items()}
        key = tuple(sorted(labels.items()))
        if key not in self._metrics:
            self._metrics[key] = self._make(labels, buckets)
        return self._metrics[key]

    def _make(self, labels, buckets):
        if (buckets is not None) != (self._kind == self.HISTOGRAM):
            raise TritonModelException(f"metric '{self._name}': a histogram has buckets, and nothing else has")
        labels = {_label(key, value): value for key, value in labels.items()}
        labels.pop(None, None)
        if self._kind == self.HISTOGRAM:
            return Metric(self, api.Histogram(self._name, self._description, list(buckets), labels))
        if self._kind == self.GAUGE:
            return Metric(self, api.Gauge(self._name, self._description, labels))
        name = self._name if self._name.endswith("_total") else self._name + "_total"
        return Metric(self, api.Counter(name, self._description, labels))


def _label(key, value):
    """The name of a label; None for one that the server gives itself."""
    own = {"model": api.name(), "version": str(api._told("version", ""))}.get(key)
    return key if own is None else None if own == value else "exported_" + key


class Metric:
    """One number, or one histogram. value() knows of what this instance of the model has done."""

    def __init__(self, family, metric):
        self._kind, self._name, self._metric = family._kind, family._name, metric
        self._value, self._lock = 0.0, threading.Lock()
        if self._kind != MetricFamily.HISTOGRAM:
            metric._update(0)  # it is there from now on

    def _only(self, what, *kinds):
        if self._kind not in kinds:
            raise TritonModelException(f"metric '{self._name}' is of a kind that has no {what}()")

    def increment(self, value):
        self._only("increment", MetricFamily.COUNTER, MetricFamily.GAUGE)
        if self._kind == MetricFamily.COUNTER and value < 0:
            raise TritonModelException(f"metric '{self._name}' is a counter, which can't be incremented by {value}")
        with self._lock:
            self._value += value
            self._metric._update(value if self._kind == MetricFamily.COUNTER else self._value)

    def set(self, value):
        self._only("set", MetricFamily.GAUGE)
        with self._lock:
            self._value = float(value)
            self._metric._update(value)

    def observe(self, value):
        self._only("observe", MetricFamily.HISTOGRAM)
        self._metric._update(value)

    def value(self):
        self._only("value", MetricFamily.COUNTER, MetricFamily.GAUGE)
        return self._value


class LogLevel(enum.IntEnum):
    INFO, WARNING, ERROR, VERBOSE = range(4)


class Logger:
    """Writes into the server's log, under the model's name."""

    INFO, WARNING, ERROR, VERBOSE = LogLevel
    WARN, LogLevel = WARNING, LogLevel
    _LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.DEBUG)

    @staticmethod
    def log(message, level=INFO):
        _log.log(Logger._LEVELS[level], "%s", message)

    @staticmethod
    def log_info(message):
        _log.info("%s", message)

    @staticmethod
    def log_warn(message):
        _log.warning("%s", message)

    @staticmethod
    def log_error(message):
        _log.error("%s", message)

    @staticmethod
    def log_verbose(message):
        _log.debug("%s", message)
