"""The command `otel-modeldata compact`: closed hours as Parquet, with a manifest that proves that nothing was lost."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.report import counted

from ...config.store_url import shown_store
from ..reader_session import opened_reader
from ..reading.row_output import add_window
from ..store_argument import STORE_VARIABLES
from ..terminal import fitting, writer
from .collection_argument import add_collection_and_store, chosen_collection
from .duration import duration_argument

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from otel_modeldata_reader import CompactedFolder

_DESCRIPTION: Final = """\
Make Parquet files of the lines of hours that have ended. Readings use them from
then on: they are read ten times faster, and are about a quarter of the size.
The files are in the folder _parquet of the store. Each hour has a manifest that
names its files and the bytes of lines that they have, with checksums: every
file is read back and compared with the lines before the manifest is written.

The lines stay, because Azure ML's model monitoring reads only them. With
--drop-lines they are removed after that. Lines that come late are read as
lines, until the next run adds them. Running it again is safe, also after it
was killed, beside receivers, and beside itself: one run has the store's lock.
"""
_EPILOG: Final = f"""\
examples:
  otel-modeldata compact
      all collections, for example every hour from cron
  otel-modeldata compact shop/blue/model_inputs --dry-run
      what would be done
  otel-modeldata compact --older 30d --drop-lines
      Parquet only, for everything that is older than 30 days

environment:
{STORE_VARIABLES}

exit codes:
  0    done, also if there was nothing to do
  1    done, but some hours have a problem, which is printed
  2    wrong command line, or no such collection
  3    the store cannot be read or written, or another command changes it
  130  Ctrl-C; what is compacted stays compacted
"""
_EXIT_PROBLEM: Final = 1
_OLDER: Final = 3600.0
_LATENESS: Final = 15 * 60.0


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `compact` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add_collection_and_store(parser, "all collections are compacted")
    add_window(parser)
    parser.add_argument(
        "--older",
        metavar="TIME",
        type=duration_argument,
        default=_OLDER,
        help="only hours that ended so long ago, such as 15m or 30d (default: 1h)",
    )
    parser.add_argument(
        "--lateness",
        metavar="TIME",
        type=duration_argument,
        default=_LATENESS,
        help="how late events may be: hours that ended more recently are left alone (default: 15m)",
    )
    parser.add_argument("--drop-lines", action="store_true", help="remove the lines that are compacted")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done; write nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=compact)


def compact(arguments: argparse.Namespace) -> None:
    """Compact hours, and print what was done.

    Raises:
        ReceiverError: a wrong command line, missing dependencies, or a store that cannot be read or written.
    """
    collection, url = chosen_collection(arguments)
    with opened_reader(url, arguments.config) as store:
        found = store.compact(
            collection,
            arguments.since,
            arguments.until,
            older=max(arguments.older, arguments.lateness),
            drop_lines=arguments.drop_lines,
            dry_run=arguments.dry_run,
        )
    if arguments.json:
        facts = {"store": shown_store(url), "folders": [_facts(one) for one in found]}
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        _show(shown_store(url), found, will_do=arguments.dry_run)
    if any(one.problem for one in found):
        sys.stdout.flush()
        raise SystemExit(_EXIT_PROBLEM)


def _show(store: str, found: Sequence[CompactedFolder], *, will_do: bool) -> None:
    say = writer()
    say(store, "bold")
    for collection, folders in groupby(found, lambda one: one.collection):
        changed = [one for one in folders if one.has_changed]
        if changed:
            say(fitting(collection or "."), "bold")
        for one in changed:
            say(fitting(f"  {one.date:<16}  {_sentence(one, will_do=will_do)}"))
    say(_total(found, will_do=will_do), "dim")


def _sentence(one: CompactedFolder, *, will_do: bool) -> str:
    if one.problem:
        return one.problem
    parts = []
    if one.read and will_do:
        parts.append(f"would compact {one.read:,} bytes of lines")
    elif one.read:
        parts.append(f"{counted(one.lines, 'line')}: {one.read:,} bytes to {one.written:,}")
    if one.dropped:
        parts.append(f"{'would drop' if will_do else 'dropped'} {counted(one.dropped, 'blob')}")
    left_out = {"duplicate": one.duplicates, "foreign line": one.foreign}
    parts += [counted(count, noun) for noun, count in left_out.items() if count]
    return ", ".join(parts)


def _total(found: Sequence[CompactedFolder], *, will_do: bool) -> str:
    changed = sum(one.has_changed for one in found)
    if not changed:
        return f"nothing to do in {counted(len(found), 'closed folder')}"
    if will_do:
        return f"{changed:,} of {counted(len(found), 'closed folder')} would change; nothing is written"
    read, written = sum(one.read for one in found), sum(one.written for one in found)
    freed = sum(one.dropped_bytes for one in found)
    parts = [f"{read:,} bytes of lines to {written:,} bytes of Parquet"] if read else []
    parts += [f"{freed:,} bytes of lines dropped"] if freed else []
    return f"{counted(changed, 'folder')} changed: {', '.join(parts)}" if parts else counted(changed, "folder")


def _facts(one: CompactedFolder) -> dict[str, Any]:
    return {
        "collection": one.collection,
        "folder": one.date,
        "lines_read": one.lines,
        "bytes_read": one.read,
        "bytes_written": one.written,
        "events": one.events,
        "rows": one.rows,
        "json_events": one.json_events,
        "files": one.files,
        "bytes": one.size,
        "duplicates": one.duplicates,
        "foreign": one.foreign,
        "blobs_dropped": one.dropped,
        "bytes_dropped": one.dropped_bytes,
        "problem": one.problem or None,
    }
