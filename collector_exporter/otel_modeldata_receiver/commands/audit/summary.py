"""The result of an audit, as text and as JSON."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

import msgspec

from otel_modeldata_reader.auditing.finding import FAULTS, SHOWN, faults_of, findings, name_of, notes
from otel_modeldata_reader.auditing.reconciliation import shown_ranges
from otel_modeldata_reader.printable import printable
from otel_modeldata_reader.report import counted

from ..terminal import WIDTH, writer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_reader.auditing.audit import Audit
    from otel_modeldata_reader.auditing.finding import Finding
    from otel_modeldata_reader.auditing.reconciliation import Reconciliation

__all__ = ["facts", "show"]

_INDENT: Final = 4


def facts(audit: Audit, store: str) -> dict[str, Any]:
    """The whole result, for JSON."""
    return {
        "store": store,
        "everything_accounted_for": not (findings(audit) or _has_open_ends(audit)),
        "blobs": audit.blobs,
        "bytes": audit.size,
        "lines": audit.ledger.lines,
        "parked": dict(audit.parked),
        "reconciliations": [_reconciliation_facts(one) for one in audit.reconciliations],
        "faults": {
            name: {"count": fault.count, "first": [_plain(location) for location in fault.locations]}
            for name, fault in faults_of(audit).items()
        },
        "vanished": [msgspec.to_builtins(one) for one in audit.vanished],
        "unattributed_quarantined": audit.ledger.unattributed,
        "sealed": [
            {"kind": one.kind, "blob": one.blob, "expected": one.expected, "found": one.found} for one in audit.seals
        ],
        "dropped_lines": audit.dropped,
        "remembered": dict(zip(("hours", "bytes"), audit.remembered, strict=True)),
        "findings": [one.sentence for one in findings(audit)],
        "notes": [one.sentence for one in notes(audit)],
        "details": [*_details("finding", findings(audit)), *_details("note", notes(audit))],
    }


def show(audit: Audit, store: str) -> None:
    """Print the result on stdout."""
    write = writer()

    def say(text: str, style: str | None = None) -> None:
        write(_at_words(text) if sys.stdout.isatty() else text, style)

    read = (counted(audit.blobs, "blob"), counted(audit.ledger.lines, "line"), counted(audit.size, "byte"))
    say(f"{store}: {', '.join(read)}", "bold")
    for result in audit.reconciliations:
        say(f"{printable(name_of(result))}\n    {_figures(result)}", None if result.is_accounted_for else "red")
    for name, fault in faults_of(audit).items():
        for location in fault.locations[:SHOWN]:
            say(printable(f"  {location.blob}, line {location.line}: {location.reason}"))
        if fault.count > SHOWN:
            say(f"  and {fault.count - SHOWN:,} more {FAULTS[name]}")
    for one in findings(audit):
        say(printable(f"finding: {one.sentence}"), "bold red")
    for one in notes(audit):
        say(printable(f"note: {one.sentence}"), "dim")
    for action in dict.fromkeys(one.action for one in findings(audit) if one.action):
        say(f"to do: {action}")
    if not findings(audit) and (audit.blobs or audit.reconciliations):
        known = "everything up to the last stored event of each producer" if _has_open_ends(audit) else "everything"
        say(f"{known} is accounted for", "bold green")


def _at_words(text: str) -> str:
    """Lines of a text that fit a terminal; a path is never cut, so that it can be copied."""
    return "\n".join(
        part
        for line in text.split("\n")
        for part in textwrap.wrap(
            line,
            WIDTH,
            subsequent_indent=" " * (len(line) - len(line.lstrip()) + _INDENT),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _has_open_ends(audit: Audit) -> bool:
    return any(one.kind == "unknown_tail" for one in (*findings(audit), *notes(audit)))


def _details(level: str, found: Iterable[Finding]) -> list[dict[str, str]]:
    return [{"level": level, "kind": one.kind, "sentence": one.sentence, "action": one.action} for one in found]


def _figures(one: Reconciliation) -> str:
    """The counts in one line."""
    accepted = "" if one.accepted is None else f"accepted {one.accepted:,}, "
    lost = "" if one.report is None else f"lost {one.lost:,}, "
    erased = f"erased {one.erased:,}, " if one.erased else ""
    gaps = f", gaps {shown_ranges(one.gaps)}" if one.gaps else ""
    return (
        f"{accepted}stored {one.stored:,}, {lost}{erased}quarantined {one.quarantined:,}, "
        f"duplicates {one.duplicates:,}, missing {one.missing:,}{gaps}"
    )


def _reconciliation_facts(one: Reconciliation) -> dict[str, Any]:
    return {
        **{name: getattr(one, name) for name in one.__dataclass_fields__ if name != "report"},
        "gaps": [list(gap) for gap in one.gaps],
        "report": None if one.report is None else msgspec.to_builtins(one.report),
        "accounted_for": one.is_accounted_for,
    }


def _plain(location: object) -> Any:
    return msgspec.to_builtins(location)
