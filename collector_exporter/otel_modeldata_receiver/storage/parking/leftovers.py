"""Parked blobs and objects that are delivered and could not be removed: they are removed later.

A lease ends, a policy expires, a store answers again. Nothing depends on that moment: what is left is marked
(`delivered_marks.py`) or may be delivered again without effect.

A blob is removed only while its marks are there, and an object while its copy is there that was delivered. If they are
gone, the store was perhaps restored from a copy of before the delivery, and both are delivered again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from ...exceptions import StoreError
from ...retry import backoff
from ..folders.object_references import is_stored
from ..store import FencedError
from .parked_names import parked_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..store import Store

__all__ = ["Leftover", "Leftovers"]

_MOST: Final = 10_000
"""Further ones are removed after the next start."""
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 60.0


class Leftover(NamedTuple):
    """What is left.

    Attributes:
        folder: the folder to which it was delivered.
        size: bytes that were delivered.
        marks: of a blob, the names and sizes of its marks.
        stored: of an object, its name in its folder.
    """

    folder: str
    size: int
    marks: Sequence[tuple[str, int]] = ()
    stored: str = ""


class Leftovers:
    """Removes them in a background task that exists only while there are any.

    Args:
        store: the main store.
        on_grown: called with the folder of something that is to be delivered, perhaps once more.
        on_removed: called with the folder and the name of what was removed; the name may be used again.
    """

    def __init__(
        self, store: Store, on_grown: Callable[[str], None], on_removed: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self._store = store
        self._on_grown = on_grown
        self._on_removed = on_removed
        self._left: dict[str, Leftover] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def add(self, name: str, left: Leftover) -> None:
        """Remove `name` when that is possible, then its marks."""
        if self._is_stopped or (name not in self._left and len(self._left) >= _MOST):
            return
        self._left[name] = left
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
        left = self._left[name]
        try:
            if not await self._is_delivered(left):  # perhaps it is back, and not delivered
                self._deliver_again(name)
                return
            await self._store.remove(name, left.size)
            for mark, length in left.marks:
                await self._store.remove(mark, length)
        except FencedError:
            if await self._has_grown(name, left.size):
                self._deliver_again(name)
        except StoreError:
            pass
        else:
            del self._left[name]
            self._on_removed(left.folder, name)

    def _deliver_again(self, name: str) -> None:
        self._on_grown(self._left.pop(name).folder)

    async def _is_delivered(self, left: Leftover) -> bool:
        """Whether the marks of a blob are still there, and the copy of an object."""
        if left.stored:
            return await is_stored(self._store, left.stored)
        if not left.marks:
            return True
        there = {one.name for one in await self._store.walk(parked_folder(left.folder))}
        return all(mark in there for mark, _ in left.marks)

    async def _has_grown(self, name: str, size: int) -> bool:
        try:
            state = await self._store.state(name)
        except StoreError:
            return False
        return state is not None and state.size > size
