"""What the receiver tells about itself: metrics through the OTel API and log lines that do not repeat.

Metrics carry the OpenTelemetry Collector's own names where it has them, so that its dashboards and alerts work. Without
a meter provider every instrument is a no-op.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics

from .exceptions import ConfigError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from opentelemetry.metrics import Counter, Histogram, Meter, UpDownCounter
    from opentelemetry.sdk.metrics.export import MetricExporter

METRICS_EXPORTER: Final = "OTEL_METRICS_EXPORTER"
"""OTel's own environment variable: `otlp`, `console` or `none`."""
_METER: Final = "otel_modeldata_receiver"
_QUIET_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """The receiver's metrics.

    Attributes:
        accepted: records acknowledged because they are durable, duplicates included.
        refused: records of requests that were answered with an error and will come again.
        accepted_spans: as `accepted`, of spans.
        refused_spans: as `refused`, of spans.
        left_out: spans that the setting `spans` keeps from becoming lines.
        duplicates: records that were stored already and not written again.
        quarantined: records that cannot become lines, by `reason`.
        refused_requests: requests answered with an error, by `error.type`.
        in_flight: bytes of requests admitted and not yet resolved.
        appends: blocks that the store confirmed.
        append_bytes: their size.
        append_duration: seconds that each took.
        retries: requests to the store that were repeated after an error.
        fences: blobs that were left because somebody else's bytes, or our own late ones, were in them.
        rolls: blobs that were begun.
    """

    accepted: Counter
    refused: Counter
    accepted_spans: Counter
    refused_spans: Counter
    left_out: Counter
    duplicates: Counter
    quarantined: Counter
    refused_requests: Counter
    in_flight: UpDownCounter
    appends: Counter
    append_bytes: Counter
    append_duration: Histogram
    retries: Counter
    fences: Counter
    rolls: Counter

    def accepted_of(self, signal: str) -> Counter:
        """What counts accepted `spans` or `log_records`."""
        return self.accepted_spans if signal == "spans" else self.accepted

    def refused_of(self, signal: str) -> Counter:
        """What counts refused `spans` or `log_records`."""
        return self.refused_spans if signal == "spans" else self.refused


def instruments(meter: Meter | None = None) -> Instruments:
    """The receiver's metrics in `meter`, or in the process's own meter provider."""
    meter = meter or metrics.get_meter(_METER)
    return Instruments(
        accepted=meter.create_counter(
            "otelcol_receiver_accepted_log_records", "{records}", "Durable and acknowledged."
        ),
        refused=meter.create_counter("otelcol_receiver_refused_log_records", "{records}", "Answered with an error."),
        accepted_spans=meter.create_counter(
            "otelcol_receiver_accepted_spans", "{spans}", "Acknowledged: durable, or not wanted."
        ),
        refused_spans=meter.create_counter("otelcol_receiver_refused_spans", "{spans}", "Answered with an error."),
        left_out=meter.create_counter("otel_modeldata.spans.left_out", "{spans}", "Not wanted by the setting."),
        duplicates=meter.create_counter("otel_modeldata.duplicates", "{records}", "Stored already, not written again."),
        quarantined=meter.create_counter("otel_modeldata.quarantined", "{records}", "Kept aside, by reason."),
        refused_requests=meter.create_counter("otel_modeldata.refused_requests", "{requests}", "By type of error."),
        in_flight=meter.create_up_down_counter("otel_modeldata.in_flight", "By", "Admitted and not yet resolved."),
        appends=meter.create_counter("otel_modeldata.appends", "{appends}", "Blocks that the store confirmed."),
        append_bytes=meter.create_counter("otel_modeldata.append.bytes", "By", "Size of confirmed blocks."),
        append_duration=meter.create_histogram("otel_modeldata.append.duration", "s", "Until a block was confirmed."),
        retries=meter.create_counter("otel_modeldata.store.retries", "{requests}", "Repeated after an error."),
        fences=meter.create_counter("otel_modeldata.fences", "{blobs}", "Left to another writer."),
        rolls=meter.create_counter("otel_modeldata.rolls", "{blobs}", "Blobs begun."),
    )


def start_metrics() -> Callable[[], None]:
    """Send metrics where `OTEL_METRICS_EXPORTER` says; the answer stops it and sends the last ones.

    Raises:
        ConfigError: the variable names an exporter this program does not have.
    """
    choice = os.environ.get(METRICS_EXPORTER, "").strip().lower()
    if choice in {"", "none"}:
        return lambda: None
    exporter = _exporter(choice)
    # The SDK is loaded only by those who asked for it.
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

    provider = MeterProvider(metric_readers=[PeriodicExportingMetricReader(exporter)])
    metrics.set_meter_provider(provider)
    return provider.shutdown


def _exporter(choice: str) -> MetricExporter:
    if choice == "otlp":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

        return OTLPMetricExporter()
    if choice == "console":
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter  # noqa: PLC0415

        return ConsoleMetricExporter()
    raise ConfigError(f"Expected otlp, console or none in {METRICS_EXPORTER}, got {choice!r}; set one of them.")


class OnceAMinute:
    """Writes the first log line of a condition, then at most one a minute with the number left out.

    Args:
        logger: where the lines go.
        clock: seconds that never run backward.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._spoken: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def note(self, condition: str, message: str, *args: object, exc_info: BaseException | None = None) -> None:
        """Log `message` unless `condition` was logged less than a minute ago.

        `condition` comes from a small fixed set: every one seen is remembered.
        """
        now = self._clock()
        last = self._spoken.get(condition)
        if last is not None and now - last < _QUIET_SECONDS:
            self._left_out[condition] = self._left_out.get(condition, 0) + 1
            return
        self._spoken[condition] = now
        left_out = self._left_out.pop(condition, 0)
        if left_out:
            message, args = message + " (%d more like this were not logged)", (*args, left_out)
        self._logger.warning(message, *args, exc_info=exc_info)
