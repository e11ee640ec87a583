"""A segment of the spool as an open file: append, read, mark as settled, truncate."""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING, NamedTuple

from .segment_format import HEAD_BYTES, RECORD, entry, settled_entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class RecordPosition(NamedTuple):
    """The position of a record: its segment, and its index in it."""

    segment: SegmentFile
    ordinal: int


class SegmentFile:
    """One file, open and locked; `DiskQueue` serializes the calls.

    Attributes:
        producer: the id of the producer that wrote it.
        unsettled: how many of its records are not settled.
        size: its bytes.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.producer = path.stem.rpartition("-")[0]
        self.unsettled = 0
        self.size = os.fstat(fd).st_size
        self._fd = fd
        self._begin = 0
        self._limits = array("I")
        """Start and end of each record: 8 bytes per record, so that a backlog takes little memory."""

    def __len__(self) -> int:
        """How many records were written, settled or not."""
        return len(self._limits) // 2

    def begin(self, data: bytes) -> None:
        """Write the entries before the first record."""
        self._write(data)
        self._begin = self.size

    def append(self, payload: bytes) -> RecordPosition:
        """Write a record; a partial write is removed."""
        start = self.size + HEAD_BYTES
        self._write(entry(RECORD, len(self), payload))
        self._limits.extend((start, self.size))
        self.unsettled += 1
        return RecordPosition(self, len(self) - 1)

    def read(self, ordinal: int) -> bytes:
        """A record that this process wrote."""
        start, end = self._limits[2 * ordinal : 2 * ordinal + 2]
        return os.pread(self._fd, end - start, start)

    def read_all(self) -> bytes:
        """All bytes of the file; used by a process that adopts the segment."""
        return os.pread(self._fd, self.size, 0)

    def mark(self, ordinals: Iterable[int]) -> None:
        """Write that these records are settled."""
        self._write(settled_entry(ordinals))

    def empty(self) -> None:
        """Remove all records, which must be settled, so that the file can be reused."""
        self.cut(self._begin)
        del self._limits[:]

    def cut(self, size: int) -> None:
        """Keep only the first `size` bytes."""
        os.ftruncate(self._fd, size)
        self.size = size

    def close(self) -> None:
        """Close and unlock the file: if it still exists, another process may adopt it."""
        os.close(self._fd)

    def _write(self, data: bytes) -> None:
        view, at = memoryview(data), self.size
        try:
            while view:
                written = os.pwrite(self._fd, view, at)
                view, at = view[written:], at + written
        except OSError:
            self.cut(self.size)
            raise
        self.size = at
