"""The delivery thread of a process, with its queue: put, flush, shut down, report.

The path of a record: `Worker.put` adds it to the queue (`delivery_queue.py`). The thread takes batches from the queue
(`batch_source.py`), sends them and settles each record (`retry_sender.py`).

The thread is a daemon and starts with the first record. This module does not depend on frames, files or gRPC.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from .._settings.delivery import DeliveryLimits
from ..memory_hint import keep_freed_memory
from .batch_source import BatchSource
from .counters import Counters
from .delivery_queue import DeliveryQueue
from .loss_reporter import LossReporter
from .pending import Producer
from .retry_sender import RetrySender

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._encoding.log_record import Record, RequestEnvelope
    from ..report import DeliveryReport
    from ..transport import Transport
    from .disk_queue import DiskQueue
    from .pending import MergeKey, OnError

_KEPT_BYTES = 16 * 2**20
"""Larger than a request with its copies. Without this, getting freed memory back from the kernel took a third of the
CPU time of a 1000x23 frame."""

_END_SECONDS = 5.0
"""How long `shutdown` waits for the thread after it closed the transport, which cancels a call in progress."""


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
        disk_queue: DiskQueue | None = None,
        only_overflow: bool = False,
        between_batches: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._between_batches = between_batches
        self._queue = DeliveryQueue(
            Producer(producer, envelope, Counters()),
            limits or DeliveryLimits(),
            disk_queue,
            only_overflow=only_overflow,
        )
        self._source = BatchSource(self._queue)
        self._reporter = LossReporter()
        self._sender = RetrySender(self._queue, transport, self._reporter)
        self._thread: threading.Thread | None = None
        self._in_flight_since: float | None = None

    def put(self, record: Record, on_error: OnError | None, key: MergeKey | None = None) -> None:
        """Accept a record or refuse it, see `DeliveryQueue.put`."""
        self._queue.put(record, on_error, key)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._queue.lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="otel-modeldata-delivery", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is ending: `shutdown`, which follows, sends
                    return
                self._thread = thread

    def flush(self, timeout: float | None = None) -> DeliveryReport:
        """Wait until all records accepted so far are settled, at most `timeout` seconds; then report."""
        self._prepare_to_wait()
        if self._thread is not None:
            self._queue.flush(timeout)
        return self._queue.report()

    def shutdown(self, timeout: float) -> DeliveryReport:
        """Accept no more records, and deliver the pending ones within `timeout` seconds.

        The rest stays in the spool, or is counted as lost.
        """
        self._prepare_to_wait()
        self._queue.refuse(timeout)
        if self._thread is None:
            self._run()
        self._queue.stop(timeout)
        outage = self._reporter.outage
        self._transport.close()  # ends a try in progress; the thread then counts what is left
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_END_SECONDS)
        self._reporter.outage = outage  # not the answer of the closed transport
        if self._thread is None or not self._thread.is_alive():
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
        with self._queue.lock:
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

    def _prepare_to_wait(self) -> None:
        """Adopt segments of dead processes, and start the thread if there is anything to send.

        A signal handler may call this during a `put` that has not started the thread yet.
        """
        backlog = self._queue.backlog
        if backlog is not None and self._queue.stop_at is None:
            backlog.look(now=True)
        pending, _ = self._queue.unsettled()
        if self._thread is None and (pending or self._queue.holds_backlog()):
            self._start()

    def _run(self) -> None:
        keep_freed_memory(_KEPT_BYTES)
        while not self._queue.is_done():
            if self._queue.backlog is not None:
                self._queue.backlog.look()
            self._between_batches()
            batch = self._source.next_batch()
            if batch:
                self._in_flight_since = batch[0].since
                self._sender.send(batch)
                self._in_flight_since = None
