"""The receiver's metrics, through the OTel API.

They have the OpenTelemetry Collector's own names where it has such metrics, so that its dashboards and alerts work.
Without a meter provider every instrument is a no-op.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics
from opentelemetry.metrics import Counter, Observation

from .tenants import TenantRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, UpDownCounter

_METER: Final = "otel_modeldata_receiver"
RECEIVER: Final = "otel-modeldata"
"""The attribute `receiver` of the metrics that have the OpenTelemetry Collector's names."""
_WITH_ATTRIBUTES: Final = frozenset({"quarantined", "refused_requests", "reloads"})
"""Counters whose attributes are not known before they count."""


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
        dropped: records that were answered as rejected and are not kept, by `reason`.
        refused_requests: requests answered with an error, by `error.type` and `transport`.
        tenant_records: records by `endpoint`, `deployment` and `outcome`: accepted or refused.
        delay: seconds from the time of a request's first event until the request is durable; requests stored as
            one count once.
        in_flight: bytes of requests admitted and not yet resolved.
        appends: blocks that the store confirmed.
        append_bytes: their size.
        append_duration: seconds that each took.
        retries: requests to the store that were repeated after an error.
        fences: blobs that were left because another writer's bytes, or late ones of this process, were in them.
        rolls: blobs that were begun.
        vanished_lines: acknowledged lines that are not in the store any more, as far as they were known.
        vanished_bytes: their size.
        reloads: how often the configuration was read again, by `outcome`.
        parked: lines that were parked because their own folder took none.
        delivered: parked lines that were delivered to their folder.
        parked_bytes: bytes of lines that are parked now.
        parked_folders: folders whose lines are parked now.
    """

    received: Mapping[str, ReceivedCounters]
    left_out: Counter
    without_content: Counter
    duplicates: Counter
    quarantined: Counter
    dropped: Counter
    refused_requests: Counter
    tenant_records: TenantRecords
    delay: Histogram
    in_flight: UpDownCounter
    appends: Counter
    append_bytes: Counter
    append_duration: Histogram
    retries: Counter
    fences: Counter
    rolls: Counter
    vanished_lines: Counter
    vanished_bytes: Counter
    reloads: Counter
    parked: Counter
    delivered: Counter
    parked_bytes: UpDownCounter
    parked_folders: UpDownCounter


def instruments(meter: Meter | None = None) -> Instruments:
    """The receiver's metrics in `meter`, or in the process's own meter provider."""
    meter = meter or metrics.get_meter(_METER)
    tenant_records = TenantRecords()
    meter.create_observable_counter(
        "otel_modeldata.tenant.records",
        [tenant_records.observations],
        "{records}",
        "By endpoint, deployment and outcome: accepted or refused.",
    )
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
        dropped=meter.create_counter("otel_modeldata.dropped", "{records}", "Rejected and not kept, by reason."),
        refused_requests=meter.create_counter(
            "otel_modeldata.refused_requests", "{requests}", "Answered with an error, by type of error and transport."
        ),
        tenant_records=tenant_records,
        delay=meter.create_histogram(
            "otel_modeldata.delay",
            "s",
            "From a request's first event until the request is durable; those stored as one count once.",
        ),
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
        reloads=meter.create_counter(
            "otel_modeldata.reloads",
            "{reloads}",
            "The configuration was read again, by outcome: changed, unchanged, restart needed or wrong.",
        ),
        parked=meter.create_counter("otel_modeldata.parked", "{records}", "Parked: their own folder took no lines."),
        delivered=meter.create_counter("otel_modeldata.parked.delivered", "{records}", "Delivered after parking."),
        parked_bytes=meter.create_up_down_counter("otel_modeldata.parked.bytes", "By", "Parked now."),
        parked_folders=meter.create_up_down_counter("otel_modeldata.parked.folders", "{folders}", "Parked now."),
    )


def start_at_zero(instruments: Instruments) -> None:
    """Count 0 where the attributes are known, so that a rate over the first event is not lost."""
    for counters in instruments.received.values():
        for transport in ("grpc", "http"):
            for counter in (counters.accepted, counters.refused):
                counter.add(0, {"receiver": RECEIVER, "transport": transport})
    for name in instruments.__slots__:
        counter = getattr(instruments, name)
        if isinstance(counter, Counter) and name not in _WITH_ATTRIBUTES:
            counter.add(0)
    for gauge in (instruments.in_flight, instruments.parked_bytes, instruments.parked_folders):
        gauge.add(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Values that are read when the metrics are exported; they are read on another thread.

    Attributes:
        ready: whether the receiver is ready: its store can be written.
        open_folders: folders of the store that are open.
        certificate_expiry: seconds until the certificate of the listeners expires; None without TLS.
    """

    ready: Callable[[], bool]
    open_folders: Callable[[], int]
    certificate_expiry: Callable[[], float | None]


def observe(gauges: Gauges, meter: Meter | None = None) -> None:
    """Export `gauges`, and the receiver's version, in `meter` or in the process's own meter provider."""
    meter = meter or metrics.get_meter(_METER)

    def gauge(name: str, unit: str, meaning: str, read: Callable[[], float | None]) -> None:
        def observations(_: CallbackOptions) -> Iterable[Observation]:
            value = read()
            return [] if value is None else [Observation(value)]

        meter.create_observable_gauge(name, [observations], unit, meaning)

    gauge("otel_modeldata.ready", "", "1 while the store can be written, else 0.", lambda: int(gauges.ready()))
    gauge("otel_modeldata.open_folders", "{folders}", "Folders of the store that are open.", gauges.open_folders)
    gauge(
        "otel_modeldata.certificate.expiry",
        "s",
        "Until the certificate of the listeners expires.",
        gauges.certificate_expiry,
    )
    build = [Observation(1, {"version": version("otel-modeldata")})]
    meter.create_observable_gauge("otel_modeldata.build", [lambda _: build], "", "1, with the version of the program.")
