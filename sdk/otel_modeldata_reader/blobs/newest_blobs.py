"""Reads the newest bytes of blobs, a bounded number: a hostile store decides how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..progress import Progress
from .byte_ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from .store_access import Piece, StoreAccess

__all__ = ["lines_of", "newest", "pieces_of"]


def newest(blobs: Iterable[StoredObject], most: int) -> tuple[list[ByteRange], int]:
    """The newest bytes that may be read, at most `most`, and how many more there are."""
    kept: list[ByteRange] = []
    room, left = most, 0
    for one in sorted(blobs, key=lambda one: one.modified or 0.0, reverse=True):
        size = min(one.size, room)
        room, left = room - size, left + one.size - size
        if size:
            kept.append(ByteRange(one.name, one.size - size, one.size))
    return kept, left


def pieces_of(store: StoreAccess, ranges: Sequence[ByteRange]) -> Iterator[Piece]:
    """The bytes of ranges, piece by piece, with progress on a terminal."""
    progress = Progress(store.shown, sum(one.end - one.start for one in ranges))
    for piece in store.pieces(ranges):
        progress.add(len(piece.content))
        yield piece


def lines_of(store: StoreAccess, ranges: Sequence[ByteRange]) -> Iterator[tuple[str, bytes]]:
    """The blob and the text of each line of ranges; the first one of a range may be the end of one."""
    blob, rest = "", b""
    for piece in pieces_of(store, ranges):
        *lines, rest = ((rest if piece.blob == blob else b"") + piece.content).split(b"\n")
        blob = piece.blob
        for line in lines:
            yield blob, line
