"""What a gateway's own metrics say: whether records arrive there, and whether they leave it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.diagnosis import Finding
from otel_modeldata_reader.diagnosis.finding import stops

from .page import NoPageError, metrics_of, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_modeldata_reader.diagnosis import Outcome

    from .page import Metrics

__all__ = ["about_gateway"]

_PAGE: Final = "/metrics"
_FULL: Final = 0.9
_SHOWN: Final = 5
_OURS: Final = "modeldata"
"""In the name of the exporter of `otel-config/gateway.yaml`, beside exporters of ordinary logs."""
_PAUSE_SECONDS: Final = 1.0
"""Between two looks at a queue that is not empty: gateways send a batch after 0.2 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exporter:
    """What an exporter has sent, and what waits for it: bytes, items or requests, as its queue counts."""

    sent: float
    waiting: float
    capacity: float


def about_gateway(url: str, *, has_data: bool) -> Iterator[Finding]:
    """Ask an OpenTelemetry Collector for its metrics.

    Args:
        url: of its metrics, such as `http://127.0.0.1:8888/metrics`.
        has_data: whether lines are in the window.
    """
    page = url.rstrip("/") if url.rstrip("/").endswith(_PAGE) else f"{url.rstrip('/')}{_PAGE}"
    run = f"curl {page}"
    try:
        metrics = _metrics(page)
        exporters = _exporters(metrics)
        if any(one.waiting for one in exporters.values()):
            time.sleep(_PAUSE_SECONDS)
            later = _exporters(_metrics(page))
        else:
            later = exporters
    except NoPageError as error:
        sentence = f"expected a gateway's metrics at {page}, got {error}: start the gateway, or correct the URL"
        yield _finding("gateway_down", stops(has_data=has_data), sentence, run)
        return
    except ImportError:
        sentence = "its metrics: Prometheus's client is not installed; pip install 'otel-modeldata[receiver]'"
        yield _finding("no_gateway_metrics", "not checked", sentence)
        return
    stuck = {name: one for name, one in later.items() if one.waiting and one.sent <= _sent(exporters, name)}
    for name, one in list(stuck.items())[:_SHOWN]:
        yield _finding("gateway_waits", stops(has_data=has_data), _waiting(name, one), run)
    yield from _losses(metrics, run)
    yield from _flow(metrics, later, has_data=has_data, is_stuck=bool(stuck))


def _metrics(page: str) -> Metrics:
    answer = read_page(page)
    if answer.status != 200:
        raise NoPageError(f"status {answer.status}")
    return metrics_of(answer.text)


def _exporters(metrics: Metrics) -> dict[str, _Exporter]:
    """The exporters of model data by their names; all of them, where none is named as in our configuration."""
    sent = metrics.by("otelcol_exporter_sent_log_records", "exporter")
    waiting = metrics.by("otelcol_exporter_queue_size", "exporter", data_type="logs")
    capacities = metrics.by("otelcol_exporter_queue_capacity", "exporter", data_type="logs")
    names = {**sent, **waiting}
    ours = [name for name in names if _OURS in name] or names
    return {
        name: _Exporter(sent=sent.get(name, 0), waiting=waiting.get(name, 0), capacity=capacities.get(name, 0))
        for name in ours
    }


def _sent(exporters: Mapping[str, _Exporter], name: str) -> float:
    return exporters[name].sent if name in exporters else 0


def _waiting(name: str, one: _Exporter) -> str:
    full = (
        ", which is full, so that senders are refused" if one.capacity and one.waiting >= _FULL * one.capacity else ""
    )
    so_far = f"since it delivered {one.sent:,.0f} records" if one.sent else "since the gateway started"
    return (
        f"{one.waiting:,.0f} (bytes, or what its queue counts) wait in the queue of {name}{full}, and nothing leaves "
        f"it {so_far}: the receiver behind it is down or not ready, or its address or certificate is wrong"
    )


def _losses(metrics: Metrics, run: str) -> Iterator[Finding]:
    for cause, name, what in (
        ("gateway_dropped", "otelcol_exporter_send_failed_log_records", "were refused behind it and dropped"),
        ("gateway_queue_full", "otelcol_exporter_enqueue_failed_log_records", "had no room in its queue"),
        ("gateway_refused", "otelcol_receiver_refused_log_records", "were refused: its memory or its queue is full"),
    ):
        if count := metrics.total(name):
            yield _finding(cause, "suspect", f"{count:,.0f} records {what}; the gateway's log has the reason", run)


def _flow(metrics: Metrics, exporters: Mapping[str, _Exporter], *, has_data: bool, is_stuck: bool) -> Iterator[Finding]:
    arrived = metrics.total("otelcol_receiver_accepted_log_records")
    refused = metrics.total("otelcol_receiver_refused_log_records")
    sent = sum(one.sent for one in exporters.values())
    if not arrived and not refused:
        sentence = "the gateway has received no log record since it started: data stops before it"
        yield _finding("gateway_idle", stops(has_data=has_data), sentence, "otel-modeldata doctor")
    elif arrived and not sent and not is_stuck:
        sentence = (
            f"the gateway has received {arrived:,.0f} log records, delivered none, and none waits: they do not have "
            "the attribute azureml.collection.name, by which it finds model data, or its pipelines lead elsewhere"
        )
        yield _finding("gateway_no_model_data", stops(has_data=has_data), sentence)
    elif not is_stuck:
        sentence = f"the gateway has received {arrived:,.0f} log records and delivered {sent:,.0f}"
        yield _finding("gateway_delivers", "ok", sentence)


def _finding(cause: str, outcome: Outcome, sentence: str, *run: str) -> Finding:
    return Finding(cause=cause, step="gateway", outcome=outcome, sentence=sentence, run=run)
