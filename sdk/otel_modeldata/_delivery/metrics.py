"""The SDK's own metrics, through the OpenTelemetry API.

| instrument | unit | attributes |
|---|---|---|
| `otel_modeldata.sdk.events.accepted`, `.delivered`, `.sampled_out` | `{event}` | `azureml.collection.name` |
| `otel_modeldata.sdk.events.lost` | `{event}` | `azureml.collection.name`, `reason` as in `DeliveryReport.lost` |
| `otel_modeldata.sdk.events.refused` | `{event}` | `azureml.collection.name`, `error.type`: what `collect` raised |
| `otel_modeldata.sdk.events.replayed` | `{event}` | `azureml.collection.name`: delivered for a dead process |
| `otel_modeldata.sdk.queue.bytes`, `otel_modeldata.sdk.spool.bytes` | `By` | - |
| `otel_modeldata.sdk.queue.oldest_age` | `s` | - |

All instruments are observable: they read counts when the meter exports, so they cost `collect` nothing. They use the
global MeterProvider, which may be set later. A forked child counts from zero.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation, get_meter

from .. import _forking, semconv
from .._version import NAME, VERSION
from .atomic_sum import AtomicSum
from .process import current_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.metrics import CallbackOptions, Meter

    from ..report import CollectionReport, DeliveryReport
    from .worker import Gauges

    Observe = Callable[[CallbackOptions], Iterator[Observation]]

_PREFIX = "otel_modeldata.sdk."
_ERROR_TYPE = "error.type"

_sampled_out: dict[str, AtomicSum] = {}
_refused: dict[tuple[str, str], AtomicSum] = {}
"""Counted without a lock, which a signal handler that collects could find held by the thread that it interrupted."""
_registered: dict[str, object] = {}


def count_sampled_out(collection: str) -> None:
    """Count a frame that was not collected because its correlation id is outside the sample."""
    _sampled_out.setdefault(collection, AtomicSum()).add(1)


def count_refused(collection: object, error: Exception) -> None:
    """Count a frame that `collect` refused."""
    _refused.setdefault((str(collection)[:128], type(error).__name__), AtomicSum()).add(1)


def register_once() -> None:
    """Make the instruments; later calls do nothing."""
    this_call = object()
    if _registered.setdefault(NAME, this_call) is this_call:
        register(get_meter(NAME, VERSION))


def register(meter: Meter) -> None:
    """Make the instruments of one meter."""
    for name, description, read in (
        ("accepted", "Accepted by collect", lambda report: report.accepted),
        ("delivered", "Acknowledged by the endpoint", lambda report: report.delivered),
    ):
        meter.create_observable_counter(
            f"{_PREFIX}events.{name}", [_by_collection(read)], unit="{event}", description=description
        )
    for name, description, observe in (
        ("sampled_out", "Outside the sample", _observe_sampled_out),
        ("lost", "Accepted, but never delivered", _observe_lost),
        ("refused", "Refused by collect", _observe_refused),
        ("replayed", "Delivered for a process that died", _observe_replayed),
    ):
        meter.create_observable_counter(f"{_PREFIX}events.{name}", [observe], unit="{event}", description=description)
    for name, unit, description, gauge in (
        ("queue.bytes", "By", "Pending in memory", lambda gauges: gauges.queue_bytes),
        ("spool.bytes", "By", "Used on disk", lambda gauges: gauges.spool_bytes),
        ("queue.oldest_age", "s", "Age of the oldest pending event", lambda gauges: gauges.oldest_seconds),
    ):
        meter.create_observable_gauge(_PREFIX + name, [_gauge(gauge)], unit=unit, description=description)


def _report() -> DeliveryReport | None:
    process = current_process()
    return None if process is None else process.delivery.report()


def _by_collection(read: Callable[[CollectionReport], int]) -> Observe:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        report = _report()
        for collection, counts in ({} if report is None else report.collections).items():
            yield Observation(read(counts), {semconv.AZUREML_COLLECTION_NAME: collection})

    return observe


def _gauge(read: Callable[[Gauges], float]) -> Observe:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        process = current_process()
        if process is not None:
            yield Observation(read(process.delivery.gauges()))

    return observe


def _observe_lost(_: CallbackOptions) -> Iterator[Observation]:
    report = _report()
    if report is None:
        return
    lost: Counter[tuple[str, str]] = Counter()
    for collections in (report.collections, *report.replayed.values()):
        for collection, counts in collections.items():
            lost.update({(collection, reason): count for reason, count in counts.lost.items()})
    yield from _pairs(lost, "reason")


def _observe_replayed(_: CallbackOptions) -> Iterator[Observation]:
    report = _report()
    delivered: Counter[str] = Counter()
    for collections in () if report is None else report.replayed.values():
        delivered.update({collection: counts.delivered for collection, counts in collections.items()})
    for collection, count in delivered.items():
        yield Observation(count, {semconv.AZUREML_COLLECTION_NAME: collection})


def _observe_sampled_out(_: CallbackOptions) -> Iterator[Observation]:
    for collection, count in list(_sampled_out.items()):
        yield Observation(count.value(), {semconv.AZUREML_COLLECTION_NAME: collection})


def _observe_refused(_: CallbackOptions) -> Iterator[Observation]:
    yield from _pairs({key: count.value() for key, count in list(_refused.items())}, _ERROR_TYPE)


def _pairs(counts: Mapping[tuple[str, str], int], second: str) -> Iterator[Observation]:
    for (collection, value), count in counts.items():
        yield Observation(count, {semconv.AZUREML_COLLECTION_NAME: collection, second: value})


def _after_fork_in_child() -> None:
    _sampled_out.clear()
    _refused.clear()


_forking.on_fork(after_in_child=_after_fork_in_child)
