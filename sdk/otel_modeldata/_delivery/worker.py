"""The delivery thread of a process, with its queue: put, flush, shut down, report.

The path of a record: `Worker.put` adds it to the queue (`delivery_queue.py`). The thread takes batches from the queue
(`batch_source.py`), sends them and settles each record (`retry_sender.py`).

The thread is a daemon and starts with the first record. It is a thread of the operating system in a process that gevent
or eventlet has patched, too (`native_threads.py`). This module does not depend on frames, files or gRPC.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from .._settings.delivery import DeliveryLimits
from ..memory_hint import keep_freed_memory
from .batch_source import BatchSource, in_sending_order
from .counters import Counters
from .delivery_queue import DeliveryQueue
from .loss_reporter import LossReporter
from .native_threads import Lock, name_thread, sleep, start_thread
from .on_error import is_in_on_error
from .pending import Producer
from .retry_sender import RetrySender

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._encoding.log_record import Record, RequestEnvelope
    from ..report import DeliveryReport
    from ..transport import Transport
    from .pending import MergeKey, OnError
    from .spool.disk_queue import DiskQueue

_KEPT_BYTES = 16 * 2**20
"""Larger than a request with its copies. Without this, getting freed memory back from the kernel took a third of the
CPU time of a 1000x23 frame."""

_END_SECONDS = 5.0
"""How long `shutdown` waits for the thread after it closed the transport, which cancels a call in progress."""

_DEFERRED_SECONDS = 0.005
"""Pause between two looks at records that only another thread can write."""


class Gauges(NamedTuple):
    """What is pending: bytes in memory, bytes on disk, and the age in seconds of the oldest event in memory."""

    queue_bytes: int = 0
    spool_bytes: int = 0
    oldest_seconds: float = 0.0


class Worker:
    """The queue and the thread that empties it; one per process, see `process.py`.

    Args:
        envelope: the constant parts of this process's requests.
        transport: sends requests.
        limits: bounds and pace.
        producer: the id of this process.
        disk_queue: keeps records on disk, so that they survive the process; None keeps everything in memory.
        only_overflow: write only records that have no room in memory.
        between_batches: called by the thread before each batch, to do work in advance for `collect`.
    """

    def __init__(  # noqa: PLR0913 - the parts it is made of
        self,
        envelope: RequestEnvelope,
        transport: Transport,
        limits: DeliveryLimits | None = None,
        *,
        producer: str = "",
        destination: str = "the endpoint",
        disk_queue: DiskQueue | None = None,
        only_overflow: bool = False,
        between_batches: Callable[[], None] = lambda: None,
    ) -> None:
        self._between_batches = between_batches
        self._queue = DeliveryQueue(
            Producer(producer, envelope, Counters()),
            limits or DeliveryLimits(),
            disk_queue,
            only_overflow=only_overflow,
        )
        self._source = BatchSource(self._queue)
        self._reporter = LossReporter(destination)
        self._sender = RetrySender(self._queue, transport, self._reporter)
        self._is_started = False
        self._running = Lock()
        """Held by the thread as long as it runs. A signal handler may start a second one: it ends at once."""
        self._in_flight_since: float | None = None

    def put(self, record: Record, on_error: OnError | None, key: MergeKey | None = None) -> None:
        """Accept a record or refuse it, see `DeliveryQueue.put`."""
        self._queue.put(record, None if on_error is None or is_in_on_error() else on_error, key)
        if not self._is_started:
            self._start()

    def _start(self) -> None:
        self._is_started = True  # before the start: a thread that ends at once sets it to False
        try:
            start_thread(self._run_in_thread)
        except RuntimeError:  # the interpreter is ending: `shutdown`, which follows, sends
            self._is_started = False

    def flush(self, timeout: float | None = None) -> DeliveryReport:
        """Wait until all records accepted so far are settled, at most `timeout` seconds; then report."""
        begin = time.monotonic()
        self._prepare_to_wait(timeout)
        if self._is_started:
            self._queue.flush(None if timeout is None else timeout - (time.monotonic() - begin))
        return self._queue.report()

    def shutdown(self, timeout: float) -> DeliveryReport:
        """Accept no more records, and deliver the pending ones within `timeout` seconds.

        The rest stays in the spool, or is counted as lost.
        """
        begin = time.monotonic()
        self._prepare_to_wait(timeout)
        left = timeout - (time.monotonic() - begin)
        self._queue.refuse(left)
        if not self._is_started and self._queue.holds_records():
            self._run()
        self._queue.stop(left)
        self._sender.close()  # ends a try in progress; the thread then counts what is left
        self._queue.wake()
        if self._queue.await_end(lambda: not self._running.locked(), _END_SECONDS):
            if self._queue.memory:  # accepted at the very end
                self._start()
                if not self._is_started:
                    self._run()
                self._queue.await_end(lambda: not (self._queue.memory or self._running.locked()), _END_SECONDS)
            self._queue.close()
        return self._queue.report()

    def outage(self) -> str:
        """What the endpoint answered if it does not accept records now; "" if it does."""
        return self._reporter.outage

    def report(self) -> DeliveryReport:
        """The counts as they are now."""
        return self._queue.report()

    def gauges(self) -> Gauges:
        """What is pending, for the metrics."""
        since = self._in_flight_since
        if since is None:
            since = self._queue.memory.oldest
        nbytes = self._queue.memory.nbytes
        backlog = self._queue.backlog
        spooled = 0 if backlog is None else backlog.disk_queue.nbytes()
        return Gauges(nbytes, spooled, 0.0 if since is None else time.monotonic() - since)

    def abandon(self) -> None:
        """In a forked child: close the parent's files; nothing else of this worker may be used."""
        self._queue.abandon()

    def _prepare_to_wait(self, timeout: float | None) -> None:
        """Adopt segments of dead processes, and start the thread if there is anything to send.

        A signal handler may call this during a `put` that has not started the thread yet.
        """
        adopts = self._queue.backlog is not None and self._queue.stop_at is None
        if not self._is_started and (adopts or self._queue.holds_records()):
            self._start()
        if adopts and self._is_started:
            self._queue.await_look(timeout)

    def _run_in_thread(self) -> None:
        name_thread("otel-modeldata-delivery")
        self._run()

    def _run(self) -> None:
        if not self._running.acquire(blocking=False):
            return
        try:
            with self._queue.as_sender():
                self._deliver()
        finally:
            self._is_started = False
            self._running.release()

    def _deliver(self) -> None:
        keep_freed_memory(_KEPT_BYTES)
        queue = self._queue
        while not queue.is_done():
            if queue.backlog is not None:
                queue.backlog.look()
                if not queue.write_deferred() and queue.stop_at is not None:
                    sleep(_DEFERRED_SECONDS)
            self._between_batches()
            batch = self._source.next_batch()
            if batch:
                self._in_flight_since = batch[0].since
                records = in_sending_order(batch)
                del batch
                self._sender.send(records)
                self._in_flight_since = None
        if lost := queue.lose_overflow():
            self._sender.give_up(lost, "its file in the spool was removed and cannot be written again")
