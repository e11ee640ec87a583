"""The rows of one collection as pieces, folder by folder; lines are decoded when a window first needs them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from otel_modeldata_reader.blobs.listing import date_of, hours_of

from ..interruption import holding

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.window import Window

    from .folder_rows import FolderRows
    from .piece import Piece

__all__ = ["CollectionRows", "ReadPieces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPieces:
    """What a window has.

    Attributes:
        pieces: the files that were read so far, in the order of their folders.
        pending: about how many bytes of lines of the window are not in them yet.
    """

    pieces: tuple[Piece, ...] = ()
    pending: int = 0


@dataclass(slots=True)
class _Folder:
    rows: FolderRows
    lock: threading.Lock = field(default_factory=threading.Lock)


class CollectionRows:
    """See above.

    Args:
        make: makes the rows of a folder: of its date.
    """

    def __init__(self, make: Callable[[str], FolderRows]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._folders: dict[str, _Folder] = {}

    def pieces(
        self, found: CollectionBlobs, window: Window, may_go_on: Callable[[], bool], *, first: Window | None = None
    ) -> ReadPieces:
        """The pieces of the folders that overlap a window; the newest folders are read first.

        Args:
            found: the collection as it was listed.
            window: of event time. Folders are named by it, but for the few events of another time.
            may_go_on: asked before each folder that must be read; what it refuses is pending.
            first: a part of the window, the folders of which are read before the others.

        Raises:
            ReaderError: the store cannot be read.
        """
        blobs = {date: tuple(some) for date, some in groupby(found.blobs, key=lambda one: date_of(one.name))}
        self._forget(blobs.keys() | found.compacted.keys())
        pieces: dict[str, list[Piece]] = {}
        pending = 0
        dates = found.dates(window)
        preferred = () if first is None else found.dates(first)
        others = [one for one in dates if one not in set(preferred)]
        for date in (*reversed(preferred), *reversed(others)):
            folder = self._folder(date)
            own, compacted = blobs.get(date, ()), found.compacted.get(date, {})
            with holding(folder.lock):
                waiting = folder.rows.pending(own, compacted)
                if waiting and may_go_on():
                    folder.rows.read(found, own, compacted, may_go_on)
                    waiting = folder.rows.pending(own, compacted)
                pieces[date] = folder.rows.pieces
            pending += waiting
        return ReadPieces(pieces=tuple(one for date in dates for one in pieces[date]), pending=pending)

    def unread(self, found: CollectionBlobs, window: Window) -> int:
        """About how long it takes to read what is pending of a window, as bytes of lines."""
        blobs = {date: tuple(some) for date, some in groupby(found.blobs, key=lambda one: date_of(one.name))}
        folders = ((self._folder(date), date) for date in found.dates(window))
        return sum(one.rows.effort(blobs.get(date, ()), found.compacted.get(date, {})) for one, date in folders)

    def known(self) -> list[Piece]:
        """The pieces of all folders, as far as they were read."""
        with self._lock:
            folders = list(self._folders.values())
        return [piece for folder in folders for piece in folder.rows.pieces]

    def _folder(self, date: str) -> _Folder:
        with self._lock:
            if date not in self._folders:
                self._folders[date] = _Folder(self._make(date))
            return self._folders[date]

    def _forget(self, dates: set[str]) -> None:
        with self._lock:
            gone = [self._folders.pop(date) for date in self._folders.keys() - dates]
        for folder in gone:
            if folder.lock.acquire(blocking=False):  # else a thread reads it, which may hang
                folder.rows.discard()
                folder.lock.release()


def bounds_of(found: CollectionBlobs) -> tuple[int, int] | None:
    """The first nanosecond of the first folder, and the one after the last; None without one."""
    dates = sorted({date_of(blob.name) for blob in found.blobs} | found.compacted.keys())
    spans = [span for date in dates if (span := hours_of(date)) != (0, 0)]
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None
