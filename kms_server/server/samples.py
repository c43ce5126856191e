"""Metrics of one sample, or of a few, for collectors."""

from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import HistogramMetricFamily

from kms_server.server.tally import BOUNDS, Histogram


def gauge(name: str, about: str, value: float, labels: Mapping[str, str] | None = None) -> Metric:
    """A value that rises and falls."""
    metric = Metric(name, about, "gauge")
    metric.add_sample(name, dict(labels or {}), value)
    return metric


def counter(name: str, about: str, counted: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    """Counts that only grow, by their labels; `name` is without `_total`."""
    metric = Metric(name, about, "counter")
    for labels, count in counted:
        metric.add_sample(f"{name}_total", dict(labels), count)
    return metric


def histogram(name: str, about: str, label: str, counted: Mapping[str, Histogram]) -> Metric:
    """Times by the values of one label, those that have any."""
    metric = HistogramMetricFamily(name, about, labels=[label])
    for value, times in counted.items():
        below, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), times.buckets, strict=True):
            below += count
            buckets.append((bound, below))
        if below:
            metric.add_metric([value], buckets, times.seconds)
    return metric
