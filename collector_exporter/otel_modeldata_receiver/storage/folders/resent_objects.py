"""Searches for the objects of events that are sent again: those that wait for an answer share one search of a folder.

An event that is stored already, and whose object is not, must not bring the object back if its rows were erased. So the
lines of its folder are searched for the name of the object, all of them. That may take longer than a request lasts, and
thousands of events may come again at the same time. So, as in a group commit:

- One search of a folder runs at a time. Who asks meanwhile shares the next one, which begins with a listing of its own.
  So it knows all lines that were stored when it was asked.
- A search goes on when the requests that wait for it have ended. When they come again, only what is new is read.
- Of a tenant one folder is read at a time.

So objects of a folder are answered in the time of two readings, up to the number that is remembered. One is remembered
until its answer was given, so that each is answered however many there are: further ones wait for room, of which each
tenant has its share. After its answer it is remembered while there is room.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError
from ..store import StoredObject
from ..upload_turns import UploadTurns
from .fair_room import FairRoom
from .folder_names import tenant_of_folder
from .reference_search import Answers, ReferenceSearch

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["ResentObjects"]

_MOST_OBJECTS: Final = 10_000
"""Objects of all folders together; each takes about 1.5 KB of memory, and 3.5 KB if its folder has no other."""
_WAITING_SECONDS: Final = 300.0
"""How long an object without an answer is remembered when it is not asked for: senders try again sooner."""
_ROOM_SECONDS: Final = 1.0
"""Pause between two looks whether there is room."""


class _Folder:
    """The searches of one folder.

    Attributes:
        references: what is searched.
        names: the objects that are remembered.
        forgotten: those that are to be forgotten after the search that runs.
        asked: the objects of the next search.
        next: the next search, which waits for the end of the one that runs; None if there is none.
        lock: of the search that runs.
    """

    def __init__(self, store: Store) -> None:
        self.references = ReferenceSearch(store)
        self.names: set[str] = set()
        self.forgotten: set[str] = set()
        self.asked: set[str] = set()
        self.next: asyncio.Task[Answers] | None = None
        self.lock = asyncio.Lock()


class ResentObjects:
    """The searches in all folders.

    Args:
        store: has the lines.
        most: how many objects are remembered.
    """

    def __init__(self, store: Store, most: int = _MOST_OBJECTS) -> None:
        self._store = store
        self._folders: dict[str, _Folder] = {}
        self._waiting: OrderedDict[tuple[str, str], float] = OrderedDict()
        """Objects without an answer, by stems and names: when they were asked for, the latest last."""
        self._answered: OrderedDict[tuple[str, str], None] = OrderedDict()
        """The others that are remembered, the latest last."""
        self._room: FairRoom[tuple[str, str]] = FairRoom(most)
        self._turns = UploadTurns(1)
        self._searches: set[asyncio.Task[Answers]] = set()
        self._is_stopped = False

    async def is_unnamed(self, stem: str, name: str) -> bool:
        """Whether no line that is stored now refers to an object.

        Args:
            stem: how the names of the blobs begin that have the lines.
            name: the name of the object.

        Raises:
            StoreError: the store does not answer; calling again is safe.
        """
        while not self._is_stopped:
            if not self._remember(stem, name):
                await asyncio.sleep(_ROOM_SECONDS)
                continue
            search = self._ask(stem, name)
            try:
                answers = await asyncio.shield(search)
            except asyncio.CancelledError:
                if not search.cancelled():  # the request has ended
                    raise
                break
            if name in answers.named or name in answers.unnamed:
                if self._waiting.pop((stem, name), None) is not None:
                    self._answered[stem, name] = None
                return name in answers.unnamed
            if answers.error is not None:
                raise answers.error.copy()
            # It lost its place to another tenant.
        raise StoreError("expected an open sink, got one that stops: send the lines again")

    async def stop(self) -> None:
        """Stop the searches, and refuse what waits for them."""
        self._is_stopped = True
        for search in self._searches:
            search.cancel()
        if self._searches:
            await asyncio.wait(self._searches)

    def _remember(self, stem: str, name: str) -> bool:
        """Take a place for an object; False if there is none now."""
        key, now = (stem, name), asyncio.get_running_loop().time()
        if key not in self._waiting and key not in self._answered:
            if not self._room.has_room:
                self._make_room(now)
            without = self._room.take(tenant_of_folder(stem), key)
            if without == key:
                return False
            if without is not None:
                self._forget(without)
        self._answered.pop(key, None)
        self._waiting[key] = now
        self._waiting.move_to_end(key)
        return True

    def _make_room(self, now: float) -> None:
        """Forget an object that was answered, or of which no request has come for a while."""
        first = next(iter(self._answered), None)
        if first is None:
            first, moment = next(iter(self._waiting.items()))
            if moment > now - _WAITING_SECONDS:
                return
        self._room.give_back(tenant_of_folder(first[0]), first)
        self._forget(first)

    def _ask(self, stem: str, name: str) -> asyncio.Task[Answers]:
        """Ask for an object in the next search of its folder."""
        folder = self._folders.setdefault(stem, _Folder(self._store))
        folder.names.add(name)
        folder.asked.add(name)
        if folder.next is None:
            folder.next = asyncio.get_running_loop().create_task(self._search(stem, folder), name=f"search of {stem}")
            self._searches.add(folder.next)
            folder.next.add_done_callback(self._ended)
        return folder.next

    async def _search(self, stem: str, folder: _Folder) -> Answers:
        async with folder.lock, self._turns.turn(tenant_of_folder(stem)):
            folder.next = None
            asked, folder.asked = folder.asked, set()
            try:
                states = [(name, await self._store.state(name)) for name in await self._store.blobs(stem)]
                blobs = [StoredObject(name=name, size=state.size) for name, state in states if state is not None]
                return await folder.references.look(blobs, asked)
            finally:
                for name in folder.forgotten - folder.names:
                    folder.references.forget(name)
                folder.forgotten.clear()

    def _forget(self, key: tuple[str, str]) -> None:
        stem, name = key
        self._waiting.pop(key, None)
        self._answered.pop(key, None)
        folder = self._folders[stem]
        folder.names.discard(name)
        folder.asked.discard(name)
        if folder.lock.locked():
            folder.forgotten.add(name)
        else:
            folder.references.forget(name)
        if not folder.names:
            del self._folders[stem]

    def _ended(self, search: asyncio.Task[Answers]) -> None:
        self._searches.discard(search)
        if not search.cancelled():
            search.exception()  # perhaps no request waits for it any more
