"""The account of one producer and collection, and how it is drawn up: numbers seen against numbers given.

The SDK numbers the events of a collection from 0, and the receiver stores or quarantines each under its number. So a
hole in the numbers is an event that is nowhere, and the numbers up to the last one say how many there must be. What is
behind the last one only the producer's final report knows: how many it accepted, and how many of them it gave up. An
event that was given up may be stored nevertheless (the process ended before the answer came), so losses excuse holes,
and what is stored is never held against them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .number_ranges import Sequences
from .producer_report import REJECTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .producer_report import FinalAccount

__all__ = ["Account", "Statement", "counted", "draw_up", "shown_ranges"]


@dataclass(slots=True, kw_only=True)
class Account:
    """What is found of one producer and collection; events are counted once each.

    Attributes:
        producer: the process; empty when its lines do not say.
        collection: the collection.
        tenant: endpoint and deployment.
        stored: events in the store.
        numbered: those of them that carry a number.
        duplicates: further lines with the id of one of them.
        quarantined: events in quarantine.
        unnumbered: events without a number, stored or in quarantine.
        sequences: numbers of stored events.
        in_quarantine: numbers of events in quarantine.
        elsewhere: numbers found outside of the hours that are audited.
    """

    producer: str
    collection: str
    tenant: tuple[str, str] = ("", "")
    stored: int = 0
    numbered: int = 0
    duplicates: int = 0
    quarantined: int = 0
    unnumbered: int = 0
    sequences: Sequences = field(default_factory=Sequences)
    in_quarantine: Sequences = field(default_factory=Sequences)
    elsewhere: Sequences = field(default_factory=Sequences)

    def take(self, numbers: Sequence[int], fresh: NDArray[np.bool_]) -> None:
        """Count lines by their numbers (-1 without), of which those that are `fresh` are no duplicates."""
        kept = np.array(numbers, np.int64)[fresh]
        new = len(kept)
        kept = kept[kept >= 0]
        self.stored += new
        self.duplicates += len(numbers) - new
        self.numbered += len(kept)
        self.unnumbered += new - len(kept)
        self.sequences.add(kept)

    def take_quarantined(self, number: int) -> None:
        """Count an event in quarantine by its number (-1 without)."""
        self.quarantined += 1
        if number < 0:
            self.unnumbered += 1
        else:
            self.in_quarantine.add([number])


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An account, drawn up; see `Account` for what is not told here.

    With the producer's own report accepted = stored + quarantined + lost + missing, unless `beyond` or `reused` say why
    not.

    Attributes:
        reused: stored events whose number another one has, too.
        first: lowest number seen, None without numbers.
        last: highest number seen.
        gaps: ranges of numbers that are neither stored nor in quarantine.
        report: what the SDK's final reports say, if they do.
        lost: events that were reported lost and are not there.
        missing: events that were accepted and are nowhere, not even reported lost.
        beyond: events whose numbers were never given, as the report has it.
        doubtful: events that were reported lost and are there nevertheless.
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
    report: FinalAccount | None
    lost: int
    missing: int
    beyond: int
    doubtful: int

    @property
    def accepted(self) -> int | None:
        """Events that the producer accepted, if its own report is there."""
        return None if self.report is None else self.report.accepted

    @property
    def accounts(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.problems and not self.duplicates

    @property
    def problems(self) -> list[str]:
        """What is wrong with the numbers, a sentence part each; duplicates are told line by line."""
        problems = []
        if self.missing:
            beside = f", beside {self.lost:,} reported lost" if self.lost else ""
            among = f", of the numbers {shown_ranges(self.gaps)}" if self.gaps else ""
            problems.append(f"{counted(self.missing, 'event')} missing{beside}{among}")
            if self.report is not None and self.report.pending:
                problems.append(f"{counted(self.report.pending, 'event')} left in the spool when the process ended")
        if self.beyond:
            problems.append(f"{counted(self.beyond, 'event')} with numbers that its final report never gave")
        if self.reused:
            problems.append(f"{counted(self.reused, 'event')} with the number of another: is a producer id shared?")
        return problems


def draw_up(account: Account, report: FinalAccount | None, *, whole: bool, excused: int = 0) -> Statement:
    """The statement of `account`.

    Args:
        account: what is in the store.
        report: what the final reports say.
        whole: every hour was read; otherwise numbers before the first one belong to other hours.
        excused: further losses that were reported without their collection.
    """
    here = account.sequences.union((account.in_quarantine,)).ranges()
    present = account.sequences.union((account.in_quarantine, account.elsewhere))
    first, last = (here[0][0], here[-1][1]) if here else (None, None)
    accepted = None if report is None else report.accepted
    end = accepted - 1 if accepted is not None else -1 if last is None else last
    gaps = present.holes(0 if whole else first or 0, end)
    absent = max(0, sum(end - start + 1 for start, end in gaps) - (0 if accepted is None else account.unnumbered))
    losses = excused
    if report is not None:
        # The receiver rejects what it keeps in quarantine: such a loss is accounted for there, and excuses no hole.
        losses += report.lost_in_total - min(report.lost.get(REJECTED, 0), account.quarantined)
    return Statement(
        producer=account.producer,
        collection=account.collection,
        endpoint=account.tenant[0],
        deployment=account.tenant[1],
        stored=account.stored,
        duplicates=account.duplicates,
        reused=account.numbered - len(account.sequences),
        quarantined=account.quarantined,
        first=first,
        last=last,
        gaps=gaps,
        report=report,
        lost=min(absent, losses),
        missing=max(0, absent - losses),
        beyond=0 if accepted is None else present.count_from(accepted),
        doubtful=0 if accepted is None else max(0, losses - excused - absent),
    )


def counted(number: int, noun: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def shown_ranges(ranges: Sequence[tuple[int, int]], most: int = 20) -> str:
    """`4, 7-9`: the first of `ranges`, for people."""
    shown = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges[:most])
    return f"{shown} and {len(ranges) - most} more ranges" if len(ranges) > most else shown
