"""Parked blobs and objects that are delivered and could not be removed: they are removed later.

A lease ends, a policy expires, a store answers again. Nothing depends on that moment: what is left is marked
(`delivered_marks.py`) or may be delivered again without effect.

A blob is removed only while its marks are there. If they are gone, the store was perhaps restored from a copy of before
the delivery, and the blob is delivered again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError
from ...retry import backoff
from ..store import FencedError
from .parked_names import parked_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..store import Store

__all__ = ["Leftovers"]

_MOST: Final = 10_000
"""Further ones are removed after the next start."""
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 60.0


class Leftovers:
    """Removes them in a background task that exists only while there are any.

    Args:
        store: the main store.
        on_grown: called with the folder of a blob that has new lines.
        on_removed: called with the folder and the name of what was removed; the name may be used again.
    """

    def __init__(
        self, store: Store, on_grown: Callable[[str], None], on_removed: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self._store = store
        self._on_grown = on_grown
        self._on_removed = on_removed
        self._left: dict[str, tuple[str, int, Sequence[tuple[str, int]]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def add(self, folder: str, name: str, size: int, marks: Sequence[tuple[str, int]] = ()) -> None:
        """Remove `name` when that is possible, then its marks; all have the sizes that are given."""
        if self._is_stopped or (name not in self._left and len(self._left) >= _MOST):
            return
        self._left[name] = (folder, size, marks)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="removal of delivered blobs")

    async def stop(self) -> None:
        """Stop; what is left is removed after the next start."""
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            for pause in backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS):
                await asyncio.sleep(pause)
                for name in list(self._left):
                    await self._try(name)
                if not self._left:
                    return
        finally:
            self._task = None

    async def _try(self, name: str) -> None:
        folder, size, marks = self._left[name]
        try:
            if marks and not await self._is_marked(folder, marks):  # perhaps it is back, and not delivered
                del self._left[name]
                self._on_grown(folder)
                return
            await self._store.remove(name, size)
            for mark, length in marks:
                await self._store.remove(mark, length)
        except FencedError:
            if await self._has_grown(name, size):
                del self._left[name]
                self._on_grown(folder)
        except StoreError:
            pass
        else:
            del self._left[name]
            self._on_removed(folder, name)

    async def _is_marked(self, folder: str, marks: Sequence[tuple[str, int]]) -> bool:
        """Whether the marks of a blob are still there."""
        there = {one.name for one in await self._store.walk(parked_folder(folder))}
        return all(mark in there for mark, _ in marks)

    async def _has_grown(self, name: str, size: int) -> bool:
        try:
            state = await self._store.state(name)
        except StoreError:
            return False
        return state is not None and state.size > size
