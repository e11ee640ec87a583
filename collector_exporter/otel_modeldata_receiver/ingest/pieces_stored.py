"""Stores the pieces of a request, several of them at the same time.

The lines of pieces that wait for an append are in the next one together, so a request of many pieces does not wait for
as many appends. The next one is mapped when fewer than `_UNDER_WAY` pieces are being stored, and they have less than
`_UNDER_WAY_BYTES` and `_UNDER_WAY_FOLDERS` together.

The lines of a folder are stored in order: a piece waits for an earlier one that has lines of the same folder, because
the folders of a piece are appended to in turn. Pieces of one folder need not wait: their appends begin in order.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from ..mapping.outcomes import Mapped
    from .commit import Committed

__all__ = ["PiecesStored"]

_UNDER_WAY: Final = 16
_UNDER_WAY_BYTES: Final = 8 * 1024 * 1024
_UNDER_WAY_FOLDERS: Final = 64


class PiecesStored:
    """The pieces of one request that are durable.

    Args:
        store: stores a piece; returns what of it was to be kept, and what is durable.

    Attributes:
        rejected: how many records were rejected.
        reasons: why, each once.
    """

    def __init__(self, store: Callable[[Mapped], Coroutine[object, object, tuple[Mapped, Committed]]]) -> None:
        self._store = store
        self._under_way: dict[asyncio.Task[None], tuple[float, frozenset[str]]] = {}
        """What is stored now, with its share of the bounds and its folders."""
        self.rejected = 0
        self.reasons: dict[str, None] = {}

    async def add(self, piece: Mapped) -> None:
        """Store a piece.

        Raises:
            StoreError: it is not durable.
        """
        self.note(*await self._store(piece))

    def note(self, piece: Mapped, committed: Committed) -> None:
        """Note that a piece is durable, and what of it was to be kept."""
        if not committed.rejected and not piece.refused:
            return
        self.rejected += sum(one.records for one in committed.rejected) + sum(piece.refused.values())
        self.reasons.update(dict.fromkeys(one.reason for one in committed.rejected))
        self.reasons.update(dict.fromkeys(piece.refused))

    async def add_all(self, pieces: AsyncGenerator[Mapped, None]) -> None:
        """Store pieces as they come.

        Raises:
            StoreError: not all of them are durable.
            ReceiverError: the request cannot be mapped; the pieces before that are stored.
        """
        try:
            async for piece in pieces:
                folders = frozenset(piece.lines)
                while self._would_overtake(folders):
                    await self._wait_for_one()
                share = max(1 / _UNDER_WAY, piece.line_bytes / _UNDER_WAY_BYTES, len(piece.lines) / _UNDER_WAY_FOLDERS)
                self._under_way[asyncio.create_task(self.add(piece))] = share, folders
                del piece  # a large one must not be held until the next one comes
                while sum(share for share, _ in self._under_way.values()) >= 1:
                    await self._wait_for_one()
        finally:
            await pieces.aclose()
            left, self._under_way = list(self._under_way), {}
            results = await asyncio.gather(*left, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _would_overtake(self, folders: frozenset[str]) -> bool:
        """Whether lines of these folders could be stored before earlier ones of the same folder."""
        return any(others & folders and len(others | folders) > 1 for _, others in self._under_way.values())

    async def _wait_for_one(self) -> None:
        done, _ = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            del self._under_way[task]
        for task in done:
            task.result()
