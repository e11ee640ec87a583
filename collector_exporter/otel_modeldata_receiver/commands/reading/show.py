"""The command `otel-modeldata show`: everything about one id."""

from __future__ import annotations

import json
import sys
from datetime import timedelta, timezone
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.printable import printable
from otel_modeldata_reader.report import counted

from ...config.store_url import shown_store
from ..reader_session import opened_reader
from ..store_argument import STORE_VARIABLES, add_datastores, add_store_flag, chosen_store
from ..terminal import WIDTH, columns, fitting, size_text, writer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from otel_modeldata_reader import FoundEvent, FoundId, Span

_DESCRIPTION: Final = """\
Show everything about one id: a correlation id, a row id, an event id, a trace
id, or the x-request-id of a request. Inputs, outputs, requests, responses and
labels are listed in the order of their times, then the spans of the trace as a
waterfall, each with its blob and line. The names of blobs are whole, to be
copied, and may need more than 80 columns.

Without an index the blobs are scanned. A scan of much writes the index into the
folder _index of the store, if that may be written to.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata show bbfd5758-6d3c-4c5e-8a0e-5b7f1f6b6a51 --store ./modeldata
  otel-modeldata show order-17_0 --since -7d --json

environment:
{STORE_VARIABLES}

exit codes:
  0    found
  2    wrong command line, or no line has the id
  3    the store cannot be read
  130  Ctrl-C
"""
_SHOWN_ROWS: Final = 3
_NAME_WIDTH: Final = 32
_DEEPEST: Final = 8
"""Spans below this depth are shown at it."""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `show` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("id", metavar="ID", help="a correlation id, row id, event id, trace id or x-request-id")
    add_store_flag(parser)
    add_datastores(parser)
    parser.add_argument("--since", metavar="TIME", help="search only from this time on, such as -7d or 2026-11-22")
    parser.add_argument("--until", metavar="TIME", help="search only before this time")
    parser.add_argument(
        "--no-index", action="store_true", help="scan all blobs, and write no index: an index may hide events"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=show)


def show(arguments: argparse.Namespace) -> None:
    """Print what a store has about an id.

    Raises:
        ReceiverError: a wrong command line, an unknown id, missing dependencies, or a store that cannot be read.
    """
    url = chosen_store(arguments)
    with opened_reader(url, arguments.config) as store:
        found = store.show(arguments.id, arguments.since, arguments.until, index=not arguments.no_index)
    for note in found.notes:
        sys.stderr.write(f"otel-modeldata: {printable(note)}\n")
    if arguments.json:
        sys.stdout.write(json.dumps(_facts(found, shown_store(url))) + "\n")
        return
    _show(writer(), found)


def _show(say: Callable[..., None], found: FoundId) -> None:
    spans = found.spans
    drawn = {span.place for span in spans}
    for event in found.events:
        if event.place not in drawn:
            _say_event(say, event)
    for trace_id, members in groupby(sorted(spans, key=lambda one: one.trace_id), lambda one: one.trace_id):
        _say_trace(say, trace_id, list(members))
    events = counted(len(found.events), "event")
    say(f"{events}, {size_text(found.scanned)} of {size_text(found.size)} scanned", "dim")


def _say_event(say: Callable[..., None], event: FoundEvent) -> None:
    time = "no time" if event.time is None else f"{event.time:%Y-%m-%d %H:%M:%S.%f}"[:23] + " UTC"
    say(f"{time}  {printable(event.collection)}", "bold")
    say(f"  {printable(str(event.place))}", "dim")
    ids = (("correlation", event.correlation_id), ("event", event.event_id), ("trace", event.trace_id))
    for name, value in ids:
        if value:
            say(f"  {name} {printable(value)}", "dim")
    if event.path is not None:
        latency = f"in {event.latency_ms} ms" if event.latency_ms else None
        say(fitting("  " + " ".join(filter(None, (event.method, event.path, event.status_code, latency)))))
    if event.is_missing:
        say("  the object with its content is missing", "red")
        return
    rows = event.rows
    if not isinstance(rows, list):
        say(fitting(f"  {_text(rows)}"))
        return
    if event.row is not None and not rows:
        say(f"  no row {event.row} in this event", "red")
    for number, row in enumerate(rows[:_SHOWN_ROWS], event.row or 0):
        if not isinstance(row, dict):
            say(fitting(f"  {_text(row)}"))
            continue
        if len(rows) > 1 or event.row is not None:
            say(f"  row {number}")
        for name, value in row.items():
            say(fitting(f"    {name}: {_text(value)}"))
    if len(rows) > _SHOWN_ROWS:
        say(f"  and {counted(len(rows) - _SHOWN_ROWS, 'more row')}")


def _say_trace(say: Callable[..., None], trace_id: str, spans: Sequence[Span]) -> None:
    """Each span in one line: its name below that of its parent, its duration, and its part of the trace as a bar."""
    say(f"trace {printable(trace_id)}", "bold")
    first, last = min(one.start for one in spans), max(one.end for one in spans)
    for span in spans:
        indent = "  " * (1 + min(span.depth, _DEEPEST))
        failed = span.status == "ERROR"
        name = fitting(f"{indent}{span.name}", _NAME_WIDTH)
        duration = _duration(span.end - span.start)
        bar = _bar(span.start - first, span.end - first, last - first)
        mark = "ERROR" if failed else ""
        say(f"{name}{' ' * (_NAME_WIDTH - columns(name))} {duration:>9} {mark:<5} |{bar}|", "red" if failed else None)
        say(f"{indent}  {printable(str(span.place))}", "dim")


def _bar(start: timedelta, end: timedelta, whole: timedelta) -> str:
    room = WIDTH - _NAME_WIDTH - 19
    if whole <= timedelta():
        return "=" * room
    before = min(room - 1, max(0, int(start / whole * room)))
    length = max(1, min(room - before, round((end - start) / whole * room)))
    return f"{' ' * before}{'=' * length}{' ' * (room - before - length)}"


def _duration(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return json.dumps(value, ensure_ascii=False)


def _facts(found: FoundId, store: str) -> dict[str, Any]:
    events = [_event_facts(event) for event in found.events]
    return {
        "store": store,
        "id": found.id,
        "scanned_bytes": found.scanned,
        "bytes": found.size,
        "notes": list(found.notes),
        "events": events,
        "spans": [_span_facts(span) for span in found.spans],
    }


def _event_facts(event: FoundEvent) -> dict[str, Any]:
    rows = event.rows
    return {
        "collection": event.collection,
        "blob": event.place.blob,
        "line": event.place.line,
        "time": None if event.time is None else event.time.isoformat(),
        "event_id": event.event_id,
        "correlation_id": event.correlation_id,
        "trace_id": event.trace_id or None,
        "span_id": event.span_id or None,
        "row": event.row,
        "method": event.method,
        "path": event.path,
        "status_code": event.status_code,
        "latency_ms": event.latency_ms,
        "is_missing": event.is_missing,
        "content": {"bytes": len(rows)} if isinstance(rows, bytes) else rows,
    }


def _span_facts(span: Span) -> dict[str, Any]:
    return {
        "name": span.name,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "depth": span.depth,
        "start": _iso(span.start),
        "end": _iso(span.end),
        "status": span.status,
        "blob": span.place.blob,
        "line": span.place.line,
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat()
