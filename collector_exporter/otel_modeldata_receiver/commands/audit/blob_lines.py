"""The lines of many blobs, in order and in pieces: some megabytes in memory, whatever the size of the store.

Blobs are read as far as they were when they were listed, so they may be written meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from ...retry import retry_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from ...storage.store import Store, StoredObject

__all__ = ["RETRY_SECONDS", "Lines", "read_lines"]

RETRY_SECONDS: Final = 10.0
"""How long a request is tried again before the reading is given up."""
_PIECE_BYTES: Final = 4 << 20
_PIECES_AHEAD: Final = 4
"""Reads under way at a time: an answer from far away takes as long as the work on what it brings."""
_MAX_LINE_BYTES: Final = 64 << 20
"""More of one line is not held in memory; none that a receiver wrote is longer than 4 MiB."""


class Lines(NamedTuple):
    """Some lines of a blob.

    Attributes:
        blob: its name.
        before: how many lines of it came before.
        lines: without their line breaks; the last line of a blob may be torn.
        size: bytes that were read for them.
    """

    blob: str
    before: int
    lines: list[bytes]
    size: int


class _Piece(NamedTuple):
    blob: StoredObject
    start: int
    end: int

    @property
    def is_last(self) -> bool:
        return self.end == self.blob.size


async def read_lines(store: Store, blobs: Iterable[StoredObject]) -> AsyncGenerator[Lines, None]:
    """Read `blobs` one after the other; close the iterator to stop early.

    Raises:
        StoreError: one of them cannot be read.
    """
    reads: deque[tuple[_Piece, asyncio.Task[bytes]]] = deque()
    pieces = _pieces(blobs)
    rest, before = b"", 0
    try:
        while True:
            while len(reads) < _PIECES_AHEAD and (piece := next(pieces, None)) is not None:
                reads.append((piece, asyncio.create_task(_read(store, piece))))
            if not reads:
                return
            piece, task = reads.popleft()
            content = await task
            if piece.start == 0:
                rest, before = b"", 0
            *lines, rest = (rest + content).split(b"\n")
            rest = rest[:_MAX_LINE_BYTES]
            if piece.is_last and rest:
                lines.append(await _finished(store, piece, rest))
            yield Lines(piece.blob.name, before, lines, len(content))
            before += len(lines)
    finally:
        for _, task in reads:
            task.cancel()


def _pieces(blobs: Iterable[StoredObject]) -> Iterator[_Piece]:
    for blob in blobs:
        for start in range(0, blob.size, _PIECE_BYTES):
            yield _Piece(blob, start, min(start + _PIECE_BYTES, blob.size))


async def _read(store: Store, piece: _Piece) -> bytes:
    return await retry_for(lambda: store.read(piece.blob.name, piece.start, piece.end), RETRY_SECONDS)


async def _finished(store: Store, piece: _Piece, line: bytes) -> bytes:
    """The last line of a blob that did not end it when the blob was listed: it may have been half written."""
    folder = piece.blob.name.rpartition("/")[0]
    now = await retry_for(lambda: store.walk(folder), RETRY_SECONDS)
    size = next((one.size for one in now if one.name == piece.blob.name), 0)
    if size <= piece.end:
        return line
    grown = _Piece(piece.blob, piece.end, min(size, piece.end + _PIECE_BYTES))
    return line + (await _read(store, grown)).partition(b"\n")[0]
