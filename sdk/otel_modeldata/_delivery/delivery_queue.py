"""The queue between `collect` and the delivery thread: every record in it is accounted for.

`put` accepts a record or raises. An *accepted* record is charged against the queue's limit in bytes until it is
*settled*: delivered, or lost with a reason. So accepted = delivered + lost + pending holds at any moment, for every
collection.

With a spool, a record is on disk before `put` returns. If memory is full, the record waits only on disk
(`disk_backlog.py`); the limit of the spool replaces that of the queue. With the policy `spill`, a record is written to
disk only if memory is full. If there is no room at all, `put` waits `block_seconds` for room, then raises.

Theory of operation. A signal handler may interrupt the thread that collects at any line, and then collect, wait for
delivery, end the process, or raise an exception there. So the two sides of the queue share no lock:

- The collecting side accepts a record by one step: it appends it to the queue in memory, or counts it as overflow. What
  was accepted is computed from these; there is no second count that could differ.
- The delivery side counts what it has taken and settled. `lock` is held only by its threads, which no signal
  interrupts. Readers repeat a read during which `_version` changed.
- With a spool, records are numbered and written under a lock of the collecting side (`spool_writer.py`).
- Who waits for delivery looks again and again (`native_threads.wait_until`).

This module does not depend on the delivery thread, frames, files or gRPC.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, TypeVar, cast

from ..exceptions import QueueFullError, ShutDownError
from ..report import DeliveryReport
from .disk_backlog import DiskBacklog
from .memory_queue import MemoryQueue
from .native_threads import Lock, ShortTurns, get_ident, sleep, wait_until
from .pending import RECORD_OVERHEAD_BYTES, check_size
from .spool_writer import SpoolWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .._encoding.log_record import Record
    from .._settings.delivery import DeliveryLimits
    from ..report import CollectionReport
    from .pending import MergeKey, OnError, Outcome, PendingRecord, Producer
    from .spool.disk_queue import DiskQueue

_T = TypeVar("_T")

_READ_AGAIN_SECONDS = 0.0002


class DeliveryQueue:
    """Accepted records that are not settled yet, and the counts of all accepted records.

    Args:
        producer: this process.
        limits: bounds and pace.
        disk_queue: keeps records on disk; None keeps everything in memory.
        only_overflow: write only records that have no room in memory.

    Attributes:
        lock: held by the delivery threads while they take or settle records.
        memory: the records in memory.
        backlog: the records that are on disk only; None without a spool.
        stop_at: when `shutdown` gives up; None before it is called.
        is_idle: the delivery thread sleeps until `wake` is called.
        senders: the ids of the delivery threads.
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
        self.lock = Lock()
        self.memory = MemoryQueue(limits, self.unsettled_here)
        self.backlog = None if disk_queue is None else DiskBacklog(disk_queue, producer)
        self.stop_at: float | None = None
        self.is_idle = False
        self.senders: set[int] = set()
        self._bell = Lock()
        self._bell.acquire()
        self._producer = producer
        self._largest = min(limits.record_bytes, limits.queue_bytes)
        self._version = 0
        """Odd while a delivery thread changes counts."""
        self._turns = ShortTurns()
        self._taken_from_disk = self._settled = self._settlements = 0
        self._settled_up_to = 0
        """How many of the first records are settled; those of one batch are settled in any order."""
        self._flush_up_to = 0
        """How many records were accepted before the last `flush`: until they are settled, batches are sent without
        delay."""
        self._writer = (
            None if self.backlog is None else SpoolWriter(self, self.backlog, producer, only_overflow=only_overflow)
        )

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
        charge = record.memory() + RECORD_OVERHEAD_BYTES
        memory = self.memory
        if charge > self._largest:
            check_size(record, charge, self.limits, in_memory=self._writer is None)
        end: float | None = None
        while True:
            seen = self._settlements
            try:
                if self._writer is None:
                    if self.stop_at is not None:
                        raise ShutDownError
                    pending, is_crowded = memory.accept(record, charge, on_error, self._producer, key)
                    if pending is None:
                        return
                    if self.stop_at is not None:  # `shutdown` was called in the meantime
                        self.notice(pending)
                    elif is_crowded or self.is_idle:
                        self.wake()
                else:
                    self._writer.put(record, charge, on_error, key)
            except QueueFullError:
                end = end or time.monotonic() + self.limits.block_seconds
                if not self._await_room(seen, end):
                    raise
            else:
                return

    def _await_room(self, seen: int, end: float) -> bool:
        """Wait until another event is settled or `shutdown` is called; False after a timeout."""
        return self._wait(lambda: self._settlements > seen or self.stop_at is not None, end - time.monotonic())

    def notice(self, pending: PendingRecord) -> None:
        """Wake the thread if needed; if `shutdown` was called in the meantime, take the record back."""
        if self.stop_at is not None and self.memory.withdraw(pending):
            if self.backlog is not None and pending.position is not None:
                self.backlog.disk_queue.withdraw(pending.position)
            raise ShutDownError
        self.wake_if_needed()

    def wake_if_needed(self) -> None:
        """Wake the thread if it sleeps, or if the queue fills up."""
        if self.is_idle or self.memory.is_crowded():
            self.wake()

    # --- taking --------------------------------------------------------------------------------------------------

    def take(self) -> list[PendingRecord]:
        """Take a batch of due records from memory."""
        with self.lock:
            self._version += 1
            try:
                flushed = self._flush_up_to - self._taken  # beyond these a caller of `flush` would wait for others
                batch = self.memory.take_backlog(urgent=self.is_urgent(), most=flushed if flushed > 0 else None)
                self._count_taken(batch)
            finally:
                self._version += 1
        return batch

    def take_overflow(self, backlog: DiskBacklog) -> list[PendingRecord]:
        """Take a batch of records that are only on disk."""
        batch = backlog.read_own(self.limits.batch_bytes)
        with self.lock:
            self._version += 1
            try:
                backlog.count_taken(batch)
                self._count_taken(batch)
                self._taken_from_disk += len(batch)
            finally:
                self._version += 1
        return batch

    def _count_taken(self, batch: Sequence[PendingRecord]) -> None:
        for pending in self._turns.each(batch):
            number = self._producer.counters.accept(pending.record.collection)
            if self.backlog is None:
                cast("Record", pending.record).sequence = number

    @property
    def _taken(self) -> int:
        return self.memory.taken + self._taken_from_disk

    @contextlib.contextmanager
    def as_sender(self) -> Iterator[None]:
        """The calling thread delivers; it must never wait for itself."""
        self.senders.add(get_ident())
        try:
            yield
        finally:
            self.senders.discard(get_ident())

    # --- waiting -------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """End a wait of the delivery thread."""
        with contextlib.suppress(RuntimeError):  # it was called already
            self._bell.release()

    def wait(self, seconds: float | None) -> bool:
        """Wait in the delivery thread until `wake` is called; False after a timeout."""
        return self._bell.acquire(timeout=-1 if seconds is None else max(0.0, seconds))

    def _wait(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Wait for the delivery thread, unless this is one: `on_error` may call anything."""
        if get_ident() in self.senders:
            return condition()
        return wait_until(condition, timeout)

    def flush(self, timeout: float | None) -> None:
        """Wait until all records accepted so far are settled, at most `timeout` seconds."""
        target = self._flush_up_to = self._read(lambda: self._settled + self.unsettled_here()) - self._held_up()
        self.wake()
        self._wait(lambda: self._read(lambda: self._is_settled(target)), timeout)

    def stop(self, timeout: float) -> None:
        """Accept no more records, and wait until all are settled, at most `timeout` seconds."""
        end = self.refuse(timeout)
        self._wait(lambda: self._read(lambda: self._is_settled(None)), end - time.monotonic())

    def refuse(self, timeout: float) -> float:
        """Accept no more records; what is not settled in `timeout` seconds is lost, or stays on disk.

        Returns the time when that is.
        """
        end, stop_at = time.monotonic() + timeout, self.stop_at
        self.stop_at = end = end if stop_at is None else min(end, stop_at)
        self.wake()
        return end

    def await_look(self, timeout: float | None) -> None:
        """Wait until the delivery thread has looked for segments of dead processes."""
        if self.backlog is not None:
            is_answered = self.backlog.request_look()
            self.wake()
            self._wait(is_answered, timeout)

    def await_end(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait for the end of the delivery thread; returns whether it has ended."""
        return self._wait(condition, timeout)

    def _is_settled(self, target: int | None) -> bool:
        if self._holds_adopted():
            return False
        return self.unsettled_here() <= self._held_up() or (target is not None and self._settled_up_to >= target)

    def pause(self, seconds: float) -> bool:
        """Wait before the next try; False when `shutdown` leaves no time for another try."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            if self.stop_at is not None:
                # The caller of `shutdown` is waiting: try again soon, as long as there is time.
                end = min(end, now + self.limits.first_retry_seconds)
                if end >= self.stop_at:
                    return False
            self.wait(end - now)
        return self.stop_at is None or time.monotonic() < self.stop_at

    def is_urgent(self) -> bool:
        """Whether batches are sent without delay; always while records wait only on disk."""
        overflowed = self.backlog is not None and self.backlog.overflowed > 0
        crowded = self.memory.is_crowded()
        return overflowed or crowded or self.stop_at is not None or self._flush_up_to > self._settled_up_to

    def is_done(self) -> bool:
        """Whether `shutdown` was called and nothing is left to send, or its time is over and the rest is on disk."""
        if self.stop_at is None or self.memory:
            return False
        return time.monotonic() >= self.stop_at or not (self._deferred() or self.holds_backlog())

    def holds_records(self) -> bool:
        """Whether anything is left to send."""
        return bool(self.memory or self._deferred()) or self.holds_backlog()

    def holds_backlog(self) -> bool:
        """Whether records that are only on disk remain to be taken."""
        return self.backlog is not None and (self.backlog.overflowed > 0 or self.backlog.holds_adopted())

    def _holds_adopted(self) -> bool:
        return self.backlog is not None and (self.backlog.holds_adopted() or self.backlog.in_flight > 0)

    # --- settling ------------------------------------------------------------------------------------------------

    def settle(self, items: Sequence[PendingRecord], outcome: Outcome) -> None:
        """Count events of one producer as delivered or lost, and free their memory and disk space."""
        if self.backlog is not None:
            self.backlog.disk_queue.settle(item.position for item in items if item.position is not None)
        producer, collections = items[0].producer, [item.record.collection for item in items]
        lost = len(items) - outcome.delivered
        with self.lock:
            self._version += 1
            try:
                producer.counters.settle_all(collections, lost=lost, reason=outcome.reason)
                self.memory.settle(sum(item.charge for item in items))
                self._settlements += 1
                if producer is self._producer:
                    self._settled += len(items)
                    if self._settled == self._taken:
                        self._settled_up_to = self._settled
                elif self.backlog is not None:
                    self.backlog.count_settled(len(items))
            finally:
                self._version += 1

    def not_kept(self, items: Sequence[PendingRecord]) -> list[PendingRecord]:
        """Those of these records that the next process will not find on disk."""
        if self.backlog is None:
            return list(items)
        return self.backlog.not_kept(items)

    def lose_overflow(self) -> list[PendingRecord]:
        """Take the records that were only on disk, and whose file was removed."""
        lost: list[PendingRecord] = []
        while self.backlog is not None and self.backlog.overflowed and not self.backlog.disk_queue.is_whole():
            lost += self.backlog.not_kept(self.take_overflow(self.backlog))
        return lost

    # --- counts --------------------------------------------------------------------------------------------------

    def unsettled_here(self) -> int:
        """How many events of this process are not settled."""
        overflowed = 0 if self.backlog is None else self.backlog.overflowed
        return self._taken - self._settled + len(self.memory) + len(self._deferred()) + overflowed

    def _deferred(self) -> Sequence[PendingRecord]:
        return () if self._writer is None else self._writer.deferred

    def _held_up(self) -> int:
        """How many records wait for the calling thread, because a signal handler interrupted its `put`."""
        return 0 if self._writer is None else self._writer.held_up()

    def _read(self, read: Callable[[], _T]) -> _T:
        """Read counts that belong together."""
        while True:
            version = self._version
            if version % 2 == 0:
                result = read()
                if version == self._version:
                    return result
            sleep(_READ_AGAIN_SECONDS)

    def unsettled(self) -> int:
        """How many events are not settled, those of dead processes included."""
        replayed = {} if self.backlog is None else self.backlog.replayed()
        adopted = sum(counts.pending for collections in replayed.values() for counts in collections.values())
        return self._read(self.unsettled_here) + adopted

    def report(self) -> DeliveryReport:
        """The counts as they are now."""
        return self._read(self._report)

    def _report(self) -> DeliveryReport:
        records = {id(pending): pending for pending in (*self.memory.waiting(), *self._deferred())}
        waiting = Counter(pending.record.collection for pending in records.values())
        replayed: Mapping[str, Mapping[str, CollectionReport]] = {}
        if self.backlog is not None:
            waiting += self.backlog.overflowed_by_collection()
            replayed = self.backlog.replayed()
        return DeliveryReport.of(
            self._producer.producer_id,
            self._producer.counters.report(waiting),
            replayed,
            deployment=self._producer.envelope.deployment,
        )

    def check_charges(self) -> None:
        """Called by the delivery thread while it finds nothing to send."""
        if self.unsettled_here() == 0 and self.memory.nbytes:
            self.memory.settle_all()

    def write_deferred(self) -> bool:
        """Write deferred records if no thread holds the lock for long; returns whether none is left."""
        return self._writer is None or self._writer.write_deferred()

    def close(self) -> None:
        """Release the disk queue: records that are not settled wait there for the next process."""
        if self._writer is not None:
            self._writer.close()

    def abandon(self) -> None:
        """In a forked child: close the parent's files; nothing else of this queue may be used."""
        if self.backlog is not None:
            self.backlog.disk_queue.abandon()
