"""What an audit found, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.console import Console

from .reconciliation import counted, shown_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .ledger import Fault
    from .reconciliation import Statement
    from .run import Audit

__all__ = ["facts", "findings", "notes", "show"]

_SHOWN_SPOTS: Final = 10
_FAULTS: Final = {
    "unreadable": "torn, or no CloudEvent in JSON",
    "misplaced": "in the folder of another tenant, collection or time",
    "content_range": "with a contentrange that is not that of the rows",
    "duplicated": "with the id of another line",
    "dataref": "pointing to an object that is not there",
}


def findings(audit: Audit) -> list[str]:
    """What does not account, one sentence each; empty when everything does."""
    accounts = [f"{_name(one)}: {problem}" for one in audit.statements for problem in one.problems]
    counts = {name: fault.count for name, fault in _faults(audit).items()}
    return accounts + [f"{counted(counts[name], 'line')} {text}" for name, text in _FAULTS.items() if counts[name]]


def notes(audit: Audit) -> list[str]:
    """What cannot be known, and what is no fault but worth knowing."""
    return list(_notes(audit))


def facts(audit: Audit, store: str) -> dict[str, Any]:
    """The whole outcome for programs."""
    return {
        "store": store,
        "accounts_for_everything": not findings(audit),
        "blobs": audit.blobs,
        "bytes": audit.size,
        "lines": audit.ledger.lines,
        "statements": [_statement_facts(one) for one in audit.statements],
        "faults": {
            name: {"count": fault.count, "first": [_plain(spot) for spot in fault.spots]}
            for name, fault in _faults(audit).items()
        },
        "unattributed_quarantined": audit.ledger.unattributed,
        "findings": findings(audit),
        "notes": notes(audit),
    }


def show(audit: Audit, store: str) -> None:
    """Print the outcome on stdout."""
    console = Console(highlight=False)

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, markup=False, soft_wrap=True)  # long lines stay whole: paths can be copied

    read = (counted(audit.blobs, "blob"), counted(audit.ledger.lines, "line"), counted(audit.size, "byte"))
    say(f"{store}: {', '.join(read)}", "bold")
    for one in audit.statements:
        say(f"{_name(one)}\n    {_figures(one)}", None if one.accounts else "red")
    for name, fault in _faults(audit).items():
        for spot in fault.spots[:_SHOWN_SPOTS]:
            say(f"  {spot.blob}, line {spot.line}: {spot.reason}")
        if fault.count > _SHOWN_SPOTS:
            say(f"  and {fault.count - _SHOWN_SPOTS:,} more {_FAULTS[name]}")
    for text in findings(audit):
        say(f"finding: {text}", "bold red")
    for text in notes(audit):
        say(f"note: {text}", "dim")
    if not findings(audit) and (audit.blobs or audit.statements):
        say("everything accounts", "bold green")


def _faults(audit: Audit) -> dict[str, Fault]:
    return {name: getattr(audit.ledger, name) for name in _FAULTS}


def _name(one: Statement) -> str:
    return f"{one.endpoint}/{one.deployment} {one.collection}, producer {one.producer or 'unknown'}"


def _notes(audit: Audit) -> Iterator[str]:
    if not audit.blobs:
        yield "no blobs were found: nothing is accounted for; correct the store or the names if there should be some"
    silent = [one for one in audit.statements if one.accepted is None and one.last is not None]
    for one in silent[:_SHOWN_SPOTS]:
        yield f"{_name(one)}: no final report: events after {one.last} cannot be known"
    if len(silent) > _SHOWN_SPOTS:
        yield f"{len(silent) - _SHOWN_SPOTS} more producers and collections have no final report"
    if unnumbered := sum(one.stored for one in audit.statements if one.last is None):
        yield f"{counted(unnumbered, 'event')} without producer and sequence: a gap among them cannot be seen"
    for one in audit.statements:
        if one.doubtful:
            yield f"{_name(one)}: {counted(one.doubtful, 'event')} reported lost and there nevertheless"
    if not audit.selection.whole:
        yield "not all hours were read: events before the first and after the last one of each producer are not missed"
    if audit.ledger.unattributed:
        yield f"{counted(audit.ledger.unattributed, 'record')} in quarantine without a producer and collection"
    if audit.ledger.foreign_references:
        yield f"{counted(audit.ledger.foreign_references, 'line')} pointing out of the folder: not followed"
    if audit.shadows:
        yield f"{counted(audit.shadows, 'blob')} left out: copies that Azure ML's reader keeps in .._block_blob"


def _figures(one: Statement) -> str:
    """The account in one line."""
    told = "" if one.accepted is None else f"accepted {one.accepted:,}, "
    lost = "" if one.report is None else f"lost {one.lost:,}, "
    gaps = f", gaps {shown_ranges(one.gaps)}" if one.gaps else ""
    return (
        f"{told}stored {one.stored:,}, {lost}quarantined {one.quarantined:,}, duplicates {one.duplicates:,}, "
        f"missing {one.missing:,}{gaps}"
    )


def _statement_facts(one: Statement) -> dict[str, Any]:
    return {
        **{name: getattr(one, name) for name in one.__dataclass_fields__ if name != "report"},
        "gaps": [list(gap) for gap in one.gaps],
        "report": None if one.report is None else msgspec.to_builtins(one.report),
        "accounts": one.accounts,
    }


def _plain(spot: object) -> Any:
    return msgspec.to_builtins(spot)
