"""The deadline of answers: the work for a request goes on after it, but its caller does not wait for longer."""

from __future__ import annotations

import asyncio

from .shared_timer import SharedTimer

__all__ = ["Deadline"]


class Deadline:
    """The deadline of all answers.

    Args:
        seconds: from the moment at which a caller begins to wait.
    """

    def __init__(self, seconds: float) -> None:
        self._waiting = SharedTimer[asyncio.Future[bytes]](seconds, _expire)

    async def outcome(self, answer: asyncio.Future[bytes]) -> bytes:
        """The answer, or `TimeoutError` when it is not ready in time."""
        self._waiting.add(answer)
        try:
            return await answer
        finally:
            self._waiting.discard(answer)


def _expire(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
