"""The command `otel-modeldata seal`: says which hours are complete, and keeps it in the store."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.report import counted

from ...config.store_url import shown_store
from ...exceptions import ConfigError
from ..reader_session import opened_reader
from ..reading.row_output import add_window
from ..store_argument import STORE_VARIABLES
from ..terminal import fitting, writer
from .collection_argument import add_collection_and_store, chosen_collection
from .duration import duration_argument, shown_duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from otel_modeldata_reader import FolderSeal, Store
    from otel_modeldata_reader.sealing.seal import Seal

_DESCRIPTION: Final = """\
Seal the hours of a store that are complete. An hour is complete when it ended
some time ago (--lateness), no line for it is parked, and none came within the
last minute. Its seal is a small file in the folder _sealed of the store: which
bytes the hour has, their checksums, and how many events each producer has.

read(sealed=True) reads exactly what is sealed. Lines that come later reopen
the hour: the next run writes another seal, which has them. Sealing is safe
beside receivers, and changes no line.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata seal
      seal all collections, for example every hour from cron
  otel-modeldata seal shop/blue/model_inputs --list --since -1d
      which hours of the last day are complete; writes nothing
  otel-modeldata seal shop/blue/model_inputs --wait 2026-11-22T10
      wait until this hour is complete, seal it, and end with code 0: a step of
      a pipeline that needs all of its rows

environment:
{STORE_VARIABLES}

exit codes:
  0    done, also if there was nothing to seal
  1    --wait: the hour was not complete in time
  2    wrong command line, or no such collection
  3    the store cannot be read or written, or another command changes it
  130  Ctrl-C; what is sealed stays sealed
"""
_EXIT_NOT_COMPLETE: Final = 1
_LATENESS: Final = 15 * 60.0
_TIMEOUT: Final = 3_600.0
_POLL_SECONDS: Final = 10.0


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `seal` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_collection_and_store(parser, "all collections are sealed")
    add_window(parser)
    parser.add_argument(
        "--lateness",
        metavar="TIME",
        type=duration_argument,
        default=_LATENESS,
        help="how long after its end an hour is complete at the earliest, such as 90s or 2h (default: 15m)",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--list", action="store_true", help="list the hours and their seals; write nothing")
    mode.add_argument("--dry-run", action="store_true", help="say what would be sealed; write nothing")
    mode.add_argument("--wait", metavar="HOUR", help="wait until this hour is complete, such as 2026-11-22T10 (UTC)")
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=duration_argument,
        default=_TIMEOUT,
        help=f"how long --wait waits (default: {shown_duration(_TIMEOUT)})",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=seal)


def seal(arguments: argparse.Namespace) -> None:
    """Seal hours, or list them, and print the result.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read or written.
    """
    collection, url = chosen_collection(arguments)
    if arguments.wait is not None and collection is None:
        raise ConfigError("expected a collection with --wait, got none: name one, such as shop/blue/model_inputs")
    with opened_reader(url, arguments.config) as store:
        from otel_modeldata_reader.auditing.summaries.line_decoder import raise_recursion_limit  # noqa: PLC0415 (numpy)

        raise_recursion_limit()
        found = _found(store, collection, arguments)
    if arguments.json:
        facts = {"store": shown_store(url), "folders": [_facts(one) for one in found]}
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        _show(shown_store(url), found, arguments)
    if arguments.wait is not None and not all(one.is_complete for one in found):
        sys.stdout.flush()
        raise SystemExit(_EXIT_NOT_COMPLETE)


def _found(store: Store, collection: str | None, arguments: argparse.Namespace) -> list[FolderSeal]:
    if arguments.wait is not None and collection is not None:
        return store.wait_sealed(
            collection, arguments.wait, lateness=arguments.lateness, timeout=arguments.timeout, poll=_POLL_SECONDS
        )
    window = (arguments.since, arguments.until)
    if arguments.list:
        return store.sealed(collection, *window, lateness=arguments.lateness)
    return store.seal(collection, *window, lateness=arguments.lateness, dry_run=arguments.dry_run)


def _show(store: str, found: Sequence[FolderSeal], arguments: argparse.Namespace) -> None:
    say = writer()
    say(store, "bold")
    for collection, folders in groupby(found, lambda one: one.collection):
        say(fitting(collection or "."), "bold")
        for one in folders:
            if arguments.list or one.is_new or one.state != "sealed":
                say(fitting(f"  {one.date:<16}  {_sentence(one, will_seal=arguments.dry_run)}"))
    say(_total(found, arguments), "dim")


def _sentence(one: FolderSeal, *, will_seal: bool) -> str:
    if one.waits_for and one.state != "open":
        waiting = "lines are parked" if one.waits_for == "parked" else "it is being written"
        return f"{one.state}, not sealed yet: {waiting}"
    if one.seal is None:
        words = {"empty": "complete: no events", "closed": "would be sealed" if will_seal else "closed, without a seal"}
        return words.get(one.state, one.state)
    seal = one.seal
    counts = f"{counted(seal.events, 'event')}, {counted(seal.rows, 'row')}"
    sentences = {
        "reopened": f"reopened: {one.late_bytes:,} bytes came after seal {seal.number}",
        "changed": f"changed: lines of seal {seal.number} are gone",
        "sealed": f"{_became(seal)}: {counts}" if one.is_new else f"sealed: {counts} (seal {seal.number})",
    }
    return sentences[one.state]


def _became(seal: Seal) -> str:
    return {
        "closed": "sealed",
        "late": f"sealed again, with {counted(seal.late_lines, 'late line')}",
        "changed": "sealed again, with other lines",
    }.get(seal.reason, "sealed again")


def _total(found: Sequence[FolderSeal], arguments: argparse.Namespace) -> str:
    new, complete_ones = sum(one.is_new for one in found), sum(one.is_complete for one in found)
    parts = [f"{complete_ones:,} of {counted(len(found), 'folder')} complete"]
    if arguments.dry_run:
        due = sum(one.state in {"closed", "reopened", "changed"} and not one.waits_for for one in found)
        parts.append(f"{due:,} would be sealed; nothing is written")
    elif not arguments.list:
        parts.append(f"{new:,} sealed now")
    return "; ".join(parts)


def _facts(one: FolderSeal) -> dict[str, Any]:
    seal = one.seal
    return {
        "collection": one.collection,
        "folder": one.date,
        "since": one.since.isoformat(),
        "until": one.until.isoformat(),
        "state": one.state,
        "complete": one.is_complete,
        "waits_for": one.waits_for or None,
        "late_bytes": one.late_bytes,
        "new": one.is_new,
        "seal": None
        if seal is None
        else {
            "object": str(seal.name),
            "number": seal.number,
            "reason": seal.reason,
            "sealed_at": seal.sealed_at,
            "bytes": seal.size,
            "lines": seal.lines,
            "events": seal.events,
            "rows": seal.rows,
            "unreadable": seal.unreadable,
            "producers": len(seal.producers) + seal.more_producers,
            "late_lines": seal.late_lines,
        },
    }
