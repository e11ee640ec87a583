"""The receiver's metrics, through the OTel API.

They have the OpenTelemetry Collector's own names where it has such metrics, so that its dashboards and alerts work.
Without a meter provider every instrument is a no-op.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics

from .exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Counter, Histogram, Meter, UpDownCounter
    from opentelemetry.sdk.metrics.export import MetricExporter

METRICS_EXPORTER: Final = "OTEL_METRICS_EXPORTER"
"""OTel's own environment variable: `otlp`, `console` or `none`."""
_METER: Final = "otel_modeldata_receiver"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCounters:
    """Counts of the accepted and refused records of one signal; with the attributes `receiver` and `transport`.

    Attributes:
        accepted: records acknowledged because they are durable, duplicates included.
        refused: records of requests that were answered with an error and will be sent again.
    """

    accepted: Counter
    refused: Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """The receiver's metrics: created once per process and passed to every part that counts.

    Attributes:
        received: accepted and refused records by the name of their signal, `log_records` or `spans`.
        left_out: spans that the setting `spans` excludes.
        without_content: spans of calls of a language model that succeeded and carry no prompts and answers.
        duplicates: records that were stored already and not written again.
        quarantined: records that cannot become lines, by `reason`.
        refused_requests: requests answered with an error, by `error.type`.
        in_flight: bytes of requests admitted and not yet resolved.
        appends: blocks that the store confirmed.
        append_bytes: their size.
        append_duration: seconds that each took.
        retries: requests to the store that were repeated after an error.
        fences: blobs that were left because another writer's bytes, or late ones of this process, were in them.
        rolls: blobs that were begun.
        vanished_lines: acknowledged lines that are not in the store any more, as far as they were known.
        vanished_bytes: their size.
    """

    received: Mapping[str, ReceivedCounters]
    left_out: Counter
    without_content: Counter
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
    vanished_lines: Counter
    vanished_bytes: Counter


def instruments(meter: Meter | None = None) -> Instruments:
    """The receiver's metrics in `meter`, or in the process's own meter provider."""
    meter = meter or metrics.get_meter(_METER)
    return Instruments(
        received={
            "log_records": ReceivedCounters(
                accepted=meter.create_counter(
                    "otelcol_receiver_accepted_log_records", "{records}", "Durable and acknowledged."
                ),
                refused=meter.create_counter(
                    "otelcol_receiver_refused_log_records", "{records}", "Answered with an error."
                ),
            ),
            "spans": ReceivedCounters(
                accepted=meter.create_counter(
                    "otelcol_receiver_accepted_spans", "{spans}", "Acknowledged: durable, or excluded by the setting."
                ),
                refused=meter.create_counter("otelcol_receiver_refused_spans", "{spans}", "Answered with an error."),
            ),
        },
        left_out=meter.create_counter("otel_modeldata.spans.left_out", "{spans}", "Excluded by the setting."),
        without_content=meter.create_counter(
            "otel_modeldata.spans.without_content", "{spans}", "Calls of a language model without prompts and answers."
        ),
        duplicates=meter.create_counter("otel_modeldata.duplicates", "{records}", "Stored already, not written again."),
        quarantined=meter.create_counter("otel_modeldata.quarantined", "{records}", "In quarantine, by reason."),
        refused_requests=meter.create_counter("otel_modeldata.refused_requests", "{requests}", "By type of error."),
        in_flight=meter.create_up_down_counter("otel_modeldata.in_flight", "By", "Admitted and not yet resolved."),
        appends=meter.create_counter("otel_modeldata.appends", "{appends}", "Blocks that the store confirmed."),
        append_bytes=meter.create_counter("otel_modeldata.append.bytes", "By", "Size of confirmed blocks."),
        append_duration=meter.create_histogram("otel_modeldata.append.duration", "s", "Until a block was confirmed."),
        retries=meter.create_counter("otel_modeldata.store.retries", "{requests}", "Repeated after an error."),
        fences=meter.create_counter("otel_modeldata.fences", "{blobs}", "Left to another writer."),
        rolls=meter.create_counter("otel_modeldata.rolls", "{blobs}", "Blobs begun."),
        vanished_lines=meter.create_counter(
            "otel_modeldata.vanished.lines", "{lines}", "Acknowledged, and not in the store any more."
        ),
        vanished_bytes=meter.create_counter(
            "otel_modeldata.vanished.bytes", "By", "Acknowledged, and not in the store any more."
        ),
    )


def start_metrics() -> Callable[[], None]:
    """Export metrics as `OTEL_METRICS_EXPORTER` states; the returned function exports the last ones and stops.

    Raises:
        ConfigError: the variable names an exporter that this program does not have.
    """
    choice = os.environ.get(METRICS_EXPORTER, "").strip().lower()
    if choice in {"", "none"}:
        return lambda: None
    exporter = _exporter(choice)
    # The metrics SDK is loaded only where it is asked for.
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

    provider = MeterProvider(metric_readers=[PeriodicExportingMetricReader(exporter)])
    metrics.set_meter_provider(provider)
    return provider.shutdown


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
