"""Answers to requests whose senders no longer wait for them.

A request that takes longer than its deadline goes on, and its sender sends it again. Mapping it again would take as
long as before, so a request of millions of values would be sent again forever. Instead, the same bytes wait for the
work that is under way, or get its answer.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from ..exceptions import ReceiverError, UndecodableError

if TYPE_CHECKING:
    from ..config.authorization import Client
    from ..mapping.signal import Signal
    from .request_info import RequestInfo

__all__ = ["Arrived", "Known", "LateAnswers", "arrived_request", "pass_on"]

MOST_ANSWERS: Final = 1_000
KEPT_SECONDS: Final = 600.0
"""Longer than the pauses of senders between two tries."""

_LONG_BYTES: Final = 256 * 1024
"""Of a larger request a digest is computed in a thread."""

_Key: TypeAlias = "tuple[str, Client | None, int]"
"""Signal, sender and size."""


class Known(Protocol):
    """What is known of a request."""

    @property
    def signal(self) -> Signal:
        """The signal of its records."""
        ...

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    @property
    def digest(self) -> bytes:
        """A digest of its bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What is known of a request that another process has."""

    signal: Signal
    size: int
    digest: bytes


@dataclass(slots=True)
class _Late:
    digest: bytes
    task: asyncio.Future[bytes]
    until: float = field(default=float("inf"))


class LateAnswers:
    """Requests that go on without a sender, and their answers, each of which is given once."""

    def __init__(self) -> None:
        self._late: dict[_Key, _Late] = {}
        """Of several requests of one sender with the same size, the latest."""

    def add(self, request: Known, info: RequestInfo, task: asyncio.Future[bytes]) -> None:
        """Remember `task`, which makes a request durable, unless it has ended."""
        if task.done():  # as for nearly all requests
            return
        key = _key(request, info)
        if (known := self._late.get(key)) is not None and known.task is task:
            return
        self._late.pop(key, None)
        while len(self._late) >= MOST_ANSWERS:
            del self._late[next(iter(self._late))]
        late = self._late[key] = _Late(request.digest, task)
        loop = asyncio.get_running_loop()

        def ended(_: asyncio.Future[bytes]) -> None:
            late.until = loop.time() + KEPT_SECONDS

        task.add_done_callback(ended)

    def has(self, request: Known, info: RequestInfo) -> bool:
        """Whether it goes on without a sender, or did."""
        late = self._late.get(_key(request, info)) if self._late else None
        return late is not None and late.digest == request.digest

    def find(self, request: Known, info: RequestInfo) -> asyncio.Future[bytes] | None:
        """The work that makes the same request durable, under way or done; None if it is unknown or failed.

        It is forgotten here. If its sender gives up again before it ends, the caller adds it again.
        """
        if not self._late:
            return None
        key = _key(request, info)
        late = self._late.get(key)
        if late is None or late.digest != request.digest:
            return None
        del self._late[key]
        if not late.task.done():
            return late.task
        is_too_old = late.until < asyncio.get_running_loop().time()
        return late.task if _has_answer(late.task) and not is_too_old else None


async def arrived_request(message: bytes, signal: Signal) -> Arrived:
    """What is known of a request of log records or spans by its bytes."""
    digest = await asyncio.to_thread(_digest, message) if len(message) > _LONG_BYTES else _digest(message)
    return Arrived(signal=signal, size=len(message), digest=digest)


def _digest(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def pass_on(task: asyncio.Future[bytes], answer: asyncio.Future[bytes]) -> None:
    """Resolve `answer` as `task` ended."""
    if task.cancelled():
        answer.cancel()
    elif (error := task.exception()) is not None:
        if isinstance(error, ReceiverError):
            error.__traceback__ = None  # its frames have the request, and the error: only the collector would free them
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # marks it as retrieved, even if the call is given up at this moment
    elif not answer.done():
        answer.set_result(task.result())


def _key(request: Known, info: RequestInfo) -> _Key:
    return request.signal.name, info.client, request.size


def _has_answer(task: asyncio.Future[bytes]) -> bool:
    return not task.cancelled() and (task.exception() is None or isinstance(task.exception(), UndecodableError))
