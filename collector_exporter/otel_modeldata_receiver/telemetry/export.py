"""Where the receiver's metrics go: an exporter that `OTEL_METRICS_EXPORTER` names, and a reader for `/metrics`.

Without either the process has no meter provider, and every instrument is a no-op.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics

from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics.export import MetricExporter

    from .prometheus import PrometheusReader

__all__ = ["METRICS_EXPORTER", "MetricExport", "start_metrics"]

METRICS_EXPORTER: Final = "OTEL_METRICS_EXPORTER"
"""OTel's own environment variable: `otlp`, `console` or `none`."""
SERVICE_NAME: Final = "otel-modeldata-receiver"
"""The receiver's `service.name`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` names another."""
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
"""Bounds of the buckets of every histogram: from an append on a local disk to a spool that waited for an hour."""


_STOP_SECONDS: Final = 1.0
"""How long the last metrics may delay the end of a process."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricExport:
    """The running export of the metrics.

    Attributes:
        prometheus: reads all metrics as Prometheus's text format; None where it was not asked for.
        stop: exports the last metrics and stops.
    """

    prometheus: PrometheusReader | None
    stop: Callable[[], None]


def start_metrics(instance: str, *, prometheus: bool = False, service: str = SERVICE_NAME) -> MetricExport:
    """Export metrics as `OTEL_METRICS_EXPORTER` states, and keep them for `/metrics` if `prometheus` is set.

    Args:
        instance: the receiver's instance id, for the resource.
        prometheus: whether an admin listener serves `/metrics`.
        service: the `service.name`, unless a variable names another.

    Raises:
        ConfigError: the variable names an exporter that this program does not have.
    """
    choice = os.environ.get(METRICS_EXPORTER, "").strip().lower()
    exporter = None if choice in {"", "none"} else _exporter(choice)
    if exporter is None and not prometheus:
        return MetricExport(prometheus=None, stop=lambda: None)
    # The metrics SDK and Prometheus's client are loaded only where they are asked for.
    from opentelemetry.sdk.metrics import Histogram, MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View  # noqa: PLC0415
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415

    from .prometheus import PrometheusReader  # noqa: PLC0415

    own = {
        "service.name": service,
        "service.version": version("otel-modeldata"),
        "service.instance.id": instance,
    }
    # What the variables name wins, which `Resource.create` does the other way round; empty values name nothing.
    named = OTELResourceDetector().detect().attributes
    own |= {key: _printable(str(value)) for key, value in named.items() if str(value).strip()}
    reader = PrometheusReader() if prometheus else None
    readers = [] if exporter is None else [PeriodicExportingMetricReader(exporter)]
    bounds = ExplicitBucketHistogramAggregation(_SECONDS)
    provider = MeterProvider(
        shutdown_on_exit=False,  # `stop` does it
        metric_readers=[*readers, *([] if reader is None else [reader])],
        resource=Resource.create(own),
        views=[View(instrument_type=Histogram, instrument_unit="s", aggregation=bounds)],
    )
    metrics.set_meter_provider(provider)
    return MetricExport(prometheus=reader, stop=lambda: _stop(provider.shutdown))


def _stop(shutdown: Callable[[], None]) -> None:
    """Export the last metrics, but end the process without them if their endpoint does not take them soon."""
    stopping = threading.Thread(target=shutdown, name="last metrics", daemon=True)
    stopping.start()
    stopping.join(_STOP_SECONDS)
    if stopping.is_alive():
        logger.warning("the last metrics are not exported: expected an answer within %s s, got none", _STOP_SECONDS)


def _printable(value: str) -> str:
    """`value` without the parts that are no UTF-8: neither OTLP nor Prometheus's format can carry them."""
    return value.encode(errors="replace").decode().strip()


def _exporter(choice: str) -> MetricExporter:
    if choice == "otlp":
        try:
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"Expected OpenTelemetry's OTLP exporter for {METRICS_EXPORTER}=otlp, got no {error.name}; "
                "pip install 'otel-modeldata[otlp]'."
            ) from None
        return OTLPMetricExporter()
    if choice == "console":
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter  # noqa: PLC0415

        return ConsoleMetricExporter()
    raise ConfigError(f"Expected otlp, console or none in {METRICS_EXPORTER}, got {choice!r}; set one of them.")
