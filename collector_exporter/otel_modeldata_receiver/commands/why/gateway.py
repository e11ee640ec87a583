"""What a gateway's own metrics say: whether records arrive there, and whether they leave it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.diagnosis import Finding
from otel_modeldata_reader.diagnosis.finding import stops

from .page import NoPageError, metrics_of, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_reader.diagnosis import Outcome

__all__ = ["about_gateway"]

_PAGE: Final = "/metrics"
_FULL: Final = 0.9


def about_gateway(url: str, *, has_data: bool) -> Iterator[Finding]:
    """Ask an OpenTelemetry Collector for its metrics.

    Args:
        url: of its metrics, such as `http://127.0.0.1:8888/metrics`.
        has_data: whether lines are in the window.
    """
    page_url = url.rstrip("/") if url.rstrip("/").endswith(_PAGE) else f"{url.rstrip('/')}{_PAGE}"
    run = f"curl {page_url}"
    try:
        page = read_page(page_url)
        metrics = metrics_of(page.text) if page.status == 200 else None
    except NoPageError as error:
        sentence = f"expected a gateway's metrics at {page_url}, got {error}: start the gateway, or look at its log"
        yield _finding("gateway_down", stops(has_data=has_data), sentence, run)
        return
    except ImportError:
        sentence = "its metrics: Prometheus's client is not installed; pip install 'otel-modeldata[receiver]'"
        yield _finding("no_gateway_metrics", "not checked", sentence)
        return
    if metrics is None:
        sentence = f"expected a gateway's metrics at {page_url}, got status {page.status}: correct the URL"
        yield _finding("no_gateway_metrics", "not checked", sentence)
        return
    arrived = metrics.total("otelcol_receiver_accepted_log_records")
    refused = metrics.total("otelcol_receiver_refused_log_records")
    sent = metrics.by("otelcol_exporter_sent_log_records", "exporter")
    capacities = metrics.by("otelcol_exporter_queue_capacity", "exporter")
    is_waiting = False
    for exporter, size in metrics.by("otelcol_exporter_queue_size", "exporter", data_type="logs").items():
        if not size or sent.get(exporter):
            continue
        is_waiting = True
        capacity = capacities.get(exporter, 0.0)
        full = ", which is full: senders are refused" if capacity and size >= _FULL * capacity else ""
        sentence = (
            f"{size:,.0f} (bytes or items) wait in the queue of {exporter}{full}, and it has delivered none since the "
            "gateway started: the receiver behind it is down, or its address, TLS or certificate is wrong"
        )
        yield _finding("gateway_waits", stops(has_data=has_data), sentence, run)
    for cause, name, what in (
        ("gateway_dropped", "otelcol_exporter_send_failed_log_records", "were refused behind it and dropped"),
        ("gateway_queue_full", "otelcol_exporter_enqueue_failed_log_records", "had no room in its queue"),
    ):
        if count := metrics.total(name):
            yield _finding(cause, "suspect", f"{count:,.0f} records {what}; the gateway's log has the reason", run)
    if refused:
        sentence = f"the gateway has refused {refused:,.0f} records since it started: its memory or queue is full"
        yield _finding("gateway_refused", "suspect", sentence, run)
    if not arrived and not refused:
        sentence = "the gateway has received no log record since it started: data stops before it"
        yield _finding("gateway_idle", stops(has_data=has_data), sentence, "otel-modeldata doctor")
    elif not is_waiting:
        delivered = sum(sent.values())
        sentence = f"the gateway has received {arrived:,.0f} log records and delivered {delivered:,.0f}"
        yield _finding("gateway_delivers", "ok", sentence)


def _finding(cause: str, outcome: Outcome, sentence: str, *run: str) -> Finding:
    return Finding(cause=cause, step="gateway", outcome=outcome, sentence=sentence, run=run)
