"""When the next request may begin: at most so many a second, and none while the target asks to wait."""

from __future__ import annotations

import asyncio
from typing import Final

__all__ = ["Pacing"]

_CATCH_UP_SECONDS: Final = 0.1
"""How much of a time in which none began is made up for: timers are late by milliseconds."""


class Pacing:
    """The pace of all requests of a replay.

    Args:
        rate: requests a second; None does not limit them.
    """

    def __init__(self, rate: float | None) -> None:
        self._interval = 0.0 if rate is None else 1.0 / rate
        self._next = 0.0
        self._resumed = 0.0

    def pause(self, seconds: float) -> None:
        """Let no request begin for so long."""
        self._resumed = max(self._resumed, asyncio.get_running_loop().time() + seconds)

    async def turn(self) -> None:
        """Return when a request may begin."""
        loop = asyncio.get_running_loop()
        while (at := max(self._next, self._resumed)) > (now := loop.time()):  # noqa: ASYNC110 (another pause may begin)
            await asyncio.sleep(at - now)
        self._next = max(self._next, now - _CATCH_UP_SECONDS) + self._interval
