"""Holds the records that wait in memory, in order, and decides when they are due.

An event waits `merge_seconds`: frames of the same collection, correlation id and trace that are collected in this time
join it. (Azure's collector merges frames, too, but gives all of them one id.) Then it is sent with the next batch.
Pauses between batches save CPU, which scoring needs.

Not thread-safe: the owner of a `MemoryQueue` serializes the calls.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .._encoding.log_record import Record
    from .._settings.delivery import DeliveryLimits
    from .pending import MergeKey, PendingRecord


class MemoryQueue:
    """Accepted events that the delivery thread has not taken yet.

    Args:
        limits: bounds and pace.

    Attributes:
        nbytes: bytes charged for all records in memory, until they are settled.
    """

    def __init__(self, limits: DeliveryLimits) -> None:
        self.nbytes = 0
        self._limits = limits
        self._most_bytes, self._most_records = limits.queue_bytes, limits.queue_records
        self._waiting: deque[PendingRecord] = deque()
        self._joinable: dict[MergeKey, PendingRecord] = {}
        self._next_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def oldest(self) -> float | None:
        """When the first event was accepted (monotonic clock, seconds); None when the queue is empty."""
        return self._waiting[0].since if self._waiting else None

    def is_crowded(self, unsettled: int) -> bool:
        """Whether half of a limit is used, with `unsettled` events not settled: then batches are sent without delay."""
        most = self._most_records
        return self.nbytes * 2 > self._most_bytes or (most is not None and unsettled > most // 2)

    def has_room(self, charge: int, unsettled: int) -> bool:
        """Whether one more event of `charge` bytes may wait."""
        return self.nbytes + charge <= self._most_bytes and unsettled != self._most_records

    def join(self, key: MergeKey, record: Record, charge: int) -> bool:
        """Add the rows of `record` to the pending event with that key; False if there is none with room."""
        pending = self._joinable.get(key)
        if pending is None:
            return False
        if time.monotonic() - pending.since > self._limits.merge_seconds:
            return False
        if not cast("Record", pending.record).join(record):
            return False
        pending.charge += charge
        self.nbytes += charge
        return True

    def add(self, pending: PendingRecord) -> None:
        """Append an event; later records with its key may join it."""
        self._waiting.append(pending)
        self.nbytes += pending.charge
        if pending.key is not None and self._limits.merge_seconds:
            self._joinable[pending.key] = pending

    def wait_seconds(self) -> float:
        """Seconds until the first record is due; there must be one."""
        return max(self._next_at, self._waiting[0].since + self._limits.merge_seconds) - time.monotonic()

    def take(self, *, urgent: bool) -> list[PendingRecord]:
        """Take at most one batch of due records; with `urgent` all are due."""
        queue, limit, now = self._waiting, self._limits.batch_bytes, time.monotonic()
        until = now if urgent else now - self._limits.merge_seconds
        batch: list[PendingRecord] = []
        size = 0
        while queue and queue[0].since <= until and (not batch or size + queue[0].charge <= limit):
            pending = queue.popleft()
            batch.append(pending)
            size += pending.charge
            if pending.key is not None and self._joinable.get(pending.key) is pending:
                del self._joinable[pending.key]
        self._next_at = now + self._pause(until)
        return batch

    def _pause(self, until: float) -> float:
        """Seconds until the next batch; 0 when this batch was full and due records are left."""
        if self._waiting and self._waiting[0].since <= until:
            return 0.0
        many = len(self._waiting) >= self._limits.linger_records
        return self._limits.busy_seconds if many else self._limits.linger_seconds
