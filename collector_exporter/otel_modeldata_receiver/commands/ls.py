"""The command `otel-modeldata ls`: the collections of a store."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from ..config.store_url import shown_store
from .reader_session import opened_reader
from .store_argument import add_store, chosen_store
from .terminal import writer

if TYPE_CHECKING:
    import argparse

    from otel_modeldata_reader import Collection

_DESCRIPTION: Final = """\
List the collections of a store: size, blobs, the first and the last hour with
events, and how many hours between them have none.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata ls ./modeldata
  otel-modeldata ls az://modeldata/prod --count
      also count events, which reads every blob

environment:
  OTEL_MODELDATA_STORE             the store, without STORE and --store
  AZURE_STORAGE_CONNECTION_STRING  account of an az:// store
  AZURE_STORAGE_ACCOUNT_URL        URL of that account, without a secret; it is
                                   opened with the identity of the machine

exit codes:
  0  listed, also if the store has no collection
  2  wrong command line
  3  the store cannot be read
"""
_HOUR: Final = timedelta(hours=1)
_NAME_WIDTH: Final = 19
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `ls` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_store(parser)
    parser.add_argument("--count", action="store_true", help="count events, which reads every blob")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=list_store)


def list_store(arguments: argparse.Namespace) -> None:
    """Print the collections of a store.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read.
    """
    url = chosen_store(arguments)
    with opened_reader(url) as store:
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
    counted = "events" if count else "blobs"
    say(_row("", "size", counted, "first", "last", "gaps"), "dim")
    for parent, members in groupby(collections, lambda one: one.name.rpartition("/")[0]):
        if parent:
            say(parent, "bold")
        for one in members:
            name = one.name.rpartition("/")[2] or "."
            number = one.events if count else one.blobs
            if len(name) > _NAME_WIDTH:
                say(f"  {name}")
                name = ""
            first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in (one.first, one.last))
            say(_row(name, _size(one.size), f"{number:,}", first, last, str(_gaps(one) or "")))


def _row(*cells: str) -> str:
    name, size, number, first, last, gaps = cells
    return f"  {name:<{_NAME_WIDTH}} {size:>8} {number:>9}  {first:<16} {last:<16} {gaps:>3}".rstrip()


def _gaps(one: Collection) -> int:
    """Hours without a folder between the first one and the last one; 0 for folders of other lengths."""
    return max(0, (one.last - one.first) // _HOUR + 1 - one.folders)


def _size(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"


def _facts(one: Collection) -> dict[str, Any]:
    return {
        "name": one.name,
        "endpoint": one.endpoint,
        "deployment": one.deployment,
        "collection": one.collection,
        "first": one.first.isoformat(),
        "last": one.last.isoformat(),
        "folders": one.folders,
        "gaps": _gaps(one),
        "blobs": one.blobs,
        "bytes": one.size,
        "events": one.events,
    }
