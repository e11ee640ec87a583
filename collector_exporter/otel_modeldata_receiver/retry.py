"""What to do while the store does not work: try again for a while, then say so once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, TypeVar

from .exceptions import StoreCheckError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from opentelemetry.metrics import Counter

__all__ = ["Outage", "backoff", "patiently"]

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0


async def patiently(attempt: Callable[[], Awaitable[_T]], seconds: float, retries: Counter | None = None) -> _T:
    """Await `attempt()` until it works, for about `seconds`, and return its result.

    Args:
        attempt: what to do; doing it again is safe.
        seconds: how long to go on after a failure.
        retries: counts the attempts after the first.

    Raises:
        StoreError: the last one, or at once a `StoreCheckError`, which time does not heal.
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


class Outage:
    """The folders that cannot be stored at present: one log line when it begins and one when it is over.

    Args:
        retries: counts what was tried again.
    """

    def __init__(self, retries: Counter) -> None:
        self.retries = retries
        self._folders: set[str] = set()

    def begin(self, folder: str, error: StoreError) -> None:
        """Note that `folder` failed."""
        if not self._folders:
            logger.warning("the store does not take lines, callers are asked to come back: %s", error)
        self._folders.add(folder)

    def end(self, folder: str) -> None:
        """Note that `folder` works, or is not needed any more."""
        if folder in self._folders:
            self._folders.remove(folder)
            if not self._folders:
                logger.info("the store takes lines again")
