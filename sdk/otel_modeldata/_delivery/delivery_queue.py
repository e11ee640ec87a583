"""The queue between `collect` and the delivery thread: every record in it is accounted for.

`put` accepts a record or raises. An *accepted* record is charged against the queue's limit in bytes until it is
*settled*: delivered, or lost with a reason. So accepted = delivered + lost + pending holds at any moment, for every
collection.

With a spool, a record is on disk before `put` returns. If memory is full, the record waits only on disk
(`disk_backlog.py`); the limit of the spool replaces that of the queue. With the policy `spill`, a record is written to
disk only if memory is full. If there is no room at all, `put` waits `block_seconds` for room, then raises.

This module does not depend on the delivery thread, frames, files or gRPC.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from ..exceptions import QueueFullError, RecordTooLargeError, ShutDownError
from ..report import DeliveryReport
from .disk_backlog import DiskBacklog
from .memory_queue import MemoryQueue
from .pending import EncodedRecord, PendingRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._encoding.log_record import Record
    from .._settings.delivery import DeliveryLimits
    from .disk_queue import DiskQueue
    from .pending import MergeKey, OnError, Outcome, Producer
    from .segment_file import RecordPosition

_RECORD_OVERHEAD_BYTES = 1350
"""Memory of a record beside its rows, so that the queue's limit bounds real memory: a frame with 184 bytes of numbers
takes 1,540 bytes of RSS."""


class DeliveryQueue:
    """Accepted records that are not settled yet, and the counts of all accepted records.

    Args:
        producer: this process.
        limits: bounds and pace.
        disk_queue: keeps records on disk; None keeps everything in memory.
        only_overflow: write only records that have no room in memory.

    Attributes:
        lock: guards everything here; reentrant, because a signal handler may call `flush` in the middle of a `put`.
        changed: notified when a record is settled, when `flush` or `shutdown` is called, or to wake the thread.
        memory: the records in memory.
        backlog: the records that are on disk only; None without a spool.
        stop_at: when `shutdown` gives up; None before it is called.
        is_idle: the delivery thread sleeps until it is notified.
    """

    def __init__(
        self,
        producer: Producer,
        limits: DeliveryLimits,
        disk_queue: DiskQueue | None = None,
        *,
        only_overflow: bool = False,
    ) -> None:
        self.limits = limits
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.memory = MemoryQueue(limits)
        self.backlog = None if disk_queue is None else DiskBacklog(disk_queue, producer, self.changed)
        self.stop_at: float | None = None
        self.is_idle = False
        self._producer = producer
        self._only_overflow = only_overflow
        self._largest = min(limits.record_bytes, limits.queue_bytes)
        self._order = threading.Lock()
        """Held while a record gets its number and its position on disk, so that both are in one order."""
        self._accepted = self._settled = self._settlements = 0
        self._flush_up_to = 0
        """How many records were accepted before the last `flush`: until they are settled, batches are sent without
        delay."""

    # --- accepting -----------------------------------------------------------------------------------------------

    def put(self, record: Record, on_error: OnError | None, key: MergeKey | None = None) -> None:
        """Accept a record under the next sequence number of its collection; a refused record takes no number.

        Args:
            record: afterwards it has the `event_id` and `first_row` of the event that holds its rows.
            on_error: called when the record is lost.
            key: the rows join a pending event with an equal key, if there is one.

        Raises:
            RecordTooLargeError: the record can never be sent.
            QueueFullError: the limit of the queue is reached.
            SpoolError: the spool cannot be written to.
            ShutDownError: `shutdown` was called.
        """
        charge = record.body.nbytes + _RECORD_OVERHEAD_BYTES
        if charge > self._largest:
            raise RecordTooLargeError(record.body.nbytes, max(0, self._largest - _RECORD_OVERHEAD_BYTES))
        end: float | None = None
        while True:
            seen = self._settlements
            try:
                if self.backlog is None:
                    self._put_in_memory(record, charge, on_error, key)
                else:
                    self._put_on_disk(self.backlog, record, charge, on_error, key)
            except QueueFullError:
                end = end or time.monotonic() + self.limits.block_seconds
                if not self._await_room(seen, end):
                    raise
            else:
                return

    def _await_room(self, seen: int, end: float) -> bool:
        """Wait until another event is settled or `shutdown` is called; False after a timeout."""
        with self.changed:
            return self.changed.wait_for(
                lambda: self._settlements > seen or self.stop_at is not None, end - time.monotonic()
            )

    def _put_in_memory(
        self, record: Record, charge: int, on_error: OnError | None, key: MergeKey | None = None
    ) -> None:
        memory = self.memory
        with self.lock:
            if self.stop_at is not None:
                raise ShutDownError
            if self.backlog is not None and self.backlog.overflowed:
                raise QueueFullError  # keeps the order: later records must wait behind the backlog
            if not memory.has_room(charge, self._accepted - self._settled):
                raise QueueFullError
            if key is not None and memory.join(key, record, charge):
                return
            record.sequence = self._producer.counters.accept(record.collection)
            memory.add(PendingRecord(record, charge, time.monotonic(), on_error, self._producer, None, key))
            self._count_accepted()

    def _put_on_disk(
        self, backlog: DiskBacklog, record: Record, charge: int, on_error: OnError | None, key: MergeKey | None
    ) -> None:
        with self._order:
            if self._only_overflow:
                with contextlib.suppress(QueueFullError):
                    self._put_in_memory(record, charge, on_error, key)
                    return
            if self.stop_at is not None:
                raise ShutDownError
            record.sequence = self._producer.counters.next_sequence(record.collection)
            data = record.encode()
            encoded = EncodedRecord(record.collection, record.event_id, data)
            if len(data) > self.limits.record_bytes:
                raise RecordTooLargeError(len(data), self.limits.record_bytes)
            position = backlog.disk_queue.append(data)
            if position is None:
                raise QueueFullError
            with self.changed:
                self._accept_written(backlog, encoded, position, on_error)

    def _accept_written(
        self, backlog: DiskBacklog, record: EncodedRecord, position: RecordPosition, on_error: OnError | None
    ) -> None:
        """Accept a record that is on disk already; if memory has room, it also waits there."""
        if self.stop_at is not None:  # `shutdown` was called while it was written
            backlog.disk_queue.settle([position])
            raise ShutDownError
        backlog.on_errors[record.collection] = on_error
        since, charge = time.monotonic(), len(record.data) + _RECORD_OVERHEAD_BYTES
        if not backlog.overflowed and self.memory.has_room(charge, self._accepted - self._settled):
            self.memory.add(PendingRecord(record, charge, since, on_error, self._producer, position))
        else:
            backlog.add(position, since)
        self._producer.counters.accept(record.collection)
        self._count_accepted()

    def _count_accepted(self) -> None:
        self._accepted += 1
        if self.is_idle or self.memory.is_crowded(self._accepted - self._settled):
            self.changed.notify_all()

    # --- waiting -------------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None) -> None:
        """Wait until all records accepted so far are settled, at most `timeout` seconds."""
        with self.changed:
            target = self._flush_up_to = self._accepted
            self.changed.notify_all()
            self.changed.wait_for(lambda: self._settled >= target and not self._holds_adopted(), timeout)

    def stop(self, timeout: float) -> None:
        """Accept no more records, and wait until all are settled, at most `timeout` seconds."""
        self.refuse(timeout)
        with self.changed:
            end = time.monotonic() + timeout if self.stop_at is None else self.stop_at
            self.changed.wait_for(
                lambda: self._settled == self._accepted and not self._holds_adopted(), end - time.monotonic()
            )

    def refuse(self, timeout: float) -> None:
        """Accept no more records; those that are not settled in `timeout` seconds are lost, or stay on disk."""
        with self.changed:
            end = time.monotonic() + timeout
            self.stop_at = end if self.stop_at is None else min(end, self.stop_at)
            self._flush_up_to = self._accepted
            self.changed.notify_all()

    def pause(self, seconds: float) -> bool:
        """Wait before the next try; False when `shutdown` leaves no time for another try."""
        end = time.monotonic() + seconds
        with self.changed:
            while (now := time.monotonic()) < end:
                if self.stop_at is not None:
                    # The caller of `shutdown` is waiting: try again soon, as long as there is time.
                    end = min(end, now + self.limits.first_retry_seconds)
                    if end >= self.stop_at:
                        return False
                self.changed.wait(end - now)
            return self.stop_at is None or time.monotonic() < self.stop_at

    def is_urgent(self) -> bool:
        """Whether batches are sent without delay; always while records wait only on disk."""
        overflowed = self.backlog is not None and self.backlog.overflowed > 0
        crowded = self.memory.is_crowded(self._accepted - self._settled)
        return overflowed or crowded or self.stop_at is not None or self._flush_up_to > self._settled

    def is_done(self) -> bool:
        """Whether `shutdown` was called and nothing is left to send, or its time is over and the rest is on disk."""
        with self.changed:
            if self.stop_at is None or self.memory:
                return False
            return time.monotonic() >= self.stop_at or not self.holds_backlog()

    def holds_backlog(self) -> bool:
        """Whether records that are only on disk remain to be taken."""
        return self.backlog is not None and (self.backlog.overflowed > 0 or self.backlog.holds_adopted())

    def _holds_adopted(self) -> bool:
        return self.backlog is not None and (self.backlog.holds_adopted() or self.backlog.in_flight > 0)

    # --- settling ------------------------------------------------------------------------------------------------

    def settle(self, items: Sequence[PendingRecord], outcome: Outcome) -> None:
        """Count events of one producer and collection as delivered or lost, and free their memory and disk space."""
        if self.backlog is not None:
            self.backlog.disk_queue.settle(item.position for item in items if item.position is not None)
        producer, collection = items[0].producer, items[0].record.collection
        lost = len(items) - outcome.delivered
        with self.changed:
            producer.counters.settle(collection, delivered=outcome.delivered, lost=lost, reason=outcome.reason)
            self.memory.nbytes -= sum(item.charge for item in items)
            self._settlements += 1
            if producer is self._producer:
                self._settled += len(items)
            elif self.backlog is not None:
                self.backlog.in_flight -= len(items)
            self.changed.notify_all()

    def unsettled(self) -> tuple[int, int]:
        """How many events of this process are not settled, and how many bytes are charged for those in memory."""
        with self.changed:
            return self._accepted - self._settled, self.memory.nbytes

    def report(self) -> DeliveryReport:
        """The counts as they are now."""
        with self.changed:
            replayed = {} if self.backlog is None else self.backlog.replayed()
            return DeliveryReport.of(self._producer.producer_id, self._producer.counters.report(), replayed)

    def close(self) -> None:
        """Release the disk queue: records that are not settled wait there for the next process."""
        if self.backlog is not None:
            with self._order:
                self.backlog.disk_queue.close()

    def abandon(self) -> None:
        """In a forked child: close the parent's files; nothing else of this queue may be used."""
        if self.backlog is not None:
            self.backlog.disk_queue.abandon()
