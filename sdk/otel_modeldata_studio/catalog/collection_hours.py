"""The last 24 hours of a collection, and all of it, as numbers: of a listing, and of what manifests and seals count.

Bytes that neither counts are taken for as many events as counted ones of the collection are, or as the lines of a
sample are: such numbers are marked as estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

from otel_modeldata_reader.auditing.number_ranges import NumberRanges
from otel_modeldata_reader.blobs.listing import date_of, hours_of

from .hour_counts import summaries_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_receiver.storage.store import StoredObject

    from .hour_counts import CountedFolder, HourCounts, Summary

__all__ = ["HOURS", "CollectionHours", "Folder", "collection_hours", "folders_of", "newest_summaries"]

HOURS: Final = 24
_HOUR_NS: Final = 3_600 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of a collection.

    Attributes:
        date: the span of time, as the folder has it.
        blobs: its blobs.
        summaries: what counts it.
    """

    date: str
    blobs: tuple[StoredObject, ...]
    summaries: tuple[Summary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionHours:
    """A collection in numbers.

    Attributes:
        hours: of the last 24 hours, the oldest first; a folder of a longer time counts in its first hour.
        unit: what they are.
        is_estimated: whether some of the numbers are estimated.
        events: in all folders; None if it is not known.
        rows: likewise.
        size: bytes of all blobs that are there.
        compacted: bytes of Parquet files.
        last_write: when a blob was last written, in seconds since the epoch; None where the store does not say it.
        gaps: event numbers that are missing in the last 24 hours; None if it is not known, because not all closed hours
            are sealed.
        duplicates: further lines with the id of an event in the last 24 hours; None if no hour is counted.
    """

    hours: tuple[int, ...]
    unit: Literal["events", "bytes"]
    is_estimated: bool
    events: int | None
    rows: int | None
    size: int
    compacted: int
    last_write: float | None
    gaps: int | None
    duplicates: int | None


def folders_of(found: CollectionBlobs, seals: Mapping[str, Sequence[StoredObject]]) -> list[Folder]:
    """The folders of a collection, the newest first; also those whose lines were dropped after a compaction."""
    blobs = {date: tuple(of_date) for date, of_date in groupby(found.blobs, key=lambda one: date_of(one.name))}
    return [
        Folder(
            date=date,
            blobs=blobs.get(date, ()),
            summaries=tuple(summaries_of(found.root, date, found.compacted.get(date, {}), seals)),
        )
        for date in sorted(blobs.keys() | found.compacted.keys(), reverse=True)
    ]


def newest_summaries(folders: Sequence[Folder], now_ns: int) -> list[Summary]:
    """What counts the folders of the last 24 hours."""
    start = _first_hour(now_ns)
    return [one for folder in folders if hours_of(folder.date)[1] > start for one in folder.summaries]


def collection_hours(  # noqa: PLR0913 (most are keywords)
    found: CollectionBlobs,
    folders: Sequence[Folder],
    counts: HourCounts,
    *,
    now_ns: int,
    line_bytes: float | None,
    is_whole: bool,
) -> CollectionHours:
    """The numbers of a collection.

    Args:
        found: as it was listed.
        folders: its folders.
        counts: what is known of them.
        now_ns: the present, in nanoseconds since the epoch.
        line_bytes: of a line, on average; None if it is not known.
        is_whole: whether these are all of its folders.
    """
    every = [_Counted.of(folder, counts.known(folder.summaries)) for folder in folders]
    # Without lines there are no bytes to estimate by, until the manifest was read.
    is_unread = any(one.known is None and not one.folder.blobs and counts.unread(one.folder.summaries) for one in every)
    is_known = is_whole and not is_unread
    known = [one.known for one in every if one.known is not None]
    rate = _Rate.of(known, line_bytes)
    newest = [one for one in every if _first_hour(now_ns) < hours_of(one.folder.date)[1]]
    uncounted = sum(one.uncounted for one in every)
    written = [one.modified for one in found.blobs if one.modified is not None]
    return CollectionHours(
        hours=_hours(newest, rate, now_ns),
        unit="bytes" if rate is None else "events",
        is_estimated=is_unread or (rate is not None and uncounted > 0),
        events=_total([one.events for one in known], rate.events if rate else None, uncounted) if is_known else None,
        rows=_total([one.rows for one in known], rate.rows if rate else None, uncounted) if is_known else None,
        size=sum(one.size for one in found.blobs),
        compacted=sum(
            size for files in found.compacted.values() for name, size in files.items() if name.endswith(".parquet")
        ),
        last_write=max(written, default=None),
        gaps=_gaps(newest, now_ns),
        duplicates=_duplicates([one.known for one in newest if one.known is not None]),
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """A folder, what is known of it, and its bytes of which nothing is known."""

    folder: Folder
    known: CountedFolder | None
    uncounted: int

    @classmethod
    def of(cls, folder: Folder, known: CountedFolder | None) -> _Counted:
        if known is not None and not known.fits(folder.blobs):
            known = None  # it counts bytes that are not there: lines were erased since, or it is forged
        uncounted = sum(one.size for one in folder.blobs) if known is None else known.uncounted(folder.blobs)
        return cls(folder, known, uncounted)


def _hours(newest: Sequence[_Counted], rate: _Rate | None, now_ns: int) -> tuple[int, ...]:
    start, hours = _first_hour(now_ns), [0.0] * HOURS
    for one in newest:
        place = max(0, (hours_of(one.folder.date)[0] - start) // _HOUR_NS)
        if place < HOURS:  # otherwise its time has not begun
            counted = 0 if one.known is None else one.known.events
            hours[place] += one.uncounted if rate is None else counted + rate.events * one.uncounted
    return tuple(round(one) for one in hours)


@dataclass(frozen=True, slots=True)
class _Rate:
    """Events and rows per byte of lines; rows are None where they are not known."""

    events: float
    rows: float | None

    @classmethod
    def of(cls, counted: Sequence[CountedFolder], line_bytes: float | None) -> _Rate | None:
        size = sum(sum(one.sizes.values()) for one in counted)
        if size:
            return cls(sum(one.events for one in counted) / size, sum(one.rows for one in counted) / size)
        return None if line_bytes is None else cls(1 / line_bytes, None)


def _total(counts: Sequence[int], rate: float | None, uncounted: int) -> int | None:
    if uncounted and rate is None:
        return None
    return sum(counts) + round((rate or 0.0) * uncounted)


def _first_hour(now_ns: int) -> int:
    """The beginning of the first one of the last 24 hours, of which the last one has begun."""
    return now_ns - now_ns % _HOUR_NS - (HOURS - 1) * _HOUR_NS


def _duplicates(counted: Sequence[CountedFolder]) -> int | None:
    return sum(one.duplicates for one in counted) if counted else None


def _gaps(newest: Sequence[_Counted], now_ns: int) -> int | None:
    """Numbers that are missing between those of closed hours."""
    closed = [one.known for one in newest if hours_of(one.folder.date)[1] <= now_ns]
    numbers: dict[str, NumberRanges] = {}
    while closed and (closed[0] is None or closed[0].producers is None):
        closed = closed[1:]  # the newest ones are not sealed yet: numbers after those that are
    for known in closed:
        if known is None or known.producers is None:
            return None
        for producer, ranges in known.producers.items():
            numbers.setdefault(producer, NumberRanges()).add_ranges(ranges)
    if not numbers:
        return None
    return sum(_holes(one) for one in numbers.values())


def _holes(numbers: NumberRanges) -> int:
    ranges = numbers.ranges()
    return ranges[-1][1] - ranges[0][0] + 1 - len(numbers)
