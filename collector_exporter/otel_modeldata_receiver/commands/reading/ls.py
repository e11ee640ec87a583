"""The command `otel-modeldata ls`: the collections of a store."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from ...config.store_url import shown_store
from ..reader_session import opened_reader
from ..store_argument import add_datastores, add_store, chosen_store
from ..terminal import fitting, size_text, writer

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from otel_modeldata_reader import Collection

_DESCRIPTION: Final = """\
List the collections of a store: their size, how many hours between the first
and the last one have no events, and when they were last written. Times are in
UTC.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata ls ./modeldata
  otel-modeldata ls az://modeldata/prod --count
      also count events and rows, which reads every blob

environment:
  OTEL_MODELDATA_STORE             the store, without STORE and --store
  AZURE_STORAGE_CONNECTION_STRING  account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL        URL of that account, without a secret; it is
                                   opened with the identity of the machine

exit codes:
  0    listed, also if the store has no collection
  2    wrong command line
  3    the store cannot be read
  130  Ctrl-C
"""
_NAME_WIDTH: Final = 17


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `ls` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_store(parser)
    add_datastores(parser)
    parser.add_argument("--count", action="store_true", help="count events and rows, which reads every blob")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=list_store)


def list_store(arguments: argparse.Namespace) -> None:
    """Print the collections of a store.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read.
    """
    url = chosen_store(arguments)
    with opened_reader(url, arguments.config) as store:
        collections = store.collections(count=arguments.count)
    if arguments.json:
        facts = {"store": shown_store(url), "collections": [_facts(one) for one in collections]}
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    _show(shown_store(url), collections, count=arguments.count)


def _show(store: str, collections: list[Collection], *, count: bool) -> None:
    say = writer()
    if not collections:
        say(f"{store}: no collections")
        return
    say(store, "bold")
    say(_row("", "size", *(("events", "rows") if count else ("blobs", "last hour")), "gaps", "last write"), "dim")
    for parent, members in groupby(collections, lambda one: one.name.rpartition("/")[0]):
        if parent:
            say(fitting(parent), "bold")
        for one in members:
            name = one.name.rpartition("/")[2] or "."
            if len(name) > _NAME_WIDTH:
                say(fitting(f"  {name}"))
                name = ""
            numbers = (f"{one.events:,}", f"{one.rows:,}") if count else (f"{one.blobs:,}", _minute(one.last))
            say(
                _row(
                    name,
                    size_text(one.size + one.compacted),
                    *numbers,
                    str(one.gap_hours or ""),
                    _minute(one.last_write),
                )
            )


def _row(*cells: str) -> str:
    name, size, first, second, gaps, written = cells
    return f"  {name:<{_NAME_WIDTH}} {size:>8} {first:>11} {second:>16} {gaps:>5} {written:>16}".rstrip()


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _facts(one: Collection) -> dict[str, Any]:
    return {
        "name": one.name,
        "endpoint": one.endpoint,
        "deployment": one.deployment,
        "collection": one.collection,
        "first": one.first.isoformat(),
        "last": one.last.isoformat(),
        "folders": one.folders,
        "gaps": one.gap_hours,
        "missing": [{"since": since.isoformat(), "until": until.isoformat()} for since, until in one.gaps],
        "blobs": one.blobs,
        "bytes": one.size,
        "compacted": one.compacted,
        "events": one.events,
        "rows": one.rows,
        "last_write": None if one.last_write is None else one.last_write.isoformat(),
    }
