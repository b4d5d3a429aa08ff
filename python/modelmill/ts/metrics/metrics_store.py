"""Metrics of handlers, shown at /metrics."""

import re

from modelmill import api

from .dimension import Dimension
from .metric_type_enum import MetricTypes

_KINDS = {MetricTypes.COUNTER: api.Counter, MetricTypes.GAUGE: api.Gauge, MetricTypes.HISTOGRAM: api.Histogram}
_HELP = "Of a TorchServe handler"


class CachingMetric:
    """A metric by its name, with a series for each combination of its labels' values."""

    def __init__(self, metric_name, unit, dimension_names, metric_type):
        self.metric_name, self.unit, self.metric_type = metric_name, unit, metric_type
        self.dimension_names = list(dimension_names)
        name = re.sub(r"[^a-zA-Z0-9_:]", "_", metric_name)
        counts = metric_type == MetricTypes.COUNTER and not name.endswith("_total")
        self._name = name + "_total" if counts else name
        self._series = {}

    def add_or_update(self, value, dimension_values=(), request_id=""):
        values = tuple(map(str, dimension_values))
        if len(values) != len(self.dimension_names):
            raise ValueError(
                f"metric '{self.metric_name}' has the dimensions {self.dimension_names}, but {len(values)} values were given"
            )
        series = self._series.get(values)
        if series is None:
            labels = dict(zip([re.sub(r"[^a-zA-Z0-9_]", "_", name) for name in self.dimension_names], values))
            series = self._series[values] = _KINDS[self.metric_type](self._name, _HELP, labels=labels)
        if self.metric_type == MetricTypes.COUNTER:
            series.inc(value)
        elif self.metric_type == MetricTypes.GAUGE:
            series.set(value)
        else:
            series.observe(value)

    update = add_or_update


class MetricsStore:
    """`context.metrics`."""

    def __init__(self, model_name):
        self.model_name = model_name
        self.cache = {}

    def add_metric_to_cache(self, metric_name, unit, dimension_names=(), metric_type=MetricTypes.COUNTER):
        key = (metric_type, metric_name)
        known = self.cache.get(key)
        if known is None or known.dimension_names != list(dimension_names):
            known = self.cache[key] = CachingMetric(metric_name, unit, dimension_names, metric_type)
        return known

    def get_metric(self, metric_name, metric_type=MetricTypes.COUNTER):
        if (metric_type, metric_name) not in self.cache:
            raise KeyError(f"there is no {metric_type.value} '{metric_name}'; add_metric_to_cache() makes it")
        return self.cache[metric_type, metric_name]

    def add_metric(self, name, value, unit, idx=None, dimensions=None, metric_type=MetricTypes.COUNTER):
        dimensions = [Dimension("ModelName", self.model_name), Dimension("Level", "Model"), *(dimensions or ())]
        labels = {dimension.name: dimension.value for dimension in dimensions}
        self.add_metric_to_cache(name, unit, list(labels), metric_type).add_or_update(value, list(labels.values()))

    def add_counter(self, name, value, idx=None, dimensions=None):
        self.add_metric(name, value, "count", idx, dimensions, MetricTypes.COUNTER)

    def add_time(self, name, value, idx=None, unit="ms", dimensions=None, metric_type=MetricTypes.GAUGE):
        self._check(name, unit, ("ms", "s"))
        self.add_metric(name, value, unit, idx, dimensions, metric_type)

    def add_size(self, name, value, idx=None, unit="MB", dimensions=None, metric_type=MetricTypes.GAUGE):
        self._check(name, unit, ("B", "kB", "KB", "MB", "GB"))
        self.add_metric(name, value, unit, idx, dimensions, metric_type)

    def add_percent(self, name, value, idx=None, dimensions=None, metric_type=MetricTypes.GAUGE):
        self.add_metric(name, value, "percent", idx, dimensions, metric_type)

    def add_error(self, name, value, dimensions=None, metric_type=MetricTypes.COUNTER):
        self.add_metric(name, value, "", None, dimensions, metric_type)

    @staticmethod
    def _check(name, unit, units):
        if unit not in units:
            raise ValueError(f"metric '{name}' has the unit '{unit}'; it must be one of {', '.join(units)}")
