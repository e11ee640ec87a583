"""The queue behind `collect` and the thread that empties it: nothing that was accepted disappears without a count.

Theory of operation. `put` takes a record or refuses it; both are known to the caller. What was taken is *accepted* and
stays charged against the queue's bound in bytes until it is *settled*: delivered, or lost with a reason. One daemon
thread takes records in order and sends them (`retry_sender.py`), a batch at a time.

With a spool a record is on disk before `put` returns, and what has no room in memory waits there only
(`disk_backlog.py`); the bound of the spool takes the place of the queue's. With the policy `spill` it is the other way
round: what has room in memory is not written. Where there is no room at all, `put` refuses, after `block_seconds` of
waiting for some.

accepted = delivered + lost + pending holds at any moment, for every collection. Losses go to the collector's
`on_error`, else to the log. This module must not know frames, files or gRPC.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from .._settings.delivery import DeliveryLimits
from ..exceptions import QueueFullError, RecordTooLargeError, ShutDownError
from ..report import DeliveryReport
from .counters import Accounts
from .disk_backlog import LOOK_SECONDS, Backlog
from .loss_reporter import Notices
from .memory_queue import MemoryQueue
from .pending import EncodedRecord, Origin, Waiting
from .retry_sender import Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._encoding.log_record import Record, RequestFrame
    from .disk_queue import Place, Spool
    from .grpc_transport import Retry, Transport
    from .pending import MergeKey, OnError
    from .retry_sender import Outcome

_LOOKS_BEFORE_IDLE = 25
"""Two and a half seconds at the default linger."""

_RECORD_OVERHEAD_BYTES = 1350
"""What a record takes in memory beside its rows: 1,540 bytes measured for a frame with 184 bytes of numbers, outside of
the process (RSS), so that the bound of the queue is one for the memory that it takes."""

_KEPT_BYTES = 16 * 2**20
"""glibc returns freed memory at every chance, and taking it again was a third of the CPU time of a frame of 1000x23.
Freeing one block of this size, which is never touched, teaches it to keep up to twice as much (mallopt(3),
M_MMAP_THRESHOLD). Elsewhere it teaches nothing."""

_END_SECONDS = 5.0
"""How long `shutdown` waits for the thread after it closed the transport, which ends a try at once."""


class Gauges(NamedTuple):
    """What waits: bytes in memory, bytes on disk, and seconds since the oldest in memory was accepted."""

    queue_bytes: int = 0
    spool_bytes: int = 0
    oldest_seconds: float = 0.0


class Delivery:
    """The queue and its thread; one per process, see `process.py`.

    Args:
        frame: what stands around the records of this process.
        transport: what carries requests away.
        limits: bounds and pace.
        producer: the id of this process.
        spool: what waits survives the process there; None keeps everything in memory.
        only_overflow: the spool takes only what has no room in memory.
        aside: called by the thread before each batch: what `collect` then need not do.
    """

    def __init__(  # noqa: PLR0913 - the parts it is made of
        self,
        frame: RequestFrame,
        transport: Transport,
        limits: DeliveryLimits | None = None,
        *,
        producer: str = "",
        spool: Spool | None = None,
        only_overflow: bool = False,
        aside: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._limits = limits or DeliveryLimits()
        self._largest = min(self._limits.record_bytes, self._limits.queue_bytes)
        self._own = Origin(producer, frame, Accounts())
        self._queue = MemoryQueue(self._limits)
        self._lock = threading.RLock()  # a signal's handler may call `flush` in the middle of a `put`
        self._changed = threading.Condition(self._lock)
        self._backlog = None if spool is None else Backlog(spool, self._own, self._changed)
        self._only_overflow = only_overflow
        self._aside = aside
        self._order = threading.Lock()
        """Held while a record gets its number and its place on disk, so that both are in one order."""
        self._thread: threading.Thread | None = None
        self._accepted = self._settled = self._settlements = 0
        self._urgent = 0
        """Records accepted before the last `flush`: until they are settled nothing lingers."""
        self._idle = False
        self._idle_seconds = None if spool is None else LOOK_SECONDS
        self._empty_looks = 0
        self._stop_at: float | None = None
        self._in_flight_since: float | None = None
        self._adopted_turn = True
        self._notices = Notices()
        self._sending = Sending(
            transport, self._limits, settle=self._settle, pause=self._pause, tell_waiting=self._tell_waiting
        )

    # --- the caller's side ---------------------------------------------------------------------------------------

    def put(self, record: Record, on_error: OnError | None, key: MergeKey | None = None) -> None:
        """Accept a record under the next sequence number of its collection, or refuse it; then it takes no number.

        Args:
            record: what happened; afterwards it tells `event_id` and `first_row` of the event that holds its rows.
            on_error: who wants to hear of its loss.
            key: its rows join a waiting event that was put with an equal key, if there is one.

        Raises:
            RecordTooLargeError: it can never be sent.
            QueueFullError: the bound of the queue is reached.
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
                if self._backlog is None:
                    self._put_in_memory(record, charge, on_error, key)
                else:
                    self._put_on_disk(self._backlog, record, charge, on_error, key)
            except QueueFullError:
                end = end or time.monotonic() + self._limits.block_seconds
                if not self._await_room(seen, end):
                    raise
            else:
                return

    def _await_room(self, seen: int, end: float) -> bool:
        """Wait until something more is settled, or `shutdown` is called; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._settlements > seen or self._stop_at is not None, end - time.monotonic()
            )

    def _put_in_memory(
        self, record: Record, charge: int, on_error: OnError | None, key: MergeKey | None = None
    ) -> None:
        queue = self._queue
        with self._lock:
            if self._stop_at is not None:
                raise ShutDownError
            if self._backlog is not None and self._backlog.overflowed:
                raise QueueFullError  # behind one that had to go to the backlog none may wait in memory
            if not queue.has_room(charge, self._accepted - self._settled):
                raise QueueFullError
            if key is not None and queue.join(key, record, charge):
                return
            record.sequence = self._own.accounts.accept(record.collection)
            queue.add(Waiting(record, charge, time.monotonic(), on_error, self._own, None, key))
            self._wake()

    def _put_on_disk(
        self, backlog: Backlog, record: Record, charge: int, on_error: OnError | None, key: MergeKey | None
    ) -> None:
        with self._order:
            if self._only_overflow:
                with contextlib.suppress(QueueFullError):
                    self._put_in_memory(record, charge, on_error, key)
                    return
            if self._stop_at is not None:
                raise ShutDownError
            record.sequence = self._own.accounts.next_sequence(record.collection)
            data = record.encode()
            encoded = EncodedRecord(record.collection, record.event_id, data)
            if len(data) > self._limits.record_bytes:
                raise RecordTooLargeError(len(data), self._limits.record_bytes)
            place = backlog.spool.append(data)
            if place is None:
                raise QueueFullError
            with self._changed:
                self._enqueue(backlog, encoded, place, on_error)

    def _enqueue(self, backlog: Backlog, record: EncodedRecord, place: Place, on_error: OnError | None) -> None:
        """What is on disk waits in memory, too, where there is room."""
        if self._stop_at is not None:  # while it was written
            backlog.spool.settle([place])
            raise ShutDownError
        backlog.on_errors[record.collection] = on_error
        since, charge = time.monotonic(), len(record.data) + _RECORD_OVERHEAD_BYTES
        if not backlog.overflowed and self._queue.has_room(charge, self._accepted - self._settled):
            self._queue.add(Waiting(record, charge, since, on_error, self._own, place))
        else:
            backlog.add(place, since)
        self._own.accounts.accept(record.collection)
        self._wake()

    def _wake(self) -> None:
        """One more was accepted: the thread hears of it when it asked to, or when memory is scarce."""
        self._accepted += 1
        if self._thread is None:
            self._start()
        elif self._idle or self._queue.is_crowded(self._accepted - self._settled):
            self._changed.notify_all()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="otel-modeldata-delivery", daemon=True)
        self._thread.start()

    def flush(self, timeout: float | None = None) -> DeliveryReport:
        """Wait until everything accepted before is settled, `timeout` seconds at most; then tell how it stands."""
        self._look_for_dead(now=True)
        with self._changed:
            target = self._urgent = self._accepted
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled >= target and not self._holds_adopted(), timeout)
            return self._report()

    def shutdown(self, timeout: float) -> DeliveryReport:
        """Take nothing more, deliver what waits for `timeout` seconds at most.

        The rest stays in the spool, or is counted as lost.
        """
        self._look_for_dead(now=True)
        with self._changed:
            end = time.monotonic() + timeout
            self._stop_at = end if self._stop_at is None else min(end, self._stop_at)
            self._urgent = self._accepted
            self._changed.notify_all()
            self._changed.wait_for(self._is_settled, self._stop_at - time.monotonic())
        self._transport.close()  # ends a try under way; the thread then counts what is left
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_END_SECONDS)
        if self._backlog is not None and (self._thread is None or not self._thread.is_alive()):
            with self._order:
                self._backlog.spool.close()
        return self.report()

    def report(self) -> DeliveryReport:
        """How it stands now."""
        with self._changed:
            return self._report()

    def _report(self) -> DeliveryReport:
        replayed = {} if self._backlog is None else self._backlog.replayed()
        return DeliveryReport.of(self._own.producer, self._own.accounts.report(), replayed)

    def gauges(self) -> Gauges:
        """What waits, for the metrics."""
        with self._changed:
            since = self._in_flight_since
            if since is None:
                since = self._queue.oldest
            nbytes = self._queue.nbytes
        spooled = 0 if self._backlog is None else self._backlog.spool.nbytes()
        return Gauges(nbytes, spooled, 0.0 if since is None else time.monotonic() - since)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's files; nothing else of it may be touched."""
        if self._backlog is not None:
            self._backlog.spool.abandon()

    # --- the thread's side ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        bytes(_KEPT_BYTES)
        while not self._is_over():
            self._look_for_dead()
            self._aside()
            batch = self._next_batch()
            if batch:
                self._sending.send(batch)
                self._in_flight_since = None

    def _is_over(self) -> bool:
        """Whether `shutdown` leaves nothing to do: everything is sent, or the time is over and the rest is on disk."""
        with self._changed:
            if self._stop_at is None or self._queue:
                return False
            return time.monotonic() >= self._stop_at or not self._holds_backlog()

    def _is_settled(self) -> bool:
        return self._settled == self._accepted and not self._holds_adopted()

    def _holds_adopted(self) -> bool:
        return self._backlog is not None and (self._backlog.holds_adopted() or self._backlog.in_flight > 0)

    def _holds_backlog(self) -> bool:
        return self._backlog is not None and (self._backlog.overflowed > 0 or self._backlog.holds_adopted())

    def _look_for_dead(self, *, now: bool = False) -> None:
        if self._backlog is None or (now and self._stop_at is not None):
            return
        self._backlog.look(now=now)
        with self._changed:
            if self._thread is None and self._backlog.holds_adopted():
                self._start()

    def _is_urgent(self) -> bool:
        """Whether nothing waits for others; what is on disk only comes behind all that is in memory."""
        overflowed = self._backlog is not None and self._backlog.overflowed > 0
        crowded = self._queue.is_crowded(self._accepted - self._settled)
        return overflowed or crowded or self._stop_at is not None or self._urgent > self._settled

    def _next_batch(self) -> Sequence[Waiting]:
        """A batch at most of what waits longest; now and then nothing."""
        limit = self._limits.batch_bytes
        backlog = self._backlog
        self._adopted_turn = not self._adopted_turn
        if backlog is not None and self._adopted_turn and backlog.holds_adopted():
            return backlog.take_adopted(limit)
        with self._changed:
            self._await_records()
            batch = self._queue.take(urgent=self._is_urgent())
        if not batch and backlog is not None and backlog.overflowed:
            batch = backlog.take_own(limit)
        if batch:
            self._empty_looks = 0
            self._in_flight_since = batch[0].since
        return batch

    def _await_records(self) -> None:
        """Return when a batch is due, or when `shutdown` was called; now and then without any reason.

        A thread that is woken costs `collect` 15 us, a sleeping one nothing: so the thread looks once per linger, and
        asks to be woken only after it found nothing for a while.
        """
        while not self._is_urgent() and not self._holds_backlog():
            if self._queue:
                wait = self._queue.wait_seconds()
                if wait <= 0:
                    return
                self._changed.wait(wait)
                continue
            self._idle = self._empty_looks >= _LOOKS_BEFORE_IDLE
            self._empty_looks += 1
            woken = self._changed.wait(self._idle_seconds if self._idle else self._limits.linger_seconds)
            if self._idle and not woken:
                break
        self._idle = False

    def _pause(self, seconds: float) -> bool:
        """Wait before the next try; False when `shutdown` leaves no time for one."""
        end = time.monotonic() + seconds
        with self._changed:
            while (now := time.monotonic()) < end:
                if self._stop_at is not None:
                    # The caller is waiting: try again soon rather than in a while, as long as there is time.
                    end = min(end, now + self._limits.first_retry_seconds)
                    if end >= self._stop_at:
                        return False
                self._changed.wait(end - now)
            return self._stop_at is None or time.monotonic() < self._stop_at

    # --- accounts ------------------------------------------------------------------------------------------------

    def _settle(self, items: Sequence[Waiting], outcome: Outcome) -> None:
        """Close the accounts of events of one producer and collection: each is delivered, or lost and told."""
        lost = len(items) - outcome.delivered
        if lost:
            self._notices.lost(items, outcome.reason, outcome.detail, lost)
        if self._backlog is not None:
            self._backlog.spool.settle(item.place for item in items if item.place is not None)
        origin, collection = items[0].origin, items[0].record.collection
        with self._changed:
            origin.accounts.settle(collection, delivered=outcome.delivered, lost=lost, reason=outcome.reason)
            self._queue.nbytes -= sum(item.charge for item in items)
            self._settlements += 1
            if origin is self._own:
                self._settled += len(items)
            elif self._backlog is not None:
                self._backlog.in_flight -= len(items)
            self._changed.notify_all()

    def _tell_waiting(self, answer: Retry) -> None:
        with self._changed:
            waiting, held = self._accepted - self._settled, self._queue.nbytes
        self._notices.waiting(answer, waiting, held)
