"""What `erase` and `expire` print: what would go, or went, folder by folder."""

from __future__ import annotations

import sys
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable
from otel_modeldata_reader.report import counted

from ..terminal import WIDTH, fitting, size_text, writer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from otel_modeldata_reader.erasing import Receipt

__all__ = ["add_erasure_flags", "is_confirmed", "show"]

_MOST_FOLDERS: Final = 40
"""Folders of a collection that are shown; --json has all."""
_MOST_IDS: Final = 5
_YES: Final = frozenset({"y", "yes"})


def add_erasure_flags(parser: argparse.ArgumentParser, path: type[Path] | object) -> None:
    """Add what both commands have: to do it or not, who and why, and how the result is printed."""
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing (the default)")
    mode.add_argument("--yes", action="store_true", help="do it without a question")
    parser.add_argument("--by", metavar="WHO", default="", help="who does it, for the tombstone and the receipt")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; not the name of a person")
    parser.add_argument("--receipt", metavar="FILE", type=path, help="write the receipt, a JSON file that is new")  # type: ignore[arg-type]
    parser.add_argument("--json", action="store_true", help="print the receipt as JSON")


def show(receipt: Receipt) -> None:
    """Print what went, or would go, in tables of 80 columns."""
    say = writer()
    say(fitting(receipt.store), "bold")
    for root, folders in groupby(receipt.hours, lambda one: one.root):
        say(fitting(root or "."), "bold")
        shown = list(folders)
        for one in shown[:_MOST_FOLDERS]:
            lines = f", {counted(one.lines, 'line')} without some rows" if one.lines else ""
            counts = f"{counted(one.rows, 'row')}, {counted(one.events, 'whole event')}{lines}"
            say(fitting(f"  {one.date:<16}  {counts}{_size(one.size)}"))
        if len(shown) > _MOST_FOLDERS:
            say(f"  and {len(shown) - _MOST_FOLDERS:,} more folders")
    if receipt.sample:
        say(fitting(f"such as {', '.join(receipt.sample)}"), "dim")
    for sentence in (_total(receipt), *_notes(receipt)):
        say(_wrapped(sentence))


def _wrapped(sentence: str) -> str:
    return textwrap.fill(
        printable(sentence), WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
    )


def is_confirmed(receipt: Receipt) -> bool:
    """Whether a person at a terminal wants what was shown; without a terminal nobody does."""
    if not receipt.hours or not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    sys.stdout.write("Erase this? It cannot be undone. [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in _YES


def _total(receipt: Receipt) -> str:
    if not receipt.hours:
        return "nothing to erase" if receipt.is_done else "nothing would go"
    counts = f"{counted(receipt.rows, 'row')} and {counted(receipt.events, 'whole event')}"
    if not receipt.is_done:
        return f"{counts} would go{_size(receipt.size)}; nothing is changed (do it with --yes)"
    return f"{counts} are gone{_size(receipt.size)}; tombstone {receipt.tombstone}"


def _size(size: int) -> str:
    """Bytes of lines; rows that are in Parquet files only have none of their own."""
    return f", {size_text(size)}" if size else ""


def _notes(receipt: Receipt) -> Sequence[str]:
    notes = list(receipt.problems[:_MOST_FOLDERS])
    if len(receipt.problems) > _MOST_FOLDERS:
        notes.append(f"and {len(receipt.problems) - _MOST_FOLDERS:,} more folders stay: see --json")
    if receipt.unread:
        notes.append(
            f"{counted(receipt.unread, 'line')} could not be read, so the condition was not evaluated and they stay: "
            "see audit"
        )
    if receipt.undecided:
        notes.append(
            f"{counted(receipt.undecided, 'record')} in quarantine, or payloads that no line names, may be about the "
            "person, but the condition cannot be evaluated for them, so they stay: look into _quarantine/ and files/"
        )
    if receipt.unfound:
        shown = ", ".join(receipt.unfound[:_MOST_IDS])
        more = f" and {len(receipt.unfound) - _MOST_IDS:,} more" if len(receipt.unfound) > _MOST_IDS else ""
        notes.append(f"no event has {'the id' if len(receipt.unfound) == 1 else 'these ids'}: {shown}{more}")
    if receipt.unidentified:
        notes.append(
            f"{counted(receipt.unidentified, 'row')} stay: their lines have no id by which they alone can be erased"
        )
    if receipt.later:
        notes.append(f"{counted(receipt.later, 'row')} came meanwhile: run it again")
    if receipt.mentions:
        notes.append(
            f"{counted(receipt.mentions, 'row')} of labels, spans or own collections "
            f"{'has' if receipt.mentions == 1 else 'have'} a chosen id in a column of another name, so they stay: look "
            "whether they are about the person"
        )
    return notes
