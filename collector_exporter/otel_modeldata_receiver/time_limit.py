"""`timeout` and `Timeout` of asyncio, for Python 3.10 too, which has neither.

There they are made of `async_timeout`, which aiohttp requires on Python 3.10.
"""

from __future__ import annotations

import sys

__all__ = ["Timeout", "timeout"]

if sys.version_info >= (3, 11):
    from asyncio import Timeout, timeout
else:
    import asyncio
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
