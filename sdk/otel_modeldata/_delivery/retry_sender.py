"""A batch -> requests -> answers: every event of a batch is settled once, or stays in the spool.

- An answer that says "later" is repeated, with the delay the endpoint asked for, until it changes or the deadline of
  `shutdown` has come; the bytes sent again are the same bytes.
- An answer that says "never" for many records is halved until the record that causes it stands alone, so that one bad
  record never takes its neighbors along.
- Records the endpoint rejected (partial success) are lost and counted. It does not name them: a request holds events of
  one producer and one collection, so that the accounts of each stay exact.

This module must not know where events come from, nor gRPC: records encode themselves, a `Transport` carries.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .grpc_transport import Delivered, Refused, Retry

if TYPE_CHECKING:
    from .._encoding.log_record import Parts
    from .._settings.delivery import DeliveryLimits
    from .grpc_transport import Answer, Transport
    from .pending import Waiting


class Outcome(NamedTuple):
    """What became of some events: so many are delivered, the rest is lost."""

    delivered: int = 0
    reason: str = ""
    detail: str = ""


Settle = Callable[[Sequence["Waiting"], Outcome], None]
"""Closes the accounts of some events."""
Pause = Callable[[float], bool]
"""Waits some seconds before the next try; False when there is no time for one."""


class _Encoded(NamedTuple):
    waiting: Waiting
    parts: Parts
    size: int


class Sending:
    """Sends batches, one request at a time."""

    def __init__(
        self,
        transport: Transport,
        limits: DeliveryLimits,
        *,
        settle: Settle,
        pause: Pause,
        tell_waiting: Callable[[Retry], None],
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._settle = settle
        self._pause = pause
        self._tell_waiting = tell_waiting

    def send(self, batch: Sequence[Waiting]) -> None:
        """Return when every event of the batch is settled, or the deadline of `shutdown` has come.

        Frames that fill many requests are encoded while the request before is under way, one at a time.
        """
        under_way: threading.Thread | None = None
        for request, is_last in self._requests(batch):
            if under_way is not None:
                under_way.join()
            under_way = None if is_last else self._deliver_aside(request)
            if under_way is None:
                self._deliver(request)

    def _deliver_aside(self, request: list[_Encoded]) -> threading.Thread | None:
        """Begin to deliver; None when an interpreter that ends lets no thread begin."""
        thread = threading.Thread(target=self._deliver, args=(request,), name="otel-modeldata-sending", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return None
        return thread

    def _encode(self, waiting: Waiting) -> _Encoded | None:
        try:
            parts = waiting.record.parts()
        except Exception as error:  # noqa: BLE001 - one record that cannot be encoded costs only itself
            self._lose([waiting], "unencodable", f"{type(error).__name__}: {error}")
            return None
        size = sum(map(len, parts))
        if size > self._limits.record_bytes:
            detail = f"{size} bytes, at most {self._limits.record_bytes} can be sent in one event"
            self._lose([waiting], "too_large", detail)
            return None
        return _Encoded(waiting, parts, size)

    def _requests(self, batch: Sequence[Waiting]) -> Iterator[tuple[list[_Encoded], bool]]:
        """Cut by producer, by collection, and by bytes: what is charged for a large frame is an estimate.

        Each is given away when it is full, or at the end; with the last one comes True.
        """
        growing: dict[tuple[str, str], tuple[list[_Encoded], int]] = {}
        for item in filter(None, map(self._encode, batch)):
            key = item.waiting.origin.producer, item.waiting.record.collection
            request, size = growing.get(key, ([], 0))
            if request and size + item.size > self._limits.batch_bytes:
                yield request, False
                request, size = [], 0
            request.append(item)
            growing[key] = request, size + item.size
        for number, (request, _) in enumerate(growing.values(), start=1):
            yield request, number == len(growing)

    def _deliver(self, request: list[_Encoded]) -> None:
        """Send until every record is settled, halving a request that is refused as a whole."""
        parts = [request]
        while parts:
            part = parts.pop()
            items = [item.waiting for item in part]
            answer = self._send(items[0].origin.frame.request([item.parts for item in part]))
            if isinstance(answer, Delivered):
                rejected = min(answer.rejected, len(part))
                detail = f"{rejected} of {len(part)} by the endpoint: {answer.message}" if rejected else ""
                self._settle(items, Outcome(len(part) - rejected, "rejected", detail))
            elif isinstance(answer, Retry):
                kept_nowhere = [item for item in items if item.place is None]
                self._lose(kept_nowhere, "shutdown", f"{answer.code}: {answer.details}")
            elif len(part) > 1:
                middle = len(part) // 2
                parts += (part[middle:], part[:middle])
            else:
                self._lose(items, *_why(answer, part[0].size))

    def _lose(self, items: Sequence[Waiting], reason: str, detail: str) -> None:
        if items:
            self._settle(items, Outcome(0, reason, detail))

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


def _why(answer: Refused, size: int) -> tuple[str, str]:
    """Reason and detail of a record that is refused although it travels alone."""
    if answer.is_about_size():
        return "too_large", f"{size} bytes, more than the endpoint takes: {answer.code}: {answer.details}"
    return "refused", f"{answer.code}: {answer.details}"
