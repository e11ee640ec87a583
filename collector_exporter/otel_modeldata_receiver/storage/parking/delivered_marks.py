"""Marks beside parked blobs that are delivered and cannot be removed.

A lease, an immutability policy or a missing permission keeps a blob from being removed. Without a mark it would be
delivered again after a restart, and its lines would be stored twice if their ids are not remembered any more.

The name of a mark has the digest of what is delivered. So a mark that outlives its blob means nothing for another blob
that gets the same name later, unless that has the same lines.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError
from ..store import FencedError
from . import parked_names
from .parked_names import DeliveredMark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..store import Store, StoredObject

__all__ = ["DeliveredMarks"]

_CONTENT: Final = b"delivered\n"


class DeliveredMarks:
    """The parked blobs of a folder, and the marks beside them.

    Args:
        store: the main store.
        objects: everything that is parked of the folder.
    """

    def __init__(self, store: Store, objects: Sequence[StoredObject]) -> None:
        self._store = store
        self._sizes = {one.name: one.size for one in objects}
        marks = [mark for one in objects if (mark := parked_names.read_mark(one.name)) is not None]
        self._marks = sorted(marks, key=lambda mark: -mark.size)

    def blobs(self, folder: str, instance: str) -> list[str]:
        """The names of the blobs with lines of `folder` that this instance parked, in their order."""
        mine = parked_names.ParkedBlob(folder, instance)
        return [name for name in self._sizes if parked_names.parked_blob(name) == mine]

    def sizes(self) -> dict[str, int]:
        """The size of everything; 0 where a mark states that it is delivered."""
        marked = {(mark.blob, mark.size) for mark in self._marks}
        return {name: 0 if (name, size) in marked else size for name, size in self._sizes.items()}

    async def delivered(self, blob: str) -> int:
        """How many bytes of a blob are delivered according to its marks.

        Raises:
            StoreError: the blob cannot be read.
        """
        for mark in self._marks:
            if (
                mark.blob == blob
                and mark.size <= self._sizes[blob]
                and await self._digest(blob, mark.size) == mark.digest
            ):
                return mark.size
        return 0

    async def put(self, blob: str, size: int) -> None:
        """Mark the first `size` bytes of a blob as delivered.

        Raises:
            StoreError: it is not known to be marked.
        """
        mark = DeliveredMark(blob, size, await self._digest(blob, size))
        await self._store.put(parked_names.delivered_mark(mark), _CONTENT, "text/plain")
        self._marks.append(mark)

    def names(self, blob: str) -> list[tuple[str, int]]:
        """The names and sizes of the marks of a blob."""
        return [(parked_names.delivered_mark(mark), len(_CONTENT)) for mark in self._marks if mark.blob == blob]

    async def remove(self, blob: str) -> None:
        """Remove the marks of a blob that is gone; one that stays does no harm."""
        for name, size in self.names(blob):
            with contextlib.suppress(StoreError, FencedError):
                await self._store.remove(name, size)

    async def _digest(self, blob: str, size: int) -> str:
        return hashlib.sha256(await self._store.read(blob, 0, size)).hexdigest()
