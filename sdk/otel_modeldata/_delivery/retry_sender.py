"""Sends batches as requests, with retries: every event is settled once, or stays in the spool.

- A request answered with `Retry` is sent again, with the delay that the endpoint asked for, until the answer changes or
  the deadline of `shutdown` is reached; the same bytes are sent each time.
- A request holds records of one producer, of all its collections: what a request costs must not be paid by each of a
  thousand collections.
- A request with several records answered with `Refused` is halved until the record that causes it is alone, so that one
  bad record affects only itself.
- Records that the endpoint rejected (partial success) are lost and counted. OTLP does not name them, and they must not
  be sent again. So that the counts of each collection stay exact, from then on each request holds one collection.
- Two requests are under way if the transport allows it and a batch fills several. The endpoint may store the second one
  first: a reader orders events by time and sequence number, not by place. While one is retried, no other is begun, and
  if both have to be retried, the second is tried at the end of the first: an endpoint that is down is asked by one. It
  is tried at once, unless the endpoint is overloaded and asked for a delay. The rest of the batch is then sent one by
  one.

The retry loop does not use a library: it waits on the queue's condition, so that `shutdown` can end or shorten a wait,
and it retries answers, not exceptions.

This module does not depend on the source of events or on gRPC.
"""

from __future__ import annotations

import random
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ..transport import Delivered, Refused, Retry, most_at_once
from .loss_reporter import NO_ANSWER
from .native_threads import Lock, ShortTurns, start_thread
from .pending import Outcome

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Iterable, Iterator, Sequence

    from .._encoding.log_record import Parts
    from ..transport import Answer, Transport
    from .delivery_queue import DeliveryQueue
    from .loss_reporter import LossReporter
    from .pending import PendingRecord


_OVERLOADED = "RESOURCE_EXHAUSTED"
_OF_CLOSED = frozenset({"CANCELLED", "UNKNOWN"})
"""Codes of a transport that was closed, which say nothing about the endpoint; one is that of an exception."""

_jitter = random.Random()  # noqa: S311 - spreads retries, protects nothing
"""A generator of its own: a program that seeds `random` must get the same numbers with this thread as without it."""


class _Encoded(NamedTuple):
    pending: PendingRecord
    parts: Parts
    size: int


class RetrySender:
    """Sends batches.

    Args:
        queue: where the records are settled, and where a retry waits.
        transport: sends requests.
        reporter: reports losses and outages.
    """

    def __init__(self, queue: DeliveryQueue, transport: Transport, reporter: LossReporter) -> None:
        self._queue = queue
        self._limits = queue.limits
        self._transport = transport
        self._reporter = reporter
        self._retrying = Lock()
        """Held while a request is retried."""
        self._ended_retries = 0
        """How many requests have been retried until their last answer."""
        self._is_one_by_one = False
        """Whether the rest of the batch is sent one request at a time: the endpoint may not take two."""
        self._is_closed = False
        self._turns = ShortTurns(queue.is_urgent)
        self._has_rejected = False
        """Whether the endpoint has ever rejected a record."""

    def close(self) -> None:
        """Close the transport: a try in progress ends. Its answer is then not the endpoint's, and is not reported."""
        self._is_closed = True
        self._transport.close()

    def send(self, records: Iterable[PendingRecord]) -> None:
        """Send a batch; returns when every event is settled, or the deadline of `shutdown` is reached.

        If a batch fills several requests, the next one is encoded while others are under way. So the encoded records
        of at most three requests are in memory, if nothing else refers to the records.

        Args:
            records: those of a producer follow each other.
        """
        under_way: deque[LockType] = deque()  # each is held until its request is settled
        most, self._is_one_by_one = most_at_once(self._transport), False
        for request, is_last in self._requests(records):
            while len(under_way) >= (1 if self._is_one_by_one else most):
                _await(under_way.popleft())
            _await(self._retrying)
            if is_last or not self._deliver_in_thread(request, under_way):
                self._deliver(request)
        for sent in under_way:
            _await(sent)

    def _deliver_in_thread(self, request: list[_Encoded], under_way: deque[LockType]) -> bool:
        """Deliver in a new thread; False when the interpreter is ending and cannot start threads."""
        sent = Lock()

        def deliver() -> None:
            try:
                with self._queue.as_sender():
                    self._deliver(request)
            finally:
                sent.release()

        sent.acquire()
        try:
            start_thread(deliver)
        except RuntimeError:
            return False
        under_way.append(sent)
        return True

    def _encode(self, pending: PendingRecord) -> _Encoded | None:
        try:
            parts = pending.record.parts(self._turns.pause)
        except Exception as error:  # noqa: BLE001 - a record that cannot be encoded affects only itself
            self._lose([pending], "unencodable", f"{type(error).__name__}: {error}")
            return None
        size = sum(map(len, parts))
        if size > self._limits.record_bytes:
            detail = f"{size} bytes, at most {self._limits.record_bytes} can be sent in one event"
            self._lose([pending], "too_large", detail)
            return None
        self._turns.pause()
        return _Encoded(pending, parts, size)

    def _requests(self, records: Iterable[PendingRecord]) -> Iterator[tuple[list[_Encoded], bool]]:
        """Group records into requests of one producer, limited by their number and their encoded bytes.

        Yields each request with whether it is the last one.
        """
        request: list[_Encoded] = []
        size, producer_id, limits = 0, "", self._limits
        for item in filter(None, map(self._encode, records)):
            its_producer = item.pending.producer.producer_id
            is_full = size + item.size > limits.batch_bytes or len(request) >= limits.batch_records
            if request and (is_full or its_producer != producer_id):
                yield request, False
                request, size = [], 0
            producer_id = its_producer
            request.append(item)
            size += item.size
        if request:
            yield request, True

    def _deliver(self, request: list[_Encoded]) -> None:
        """Send until every record is settled, halving a request that is refused as a whole."""
        parts = [request]
        if self._has_rejected:
            parts = _by_collection(request)[::-1]
        while parts:
            part = parts.pop()
            items = [item.pending for item in part]
            answer = self._send(items[0].producer.envelope.request([item.parts for item in part]), items)
            if isinstance(answer, Delivered):
                rejected = min(answer.rejected, len(part))
                self._has_rejected |= rejected > 0
                detail = f"{rejected} of {len(part)} by the endpoint: {answer.message}" if rejected else ""
                self._settle(items, Outcome(len(part) - rejected, "rejected", detail))
            elif isinstance(answer, Retry):
                if not self._is_closed or answer.code not in _OF_CLOSED:
                    self._reporter.outage = f"{answer.code}: {answer.details}"
                self.give_up(items, self._reporter.outage or NO_ANSWER)
            elif len(part) > 1:
                middle = len(part) // 2
                parts += (part[middle:], part[:middle])
            else:
                self._lose(items, *_why(answer, part[0].size))

    def give_up(self, items: Sequence[PendingRecord], detail: str) -> None:
        """Count the records as lost that the next process will not find on disk."""
        requests: dict[tuple[str, str], list[PendingRecord]] = {}
        for item in self._queue.not_kept(items):
            requests.setdefault((item.producer.producer_id, item.record.collection), []).append(item)
        for lost in requests.values():
            self._lose(lost, "shutdown", detail)

    def _lose(self, items: Sequence[PendingRecord], reason: str, detail: str) -> None:
        if items:
            self._settle(items, Outcome(0, reason, detail))

    def _settle(self, items: Sequence[PendingRecord], outcome: Outcome) -> None:
        if outcome.delivered < len(items):
            self._reporter.lost(items, outcome)
        self._queue.settle(items, outcome)

    def _send(self, request: bytes, items: Sequence[PendingRecord]) -> Delivered | Refused | Retry:
        """Try until the answer is final; returns a `Retry` only when the deadline of `shutdown` is reached.

        That may be the answer of the closed transport: `LossReporter.outage` is the last one of the endpoint.
        """
        answer = self._try(request)
        if not isinstance(answer, Retry):
            return answer
        answered, ended = time.monotonic(), self._ended_retries
        self._is_one_by_one = True
        with self._retrying:
            if self._ended_retries > ended and not self._is_closed:  # the other request was retried meanwhile
                if answer.code == _OVERLOADED and answer.delay is not None:
                    answer = answer._replace(delay=max(0.0, answered + answer.delay - time.monotonic()))
                else:  # older than the last answer to the other request
                    answer = self._try(request)
            answer = self._retried(request, answer, items)
            self._ended_retries += 1
        return answer

    def _retried(self, request: bytes, answer: Answer, items: Sequence[PendingRecord]) -> Answer:
        """Try again until the answer is final, or there is no time left."""
        backoff = self._limits.first_retry_seconds
        while isinstance(answer, Retry):
            if self._is_closed:
                return answer
            self._reporter.waiting(answer, self._queue.unsettled())
            if answer.is_about_credentials:
                self._reporter.unauthorized(items, answer)
            delay = answer.delay if answer.delay is not None else backoff * _jitter.uniform(0.8, 1.2)
            backoff = min(backoff * 2, self._limits.max_retry_seconds)
            if not self._queue.pause(min(delay, self._limits.max_retry_seconds)):
                return answer
            answer = self._try(request)
        self._reporter.outage = ""
        return answer

    def _try(self, request: bytes) -> Answer:
        try:
            return self._transport.send(request)
        except Exception as error:  # noqa: BLE001 - a bug in a transport must not end the thread or lose data
            return Retry("UNKNOWN", f"{type(error).__name__}: {error}")


def _await(lock: LockType) -> None:
    with lock:
        pass


def _why(answer: Refused, size: int) -> tuple[str, str]:
    """Reason and detail for a record that was sent alone and refused."""
    if answer.is_about_size():
        return "too_large", f"{size} bytes, more than the endpoint takes: {answer.code}: {answer.details}"
    return "refused", f"{answer.code}: {answer.details}"


def _by_collection(request: list[_Encoded]) -> list[list[_Encoded]]:
    parts: dict[str, list[_Encoded]] = {}
    for item in request:
        parts.setdefault(item.pending.record.collection, []).append(item)
    return list(parts.values())
