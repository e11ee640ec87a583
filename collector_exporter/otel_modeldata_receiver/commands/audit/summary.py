"""The result of an audit, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from otel_modeldata_reader.auditing.reconciliation import shown_ranges
from otel_modeldata_reader.report import counted

from ..canary_collection import CANARY_COLLECTION
from ..terminal import writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_reader.auditing.audit import Audit
    from otel_modeldata_reader.auditing.fault import Fault
    from otel_modeldata_reader.auditing.reconciliation import Reconciliation

__all__ = ["facts", "findings", "notes", "show"]

_SHOWN_LOCATIONS: Final = 10
_FAULTS: Final = {
    "unreadable": "torn, or not a CloudEvent in JSON",
    "misplaced": "in the folder of another tenant, collection or time",
    "content_range": "with a contentrange that does not match the rows",
    "duplicated": "with the id of another line",
    "dataref": "with a reference to a missing object",
}


def findings(audit: Audit) -> list[str]:
    """All problems, one sentence each; empty when everything is accounted for, as far as producers have ended."""
    problems = [f"{_name(one)}: {problem}" for one in audit.reconciliations for problem in one.problems]
    counts = {name: fault.count for name, fault in _faults(audit).items()}
    problems += [f"{counted(counts[name], 'line')} {text}" for name, text in _FAULTS.items() if counts[name]]
    problems += [
        f"{counted(count, 'event')} {'is' if count == 1 else 'are'} parked for {place}: nothing is lost; repair the "
        "place, and the receiver that parked them delivers them while it runs"
        for place, count in audit.parked.items()
    ]
    problems += [f"lines vanished from {one.sentence}" for one in audit.vanished[:_SHOWN_LOCATIONS]]
    if more := audit.vanished[_SHOWN_LOCATIONS:]:
        problems.append(f"lines vanished from {counted(len(more), 'further blob')}")
    if audit.torn_notes and audit.selection.is_everything and audit.selection.whole:
        problems.append(_torn(audit))
    return problems if audit.running else problems + _open_ends(audit)


def notes(audit: Audit) -> list[str]:
    """Gaps in what the audit could check, and facts that are not faults."""
    return list(_notes(audit))


def facts(audit: Audit, store: str) -> dict[str, Any]:
    """The whole result, for JSON."""
    return {
        "store": store,
        "everything_accounted_for": not (findings(audit) or _open_ends(audit)),
        "blobs": audit.blobs,
        "bytes": audit.size,
        "lines": audit.ledger.lines,
        "parked": dict(audit.parked),
        "reconciliations": [_reconciliation_facts(one) for one in audit.reconciliations],
        "faults": {
            name: {"count": fault.count, "first": [_plain(location) for location in fault.locations]}
            for name, fault in _faults(audit).items()
        },
        "vanished": [msgspec.to_builtins(one) for one in audit.vanished],
        "unattributed_quarantined": audit.ledger.unattributed,
        "findings": findings(audit),
        "notes": notes(audit),
    }


def show(audit: Audit, store: str) -> None:
    """Print the result on stdout."""
    say = writer()
    read = (counted(audit.blobs, "blob"), counted(audit.ledger.lines, "line"), counted(audit.size, "byte"))
    say(f"{store}: {', '.join(read)}", "bold")
    for one in audit.reconciliations:
        say(f"{_name(one)}\n    {_figures(one)}", None if one.is_accounted_for else "red")
    for name, fault in _faults(audit).items():
        for location in fault.locations[:_SHOWN_LOCATIONS]:
            say(f"  {location.blob}, line {location.line}: {location.reason}")
        if fault.count > _SHOWN_LOCATIONS:
            say(f"  and {fault.count - _SHOWN_LOCATIONS:,} more {_FAULTS[name]}")
    for text in findings(audit):
        say(f"finding: {text}", "bold red")
    for text in notes(audit):
        say(f"note: {text}", "dim")
    if not findings(audit) and (audit.blobs or audit.reconciliations):
        known = "everything up to the last stored event of each producer" if _open_ends(audit) else "everything"
        say(f"{known} is accounted for", "bold green")


def _faults(audit: Audit) -> dict[str, Fault]:
    return {name: getattr(audit.ledger, name) for name in _FAULTS}


def _name(one: Reconciliation) -> str:
    return f"{one.endpoint}/{one.deployment} {one.collection}, producer {one.producer or 'unknown'}"


def _notes(audit: Audit) -> Iterator[str]:
    if not audit.blobs:
        yield "no blobs found, so no line was checked; correct the store or the names if there should be some"
    if audit.running:
        yield from _open_ends(audit)
    if unnumbered := sum(one.stored for one in audit.reconciliations if one.last is None):
        yield f"{counted(unnumbered, 'event')} without producer and number: missing ones cannot be detected"
    for one in audit.reconciliations:
        if one.doubtful:
            yield f"{_name(one)}: {counted(one.doubtful, 'event')} reported lost, but in the store"
    if not audit.selection.whole:
        yield "not all hours were read: events before the first and after the last one of each producer are not checked"
    if audit.ledger.unattributed:
        yield f"{counted(audit.ledger.unattributed, 'record')} in quarantine without a deployment and collection"
    if audit.torn_notes and not (audit.selection.is_everything and audit.selection.whole):
        yield _torn(audit)  # which part of the store it is about is not known
    for producer in sorted(audit.ledger.ambiguous_reports)[:_SHOWN_LOCATIONS]:
        yield f"the final report of producer {producer!r} settles no account: several deployments may be meant"
    if audit.ledger.payloads.elsewhere:
        yield (
            f"{counted(audit.ledger.payloads.elsewhere, 'line')} with a reference to where the store was before: the "
            "payloads are beside the lines, and Azure ML's reader does not find them; stop the receiver and run "
            "`otel-modeldata relink`"
        )
    if audit.ledger.payloads.foreign:
        foreign = counted(audit.ledger.payloads.foreign, "line")
        yield f"{foreign} with a reference to an object outside of their folder, which was not checked"
    if audit.shadows:
        yield f"{counted(audit.shadows, 'blob')} left out: copies that Azure ML's reader makes in *_block_blob"


def _torn(audit: Audit) -> str:
    return (
        f"{counted(len(audit.torn_notes), 'note')} about vanished lines cannot be read: {audit.torn_notes[0][:300]!r}"
    )


def _open_ends(audit: Audit) -> list[str]:
    """The producers whose last events cannot be known; hours of a store have no such end."""
    if not audit.selection.whole:
        return []
    unreported = [
        one
        for one in audit.reconciliations
        if one.accepted is None and one.last is not None and one.collection != CANARY_COLLECTION
    ]
    ends = [
        f"{_name(one)}: events after {one.last} cannot be known: it still runs, or it ended without a final report"
        for one in unreported[:_SHOWN_LOCATIONS]
    ]
    if more := unreported[_SHOWN_LOCATIONS:]:
        ends.append(f"{len(more):,} more producers and collections without a final report")
    return ends


def _figures(one: Reconciliation) -> str:
    """The counts in one line."""
    accepted = "" if one.accepted is None else f"accepted {one.accepted:,}, "
    lost = "" if one.report is None else f"lost {one.lost:,}, "
    gaps = f", gaps {shown_ranges(one.gaps)}" if one.gaps else ""
    return (
        f"{accepted}stored {one.stored:,}, {lost}quarantined {one.quarantined:,}, duplicates {one.duplicates:,}, "
        f"missing {one.missing:,}{gaps}"
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
