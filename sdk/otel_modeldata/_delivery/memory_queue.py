"""What waits in memory, in order, and when it is time to send it.

An event waits `merge_seconds`, because frames of the same collection, correlation id and trace that are collected
meanwhile join it: Azure's collector batches so, too, but under one id for all. Then it goes with the next batch. The
pauses between batches save CPU, and leave the interpreter to scoring.

Whoever owns a `MemoryQueue` serializes the calls; this module has no lock.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .._encoding.log_record import Record
    from .._settings.delivery import DeliveryLimits
    from .pending import MergeKey, Waiting


class MemoryQueue:
    """Accepted events that are not taken yet.

    Args:
        limits: bounds and pace.

    Attributes:
        nbytes: what is charged for all that is in memory, until it is settled.
    """

    def __init__(self, limits: DeliveryLimits) -> None:
        self.nbytes = 0
        self._limits = limits
        self._most_bytes, self._most_records = limits.queue_bytes, limits.queue_records
        self._waiting: deque[Waiting] = deque()
        self._joinable: dict[MergeKey, Waiting] = {}
        self._next_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def oldest(self) -> float | None:
        """When the first in the queue was accepted; None when there is none."""
        return self._waiting[0].since if self._waiting else None

    def is_crowded(self, unsettled: int) -> bool:
        """Whether half of a bound is taken, with so many events not settled: then nothing waits for others."""
        most = self._most_records
        return self.nbytes * 2 > self._most_bytes or (most is not None and unsettled > most // 2)

    def has_room(self, charge: int, unsettled: int) -> bool:
        """Whether one more event may wait."""
        return self.nbytes + charge <= self._most_bytes and unsettled != self._most_records

    def join(self, key: MergeKey, record: Record, charge: int) -> bool:
        """Put the rows of `record` into a waiting event of that key, if there is one that takes them."""
        waiting = self._joinable.get(key)
        if waiting is None:
            return False
        if time.monotonic() - waiting.since > self._limits.merge_seconds:
            return False
        if not cast("Record", waiting.record).join(record):
            return False
        waiting.charge += charge
        self.nbytes += charge
        return True

    def add(self, waiting: Waiting) -> None:
        """Append an event; its key lets others join it."""
        self._waiting.append(waiting)
        self.nbytes += waiting.charge
        if waiting.key is not None and self._limits.merge_seconds:
            self._joinable[waiting.key] = waiting

    def wait_seconds(self) -> float:
        """How long the first one, which must be there, waits yet."""
        return max(self._next_at, self._waiting[0].since + self._limits.merge_seconds) - time.monotonic()

    def take(self, *, urgent: bool) -> list[Waiting]:
        """A batch at most of what need not wait any more, which is everything when it is `urgent`."""
        queue, limit, now = self._waiting, self._limits.batch_bytes, time.monotonic()
        until = now if urgent else now - self._limits.merge_seconds
        batch: list[Waiting] = []
        size = 0
        while queue and queue[0].since <= until and (not batch or size + queue[0].charge <= limit):
            waiting = queue.popleft()
            batch.append(waiting)
            size += waiting.charge
            if waiting.key is not None and self._joinable.get(waiting.key) is waiting:
                del self._joinable[waiting.key]
        self._next_at = now + self._pause(until)
        return batch

    def _pause(self, until: float) -> float:
        """Seconds until the next batch; none when this one was cut by its size."""
        if self._waiting and self._waiting[0].since <= until:
            return 0.0
        many = len(self._waiting) >= self._limits.linger_records
        return self._limits.busy_seconds if many else self._limits.linger_seconds
