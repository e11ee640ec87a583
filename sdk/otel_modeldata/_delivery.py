"""The queue behind `collect` and the thread that empties it: nothing that was accepted disappears without a count.

Theory of operation. `put` takes a record or refuses it; both are known to the caller. What was taken is *accepted* and
stays charged against the queue's bound in bytes until it is *settled*: delivered, or lost with a reason. One daemon
thread takes records in order, encodes each on its own, puts requests together by bytes and sends them one at a time:

- an answer that says "later" is repeated, with the delay the endpoint asked for, until it changes or the deadline of
  `shutdown` has come; the bytes sent again are the same bytes;
- an answer that says "never" for many records is halved until the record that causes it stands alone, so that one bad
  record never takes its neighbors along;
- records the endpoint rejected (partial success) are lost and counted.

accepted = delivered + lost + pending holds at any moment. Losses go to the collector's `on_error`, else to the log, at
most one line a minute. This module must not know frames or gRPC: records encode themselves, a `Transport` carries.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ._export import Delivered, Refused, Retry
from .exceptions import DeliveryError, QueueFullError, RecordTooLargeError, ShutDownError
from .lifecycle import DeliveryReport

if TYPE_CHECKING:
    from ._export import Answer, Transport
    from ._record import Record, RequestFrame

logger = logging.getLogger(__name__)

_LOOKS_BEFORE_IDLE = 50
"""Two and a half seconds at the default linger."""

OnError = Callable[[Exception], object]

_RECORD_OVERHEAD_BYTES = 512
"""What a record's attributes take beside its rows: measured 430 bytes with a W3C trace and two uuids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """Bounds of the queue and the pace of sending."""

    queue_bytes: int = 128 * 2**20
    """Most bytes that may wait; beyond, `collect` refuses."""
    queue_records: int | None = None
    """Most records that may wait; azureml-ai-monitoring bounds only this."""
    batch_bytes: int = 3_500_000
    """Most bytes of one request with several records: below the 4 MiB that every gRPC server takes by default."""
    record_bytes: int = 64 * 2**20
    """Most bytes of one record; one above `batch_bytes` travels alone."""
    linger_seconds: float = 0.05
    """How long the first record of a batch waits for others: batches instead of single records save CPU."""
    linger_records: int = 400
    """Enough records to send at once."""
    first_retry_seconds: float = 0.5
    max_retry_seconds: float = 15.0


class _Waiting(NamedTuple):
    record: Record
    charge: int
    on_error: OnError | None


class _Encoded(NamedTuple):
    waiting: _Waiting
    data: bytes


class Delivery:
    """The queue and its thread; one per process, see `_process.py`."""

    def __init__(self, frame: RequestFrame, transport: Transport, limits: DeliveryLimits | None = None) -> None:
        self._frame = frame
        self._transport = transport
        self._limits = limits or DeliveryLimits()
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._bytes = 0
        self._accepted = self._delivered = self._settled = 0
        self._lost: Counter[str] = Counter()
        self._sequences: Counter[str] = Counter()
        self._urgent = 0
        """Records accepted before the last `flush`: until they are settled nothing lingers."""
        self._idle = False
        self._stop_at: float | None = None
        self._quiet_until = 0.0

    # --- the caller's side ---------------------------------------------------------------------------------------

    def put(self, record: Record, on_error: OnError | None) -> None:
        """Accept a record under the next sequence number of its collection, or refuse it; then it takes no number.

        Raises:
            RecordTooLargeError: it can never be sent.
            QueueFullError: the bound of the queue is reached.
            ShutDownError: `shutdown` was called.
        """
        limits = self._limits
        charge = record.rows.nbytes + _RECORD_OVERHEAD_BYTES
        if charge > min(limits.record_bytes, limits.queue_bytes):
            raise RecordTooLargeError(record.rows.nbytes, min(limits.record_bytes, limits.queue_bytes))
        with self._changed:
            if self._stop_at is not None:
                raise ShutDownError
            waiting = self._accepted - self._settled
            if self._bytes + charge > limits.queue_bytes or waiting == limits.queue_records:
                raise QueueFullError
            record.sequence = self._sequences[record.collection]
            self._sequences[record.collection] += 1
            self._queue.append(_Waiting(record, charge, on_error))
            self._bytes += charge
            self._accepted += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="otel-modeldata-delivery", daemon=True)
                self._thread.start()
            elif self._idle or self._is_due():
                self._changed.notify_all()

    def flush(self, timeout: float | None = None) -> DeliveryReport:
        """Wait until everything accepted before is settled, `timeout` seconds at most; then tell how it stands."""
        with self._changed:
            target = self._urgent = self._accepted
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled >= target, timeout)
            return self._report()

    def shutdown(self, timeout: float) -> DeliveryReport:
        """Take nothing more, deliver what waits for `timeout` seconds at most, count the rest as lost."""
        with self._changed:
            if self._stop_at is None:
                self._stop_at = time.monotonic() + timeout
            self._urgent = self._accepted
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled == self._accepted, self._stop_at - time.monotonic())
        self._transport.close()  # ends a try under way; the thread then counts what is left
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        return self.report()

    def report(self) -> DeliveryReport:
        """How it stands now."""
        with self._changed:
            return self._report()

    def _report(self) -> DeliveryReport:
        return DeliveryReport(
            accepted=self._accepted,
            delivered=self._delivered,
            lost=dict(self._lost),
            pending=self._accepted - self._settled,
        )

    # --- the thread's side ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        while batch := self._next_batch():
            for request in self._by_bytes(self._encode(batch)):
                self._deliver(request)

    def _is_due(self) -> bool:
        """Whether what waits should be sent without lingering on."""
        return (
            len(self._queue) >= self._limits.linger_records
            or self._bytes >= self._limits.batch_bytes
            or self._urgent > self._settled
        )

    def _next_batch(self) -> list[_Waiting]:
        """Wait for records, let a few more come, and take at most a batch of them; empty at the end of `shutdown`."""
        with self._changed:
            self._await_records()
            batch: list[_Waiting] = []
            size = 0
            while self._queue and (not batch or size + self._queue[0].charge <= self._limits.batch_bytes):
                batch.append(self._queue.popleft())
                size += batch[-1].charge
            return batch

    def _await_records(self) -> None:
        """Return when a batch is due, a linger after its first record at the latest, or when `shutdown` was called.

        A thread that is woken costs `collect` 15 us, a sleeping one nothing: so the thread looks once per linger, and
        asks to be woken only after it found nothing for a while.
        """
        empty_looks = 0
        while self._stop_at is None and not self._is_due():
            self._idle = empty_looks >= _LOOKS_BEFORE_IDLE
            self._changed.wait(None if self._idle else self._limits.linger_seconds)
            if self._queue and not self._idle:
                break
            empty_looks = 0 if self._queue else empty_looks + 1
        self._idle = False

    def _encode(self, batch: list[_Waiting]) -> list[_Encoded]:
        encoded = []
        for waiting in batch:
            try:
                data = waiting.record.encode()
            except Exception as error:  # noqa: BLE001 - one record that cannot be encoded costs only itself
                self._lose([waiting], "unencodable", f"{type(error).__name__}: {error}")
                continue
            if len(data) > self._limits.record_bytes:
                detail = f"{len(data)} bytes, at most {self._limits.record_bytes} can be sent in one event"
                self._lose([waiting], "too_large", detail)
            else:
                encoded.append(_Encoded(waiting, data))
        return encoded

    def _by_bytes(self, encoded: list[_Encoded]) -> list[list[_Encoded]]:
        """Cut where the encoded bytes exceed a batch: what is charged for a large frame is an estimate."""
        requests: list[list[_Encoded]] = []
        size = 0
        for item in encoded:
            if not requests or size + len(item.data) > self._limits.batch_bytes:
                requests.append([])
                size = 0
            requests[-1].append(item)
            size += len(item.data)
        return requests

    def _deliver(self, request: list[_Encoded]) -> None:
        """Send until every record is settled, halving a request that is refused as a whole."""
        parts = [request]
        while parts:
            part = parts.pop()
            answer = self._send(self._frame.request([item.data for item in part]))
            if isinstance(answer, Delivered):
                self._settle(part, answer)
            elif isinstance(answer, Refused) and len(part) > 1:
                middle = len(part) // 2
                parts += (part[middle:], part[:middle])
            elif isinstance(answer, Refused):
                self._lose([item.waiting for item in part], "refused", f"{answer.code}: {answer.details}")
            else:
                self._lose([item.waiting for item in part], "shutdown", f"{answer.code}: {answer.details}")

    def _send(self, request: bytes) -> Delivered | Refused | Retry:
        """Try until answered; a `Retry` comes back only when the deadline of `shutdown` has come."""
        backoff = self._limits.first_retry_seconds
        while True:
            answer = self._try(request)
            if not isinstance(answer, Retry):
                return answer
            self._tell_waiting(answer)
            delay = answer.delay if answer.delay is not None else backoff * random.uniform(0.8, 1.2)  # noqa: S311
            backoff = min(backoff * 2, self._limits.max_retry_seconds)
            if not self._pause(min(delay, self._limits.max_retry_seconds)):
                return answer

    def _try(self, request: bytes) -> Answer:
        try:
            return self._transport.send(request)
        except Exception as error:  # noqa: BLE001 - a defect of the transport must not end the thread, nor lose data
            return Retry("UNKNOWN", f"{type(error).__name__}: {error}")

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

    def _settle(self, part: list[_Encoded], answer: Delivered) -> None:
        rejected = min(answer.rejected, len(part))
        if rejected:
            detail = f"{rejected} of {len(part)} by the endpoint: {answer.message}"
            self._tell_lost([item.waiting for item in part], "rejected", detail, rejected)
        self._close_accounts([item.waiting for item in part], delivered=len(part) - rejected, reason="rejected")

    def _lose(self, waiting: Sequence[_Waiting], reason: str, detail: str) -> None:
        self._tell_lost(waiting, reason, detail, len(waiting))
        self._close_accounts(waiting, delivered=0, reason=reason)

    def _close_accounts(self, waiting: Sequence[_Waiting], *, delivered: int, reason: str) -> None:
        with self._changed:
            self._bytes -= sum(item.charge for item in waiting)
            self._settled += len(waiting)
            self._delivered += delivered
            if lost := len(waiting) - delivered:
                self._lost[reason] += lost
            self._changed.notify_all()

    def _tell_lost(self, waiting: Sequence[_Waiting], reason: str, detail: str, count: int) -> None:
        """Once per batch and `on_error`; the log where a collector has none."""
        by_receiver: dict[OnError | None, list[str]] = {}
        for item in waiting:
            by_receiver.setdefault(item.on_error, []).append(item.record.event_id)
        for on_error, event_ids in by_receiver.items():
            error = DeliveryError(reason, detail, tuple(event_ids), min(count, len(event_ids)))
            if on_error is None:
                self._warn("%s", error)
                continue
            try:
                on_error(error)
            except Exception:
                logger.exception("on_error itself failed for: %s", error)

    def _tell_waiting(self, answer: Retry) -> None:
        with self._changed:
            waiting, held = self._accepted - self._settled, self._bytes
        self._warn(
            "%d event(s), %d bytes, wait for the endpoint to come back; it answers %s: %s",
            waiting,
            held,
            answer.code,
            answer.details,
        )

    def _warn(self, message: str, *values: object) -> None:
        """One line a minute, whatever happens how often: the counters tell the rest."""
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + 60
            logger.warning(message, *values)
