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
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ._export import Delivered, Refused, Retry

if TYPE_CHECKING:
    from ._export import Answer, Transport
    from ._settings import DeliveryLimits
    from ._waiting import Waiting


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
    data: bytes


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
        """Return when every event of the batch is settled, or the deadline of `shutdown` has come."""
        for request in self._requests(self._encode(batch)):
            self._deliver(request)

    def _encode(self, batch: Sequence[Waiting]) -> list[_Encoded]:
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

    def _requests(self, encoded: Sequence[_Encoded]) -> list[list[_Encoded]]:
        """Cut by producer, by collection, and by bytes: what is charged for a large frame is an estimate."""
        requests: list[list[_Encoded]] = []
        open_requests: dict[tuple[str, str], tuple[list[_Encoded], int]] = {}
        for item in encoded:
            waiting = item.waiting
            key = waiting.origin.producer, waiting.record.collection
            request, size = open_requests.get(key, ([], 0))
            if not request or size + len(item.data) > self._limits.batch_bytes:
                request, size = [], 0
                requests.append(request)
            request.append(item)
            open_requests[key] = request, size + len(item.data)
        return requests

    def _deliver(self, request: list[_Encoded]) -> None:
        """Send until every record is settled, halving a request that is refused as a whole."""
        parts = [request]
        while parts:
            part = parts.pop()
            items = [item.waiting for item in part]
            answer = self._send(items[0].origin.frame.request([item.data for item in part]))
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
                self._lose(items, *_why(answer, len(part[0].data)))

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
