"""Bursts: under load, small requests wait for each other for a few milliseconds, and go on together.

The work for one of them is less than a hundred microseconds of Python. When each is worked on as it comes, the
processor sleeps before it, and begins so slowly after that that it takes twice as long as for one of many in a row.
And requests that go on together can be stored as one (`joined_requests.py`). Requests that share an append wait longer
than this for it (`storage/group_commit.py`), so only those wait that come while others are being stored.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..mapping.protowire import content_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..mapping.protowire import Embedded
    from ..mapping.signal import Signal
    from .request_info import RequestInfo

__all__ = ["Bursts", "Waiting"]

_MOST_BYTES: Final = 64 * 1024
"""Of a request that waits: it is in memory before it is admitted, and a larger one takes long enough alone."""
_MANY_REQUESTS: Final = 4
"""While so many are being stored, others wait for each other."""
_MOST_REQUESTS: Final = 16
_BURSTS_IN_A_ROW: Final = 4
"""After so many that did not wait until the end, the next one may have twice as many requests."""
_SECONDS: Final = 0.003
_REST_SECONDS: Final = 0.1
"""After a request that waited in vain, others go on alone for so long: else, while some are stuck, a sender that is
alone would wait 3 ms more for each answer."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that waits for others.

    Attributes:
        message: its bytes; later, where they are in a request that it was joined to.
        info: what the listener reports about it.
        answer: its answer.
    """

    message: bytes | Embedded
    info: RequestInfo
    answer: asyncio.Future[bytes]

    @property
    def signal(self) -> Signal:
        """The signal of its records."""
        return self.info.signal

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.message)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of its bytes."""
        return hashlib.sha256(content_of(self.message)).digest()


class Bursts:
    """The requests of one event loop that go on together next.

    Args:
        go_on: called with those that may be joined; it resolves their answers and raises nothing.
    """

    def __init__(self, go_on: Callable[[Sequence[Waiting]], None]) -> None:
        self._begin = go_on
        self._waiting: list[Waiting] = []
        self._others: list[asyncio.Future[None]] = []
        self._enough = _MOST_REQUESTS
        """How many go on before the time ends. When fewer came, but half of them or more, the next bursts have as many:
        a dozen senders, for example, send no more before they are answered."""
        self._in_a_row = 0
        """Bursts that had enough, since then."""
        self._timer: asyncio.TimerHandle | None = None
        self._rests_until = 0.0

    def are_useful(self, size: int, stored_now: int) -> bool:
        """Whether a request of so many bytes waits for others, while so many are being stored."""
        is_busy = stored_now >= _MANY_REQUESTS and size <= _MOST_BYTES
        return is_busy and asyncio.get_running_loop().time() >= self._rests_until

    def add(self, message: bytes, info: RequestInfo) -> asyncio.Future[bytes]:
        """Let a request go on, perhaps joined to others, when it is time; returns its answer."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(message, info, answer))
        self._look()
        return answer

    async def join(self) -> None:
        """Wait until it is time, with a request that is not to be joined to others."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._others.append(turn)
        self._look()
        await turn

    def _look(self) -> None:
        """Go on when there are enough requests, or the first of them has waited for long enough."""
        if len(self._waiting) + len(self._others) >= self._enough:
            self._in_a_row += 1
            if self._in_a_row >= _BURSTS_IN_A_ROW:
                self._enough, self._in_a_row = min(2 * self._enough, _MOST_REQUESTS), 0
            self._go_on()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SECONDS, self._end)

    def _end(self) -> None:
        found = len(self._waiting) + len(self._others)
        if found > 1 and 2 * found >= self._enough:
            self._enough, self._in_a_row = found, 0
        if found == 1:
            self._rests_until = asyncio.get_running_loop().time() + _REST_SECONDS
        self._go_on()

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting, others, self._others = self._waiting, [], self._others, []
        for turn in others:
            if not turn.done():  # its caller may have gone away
                turn.set_result(None)
        self._begin([one for one in waiting if not one.answer.done()])
