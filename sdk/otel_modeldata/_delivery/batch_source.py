"""Chooses the records that the delivery thread sends next: from memory, from disk, or from dead processes.

Records in memory are sent first, then, in order, records that are only on disk. Every other batch holds records adopted
from dead processes, so that neither kind starves. Only the delivery thread may call this module.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .disk_backlog import LOOK_SECONDS
from .native_threads import ShortTurns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .delivery_queue import DeliveryQueue
    from .pending import PendingRecord

_LOOKS_BEFORE_IDLE = 25
"""After this many looks without a record the thread sleeps until it is notified: a few seconds at the default
`DeliveryLimits.linger_seconds`."""


_MANY_COLLECTIONS = 32
"""In a batch. The records of fewer are sent in the order in which they were collected."""


def in_sending_order(batch: Sequence[PendingRecord]) -> Iterator[PendingRecord]:
    """The records of a batch, those of a producer one after the other, in order; each is forgotten when it is taken.

    Of many collections, those of a collection follow each other: a store appends the records of a collection in a
    request together, and a backlog of a thousand collections in order of arrival would have few of each in a request,
    an append for every two or three records.
    """
    are_many = len({pending.record.collection for pending in batch}) >= _MANY_COLLECTIONS
    groups: dict[tuple[str, str], deque[PendingRecord]] = {}
    for pending in ShortTurns().each(batch):
        key = pending.producer.producer_id, pending.record.collection if are_many else ""
        groups.setdefault(key, deque()).append(pending)
    del batch, pending
    for group in groups.values():
        while group:
            yield group.popleft()


class BatchSource:
    """Takes batches from a queue."""

    def __init__(self, queue: DeliveryQueue) -> None:
        self._queue = queue
        self._idle_seconds = None if queue.backlog is None else LOOK_SECONDS
        self._empty_looks = 0
        self._is_adopted_turn = True

    def next_batch(self) -> Sequence[PendingRecord]:
        """Wait until records are due and take at most one batch; it may be empty."""
        queue, backlog = self._queue, self._queue.backlog
        self._is_adopted_turn = not self._is_adopted_turn
        if backlog is not None and self._is_adopted_turn and backlog.holds_adopted():
            return backlog.take_adopted(queue.limits.batch_bytes)
        self._await_records()
        batch = queue.take()
        if not batch and backlog is not None and backlog.overflowed:
            batch = queue.take_overflow(backlog)
        if batch:
            self._empty_looks = 0
        return batch

    def _await_records(self) -> None:
        """Return when a batch is due or the thread is notified; may also return early.

        Waking a thread costs `collect` 15 us. So the thread looks once per `linger_seconds`, and asks to be notified
        only after it has found nothing for a while.
        """
        queue = self._queue
        while not queue.is_urgent() and not queue.holds_backlog():
            if queue.memory:
                queue.is_idle = False  # the thread wakes when the record is due
                wait = queue.memory.wait_seconds()
                if wait <= 0 or queue.wait(wait):
                    return
                continue
            queue.check_charges()
            queue.is_idle = self._empty_looks >= _LOOKS_BEFORE_IDLE
            self._empty_looks += 1
            if queue.memory:  # added before the collecting thread could know that this one is idle
                continue
            notified = queue.wait(self._idle_seconds if queue.is_idle else queue.limits.linger_seconds)
            if notified or queue.is_idle:
                break
        queue.is_idle = False
