"""The metrics in Prometheus's text format, for the admin listener's `/metrics`.

`opentelemetry-exporter-prometheus` does the same, but every release of it requires the opentelemetry-sdk of the same
release, and the receiver also runs inside scoring images, whose SDK it must not change. So Prometheus's own client,
which depends on nothing, writes the format, and this module only gives it OpenTelemetry's data points, with names by
OpenTelemetry's rules (specification, "Prometheus and OpenMetrics Compatibility"): dots become underscores, the unit is
a suffix, counters end with `_total`, a unit in braces is dropped, and what may go down is a gauge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader, Sum
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from .prometheus_name import family_name, label_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.metrics.export import Metric
    from prometheus_client import Metric as Family

__all__ = ["CONTENT_TYPE", "PrometheusReader"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class PrometheusReader(InMemoryMetricReader):
    """A metric reader of OpenTelemetry that writes what it reads as text."""

    def __init__(self) -> None:
        super().__init__()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Families(self))

    def text(self) -> bytes:
        """Every metric as it is now."""
        return generate_latest(self._registry)


class _Families(Collector):
    """OpenTelemetry's metrics as families of Prometheus's client."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader

    def collect(self) -> Iterator[Family]:
        data = self._reader.get_metrics_data()
        for resource in [] if data is None else data.resource_metrics:
            yield InfoMetricFamily(
                "target", "The attributes of the receiver's resource.", _labels(resource.resource.attributes)
            )
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    yield _family(metric)


def _family(metric: Metric) -> Family:
    name, text = family_name(metric.name, metric.unit or ""), metric.description or metric.name
    points: list[tuple[dict[str, str], Any]] = [
        (_labels(point.attributes or {}), point) for point in metric.data.data_points
    ]
    if isinstance(metric.data, Histogram):
        histogram = HistogramMetricFamily(name, text)
        for labels, point in points:
            histogram.add_sample(f"{name}_count", labels, point.count)
            histogram.add_sample(f"{name}_sum", labels, point.sum)
            for bound, count in _buckets(point):
                histogram.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
        return histogram
    if isinstance(metric.data, Sum) and metric.data.is_monotonic:
        counter = CounterMetricFamily(name, text)
        for labels, point in points:
            counter.add_sample(f"{name}_total", labels, point.value)
        return counter
    gauge = GaugeMetricFamily(name, text)
    for labels, point in points:
        gauge.add_sample(name, labels, point.value)
    return gauge


def _labels(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as labels; values of names that become the same are joined by `;`, as OpenTelemetry's rules say."""
    labels: dict[str, str] = {}
    for key in sorted(attributes):
        name, value = label_name(key), str(attributes[key]).encode(errors="replace").decode()
        labels[name] = f"{labels[name]};{value}" if name in labels else value
    return labels


def _buckets(point: Any) -> Iterator[tuple[str, int]]:
    """The upper bound of each bucket, and the number of measurements up to it."""
    total = 0
    for bound, count in zip((*point.explicit_bounds, "+Inf"), point.bucket_counts, strict=True):
        total += count
        yield str(bound), total
