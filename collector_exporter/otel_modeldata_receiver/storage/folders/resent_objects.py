"""Searches for the objects of events that are sent again: those that wait for an answer share one search of a folder.

An event that is stored already, and whose object is not, must not bring the object back if its rows were erased. So the
lines of its folder are searched for the name of the object, all of them. That may take longer than a request lasts, and
thousands of events may come again at the same time. So, as in a group commit:

- One search of a folder runs at a time. Who asks meanwhile shares the next one, which begins with a listing of its own.
  So it knows all lines that were stored when it was asked.
- A search that ends with its request is continued by the next one where it stopped, also if that asks for others
  (`reference_search.py`). So objects of a folder are answered in the time of two readings, whatever their number.
- Of a tenant one folder is read at a time.

What is searched is remembered for the objects that were asked for last. For others a search begins again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from ..store import StoredObject
from ..upload_turns import UploadTurns
from .folder_names import tenant_of_folder
from .reference_search import ReferenceSearch

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["ResentObjects"]

_MOST_OBJECTS: Final = 10_000
"""Objects of all folders together; each takes about 300 bytes of memory, and 3 KB if its folder has no other."""


class _Search:
    """One search for some objects; without `unnamed` until it has ended."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.unnamed: set[str] | None = None


class _Folder:
    """The searches of one folder: the next one, a lock for the one that runs, and the names that are remembered."""

    def __init__(self, store: Store) -> None:
        self.references = ReferenceSearch(store)
        self.next = _Search()
        self.lock = asyncio.Lock()
        self.names: set[str] = set()


class ResentObjects:
    """The searches in all folders.

    Args:
        store: has the lines.
        most: how many objects are remembered.
    """

    def __init__(self, store: Store, most: int = _MOST_OBJECTS) -> None:
        self._store = store
        self._most = most
        self._folders: dict[str, _Folder] = {}
        self._asked: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Stems and names, as they were asked for."""
        self._turns = UploadTurns(1)

    async def is_unnamed(self, stem: str, name: str) -> bool:
        """Whether no line that is stored now refers to an object.

        Args:
            stem: how the names of the blobs begin that have the lines.
            name: the name of the object.

        Raises:
            StoreError: the store does not answer; calling again is safe.
        """
        folder = self._remember(stem, name)
        search = folder.next
        search.names.add(name)
        async with folder.lock:
            if search.unnamed is None:
                async with self._turns.turn(tenant_of_folder(stem)):
                    if search is folder.next:  # otherwise a request has begun it, and ended before it
                        folder.next = _Search()
                    search.unnamed = await self._unnamed(folder, stem, search.names)
            return name in search.unnamed

    async def _unnamed(self, folder: _Folder, stem: str, names: set[str]) -> set[str]:
        states = [(name, await self._store.state(name)) for name in await self._store.blobs(stem)]
        blobs = [StoredObject(name=name, size=state.size) for name, state in states if state is not None]
        unnamed: set[str] = set()
        while names:
            answers = await folder.references.look(blobs, names)
            unnamed |= answers.unnamed
            for name in names - folder.names:
                folder.references.forget(name)
            names = names - answers.named - answers.unnamed  # what was forgotten during the search
        return unnamed

    def _remember(self, stem: str, name: str) -> _Folder:
        folder = self._folders.setdefault(stem, _Folder(self._store))
        folder.names.add(name)
        self._asked[stem, name] = None
        self._asked.move_to_end((stem, name))
        if len(self._asked) > self._most:
            oldest, _ = self._asked.popitem(last=False)
            self._forget(*oldest)
        return folder

    def _forget(self, stem: str, name: str) -> None:
        folder = self._folders[stem]
        folder.names.discard(name)
        folder.references.forget(name)
        if not folder.names:
            del self._folders[stem]
