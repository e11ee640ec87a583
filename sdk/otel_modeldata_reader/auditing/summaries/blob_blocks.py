"""Reads blobs as blocks of whole lines, a few megabytes at a time, however large they are.

A range of a blob has the lines that begin in it, so ranges that follow each other have every line once. Blobs are read
up to the size they had when they were listed, so writers may continue meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from otel_modeldata_receiver.retry import retry_for
from otel_modeldata_receiver.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from otel_modeldata_receiver.storage.store import Store

__all__ = ["RETRY_SECONDS", "BlobBlock", "BlobRange", "read_blocks"]

RETRY_SECONDS: Final = 10.0
"""How long a request is retried before the audit gives up."""
_READ_BYTES: Final = 4 << 20
_READS_AHEAD: Final = 4
"""Concurrent reads: a distant store takes about as long to answer as the audit takes to process the content."""
_LOCAL_READS_AHEAD: Final = 2
"""The same for files, whose content is in memory sooner than it is processed."""
_MAX_LINE_BYTES: Final = 64 << 20
"""Limit for the part of a line that is kept in memory; the receiver writes no line above 4 MiB."""


class BlobRange(msgspec.Struct, frozen=True, array_like=True):
    """Some bytes of a blob.

    Attributes:
        blob: name of the blob.
        start: position of the first byte.
        end: position after the last one.
        size: of the blob, when it was listed.
        is_line: whether a line begins at `start`, because the bytes before end with a whole line.
    """

    blob: str
    start: int
    end: int
    size: int
    is_line: bool = True


class BlobBlock(NamedTuple):
    """Some lines of a blob.

    Attributes:
        blob: name of the blob.
        content: whole lines; the last line of a blob may have no line feed. Empty where the bytes that were read have
            the end of no line.
        size: bytes that were read since the block before.
    """

    blob: str
    content: bytes | memoryview
    size: int


class _Read(NamedTuple):
    one: BlobRange
    start: int
    end: int


async def read_blocks(store: Store, ranges: Iterable[BlobRange]) -> AsyncGenerator[BlobBlock, None]:
    """Read `ranges` one after the other; close the iterator to stop early.

    Raises:
        StoreError: one of them cannot be read.
    """
    most = _LOCAL_READS_AHEAD if isinstance(store, LocalStore) else _READS_AHEAD
    tasks: deque[tuple[_Read, asyncio.Task[bytes]]] = deque()
    reads = _reads(ranges)
    rest, is_skipping = b"", False
    try:
        while True:
            while len(tasks) < most and (one := next(reads, None)) is not None:
                tasks.append((one, asyncio.create_task(_read(store, one.one.blob, one.start, one.end))))
            if not tasks:
                return
            read, task = tasks.popleft()
            content = await task
            size = len(content)
            if read.start == _first(read.one):
                rest, is_skipping = b"", not read.one.is_line
            if is_skipping:  # the line that began before the range
                _, feed, content = content.partition(b"\n")
                is_skipping = not feed
            start = content.find(b"\n") + 1 if rest else 0
            end = content.rfind(b"\n") + 1
            if rest and start:
                yield BlobBlock(read.one.blob, rest + content[:start], 0)
                rest = b""
            if end > start:
                yield BlobBlock(read.one.blob, memoryview(content)[start:end], 0)
            rest = (rest + content[end:])[:_MAX_LINE_BYTES]
            if read.end == read.one.end and rest:
                yield BlobBlock(read.one.blob, await _completed(store, read.one, rest), 0)
                rest = b""
            yield BlobBlock(read.one.blob, b"", size)
    finally:
        for _, task in tasks:
            task.cancel()


def _first(one: BlobRange) -> int:
    return one.start if one.is_line else one.start - 1


def _reads(ranges: Iterable[BlobRange]) -> Iterator[_Read]:
    for one in ranges:
        for start in range(_first(one), one.end, _READ_BYTES):
            yield _Read(one, start, min(start + _READ_BYTES, one.end))


async def _read(store: Store, blob: str, start: int, end: int) -> bytes:
    return await retry_for(lambda: store.read(blob, start, end), RETRY_SECONDS)


async def _completed(store: Store, one: BlobRange, line: bytes) -> bytes:
    """A last line read to its end; in a blob it may have been half written when the blob was listed."""
    size = one.size
    if one.end == size:
        folder = one.blob.rpartition("/")[0]
        now = await retry_for(lambda: store.walk(folder), RETRY_SECONDS)
        size = next((found.size for found in now if found.name == one.blob), 0)
    end = one.end
    while end < size and len(line) < _MAX_LINE_BYTES:
        content = await _read(store, one.blob, end, min(size, end + _READ_BYTES))
        part, feed, _ = content.partition(b"\n")
        line += part
        if feed or not content:
            return line + feed
        end += len(content)
    return line
