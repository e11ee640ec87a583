"""Answers to requests whose senders no longer wait for them.

A request that takes longer than its deadline goes on, and its sender sends it again. Mapping it again would take as
long as before, so a request of millions of values would be sent again forever. Instead, the same bytes wait for the
work that is under way, or get its answer.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from ..exceptions import UndecodableError

if TYPE_CHECKING:
    from ..config.authorization import Client
    from ..mapping.request import Decoded
    from .request_info import RequestInfo

__all__ = ["LateAnswers", "pass_on"]

MOST_ANSWERS: Final = 1_000
KEPT_SECONDS: Final = 600.0
"""Longer than the pauses of senders between two tries."""

_Key: TypeAlias = "tuple[str, Client | None, int]"
"""Signal, sender and size."""


@dataclass(slots=True)
class _Late:
    digest: bytes
    task: asyncio.Task[bytes]
    until: float = field(default=float("inf"))


class LateAnswers:
    """Requests that go on without a sender, and their answers, each of which is given once."""

    def __init__(self) -> None:
        self._late: dict[_Key, _Late] = {}
        """Of several requests of one sender with the same size, the latest."""

    def add(self, decoded: Decoded, info: RequestInfo, task: asyncio.Task[bytes]) -> None:
        """Remember `task`, which makes a request durable, unless it has ended."""
        key = _key(decoded, info)
        if task.done() or ((known := self._late.get(key)) is not None and known.task is task):
            return
        self._late.pop(key, None)
        while len(self._late) >= MOST_ANSWERS:
            del self._late[next(iter(self._late))]
        late = self._late[key] = _Late(_digest(decoded), task)
        loop = asyncio.get_running_loop()

        def ended(_: asyncio.Task[bytes]) -> None:
            late.until = loop.time() + KEPT_SECONDS

        task.add_done_callback(ended)

    def find(self, decoded: Decoded, info: RequestInfo) -> asyncio.Task[bytes] | None:
        """The work that makes the same request durable, under way or done; None if it is unknown or failed.

        It is forgotten here. If its sender gives up again before it ends, the caller adds it again.
        """
        if not self._late:
            return None
        key = _key(decoded, info)
        late = self._late.get(key)
        if late is None or late.digest != _digest(decoded):
            return None
        del self._late[key]
        if not late.task.done():
            return late.task
        is_too_old = late.until < asyncio.get_running_loop().time()
        return late.task if _has_answer(late.task) and not is_too_old else None


def pass_on(task: asyncio.Task[bytes], answer: asyncio.Future[bytes]) -> None:
    """Resolve `answer` as `task` ended."""
    if task.cancelled():
        answer.cancel()
    elif (error := task.exception()) is not None:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # marks it as retrieved, even if the call is given up at this moment
    elif not answer.done():
        answer.set_result(task.result())


def _key(decoded: Decoded, info: RequestInfo) -> _Key:
    return info.signal.name, info.client, len(decoded.request)


def _digest(decoded: Decoded) -> bytes:
    return hashlib.sha256(decoded.request).digest()


def _has_answer(task: asyncio.Task[bytes]) -> bool:
    return not task.cancelled() and (task.exception() is None or isinstance(task.exception(), UndecodableError))
