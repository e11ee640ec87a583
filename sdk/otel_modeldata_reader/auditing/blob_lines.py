"""Reads the lines of many blobs in order, a few megabytes at a time, however large the store is.

Each blob is read up to the size it had when it was listed, so writers may continue meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_modeldata_receiver.retry import retry_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from otel_modeldata_receiver.storage.store import Store, StoredObject

__all__ = ["RETRY_SECONDS", "BlobLines", "read_lines"]

RETRY_SECONDS: Final = 10.0
"""How long a request is retried before the audit gives up."""
_READ_BYTES: Final = 4 << 20
_READS_AHEAD: Final = 4
"""Concurrent reads: a distant store takes about as long to answer as the audit takes to process the content."""
_MAX_LINE_BYTES: Final = 64 << 20
"""Limit for the part of a line that is kept in memory; the receiver writes no line above 4 MiB."""


class BlobLines(NamedTuple):
    """Some lines of a blob.

    Attributes:
        blob: name of the blob.
        before: number of lines of the blob before these.
        lines: without their line breaks; the last line of a blob may be torn.
        size: bytes that were read for these lines.
    """

    blob: str
    before: int
    lines: list[bytes]
    size: int


class _Range(NamedTuple):
    blob: StoredObject
    start: int
    end: int

    @property
    def is_last(self) -> bool:
        return self.end == self.blob.size


async def read_lines(store: Store, blobs: Iterable[StoredObject]) -> AsyncGenerator[BlobLines, None]:
    """Read `blobs` one after the other; close the iterator to stop early.

    Raises:
        StoreError: one of them cannot be read.
    """
    reads: deque[tuple[_Range, asyncio.Task[bytes]]] = deque()
    ranges = _ranges(blobs)
    rest, before = b"", 0
    try:
        while True:
            while len(reads) < _READS_AHEAD and (one := next(ranges, None)) is not None:
                reads.append((one, asyncio.create_task(_read(store, one))))
            if not reads:
                return
            one, task = reads.popleft()
            content = await task
            if one.start == 0:
                rest, before = b"", 0
            *lines, rest = (rest + content).split(b"\n")
            rest = rest[:_MAX_LINE_BYTES]
            if one.is_last and rest:
                lines.append(await _completed(store, one, rest))
            yield BlobLines(one.blob.name, before, lines, len(content))
            before += len(lines)
    finally:
        for _, task in reads:
            task.cancel()


def _ranges(blobs: Iterable[StoredObject]) -> Iterator[_Range]:
    for blob in blobs:
        for start in range(0, blob.size, _READ_BYTES):
            yield _Range(blob, start, min(start + _READ_BYTES, blob.size))


async def _read(store: Store, one: _Range) -> bytes:
    return await retry_for(lambda: store.read(one.blob.name, one.start, one.end), RETRY_SECONDS)


async def _completed(store: Store, last: _Range, line: bytes) -> bytes:
    """A last line without a line break, read to its end: it may have been half written when the blob was listed."""
    folder = last.blob.name.rpartition("/")[0]
    now = await retry_for(lambda: store.walk(folder), RETRY_SECONDS)
    size = next((one.size for one in now if one.name == last.blob.name), 0)
    if size <= last.end:
        return line
    appended = _Range(last.blob, last.end, min(size, last.end + _READ_BYTES))
    return line + (await _read(store, appended)).partition(b"\n")[0]
