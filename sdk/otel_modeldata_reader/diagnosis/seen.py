"""What the listing of a collection says: whether it has lines of a window, and where the last ones were written.

A blob may have lines of a window if its folder overlaps it, and if the blob was written after the window began: events
are written after they happen. So nothing is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..blobs.listing import date_of, hours_of

if TYPE_CHECKING:
    from ..blobs.listing import CollectionBlobs
    from .scope import Scope

__all__ = ["Seen", "seen"]

NANOSECONDS: Final = 1_000_000_000
FUTURE_NANOSECONDS: Final = 600 * NANOSECONDS
"""What a clock may be ahead: the receiver's default of `limits.max_event_future_seconds`."""
_LATE_NANOSECONDS: Final = 3600 * NANOSECONDS
_HOUR_PARTS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the listing of one collection says.

    Attributes:
        root: the folder of the collection.
        has_data: whether it may have lines of the window.
        blobs: how many blobs it has.
        size: bytes in them.
        first: the date of its first folder that has lines, as in its path; empty without any.
        last: the date of the last one that is not in the future.
        last_end: the end of the time of that folder, in nanoseconds since the epoch.
        written: when a blob was last written, in nanoseconds since the epoch; None where the store does not say it.
        future: the date of the last folder whose time has not begun; empty without any.
        late: the date of the folder that was written inside the window, more than an hour after its own time; empty
            without any.
        other_rate: a date of a folder that is not that of an hour; empty without any.
    """

    root: str
    has_data: bool
    blobs: int
    size: int
    first: str
    last: str
    last_end: int
    written: int | None
    future: str
    late: str
    other_rate: str


def _folders(found: CollectionBlobs) -> list[tuple[str, int | None]]:
    """The date of each blob that has lines, and when it was written; also of folders whose lines are Parquet only."""
    blobs = [
        (date_of(blob.name), None if blob.modified is None else int(blob.modified * NANOSECONDS))
        for blob in found.blobs
        if blob.size
    ]
    dates = {date for date, _ in blobs}
    return sorted([*blobs, *((date, None) for date in found.compacted if date not in dates)], key=lambda one: one[0])


def seen(found: CollectionBlobs, scope: Scope) -> Seen:
    """What the listing says of a collection."""
    since, until = scope.window.bounds
    has_data, last_end, written = False, 0, None
    first = last = future = late = other_rate = ""
    for date, modified in _folders(found):
        start, end = hours_of(date)
        if not end:
            continue
        written = max(written or 0, modified or 0) or None
        first = first or date
        other_rate = other_rate or (date if date.count("/") + 1 != _HOUR_PARTS else "")
        if start > scope.now + FUTURE_NANOSECONDS:
            future = date
            continue
        last, last_end = date, end
        if start < until and end > since and (modified is None or modified >= since):
            has_data = True
        elif modified is not None and since <= modified < until and modified > end + _LATE_NANOSECONDS:
            late = date
    return Seen(
        root=found.root,
        has_data=has_data,
        blobs=len(found.blobs),
        size=sum(blob.size for blob in found.blobs),
        first=first,
        last=last,
        last_end=last_end,
        written=written,
        future=future,
        late=late,
        other_rate=other_rate,
    )
