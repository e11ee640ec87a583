"""Numbers records and writes them to the spool before they are accepted.

Records get their numbers under the lock of the disk queue: only one `put` at a time. A signal handler may interrupt it:

- A record that the handler collects in the thread that holds the lock is *deferred*: it is accepted, and written when
  that thread goes on.
- If the handler raises an exception, the record may be written, but not accepted, or accepted, but its number not used
  up. The next `put` completes or undoes that (`_mend`).
- If the handler calls `shutdown`, the files are closed when the thread goes on.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

from ..exceptions import QueueFullError, RecordTooLargeError, ShutDownError
from .pending import RECORD_OVERHEAD_BYTES, EncodedRecord, PendingRecord
from .spool.disk_queue import MARK_WAITS_SECONDS
from .spool.segment_file import RecordPosition

if TYPE_CHECKING:
    from .._encoding.log_record import Record
    from .delivery_queue import DeliveryQueue
    from .disk_backlog import DiskBacklog
    from .pending import MergeKey, OnError, Producer
    from .spool.segment_file import SegmentFile


class _Intent(NamedTuple):
    """A `put` with a spool that has begun: what the next one has to know if an exception ends it."""

    collection: str
    number: int
    tail: tuple[SegmentFile | None, int]
    overflow: int


class SpoolWriter:
    """Accepts records for a queue with a spool.

    Args:
        queue: where accepted records wait.
        backlog: counts the records that have no room in memory.
        producer: this process.
        only_overflow: write only records that have no room in memory.

    Attributes:
        deferred: accepted records that are not written yet.
    """

    def __init__(self, queue: DeliveryQueue, backlog: DiskBacklog, producer: Producer, *, only_overflow: bool) -> None:
        self.deferred: deque[PendingRecord] = deque()
        self._queue = queue
        self._backlog = backlog
        self._disk_queue = backlog.disk_queue
        self._producer = producer
        self._only_overflow = only_overflow
        self._numbers: dict[str, int] = {}
        """The number of the next record, by collection."""
        self._intent: _Intent | None = None
        self._entered: PendingRecord | None = None
        """The record that the last `put` was about to append to the queue in memory."""
        self._must_close = False

    def put(self, record: Record, charge: int, on_error: OnError | None, key: MergeKey | None) -> None:
        if self._disk_queue.is_locked_here():
            if self._queue.stop_at is not None:
                raise ShutDownError
            self.deferred.append(PendingRecord(record, charge, time.monotonic(), on_error, self._producer, None))
            return
        try:
            with self._disk_queue.lock:
                self._mend()
                self._put_locked(record, charge, on_error, key)
        finally:
            # An exception that is raised at the end of a `with` statement, but before it releases the lock, leaves it.
            while self._disk_queue.is_locked_here():
                self._disk_queue.lock.release()
            if self.deferred or self._must_close:
                self._go_on()

    def _put_locked(self, record: Record, charge: int, on_error: OnError | None, key: MergeKey | None) -> None:
        if self._queue.stop_at is not None:
            raise ShutDownError
        number = self._numbers.get(record.collection, 0)
        record.sequence = number
        if self._only_overflow and self._has_memory(charge):
            if key is not None and self._queue.memory.join(key, record, charge):
                return
            pending = PendingRecord(record, charge, time.monotonic(), on_error, self._producer, None, key)
            self._begin(record.collection, number)
            self._enter(pending, number)
            self._queue.notice(pending)
            return
        data = record.encode()
        encoded = EncodedRecord(record.collection, record.event_id, data)
        if len(data) > self._queue.limits.record_bytes:
            raise RecordTooLargeError(len(data), self._queue.limits.record_bytes)
        self._begin(record.collection, number)
        position = self._disk_queue.append(data, record.collection)
        if position is None:
            self._intent = None
            raise QueueFullError
        self._accept_written(encoded, number, position, on_error)

    def _accept_written(
        self, record: EncodedRecord, number: int, position: RecordPosition, on_error: OnError | None
    ) -> None:
        """Accept a record that is on disk already; if memory has room, it also waits there."""
        if self._queue.stop_at is not None:  # `shutdown` was called while it was written
            self._disk_queue.withdraw(position)
            self._intent = None
            raise ShutDownError
        self._backlog.on_errors[record.collection] = on_error
        since, charge = time.monotonic(), len(record.data) + RECORD_OVERHEAD_BYTES
        if self._has_memory(charge):
            pending = PendingRecord(record, charge, since, on_error, self._producer, position)
            self._enter(pending, number)
            self._queue.notice(pending)
        else:
            self._backlog.add(record.collection, position, since)
            self._numbers[record.collection] = number + 1
            self._intent = None
            if self._must_close and self._backlog.overflowed:  # `shutdown` has ended: the thread takes nothing any more
                self._backlog.withdraw(record.collection, position)
                raise ShutDownError
            self._queue.wake_if_needed()

    def _has_memory(self, charge: int) -> bool:
        """Whether a record may wait in memory: not behind those that wait on disk, which would change the order."""
        return not self._backlog.overflowed and self._queue.memory.has_room(charge)

    def _begin(self, collection: str, number: int) -> None:
        self._entered = None
        self._intent = _Intent(collection, number, self._disk_queue.tail(), self._backlog.added)

    def _enter(self, pending: PendingRecord, number: int) -> None:
        """Append a numbered record to the queue in memory."""
        self._entered = pending
        self._queue.memory.add(pending)
        self._numbers[pending.record.collection] = number + 1
        self._intent = self._entered = None

    def _mend(self) -> None:
        """Complete or undo a `put` that was ended by an exception."""
        intent, entered = self._intent, self._entered
        if intent is None:
            return
        if self._backlog.added > intent.overflow or (entered is not None and self._holds(entered)):
            self._numbers[intent.collection] = intent.number + 1
            if entered is not None:
                entered.is_taken = True
        else:
            segment, count = self._disk_queue.tail()
            before = intent.tail[1] if segment is intent.tail[0] else 0
            if segment is not None and count > before:
                self._disk_queue.withdraw(RecordPosition(segment, count - 1))
        self._intent = self._entered = None

    def _holds(self, pending: PendingRecord) -> bool:
        """Whether a record is in the queue in memory, or has left it since."""
        return any(one is pending for one in self._queue.memory.waiting()) or pending.is_taken

    def _go_on(self) -> None:
        """Do what a signal handler had to leave to the thread that it interrupted."""
        with self._disk_queue.lock:
            self._write_deferred()
        if self._must_close:
            self.close()

    def held_up(self) -> int:
        """How many records wait for the thread that calls this."""
        return len(self.deferred) if self._disk_queue.is_locked_here() else 0

    def write_deferred(self) -> bool:
        """Write deferred records if no thread holds the lock for long; returns whether none is left."""
        if self.deferred:
            lock = self._disk_queue.lock
            if not lock.acquire(timeout=MARK_WAITS_SECONDS):
                return False
            try:
                self._write_deferred()
            finally:
                lock.release()
        return True

    def _write_deferred(self) -> None:
        self._mend()
        while self.deferred:
            pending = self.deferred[0]
            if not self._holds(pending):
                number = cast("Record", pending.record).sequence = self._numbers.get(pending.record.collection, 0)
                self._begin(pending.record.collection, number)
                # Accepted already: if it cannot be written, it waits in memory only.
                with contextlib.suppress(Exception):
                    data = pending.record.encode()
                    position = self._disk_queue.append(data, pending.record.collection)
                    if position is not None:
                        pending.position = position
                        pending.record = EncodedRecord(pending.record.collection, pending.record.event_id, data)
                if pending.position is not None and self._backlog.overflowed:
                    self._entered = pending
                    self._backlog.add(pending.record.collection, pending.position, pending.since)
                    pending.is_taken = True
                    self._numbers[pending.record.collection] = number + 1
                    self._intent = None
                else:
                    self._enter(pending, number)
            self.deferred.popleft()
        self._queue.wake()

    def close(self) -> None:
        """Release the disk queue: records that are not settled wait there for the next process."""
        if self._disk_queue.is_locked_here():  # a signal handler interrupted a `put`, which goes on to use the files
            self._must_close = True
            return
        with self._disk_queue.lock:
            self._must_close = False
            self._write_deferred()
            self._disk_queue.close()
