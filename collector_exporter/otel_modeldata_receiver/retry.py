"""Retry of an operation on a store, with exponential backoff.

`tenacity` and `stamina` are not used, because the clock and the pauses are those of the running event loop, which tests
can simulate, and the loop is no longer than the configuration of either library.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from .exceptions import StoreCheckError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from opentelemetry.metrics import Counter

__all__ = ["backoff", "retry_for"]

_T = TypeVar("_T")

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0


async def retry_for(attempt: Callable[[], Awaitable[_T]], seconds: float, retries: Counter | None = None) -> _T:
    """Await `attempt()` until it succeeds, for about `seconds`, and return its result.

    Args:
        attempt: the operation; repeating it must be safe.
        seconds: how long to retry after the first failure.
        retries: counts the attempts after the first one.

    Raises:
        StoreError: the last one, or at once a `StoreCheckError`, which a retry cannot fix.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    pauses = backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
    while True:
        try:
            return await attempt()
        except StoreCheckError:
            raise
        except StoreError:
            left = give_up_at - loop.time()
            if left <= 0:
                raise
        await asyncio.sleep(min(next(pauses), left))
        if retries is not None:
            retries.add(1)


def backoff(first: float, longest: float) -> Iterator[float]:
    """The pauses between attempts, in seconds and without end: each is twice the one before, up to `longest`."""
    pause = first
    while True:
        yield pause
        pause = min(2 * pause, longest)
