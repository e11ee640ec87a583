"""Compares the sequence numbers in the store with the numbers that a producer assigned, for one collection.

The SDK numbers the events of a collection from 0, and the receiver stores or quarantines each under its number. So a
gap in the numbers is a missing event, and the highest number shows how many events there must be. Events above the
highest number appear only in the producer's final report, which has the number of accepted and of lost events. An event
that was reported lost may still be stored (the process ended before the answer arrived). So losses explain gaps, and a
stored event is never counted as lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..report import counted
from .number_ranges import NumberRanges
from .producer_report import REJECTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .producer_report import ReportedCounts
    from .summaries.hour_summary import AccountCounts

__all__ = ["ProducerCounts", "Reconciliation", "reconcile", "shown_ranges"]


@dataclass(slots=True, kw_only=True)
class ProducerCounts:
    """The events of one producer and collection in the store; each is counted once.

    Attributes:
        producer: the process; empty when its lines do not name one.
        collection: the collection.
        tenant: endpoint and deployment.
        stored: events in the store.
        numbered: stored events with a number.
        duplicates: further lines with the id of a stored event.
        quarantined: events in quarantine.
        unnumbered: events without a number, stored or in quarantine.
        stored_numbers: numbers of stored events.
        quarantined_numbers: numbers of events in quarantine.
        other_hours: numbers of events outside the audited hours.
        other_stores: numbers of events that may be in a datastore, which is a store of its own.
        erased_numbers: numbers of events that were erased on purpose.
    """

    producer: str
    collection: str
    tenant: tuple[str, str] = ("", "")
    stored: int = 0
    numbered: int = 0
    duplicates: int = 0
    quarantined: int = 0
    unnumbered: int = 0
    stored_numbers: NumberRanges = field(default_factory=NumberRanges)
    quarantined_numbers: NumberRanges = field(default_factory=NumberRanges)
    other_hours: NumberRanges = field(default_factory=NumberRanges)
    other_stores: NumberRanges = field(default_factory=NumberRanges)
    erased_numbers: NumberRanges = field(default_factory=NumberRanges)

    def add_lines(self, numbers: NDArray[np.int64], is_new: NDArray[np.bool_]) -> None:
        """Count lines by their numbers (-1 for none); lines that are not `is_new` are duplicates."""
        kept = numbers[is_new]
        new = len(kept)
        kept = kept[kept >= 0]
        self.stored += new
        self.duplicates += len(numbers) - new
        self.numbered += len(kept)
        self.unnumbered += new - len(kept)
        self.stored_numbers.add(kept)

    def add_account(self, counts: AccountCounts) -> None:
        """Add events that are counted already, and are others than those here."""
        self.stored += counts.stored
        self.duplicates += counts.duplicates
        self.numbered += counts.numbered
        self.unnumbered += counts.unnumbered
        self.stored_numbers.add_ranges(counts.ranges)

    def add_quarantined(self, number: int) -> None:
        """Count an event in quarantine by its number (-1 for none)."""
        self.quarantined += 1
        if number < 0:
            self.unnumbered += 1
        else:
            self.quarantined_numbers.add([number])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The result for one producer and collection; see `ProducerCounts` for the attributes that are not listed here.

    With the producer's own report accepted = stored + quarantined + erased + lost + missing, unless `beyond` or
    `reused` explain the difference.

    Attributes:
        reused: stored events that share their number with another event.
        first: lowest number in the store, None without numbers.
        last: highest number in the store.
        erased: events that were erased on purpose, and are not there.
        gaps: ranges of numbers that are neither stored nor in quarantine nor erased.
        report: counts in the final reports, if there are any.
        lost: events that were reported lost and are not in the store.
        missing: events that were accepted and are neither in the store nor reported lost.
        beyond: events with numbers above those in the report.
        doubtful: events that were reported lost but are in the store.
    """

    producer: str
    collection: str
    endpoint: str
    deployment: str
    stored: int
    duplicates: int
    reused: int
    quarantined: int
    first: int | None
    last: int | None
    gaps: list[tuple[int, int]]
    report: ReportedCounts | None
    lost: int
    missing: int
    beyond: int
    doubtful: int
    erased: int = 0

    @property
    def accepted(self) -> int | None:
        """Events that the producer accepted, if its own report is known."""
        return None if self.report is None else self.report.accepted

    @property
    def is_accounted_for(self) -> bool:
        """Whether every event is accounted for, and stored once."""
        return not self.problems and not self.duplicates

    @property
    def problems(self) -> list[str]:
        """The problems with the numbers, each as part of a sentence; duplicates are reported by line."""
        return list(self.problems_by_kind.values())

    @property
    def problems_by_kind(self) -> dict[str, str]:
        """The same by their kinds, in words for programs."""
        problems = {}
        if self.missing:
            lost = f", in addition to {self.lost:,} reported lost" if self.lost else ""
            gaps = f", of the numbers {shown_ranges(self.gaps)}" if self.gaps else ""
            problems["missing"] = f"{counted(self.missing, 'event')} missing{lost}{gaps}"
            if self.report is not None and self.report.pending:
                left = counted(self.report.pending, "event")
                problems["spool"] = f"{left} left in the spool when the process ended"
        if self.beyond:
            problems["beyond"] = f"{counted(self.beyond, 'event')} with numbers above those in its final report"
        if self.reused:
            reused = counted(self.reused, "event")
            problems["reused"] = f"{reused} with the number of another event: is a producer id shared?"
        return problems


def reconcile(
    counts: ProducerCounts, report: ReportedCounts | None, *, whole: bool, excused: int = 0
) -> Reconciliation:
    """Compare the events in the store with the numbers and the report of their producer.

    Args:
        counts: the events in the store.
        report: counts in the final reports.
        whole: whether all hours were read; else numbers below the first one belong to other hours.
        excused: further losses that were reported without their collection.
    """
    here = counts.stored_numbers.union((counts.quarantined_numbers,)).ranges()
    present = counts.stored_numbers.union((counts.quarantined_numbers, counts.other_hours))
    first, last = (here[0][0], here[-1][1]) if here else (None, None)
    accepted = None if report is None else report.accepted
    end = accepted - 1 if accepted is not None else -1 if last is None else last
    explained = present.union((counts.erased_numbers,))
    gaps = explained.union((counts.other_stores,)).holes(0 if whole else first or 0, end)
    absent = max(0, sum(end - start + 1 for start, end in gaps) - (0 if accepted is None else counts.unnumbered))
    losses = excused
    if report is not None:
        # The receiver quarantines rejected records: such a loss is counted there, and explains no gap.
        losses += report.lost_in_total - min(report.lost.get(REJECTED, 0), counts.quarantined)
    return Reconciliation(
        producer=counts.producer,
        collection=counts.collection,
        endpoint=counts.tenant[0],
        deployment=counts.tenant[1],
        stored=counts.stored,
        duplicates=counts.duplicates,
        reused=counts.numbered - len(counts.stored_numbers),
        quarantined=counts.quarantined,
        first=first,
        last=last,
        gaps=gaps,
        report=report,
        lost=min(absent, losses),
        missing=max(0, absent - losses),
        beyond=0 if accepted is None else present.count_from(accepted),
        doubtful=0 if accepted is None else max(0, losses - excused - absent),
        erased=len(explained) - len(present),
    )


def shown_ranges(ranges: Sequence[tuple[int, int]], most: int = 20) -> str:
    """The first of `ranges` as text: `4, 7-9`."""
    shown = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges[:most])
    return f"{shown} and {len(ranges) - most} more ranges" if len(ranges) > most else shown
