"""The command `otel-modeldata show`: everything about one id."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from ..config.store_url import shown_store
from .reader_session import opened_reader
from .store_argument import chosen_store, store_argument
from .terminal import writer

if TYPE_CHECKING:
    import argparse

    from otel_modeldata_reader import FoundEvent, FoundId

_DESCRIPTION: Final = """\
Show everything about one id: a correlation id, a row id, an event id or a trace
id. Inputs, outputs, requests, responses, labels and spans are listed in the
order of their times, each with its blob and line. The store is scanned.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata show bbfd5758-6d3c-4c5e-8a0e-5b7f1f6b6a51 --store ./modeldata
  otel-modeldata show order-17_0 --since -7d --json

environment:
  OTEL_MODELDATA_STORE             the store, without --store
  AZURE_STORAGE_CONNECTION_STRING  account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL        URL of that account, without a secret; it is
                                   opened with the identity of the machine

exit codes:
  0  found
  2  wrong command line, or no line has the id
  3  the store cannot be read
"""
_SHOWN_ROWS: Final = 3
_WIDTH: Final = 80


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `show` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("id", metavar="ID", help="a correlation id, row id, event id or trace id")
    parser.add_argument(
        "--store",
        metavar="URL",
        type=store_argument,
        dest="store_flag",
        help="a folder, az://container/prefix, or a container's URL (default: OTEL_MODELDATA_STORE, else ./modeldata)",
    )
    parser.add_argument("--since", metavar="TIME", help="search only from this time on, such as -7d or 2026-11-22")
    parser.add_argument("--until", metavar="TIME", help="search only before this time")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=show, store=None)


def show(arguments: argparse.Namespace) -> None:
    """Print what a store has about an id.

    Raises:
        ReceiverError: a wrong command line, an unknown id, missing dependencies, or a store that cannot be read.
    """
    url = chosen_store(arguments)
    with opened_reader(url) as store:
        found = store.show(arguments.id, arguments.since, arguments.until)
    if arguments.json:
        sys.stdout.write(json.dumps(_facts(found, shown_store(url))) + "\n")
        return
    say = writer()
    for event in found.events:
        _say_event(say, event)
    events = "1 event" if len(found.events) == 1 else f"{len(found.events):,} events"
    say(f"{events} in {found.scanned:,} bytes", "dim")


def _say_event(say: Any, event: FoundEvent) -> None:
    time = "no time" if event.time is None else f"{event.time:%Y-%m-%d %H:%M:%S.%f}"[:23]
    say(f"{time}  {event.collection}", "bold")
    say(f"  {event.place}", "dim")
    ids = (("correlation", event.correlation_id), ("event", event.event_id), ("trace", event.trace_id))
    for name, value in ids:
        if value:
            say(f"  {name} {value}", "dim")
    rows = event.rows
    if not isinstance(rows, list):
        say(_cut(f"  {_text(rows)}"))
        return
    for number, row in enumerate(rows[:_SHOWN_ROWS], event.row or 0):
        if not isinstance(row, dict):
            say(_cut(f"  {_text(row)}"))
            continue
        if len(rows) > 1 or event.row is not None:
            say(f"  row {number}")
        for name, value in row.items():
            say(_cut(f"    {name}: {_text(value)}"))
    if len(rows) > _SHOWN_ROWS:
        say(f"  and {len(rows) - _SHOWN_ROWS:,} more rows")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _facts(found: FoundId, store: str) -> dict[str, Any]:
    events = [_event_facts(event) for event in found.events]
    return {"store": store, "id": found.id, "scanned_bytes": found.scanned, "events": events}


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
        "content": {"bytes": len(rows)} if isinstance(rows, bytes) else rows,
    }
