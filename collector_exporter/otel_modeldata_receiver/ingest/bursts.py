"""Bursts: under load, small requests wait for each other for a few milliseconds, and go on together.

The work for one of them is less than a hundred microseconds of Python. When each is worked on as it comes, the
processor sleeps before it, and begins so slowly after that that it takes twice as long as for one of many in a row.
Requests that share an append wait longer than this for it (`storage/group_commit.py`), so only those wait that come
while others are being stored.
"""

from __future__ import annotations

import asyncio
from typing import Final

__all__ = ["MOST_BYTES", "Bursts"]

MOST_BYTES: Final = 64 * 1024
"""Of a request that waits: it is in memory before it is admitted, and a larger one takes long enough alone."""
_MOST_REQUESTS: Final = 8
_SECONDS: Final = 0.003
_REST_SECONDS: Final = 0.1
"""After a request that waited in vain, others go on alone for so long: else, while some are stuck, a sender that is
alone would wait 3 ms more for each answer."""


class Bursts:
    """The requests of one event loop that go on together next."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._rests_until = 0.0

    def are_useful(self) -> bool:
        """Whether others probably come, too."""
        return asyncio.get_running_loop().time() >= self._rests_until

    async def join(self) -> None:
        """Wait until there are enough requests, or the first of them has waited for long enough."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) >= _MOST_REQUESTS:
            self._go_on()
        elif self._timer is None:
            self._timer = loop.call_later(_SECONDS, self._end)
        await turn

    def _end(self) -> None:
        if len(self._waiting) == 1:
            self._rests_until = asyncio.get_running_loop().time() + _REST_SECONDS
        self._go_on()

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():  # its caller may have gone away
                turn.set_result(None)
