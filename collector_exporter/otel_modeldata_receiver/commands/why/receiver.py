"""What a running receiver says: whether it is ready, and what it has accepted, refused and set aside so far."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.diagnosis import Finding
from otel_modeldata_reader.diagnosis.finding import stops

from .page import NoPageError, metrics_of, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from otel_modeldata_reader.diagnosis import Diagnosis, Outcome
    from otel_modeldata_reader.diagnosis.finding import Step
    from otel_modeldata_reader.diagnosis.scope import Scope

    from .page import Metrics

__all__ = ["about_receiver"]

_SHOWN: Final = 5
_SHOWN_CHARS: Final = 200
_CURES: Final = {
    "ForbiddenError": "tls.clients does not let this certificate send for the deployment; its log has the names",
    "OverloadedError": "a bound of limits or max_in_flight_bytes; its log names the setting",
    "TooLargeError": "a request above max_message_bytes",
    "UndecodableError": "the requests are no OTLP; they are in quarantine",
    "TimeoutError": "the store does not confirm in time",
}
_REASONS: Final[Sequence[tuple[str, Step, str, str]]] = (
    ("quarantined_lately", "quarantine", "otel_modeldata_quarantined", "put records into quarantine"),
    ("dropped", "receiver", "otel_modeldata_dropped", "rejected records without keeping them"),
)
"""The cause, the step that the store may answer, the metric, and what it counts; likewise below."""
_COUNTS: Final[Sequence[tuple[str, Step, str, str]]] = (
    ("parking", "parked", "otel_modeldata_parked_folders", "folder(s) take no lines now, which are parked"),
    ("vanishing", "vanished", "otel_modeldata_vanished_lines", "acknowledged line(s) are gone from the store"),
)


def about_receiver(url: str, config: str | None, scope: Scope, diagnosis: Diagnosis) -> Iterator[Finding]:
    """Ask the admin port of a receiver.

    Args:
        url: of the admin port, such as `http://127.0.0.1:9464`.
        config: its configuration file; None if that is not known, so that no command has it.
        scope: what is asked for.
        diagnosis: what the store has.
    """
    base = url.rstrip("/")
    try:
        ready = read_page(f"{base}/readyz")
    except NoPageError as error:
        sentence = f"expected a receiver with an admin port at {base}, got {error}: start it, or look at its log"
        start = () if config is None else (shlex.join(["otel-modeldata", "receive", "--config", config]),)
        yield _finding("receiver_down", "stopped", sentence, *start, f"curl {base}/readyz")
        return
    if ready.status == 503:
        sentence = f"the receiver takes nothing: {ready.text.strip()[:500]}; a restart does not help, repair the store"
        yield _finding("receiver_not_ready", "stopped", sentence, f"curl {base}/readyz")
    elif ready.status != 200:
        sentence = f"expected a receiver's admin port at {base}, got status {ready.status}: correct the URL"
        yield _finding("no_receiver", "suspect", sentence)
        return
    else:
        yield _finding("receiver_ready", "ok", f"the receiver at {base} is ready: its store can be written")
    try:
        page = read_page(f"{base}/metrics")
        metrics = metrics_of(page.text) if page.status == 200 else None
    except NoPageError as error:
        yield _finding("no_metrics", "not checked", f"{base}/metrics: got {error}")
        return
    except ImportError:
        sentence = "its metrics: Prometheus's client is not installed; pip install 'otel-modeldata[receiver]'"
        yield _finding("no_metrics", "not checked", sentence)
        return
    if metrics is not None:
        check = f"curl {base}/metrics" if config is None else shlex.join(["otel-modeldata", "check", config])
        yield from _counts(metrics, scope, diagnosis, f"curl {base}/metrics", check)


def _counts(metrics: Metrics, scope: Scope, diagnosis: Diagnosis, run: str, check: str) -> Iterator[Finding]:
    accepted = sum(metrics.total(f"otelcol_receiver_accepted_{signal}") for signal in ("log_records", "spans"))
    aside = sum(metrics.total(f"otel_modeldata_{name}") for name in ("quarantined", "dropped"))
    refused = metrics.by("otel_modeldata_refused_requests", "error_type")
    tenants = metrics.by("otel_modeldata_tenant_records", "endpoint", "deployment", outcome="accepted")
    of_tenant = tenants.get(scope.tenant, 0.0)
    outcome = stops(has_data=bool(diagnosis.has_data))
    if any(refused.values()):
        kinds = "; ".join(
            f"{count:,.0f} x {kind} ({_CURES.get(kind, 'its log has the reason')})" for kind, count in _most(refused)
        )
        sentence = f"the receiver has refused requests since it started: {kinds}"
        yield _finding("refused", "suspect" if of_tenant else outcome, sentence, run)
    if not accepted and not aside:
        sentence = "the receiver has accepted no record since it started: data stops before it"
        if not any(refused.values()):
            yield _finding("nothing_received", outcome, sentence, "otel-modeldata doctor")
    elif scope.tenant and not of_tenant:
        shown = sorted(name[:_SHOWN_CHARS] for name, count in tenants.items() if count and name != "other/other")
        others = ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else "")
        sentence = (
            f"the receiver has accepted {accepted:,.0f} records since it started, none of {scope.tenant} under this "
            f"name; others are of {others or 'no deployment, as far as it counts them'}"
        )
        yield _finding("other_deployments", outcome, sentence, run)
    elif scope.tenant and not diagnosis.is_known and diagnosis.has_data is not None:
        sentence = (
            f"the receiver has accepted {of_tenant:,.0f} records of {scope.tenant}, and {scope.store} has none of "
            f"{scope.shown}: it writes to another store, or its deployment files give the collection another place"
        )
        yield _finding("written_elsewhere", outcome, sentence, check)
    else:
        names = f"{of_tenant:,.0f} of {scope.tenant}" if scope.tenant else f"{accepted:,.0f} records"
        yield _finding("accepted", "ok", f"the receiver has accepted {names} since it started")
    yield from _set_aside(metrics, run, _settled(scope, diagnosis))


def _settled(scope: Scope, diagnosis: Diagnosis) -> set[Step]:
    """The steps that the store has answered for what is asked for: the metrics count those of all deployments."""
    if not scope.name or diagnosis.has_data is None:
        return set()
    return {one.step for one in diagnosis.findings if one.outcome == "ok"} - {
        one.step for one in diagnosis.findings if one.outcome != "ok"
    }


def _set_aside(metrics: Metrics, run: str, settled: set[Step]) -> Iterator[Finding]:
    for cause, step, name, what in _REASONS:
        reasons = _most(metrics.by(name, "reason"))
        if reasons and step not in settled:
            shown = "; ".join(f"{count:,.0f} x {reason or 'no reason'}" for reason, count in reasons)
            yield _finding(cause, "suspect", f"the receiver has {what} since it started: {shown}", run)
    for cause, step, name, what in _COUNTS:
        if (count := metrics.total(name)) and step not in settled:
            yield _finding(cause, "suspect", f"{count:,.0f} {what}; the receiver's log has the reason", run)


def _most(counts: Mapping[str, float]) -> list[tuple[str, float]]:
    """The largest counts, without zeros."""
    found = sorted(((name, count) for name, count in counts.items() if count), key=lambda one: -one[1])
    return [(name[:_SHOWN_CHARS], count) for name, count in found[:_SHOWN]]


def _finding(cause: str, outcome: Outcome, sentence: str, *run: str) -> Finding:
    return Finding(cause=cause, step="receiver", outcome=outcome, sentence=sentence, run=run)
