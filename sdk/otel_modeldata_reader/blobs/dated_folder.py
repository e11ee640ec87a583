"""The folders of a collection, one for each hour (or as the rolling rate says), and when they are closed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from .listing import date_of, hours_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

    from .listing import CollectionBlobs

__all__ = ["LATENESS_SECONDS", "DatedFolder", "dated_folders", "is_closed"]

LATENESS_SECONDS: Final = 15 * 60
"""How long after the end of a folder's time its blobs are complete but for events that are later than that."""
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedFolder:
    """The blobs of a collection whose events are of one span of time.

    Attributes:
        root: folder of the collection.
        date: the span of time in UTC, as the folder has it: `2026/11/22/10`.
        blobs: in the order of their names.
    """

    root: str
    date: str
    blobs: tuple[StoredObject, ...]

    @property
    def name(self) -> str:
        """The folder itself, relative to the store."""
        return f"{self.root}/{self.date}" if self.root else self.date


def dated_folders(collection: CollectionBlobs) -> Iterator[DatedFolder]:
    """The folders of a collection, in the order of their times."""
    for date, blobs in groupby(collection.blobs, key=lambda one: date_of(one.name)):
        yield DatedFolder(root=collection.root, date=date, blobs=tuple(blobs))


def is_closed(date: str, lateness: float = LATENESS_SECONDS, now_ns: int | None = None) -> bool:
    """Whether the time of a folder has ended, so that its blobs grow by late events only.

    Args:
        date: the span of time, as the folder has it.
        lateness: seconds that events may be late.
        now_ns: nanoseconds since the epoch; None is the present.
    """
    now = time.time_ns() if now_ns is None else now_ns
    return hours_of(date)[1] + int(lateness * _NANOSECONDS) < now
