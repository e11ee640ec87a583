"""A segment of the spool as an open file: append, read, mark as settled, truncate.

An exception may interrupt any line here, because a signal handler may raise one in the thread that collects. A record
is in the segment when its limits are noted. Bytes of an interrupted write are removed before the next write.
"""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING, NamedTuple

from .segment_format import HEAD_BYTES, RECORD, entry, settled_entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


_COPY_BYTES = 2**20


class RecordPosition(NamedTuple):
    """The position of a record: its segment, and its index in it."""

    segment: SegmentFile
    ordinal: int


class SegmentFile:
    """One file, open and locked; `DiskQueue` serializes the calls that write.

    Args:
        path: its name.
        fd: the open file.
        order: which segment of this process it is, from 0; its name may change.

    Attributes:
        producer: the id of the producer that wrote it.
        unsettled: how many of its records are not settled.
        size: its bytes.
        withdrawn: the records that were written, but not accepted.
        is_damaged: another program has removed bytes of the file.
    """

    def __init__(self, path: Path, fd: int, order: int = 0) -> None:
        self.path = path
        self.order = order
        self.producer = path.stem.rpartition("-")[0]
        self.size = os.fstat(fd).st_size
        self._file_name = ""
        self._identity = (0, 0)
        self.withdrawn: set[int] = set()
        self.is_damaged = False
        self._fd = fd
        self._begin = 0
        self._limits = array("I")
        """Start and end of each record: 8 bytes per record, so that a backlog takes little memory."""
        self._names: list[str] = []
        self._index_of_name: dict[str, int] = {}
        self._collections = array("I")
        """The index of each record's collection in `_names`."""
        self._adopted = self._settled = 0
        self._is_torn = False
        self._is_at(path)

    def __len__(self) -> int:
        """How many records were written, settled or not."""
        return len(self._limits) // 2

    @property
    def unsettled(self) -> int:
        """How many of its records are not settled."""
        return self._adopted + len(self) - self._settled

    def hold(self, count: int) -> None:
        """Note how many unsettled records an adopted segment has."""
        self._adopted, self._settled = count, 0

    def begin(self, data: bytes) -> None:
        """Write the entries before the first record."""
        self._write(data)
        self.size += len(data)
        self._is_torn = False
        self._begin = self.size

    def append(self, payload: bytes, collection: str = "") -> RecordPosition:
        """Write a record; a partial write is removed."""
        data = entry(RECORD, len(self), payload)
        self._write(data)
        index = self._index_of_name.get(collection)
        if index is None:
            self._names.append(collection)
            index = self._index_of_name[collection] = len(self._names) - 1
        del self._collections[len(self) :]
        self._collections.append(index)
        self._limits.extend((self.size + HEAD_BYTES, self.size + len(data)))
        self.mend()
        return RecordPosition(self, len(self) - 1)

    def mend(self) -> None:
        """Remove the bytes of a write that was interrupted; keep those of one that was complete."""
        if self._is_torn:
            if self._limits and self._limits[-1] > self.size:
                self.size = self._limits[-1]
            else:
                os.ftruncate(self._fd, self.size)
            self._is_torn = False

    def collection(self, ordinal: int) -> str:
        """The name that `append` was given."""
        return self._names[self._collections[ordinal]]

    def read(self, ordinal: int) -> bytes:
        """A record that this process wrote."""
        start, end = self._limits[2 * ordinal : 2 * ordinal + 2]
        return os.pread(self._fd, end - start, start)

    def read_all(self) -> bytes:
        """All bytes of the file; used by a process that adopts the segment."""
        return os.pread(self._fd, self.size, 0)

    def mark(self, ordinals: Iterable[int]) -> None:
        """Write that these records are settled."""
        data = settled_entry(ordinals)
        self._write(data)
        self.size += len(data)
        self._is_torn = False

    def settle(self, count: int) -> None:
        """Count settled records."""
        self._settled += count

    def empty(self) -> None:
        """Remove all records, which must be settled, so that the file can be reused."""
        self.cut(self._begin)
        self._settled = 0
        del self._limits[:], self._collections[:]
        self.withdrawn.clear()

    def cut(self, size: int) -> None:
        """Keep only the first `size` bytes."""
        os.ftruncate(self._fd, size)
        self.size = size

    def is_in_place(self) -> bool:
        """Whether the file is still what its path names, with all its bytes; if not, another program changed it."""
        try:
            status = os.stat(self._file_name)  # noqa: PTH116 - twice as fast as a Path, in each `collect`
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity and status.st_size >= self.size

    def move_to(self, path: Path, fd: int) -> bool:
        """Copy all bytes into another open file, and continue there; False if bytes are missing.

        Raises:
            OSError: the other file cannot be written.
        """
        at, end = 0, self.size
        while at < end:
            data = os.pread(self._fd, min(_COPY_BYTES, end - at), at)
            if not data:
                self.is_damaged = True
                return False
            at += os.pwrite(fd, data, at)
        os.dup2(fd, self._fd, inheritable=False)
        self._is_at(path)
        return True

    def _is_at(self, path: Path) -> None:
        status = os.fstat(self._fd)
        self._identity = status.st_dev, status.st_ino
        self.path, self._file_name = path, str(path)

    def close(self) -> None:
        """Close and unlock the file: if it still exists, another process may adopt it."""
        os.close(self._fd)

    def _write(self, data: bytes) -> None:
        """Write at the end; the caller then moves the end."""
        self.mend()
        self._is_torn = True
        view, at = memoryview(data), self.size
        try:
            while view:
                written = os.pwrite(self._fd, view, at)
                view, at = view[written:], at + written
        except OSError:
            self.mend()
            raise
