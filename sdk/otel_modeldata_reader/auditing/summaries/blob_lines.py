"""Reads the lines of many blobs in order, a few megabytes at a time, however large the store is.

Each blob is read up to the size it had when it was listed, so writers may continue meanwhile.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from .blob_blocks import RETRY_SECONDS, BlobRange, read_blocks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from otel_modeldata_receiver.storage.store import Store, StoredObject

__all__ = ["RETRY_SECONDS", "BlobLines", "read_lines"]


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


async def read_lines(store: Store, blobs: Iterable[StoredObject]) -> AsyncGenerator[BlobLines, None]:
    """Read `blobs` one after the other; close the iterator to stop early.

    Raises:
        StoreError: one of them cannot be read.
    """
    ranges = (BlobRange(one.name, 0, one.size, one.size) for one in blobs)
    current, before = "", 0
    lines: list[bytes] = []
    async with aclosing(read_blocks(store, ranges)) as blocks:
        async for block in blocks:
            if block.blob != current:
                current, before = block.blob, 0
            lines += bytes(block.content).split(b"\n")
            if not lines[-1]:
                lines.pop()
            if block.size:
                yield BlobLines(block.blob, before, lines, block.size)
                before += len(lines)
                lines = []
