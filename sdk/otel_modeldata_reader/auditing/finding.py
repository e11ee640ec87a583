"""What an audit found, each with its kind, its sentence, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata_receiver.layout.canary_collection import CANARY_COLLECTION

from ..report import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .audit import Audit
    from .fault import Fault
    from .reconciliation import Reconciliation

__all__ = ["FAULTS", "SHOWN", "Finding", "faults_of", "findings", "name_of", "notes"]

SHOWN: Final = 10
"""How many of a kind are named."""
FAULTS: Final = {
    "unreadable": "torn, or not a CloudEvent in JSON",
    "misplaced": "in the folder of another tenant, collection or time",
    "content_range": "with a contentrange that does not match the rows",
    "duplicated": "with the id of another line",
    "dataref": "with a reference to a missing object",
}
_ACTIONS: Final = {
    "missing": "see the logs of the producer and the gateway at that time; events in a queue come later",
    "spool": "start a process with the same spool, which sends them",
    "beyond": "give the report of the process that numbered them, and no older one",
    "reused": "give each process a producer id of its own",
    "unreadable": "look at the line; a torn last line of a receiver that was killed was never acknowledged",
    "misplaced": "see who writes into this folder beside the receiver",
    "forged": "see who may write for the deployment of the folder; the lines count for that one only",
    "content_range": "see who changed the line after it was written; otel-modeldata erase leaves a right one",
    "duplicated": "readers keep one line of an id; see the guide on limits if there are many",
    "missing_payload": "restore the object from a backup, or run `otel-modeldata relink` if the store was moved",
    "parked": "repair the place of the lines; the receiver delivers them while it runs",
    "vanished": "restore the blob from a backup; senders that still have the events may send them again",
    "changed": "compare the blob with a backup",
    "unreadable_parts": "restore the Parquet file from a backup: the lines that it has are dropped",
    "unreadable_note": "look at the object; it says that lines are gone",
    "unknown_tail": "start processes with OTEL_MODELDATA_REPORT=DIR, and give --report DIR; give --running if they "
    "still run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that an audit found.

    Attributes:
        kind: a word for programs.
        sentence: for people.
        action: what to do; empty if there is nothing to do.
    """

    kind: str
    sentence: str
    action: str = ""


def findings(audit: Audit) -> list[Finding]:
    """All problems; empty when everything is accounted for, as far as producers have ended."""
    return [*_findings(audit), *(() if audit.running else _open_ends(audit))]


def notes(audit: Audit) -> list[Finding]:
    """Gaps in what the audit could check, and facts that are not faults."""
    return list(_notes(audit))


def faults_of(audit: Audit) -> dict[str, Fault]:
    """The faults of lines by their kinds."""
    return {name: getattr(audit.ledger, name) for name in FAULTS}


def name_of(one: Reconciliation) -> str:
    """The producer and collection of a result."""
    return f"{one.endpoint}/{one.deployment} {one.collection}, producer {one.producer or 'unknown'}"


def _found(kind: str, sentence: str) -> Finding:
    return Finding(kind=kind, sentence=sentence, action=_ACTIONS.get(kind, ""))


def _findings(audit: Audit) -> Iterator[Finding]:
    for one in audit.reconciliations:
        for kind, problem in one.problems_by_kind.items():
            yield _found(kind, f"{name_of(one)}: {problem}")
    yield from _faults(audit)
    for place, count in audit.parked.items():
        yield _found(
            "parked",
            f"{counted(count, 'event')} {'is' if count == 1 else 'are'} parked for {place}: nothing is lost; repair "
            "the place, and the receiver that parked them delivers them while it runs",
        )
    for note in audit.vanished[:SHOWN]:
        yield _found("vanished", f"lines vanished from {note.sentence}")
    if more := audit.vanished[SHOWN:]:
        yield _found("vanished", f"lines vanished from {counted(len(more), 'further blob')}")
    for sealed in audit.seals[:SHOWN]:
        words = "lines vanished from" if sealed.kind == "vanished" else "lines changed in"
        yield _found(sealed.kind, f"{words} {sealed.sentence}")
    for reason in audit.unreadable_parts[:SHOWN]:
        yield _found("unreadable_parts", f"lines that were dropped cannot be counted: {reason[:300]}")
    if rest := audit.seals[SHOWN:]:
        yield _found("vanished", f"sealed lines vanished from, or changed in {counted(len(rest), 'further blob')}")
    if audit.torn_notes and audit.selection.is_everything and audit.selection.whole:
        yield _torn(audit)


def _faults(audit: Audit) -> Iterator[Finding]:
    counts = {name: fault.count for name, fault in faults_of(audit).items()}
    forged = audit.ledger.forged.count
    for name, text in FAULTS.items():
        if name == "misplaced" and forged:
            yield _found("forged", f"{counted(forged, 'line')} in the folder of another deployment than they name")
        if count := counts[name] - (forged if name == "misplaced" else 0):
            yield _found("missing_payload" if name == "dataref" else name, f"{counted(count, 'line')} {text}")


def _notes(audit: Audit) -> Iterator[Finding]:
    if not (audit.blobs or audit.dropped):
        yield _found(
            "nothing_read",
            "no blobs found, so no line was checked; correct the store or the names if there should be some",
        )
    if audit.running:
        yield from _open_ends(audit)
    if unnumbered := sum(one.stored for one in audit.reconciliations if one.last is None):
        yield _found(
            "unnumbered", f"{counted(unnumbered, 'event')} without producer and number: missing ones cannot be detected"
        )
    for one in audit.reconciliations:
        if one.doubtful:
            yield _found(
                "doubtful", f"{name_of(one)}: {counted(one.doubtful, 'event')} reported lost, but in the store"
            )
    if not audit.selection.whole:
        yield _found(
            "some_hours",
            "not all hours were read: events before the first and after the last one of each producer are not checked",
        )
    yield from _notes_of_records(audit)
    if audit.ledger.unattributed:
        yield _found(
            "unattributed",
            f"{counted(audit.ledger.unattributed, 'record')} in quarantine without a deployment and collection",
        )
    if audit.torn_notes and not (audit.selection.is_everything and audit.selection.whole):
        yield _torn(audit)  # which part of the store it is about is not known
    for producer in sorted(audit.ledger.ambiguous_reports)[:SHOWN]:
        yield _found(
            "ambiguous_report",
            f"the final report of producer {producer!r} settles no account: several deployments may be meant",
        )
    yield from _notes_of_payloads(audit)
    if audit.shadows:
        yield _found(
            "copies", f"{counted(audit.shadows, 'blob')} left out: copies that Azure ML's reader makes in *_block_blob"
        )


def _notes_of_records(audit: Audit) -> Iterator[Finding]:
    """What the store itself says about its lines."""
    if erased := sum(one.erased for one in audit.reconciliations):
        yield _found("erased", f"{counted(erased, 'event')} erased on purpose, as tombstones say: these are no gaps")
    rows = sum(one.rows for one in audit.erasures)
    if rows and audit.selection.is_everything:
        times = sorted(one.time for one in audit.erasures)
        erasures = counted(len(times), "erasure")
        yield _found(
            "erased_rows",
            f"{counted(rows, 'row')} erased on purpose in {erasures}, the last one at {times[-1][:40]!r}",
        )
    if audit.dropped:
        yield _found(
            "dropped",
            f"{counted(audit.dropped, 'line')} dropped by compaction: manifests vouch for them, and their events were "
            "counted in Parquet files or in what an earlier audit remembers",
        )
    for reason in audit.damaged[:SHOWN]:
        yield _found("damaged_record", f"a tombstone or manifest cannot be used: {reason[:300]}")
    hours, size = audit.remembered
    if hours:
        yield _found(
            "remembered", f"{counted(hours, 'hour')} remembered from an earlier audit: {size:,} bytes not read"
        )


def _notes_of_payloads(audit: Audit) -> Iterator[Finding]:
    if audit.ledger.payloads.elsewhere:
        yield _found(
            "elsewhere",
            f"{counted(audit.ledger.payloads.elsewhere, 'line')} with a reference to where the store was before: the "
            "payloads are beside the lines, and Azure ML's reader does not find them; stop the receiver and run "
            "`otel-modeldata relink`",
        )
    if audit.ledger.payloads.foreign:
        foreign = counted(audit.ledger.payloads.foreign, "line")
        yield _found(
            "foreign_payload", f"{foreign} with a reference to an object outside of their folder, which was not checked"
        )


def _torn(audit: Audit) -> Finding:
    names = audit.torn_notes
    return _found(
        "unreadable_note", f"{counted(len(names), 'note')} about vanished lines cannot be read: {names[0][:300]!r}"
    )


def _open_ends(audit: Audit) -> list[Finding]:
    """The producers whose last events cannot be known; hours of a store have no such end."""
    if not audit.selection.whole:
        return []
    unreported = [
        one
        for one in audit.reconciliations
        if one.accepted is None and one.last is not None and one.collection != CANARY_COLLECTION
    ]
    ends = [
        f"{name_of(one)}: events after {one.last} cannot be known: it still runs, or it ended without a final report"
        for one in unreported[:SHOWN]
    ]
    if more := unreported[SHOWN:]:
        ends.append(f"{len(more):,} more producers and collections without a final report")
    return [_found("unknown_tail", one) for one in ends]
