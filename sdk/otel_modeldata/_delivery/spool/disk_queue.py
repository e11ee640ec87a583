"""Records on disk: every record is in a segment file before `collect` returns, until it is settled.

A process appends to one segment at a time (`segment_format.py`), in the order of acceptance. A settled record is marked
in its segment. When all records of a segment are settled, the segment is emptied if it is the current one, else
deleted. So without a backlog the spool holds one nearly empty file, and an orderly `shutdown` leaves none.

A process locks its segments (`flock`) until it ends, however it ends. If a lock is free, the process is dead: the
process that gets the lock *adopts* the segment, sends its unsettled records with their original producer, event ids,
times and sequence numbers, and deletes it. If a process dies between the endpoint's answer and the mark, records are
sent twice, and the receiver recognizes them by their ids. A forked child closes inherited files and opens its own:
otherwise a lock would outlive the process that writes the segment.

Writes are not synced to disk. If the process dies, nothing is lost; a power cut or a kernel crash loses what the kernel
had not written back (on Linux up to about 30 s). There is no setting for an fsync in each scoring request: it takes at
least 0.3 ms and has no upper bound. The folder must be on a local disk.

Why not a library: for 2 KB records at 200/s, sqlite3 (WAL, synchronous=OFF) takes 38 us in the median, 115 us at p99
and 1.3 ms at p99.9. This module takes 23 us, 73 us and 0.4 ms. Of 300 flipped bits in sqlite3's file, 296 returned
wrong rows without an error, and two made the whole file unreadable. Its connections must not be used after a fork, and
preloading servers fork. persist-queue uses sqlite3, or syncs in every put.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import os
import sys
from collections import deque
from typing import TYPE_CHECKING

from ...exceptions import SpoolError
from ...log_throttle import LogThrottle
from ..native_threads import RLock
from .segment_file import RecordPosition, SegmentFile
from .segment_format import HEAD_BYTES, SegmentContent, beginning, scan

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 8 * 2**20
"""A backlog is read, and deleted, one segment at a time."""

SUFFIX = ".spool"

MARK_WAITS_SECONDS = 0.05
"""How long the delivery thread waits for a thread that writes: usually microseconds. It does not wait longer, because a
signal handler may have interrupted that thread, and wait for the delivery thread."""


class DiskQueue:
    """The segments of this process, in a folder that it shares with other processes.

    Any thread may call `append`, `settle` and `close`; the delivery thread calls the rest.

    Args:
        folder: made if it is missing.
        producer: names the segments of this process.
        source: an OTLP request without records: resource and scope of this process.
        max_bytes: limit for all segments of this process, including adopted ones.

    Attributes:
        lock: held by a thread that writes. Reentrant: a signal handler may interrupt that thread, and then call any
            method. The delivery thread never waits long for it, because the interrupted thread may wait for delivery.
    """

    def __init__(self, folder: Path, producer: str, source: bytes, max_bytes: int) -> None:
        self._folder = folder
        self._producer = producer
        self._source = source
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max_bytes // 8)
        self.lock = RLock()
        self._own: list[SegmentFile] = []
        self._adopted: list[SegmentFile] = []
        self._unmarked: deque[RecordPosition] = deque()
        self._names = itertools.count()
        self._orders = itertools.count()
        self._once = LogThrottle(logger, math.inf)
        self._removals = LogThrottle(logger)

    def is_locked_here(self) -> bool:
        """Whether this thread writes at the moment: a signal handler interrupted it."""
        return self.lock._is_owned()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001 - as `threading` does

    def nbytes(self) -> int:
        """Bytes that the segments of this process take on disk."""
        return sum(segment.size for segment in (*self._own, *self._adopted))

    def append(self, payload: bytes, collection: str = "") -> RecordPosition | None:
        """Write a record of a collection; None when the limit is reached.

        Raises:
            SpoolError: the folder cannot be written to.
        """
        with self.lock:
            try:
                waiting = sum(segment.unsettled for segment in (*self._own, *self._adopted))
                if waiting and self.nbytes() + HEAD_BYTES + len(payload) > self._max_bytes:
                    return None
                return self._current().append(payload, collection)
            except OSError as error:
                raise SpoolError(self._folder, error) from error

    def _current(self) -> SegmentFile:
        if self._own:
            last = self._own[-1]
            if not last.is_in_place():
                self._restore()
            if last.size < self._segment_bytes and last.is_in_place():
                return last
        self._own.append(self._create())
        return self._own[-1]

    def _create(self) -> SegmentFile:
        path, fd = self._open_new(self._producer)
        segment = SegmentFile(path, fd, next(self._orders))
        try:
            segment.begin(beginning(self._source))
        except BaseException:  # only to remove the file, also when a signal handler raises; raised again
            path.unlink(missing_ok=True)
            segment.close()
            raise
        return segment

    def _open_new(self, producer: str) -> tuple[Path, int]:
        """A new file for records of a producer, locked."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = "" if producer == self._producer else self._producer
        while True:
            path = self._folder / f"{producer}-{own}{next(self._names):06d}{SUFFIX}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                if _lock_file(path, fd):
                    return path, fd
            except OSError:  # a file system without locks
                os.close(fd)
                path.unlink(missing_ok=True)
                raise
            os.close(fd)  # another process has adopted the new file, and removes it

    def tail(self) -> tuple[SegmentFile | None, int]:
        """The segment that is written to, and how many records it holds; the caller has the lock.

        Raises:
            SpoolError: the bytes of an interrupted write cannot be removed.
        """
        if not self._own:
            return None, 0
        try:
            self._own[-1].mend()
        except OSError as error:
            raise SpoolError(self._folder, error) from error
        return self._own[-1], len(self._own[-1])

    def withdraw(self, position: RecordPosition) -> None:
        """Forget a record that was written, but not accepted."""
        position.segment.withdrawn.add(position.ordinal)
        self.settle([position])

    def read(self, position: RecordPosition) -> bytes:
        """A record that this process wrote."""
        return position.segment.read(position.ordinal)

    def after(self, position: RecordPosition) -> RecordPosition:
        """The position of the next accepted record after this one, whose segment may be removed already."""
        segment, ordinal = position
        while True:
            ordinal += 1
            if ordinal >= len(segment):
                segment, ordinal = next(one for one in tuple(self._own) if one.order > segment.order), 0
            if ordinal not in segment.withdrawn:
                return RecordPosition(segment, ordinal)

    def settle(self, positions: Iterable[RecordPosition]) -> None:
        """Mark records as delivered or reported lost: they are never sent again.

        If another thread writes for long, the marks are written later: at the latest, by `close`.
        """
        self._unmarked.extend(positions)
        if self._unmarked and self.lock.acquire(timeout=MARK_WAITS_SECONDS):
            try:
                self._mark()
            finally:
                self.lock.release()

    def _mark(self) -> None:
        by_segment: dict[SegmentFile, list[int]] = {}
        while self._unmarked:
            position = self._unmarked.popleft()
            by_segment.setdefault(position.segment, []).append(position.ordinal)
        for segment, ordinals in by_segment.items():
            segment.settle(len(ordinals))
            try:
                self._forget(segment, ordinals)
            except OSError as error:
                self._warn("cannot be marked as delivered, so it may be sent again", error)

    def _forget(self, segment: SegmentFile, ordinals: Sequence[int]) -> None:
        if segment.unsettled:
            segment.mark(ordinals)
        elif self._own and segment is self._own[-1]:
            segment.empty()
        else:
            self._remove(segment)

    def _remove(self, segment: SegmentFile) -> None:
        (self._own if segment in self._own else self._adopted).remove(segment)
        if segment.is_in_place():
            segment.path.unlink(missing_ok=True)
        segment.close()

    def restore(self) -> None:
        """Write segments again that were removed while they were open; called now and then by the delivery thread."""
        if self.lock.acquire(timeout=MARK_WAITS_SECONDS):
            try:
                self._restore()
            except OSError as error:
                self._removals.log(
                    logging.ERROR,
                    "restore",
                    "files of the spool in %s are gone and cannot be written again: %s. What is not delivered before "
                    "the process ends is lost",
                    self._folder,
                    error,
                )
            finally:
                self.lock.release()

    def _restore(self) -> None:
        for segment in (*self._own, *self._adopted):
            if segment.is_in_place() or segment.is_damaged:
                continue
            if segment in self._own and not segment.unsettled:
                self._remove(segment)
                continue
            path, fd = self._open_new(segment.producer)
            try:
                is_moved = segment.move_to(path, fd)
            except BaseException:  # only to remove a part of a copy, which another process would send; raised again
                path.unlink(missing_ok=True)
                raise
            finally:
                os.close(fd)
            if not is_moved:
                path.unlink(missing_ok=True)
            what = "was removed, and is written again" if is_moved else "was emptied by another program"
            self._removals.log(logging.ERROR, what, "a file of the spool in %s %s", self._folder, what)

    def is_whole(self) -> bool:
        """Whether all own segments are where the next process will look for them."""
        return all(segment.is_in_place() for segment in self._own)

    def adopt(self) -> list[SegmentFile]:
        """Lock and return the segments of dead processes; those that cannot be opened now are left for later."""
        held = {segment.path for segment in (*self._own, *self._adopted)}
        try:
            paths = sorted(path for path in self._folder.glob(f"*{SUFFIX}") if path not in held)
        except OSError as error:  # too many open files, for example
            self._warn("cannot be searched for events of earlier processes now", error)
            return []
        found = [segment for path in paths if (segment := _open_dead(path)) is not None]
        self._adopted += found
        return found

    def examine(self, segment: SegmentFile) -> tuple[bytes, SegmentContent]:
        """Read an adopted segment: its bytes and their content. Damaged bytes are kept in a `.corrupt` file beside it.

        A segment with nothing left to send is deleted.

        Raises:
            OSError: the disk fails.
        """
        data = segment.read_all()
        content = scan(data)
        if not content.source and content.records:
            content = SegmentContent(
                corrupt=content.corrupt + len(content.records), damaged=[(0, len(data))], end=len(data)
            )
        if content.damaged:
            self._quarantine(segment, [data[start:end] for start, end in content.damaged], content.corrupt)
        if content.end < segment.size:
            segment.cut(content.end)
        segment.hold(len(content.records))
        if not content.records:
            self._remove(segment)
        return data, content

    def _quarantine(self, segment: SegmentFile, damaged: Iterable[bytes], count: int) -> None:
        beside = segment.path.with_suffix(".corrupt")
        try:
            with beside.open("ab") as file:
                file.writelines(damaged)
        except OSError as error:
            self._warn("holds damaged bytes that cannot be kept beside it", error)
        else:
            logger.error("%d record(s) in the spool are damaged: their bytes are kept in %s", count, beside)

    def _warn(self, what: str, error: OSError) -> None:
        self._once.log(logging.WARNING, what, "the spool in %s %s: %s", self._folder, what, error)

    def close(self) -> None:
        """Close all segments; records that are not settled wait for the next process."""
        with self.lock:
            self._mark()
            own, adopted, self._own, self._adopted = self._own, self._adopted, [], []
            for segment in own:
                if not segment.unsettled and segment.is_in_place():
                    self._delete(segment)
            for segment in (*own, *adopted):
                segment.close()

    def _delete(self, segment: SegmentFile) -> None:
        try:
            segment.path.unlink(missing_ok=True)
        except OSError as error:
            self._warn("has a file without events that cannot be deleted", error)

    def abandon(self) -> None:
        """In a forked child: close the parent's files, which stay locked by the parent."""
        for segment in (*self._own, *self._adopted):
            segment.close()


def _open_dead(path: Path) -> SegmentFile | None:
    """The segment of a dead process, locked; None when its process lives, or it cannot be opened now."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:  # finished by another process; owned by another user; too many open files; not a file
        return None
    with contextlib.suppress(OSError):
        if _lock_file(path, fd):
            return SegmentFile(path, fd)
    os.close(fd)
    return None


def _lock_file(path: Path, fd: int) -> bool:
    """Lock an open file; False when another process has locked or deleted it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(fd), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
