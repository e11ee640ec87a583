"""Holds the records that wait in memory, in order, and decides when they are due.

An event waits `merge_seconds`: frames of the same collection, correlation id and trace that are collected in this time
join it. (Azure's collector merges frames, too, but gives all of them one id.) Then it is sent with the next batch.
Pauses between batches save CPU, which scoring needs.

Any number of threads may call `join` and `add`; a signal handler may do so in the middle of another call. One thread at
a time may call `take`. No lock is needed, because each of them changes shared state by single steps: a record is in the
queue when it is appended, and a frame has joined an event if it is in the event's list before the end mark.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, cast

from ..exceptions import QueueFullError
from .atomic_sum import BY, AtomicSum
from .native_threads import ShortTurns
from .pending import RECORD_OVERHEAD_BYTES, JoinedFrame, PendingRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._encoding.log_record import Record
    from .._settings.delivery import DeliveryLimits
    from .pending import MergeKey, OnError, Producer

_REQUESTS_IN_BATCH = 32
"""A backlog is taken in batches of so many full requests, all that a queue of the usual size holds: the records of a
collection follow each other in a batch (`batch_source.py`), so a store appends once for many of them."""


class MemoryQueue:
    """Accepted events that the delivery thread has not taken yet.

    Args:
        limits: bounds and pace.
        unsettled: counts the events of this process that are not settled; if missing, those that wait here.

    Attributes:
        taken: how many events the delivery thread has taken.
    """

    def __init__(self, limits: DeliveryLimits, unsettled: Callable[[], int] | None = None) -> None:
        self._limits = limits
        self._unsettled = unsettled or self.__len__
        self._merges = limits.merge_seconds > 0
        self._most_bytes, self._most_records = limits.queue_bytes, limits.queue_records
        self._large_bytes = limits.queue_bytes // 64
        """A larger record is counted only once it is known to have room: others must not be refused meanwhile."""
        self._surely_free_bytes = limits.queue_bytes // 2
        """Up to here no limit is used by half. To count events takes longer, and each has `RECORD_OVERHEAD_BYTES`."""
        if limits.queue_records is not None:
            few = limits.queue_records // 2 * RECORD_OVERHEAD_BYTES
            self._surely_free_bytes = min(self._surely_free_bytes, few)
        self.taken = 0
        self._charged = AtomicSum()
        self._waiting: deque[PendingRecord] = deque()
        self._joinable: dict[MergeKey, PendingRecord] = {}
        self._next_at = 0.0
        self._turns = ShortTurns()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def nbytes(self) -> int:
        """Bytes charged for all records in memory, until they are settled."""
        return self._charged.value()

    @property
    def oldest(self) -> float | None:
        """When the first event was accepted (monotonic clock, seconds); None when the queue is empty."""
        try:
            return self._waiting[0].since
        except IndexError:
            return None

    def waiting(self) -> list[PendingRecord]:
        """A copy of the events that wait."""
        return list(self._waiting)

    def is_crowded(self) -> bool:
        """Whether half of a limit is used: then batches are sent without delay."""
        most = self._most_records
        return self._charged.value() * 2 > self._most_bytes or (most is not None and self._unsettled() > most // 2)

    def has_room(self, charge: int) -> bool:
        """Whether one more event of `charge` bytes may wait."""
        most = self._most_records
        return self._charged.value() + charge <= self._most_bytes and (most is None or self._unsettled() < most)

    def accept(
        self, record: Record, charge: int, on_error: OnError | None, producer: Producer, key: MergeKey | None
    ) -> tuple[PendingRecord | None, bool]:
        """Add a record that is not on disk: the same as `has_room`, `join`, `add` and `is_crowded`, in one call.

        Returns:
            The new event, None if the record joined one; and whether half of a limit is used.

        Raises:
            QueueFullError: there is no room.
        """
        if key in self._joinable:
            if not self.has_room(charge):
                raise QueueFullError
            if self.join(key, record, charge):
                return None, False
        if charge > self._large_bytes and not self.has_room(charge):
            raise QueueFullError
        # Not by `add`: in a process that just woke up a call costs more than what it does.
        is_near_a_limit = self._charged.move(charge, BY) > self._surely_free_bytes
        if is_near_a_limit and not self.has_room(0):
            self._charged.add(-charge)
            raise QueueFullError
        pending = PendingRecord(record, charge, time.monotonic(), on_error, producer, None, key)
        self._append(pending)
        return pending, is_near_a_limit and self.is_crowded()

    def join(self, key: MergeKey, record: Record, charge: int) -> bool:
        """Add the rows of `record` to the pending event with that key; False if there is none with room.

        Afterwards `record` has the id and time of that event, and the index of its first row there.
        """
        pending = self._joinable.get(key)
        if pending is None or time.monotonic() - pending.since > self._limits.merge_seconds:
            return False
        self._charged.add(charge)
        first_row = _join(pending, record, charge)
        if first_row is None:
            self._charged.add(-charge)
            return False
        record.first_row, record.time_ns = first_row, cast("Record", pending.record).time_ns
        return True

    def add(self, pending: PendingRecord) -> None:
        """Append an event; later records with its key may join it."""
        self._charged.add(pending.charge)
        self._append(pending)

    def _append(self, pending: PendingRecord) -> None:
        key = pending.key
        if key is not None and self._merges:
            pending.joined = []
            self._waiting.append(pending)
            self._joinable[key] = pending
        else:
            self._waiting.append(pending)

    def withdraw(self, pending: PendingRecord) -> bool:
        """Remove an event that was just added; False when the delivery thread has taken it."""
        try:
            self._waiting.remove(pending)
        except ValueError:
            return False
        self._charged.add(-pending.charge)
        return True

    def wait_seconds(self) -> float:
        """Seconds until the first record is due; there must be one."""
        return max(self._next_at, self._waiting[0].since + self._limits.merge_seconds) - time.monotonic()

    def take(self, *, urgent: bool, most: int | None = None) -> list[PendingRecord]:
        """Take at most one batch of due records, and at most `most`; with `urgent` all are due."""
        queue, limit, now = self._waiting, self._limits.batch_bytes, time.monotonic()
        until = now if urgent else now - self._limits.merge_seconds
        batch: list[PendingRecord] = []
        size = 0
        while queue and queue[0].since <= until:
            pending = queue[0]
            if batch and (size + pending.charge > limit or len(batch) == most):
                break
            pending.is_taken = True
            self.taken += 1  # before it is removed: an event that is nowhere would make room for another one
            try:
                queue.remove(pending)
            except ValueError:  # withdrawn in the meantime
                self.taken -= 1
                continue
            self._end_joining(pending)
            batch.append(pending)
            size += pending.charge
        self._next_at = now + self._pause(until)
        return batch

    def take_backlog(self, *, urgent: bool, most: int | None = None) -> list[PendingRecord]:
        """Take due records for several requests, and at most `most`, if so many wait."""
        records: list[PendingRecord] = []
        for _ in range(_REQUESTS_IN_BATCH):
            batch = self.take(urgent=urgent, most=None if most is None else most - len(records))
            records += batch
            if not batch or len(records) == most:
                break
            self._turns.pause()
        return records

    def _end_joining(self, pending: PendingRecord) -> None:
        joined = pending.joined
        if pending.key is None or joined is None:
            return
        self._joinable.pop(pending.key, None)  # at worst that of a later event, which then gets no more frames
        joined.append(None)
        if joined[0] is None:  # the usual case
            pending.joined = None
            return
        for frame in joined[: joined.index(None)]:
            if frame is not None:
                cast("Record", pending.record).join(frame.record)
                pending.charge += frame.charge
        pending.joined = None

    def settle(self, charge: int) -> None:
        """Free the bytes of settled records."""
        self._charged.add(-charge)

    def settle_all(self) -> None:
        """Free all bytes; called when the queue is empty and nothing is sent.

        Corrects the sum if an exception, raised by a signal handler, interrupted an addition.
        """
        self._charged.add(-self._charged.value())

    def _pause(self, until: float) -> float:
        """Seconds until the next batch; 0 when this batch was full and due records are left."""
        if self._waiting and self._waiting[0].since <= until:
            return 0.0
        many = len(self._waiting) >= self._limits.linger_records
        return self._limits.busy_seconds if many else self._limits.linger_seconds


def _join(pending: PendingRecord, record: Record, charge: int) -> int | None:
    """Add a frame to an event; returns the index of its first row, None if it cannot be added."""
    joined, first = pending.joined, cast("Record", pending.record)
    if joined is None:
        return None
    rows, nbytes = first.size()  # of the event's own frame: as long as the list has no end, they do not change
    before = _joined_before(len(joined), joined)
    if before is None or not first.may_join(record, nbytes + sum(frame.nbytes for frame in before)):
        return None
    own = JoinedFrame(record, charge, *record.size())
    joined.append(own)  # from here on it has joined, or it is too late
    before = _joined_before(joined.index(own), joined)
    if before is None:
        return None
    ids = (first.event_id, *(frame.record.event_id for frame in before), record.event_id)
    record.event_id = next(filter(None, ids), "")
    return rows + sum(frame.rows for frame in before)


def _joined_before(index: int, joined: list[JoinedFrame | None]) -> list[JoinedFrame] | None:
    """The frames that joined before the one with this index; None if the list ends before it."""
    frames = [frame for frame in joined[:index] if frame is not None]
    return frames if len(frames) == index else None
