"""What is known about the main store: whether it serves others while an append of one folder takes long."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...exceptions import StoreError
from ...time_limit import timeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

__all__ = ["MainStore"]

_T = TypeVar("_T")
_TIMES_SLOWER: Final = 5.0
"""A folder of the main store takes none if the store serves others in this part of the time."""


class MainStore:
    """What the appends to the main store show.

    Args:
        check: proves that the store can be written.
        on_return: called when it serves an append again after one that failed.
    """

    def __init__(self, check: Callable[[], Awaitable[None]], on_return: Callable[[], None]) -> None:
        self._check = check
        self._on_return = on_return
        self._served = -1.0
        """When the latest append began that was served."""
        self._took = 0.0
        """How long that append took."""
        self._has_failed = False
        self._question: asyncio.Task[None] | None = None

    def serve(self, began: float) -> None:
        """Note that it served an append that began at this moment."""
        if began > self._served:
            self._served, self._took = began, asyncio.get_running_loop().time() - began
        if self._has_failed:
            self._has_failed = False
            self._on_return()

    def fail(self) -> None:
        """Note that it did not take parked lines."""
        self._has_failed = True

    def has_served_since(self, began: float) -> bool:
        """Whether it has served an append that began after this moment."""
        return self._served > began

    def has_left_behind(self, began: float) -> bool:
        """Whether it has served others much faster than what began at this moment."""
        return self._served > began and asyncio.get_running_loop().time() - began > _TIMES_SLOWER * self._took

    def ask(self) -> None:
        """Find out whether it works, while no other append shows it."""
        if self._question is None or self._question.done():
            self._question = asyncio.get_running_loop().create_task(self._ask(), name="check of the main store")

    async def in_time(self, work: Coroutine[Any, Any, _T], seconds: float, *, is_mounted: bool) -> _T:
        """The result of something that stores an object.

        Args:
            work: stores it.
            seconds: how long it may take, until it is looked at whether the store serves others.
            is_mounted: whether it is in another store, whose state that does not show.

        Raises:
            TimeoutError: it is not stored in time, though this store served others meanwhile.
        """
        began = asyncio.get_running_loop().time()
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=seconds)
                if not task.done() and (is_mounted or self.has_left_behind(began)):
                    raise TimeoutError
                self.ask()
            return task.result()
        finally:
            task.cancel()

    async def works(self, seconds: float) -> bool:
        """Whether it can be written now."""
        try:
            async with timeout(seconds):
                await self._check()
        except (StoreError, TimeoutError):
            return False
        return True

    def stop(self) -> None:
        """Ask no more."""
        if self._question is not None:
            self._question.cancel()

    async def _ask(self) -> None:
        began = asyncio.get_running_loop().time()
        with contextlib.suppress(StoreError):
            await self._check()
            self.serve(began)
