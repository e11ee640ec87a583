"""`timeout` and `Timeout` of asyncio, for Python 3.10 too, which has neither.

There they are made of `async_timeout`, which aiohttp requires on Python 3.10.
"""

from __future__ import annotations

import asyncio
import sys

__all__ = ["Interruption", "Timeout", "timeout"]

if sys.version_info >= (3, 11):
    from asyncio import Timeout, timeout
else:
    from typing import TYPE_CHECKING

    import async_timeout

    if TYPE_CHECKING:
        from types import TracebackType

        from typing_extensions import Self

    class Timeout:
        """What `asyncio.Timeout` is in later versions, as far as the receiver uses it."""

        def __init__(self, seconds: float | None) -> None:
            self._limit = async_timeout.timeout(seconds)

        def reschedule(self, when: float) -> None:
            """Set the moment, on the clock of the event loop, at which the block is cancelled."""
            self._limit.update(when)

        async def __aenter__(self) -> Self:
            await self._limit.__aenter__()
            return self

        async def __aexit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            try:
                await self._limit.__aexit__(kind, error, trace)
            except asyncio.TimeoutError:  # not the built-in class before Python 3.11
                raise TimeoutError from error

    def timeout(delay: float | None) -> Timeout:
        """A block that is cancelled, and raises `TimeoutError`, `delay` seconds after its beginning; None: never."""
        return Timeout(delay)


class Interruption:
    """Of the task that runs in `loop`, from outside of it: as `Timeout`, in a fifth of its time if it is not needed."""

    __slots__ = ("_before", "_is_interrupted", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 (a coroutine runs in one)
        self._task = task
        self._is_interrupted = False
        self._before = 0
        if sys.version_info >= (3, 11):
            self._before = task.cancelling()

    def interrupt(self) -> None:
        """Raise `CancelledError` where the task waits."""
        self._is_interrupted = True
        self._task.cancel()

    def ended(self) -> bool:
        """Note that what may be interrupted has ended; whether `interrupt`, and no one else, has cancelled the task."""
        if not self._is_interrupted:
            return False
        return sys.version_info < (3, 11) or self._task.uncancel() <= self._before
