"""Delivers parked objects: the payloads to which lines refer.

The rule: an object is delivered only if something refers to it, which is a stored line, or a parked line that will be
stored. "Cannot be read now" is never taken for "is gone", "no line was found" never for "no line will come", and "not
searched yet" for neither: see the three answers of `folders/reference_search.py`.

1. Before parked lines are delivered, the objects that they name are. A line whose id is stored already will not be
   stored again, so it needs no object: its rows may have been erased since.
2. When all lines of a pass are delivered, the other objects are looked at. One that this process has parked is
   delivered, because its line may be on the way. It is not if its line turns out to be stored already: that was asked
   when the object came (`Sink.is_superseded`), and could not be answered then, because the folder could not be read.
3. What an earlier process has parked is delivered if a stored line refers to it. If its copy is there, it is delivered
   already. Otherwise, and if that is not known yet, it waits, and holds up nothing: see `leftovers/`, which goes on,
   and also removes it. What other receivers have parked is theirs. What they leave for more than a day is looked at
   there too, and comes here only if it is to be delivered.
4. An object whose name has other content by now concerns only itself: see `refused_objects.py`.

One pass takes two listings of the folder at most. It reads lines only if an object is in doubt, and of these a bounded
part.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from ...retry import retry_for
from ...time_limit import timeout
from ..folders.object_references import files_named_in
from . import parked_names
from .leftovers.fates import MOST_SEARCHED_BYTES
from .leftovers.leftover import Leftover, LeftoverKind
from .listed_folder import ListedFolder, listed_folder
from .refused_objects import RefusedObjects

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    from ...line import Line
    from ..folders.reference_search import ReferenceSearches
    from ..sink import Sink
    from ..store import Store
    from .leftovers.leftovers import Leftovers
    from .parked_folders import ParkedFolder, ParkedFolders

__all__ = ["ObjectDelivery"]

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_LARGE_BYTES: Final = 1 << 20
"""Objects above this size are delivered one at a time."""
_SMALL_AT_ONCE: Final = 8
"""Smaller ones that one attempt delivers at the same time."""
_READ_RETRY_SECONDS: Final = 8.0
_LISTING_BYTES: Final = 16 << 20
"""A listing may take as long as the append of so many bytes."""
_NO_ID: Final = ""
"""Of what is no line: it is not stored."""


class _Parked(NamedTuple):
    """An object: where it is parked, its size, its own name and its media type, and who has parked it."""

    parked: str
    size: int
    name: str
    content_type: str
    instance: str

    @property
    def file(self) -> bytes:
        return self.name.rpartition("/")[2].encode()


class _Refused(NamedTuple):
    """An object that its folder refuses, and why."""

    one: _Parked
    error: ValueError


class ObjectDelivery:
    """Delivers the parked objects of folders.

    Args:
        sink: knows which lines are stored.
        store: the store of the sink.
        instance: that of the sink.
        folders: the parked folders.
        leftovers: removes what is delivered.
        references: the searches for references, shared with `leftovers`.
        seconds: how long the place of a folder may take for this many bytes in the present attempt.
        took: called with a folder whose place took something.
    """

    def __init__(  # noqa: PLR0913 (made in one place)
        self,
        *,
        sink: Sink,
        store: Store,
        instance: str,
        folders: ParkedFolders,
        leftovers: Leftovers,
        references: ReferenceSearches,
        seconds: Callable[[ParkedFolder, int], float],
        took: Callable[[ParkedFolder], None],
    ) -> None:
        self._sink = sink
        self._store = store
        self._instance = instance
        self._folders = folders
        self._leftovers = leftovers
        self._references = references
        self._refused = RefusedObjects(store)
        self._seconds = seconds
        self._took = took
        self._large = asyncio.Semaphore(1)

    async def deliver_named(self, folder: ParkedFolder, lines: Sequence[Line], damaged: Sequence[bytes]) -> None:
        """Deliver the objects to which those lines refer that are delivered next.

        Args:
            folder: where they are delivered.
            lines: they are not stored yet, or were stored before.
            damaged: what is no line any more, but kept, with what it may refer to.

        Raises:
            StoreError: the folder does not answer.
            TimeoutError: it does not answer in time.
        """
        ids: dict[bytes, set[str]] = {}
        for line in lines:
            for file in files_named_in(line.data):
                ids.setdefault(file, set()).add(line.id)
        for file in files_named_in(b"\n".join(damaged)):
            ids.setdefault(file, set()).add(_NO_ID)
        objects = [one for one in await self._parked(folder) if one.file in ids] if ids else []
        if not objects:
            return
        stored = await self._stored(folder, set().union(*(ids[one.file] for one in objects)) - {_NO_ID})
        needed = [one for one in objects if not ids[one.file] <= stored]
        folder.objects.doubt(one.name for one in objects if ids[one.file] <= stored)
        if any(one.parked in folder.left for one in needed):  # a restored store may have lost their copies
            files = (await self._listed(folder)).files
            needed = [one for one in needed if one.parked not in folder.left or one.name not in files]
        await self._deliver(folder, needed)

    async def deliver_rest(self, folder: ParkedFolder) -> bool:
        """Deliver the other objects that are parked now; return whether there were any that were not known.

        Raises:
            StoreError: the folder does not answer, or cannot be listed now.
            TimeoutError: it does not answer in time.
        """
        objects = [one for one in await self._parked(folder) if one.parked not in folder.left]
        puts = {one.name: folder.objects.last_put(one.name) for one in objects}
        asked = {one.name: frozenset(folder.objects.asked(one.name)) for one in objects}
        own = {one.name for one in objects if folder.objects.is_own(one.name)}
        stored = await self._stored(folder, set().union(*asked.values()))
        doubtful = [
            one
            for one in objects
            if one.name not in own
            or folder.objects.is_doubtful(one.name)
            or (asked[one.name] and asked[one.name] <= stored)
        ]
        listed = await self._listed(folder) if doubtful else ListedFolder((), {})
        there = {one.name for one in doubtful if listed.files.get(one.name) == one.size}
        missing = {one.name for one in doubtful} - there
        needed: set[str] = set()
        if missing:
            needed = await self._named(folder, listed, missing)
        # What was parked once more meanwhile has a line on its way: the next pass delivers it.
        again = {one.name for one in doubtful if puts[one.name] != folder.objects.last_put(one.name)}
        await _some_at_once(
            partial(self._settle, folder, one, is_delivered=one.name in there)
            for one in doubtful
            if one.name not in needed and one.name not in again
        )
        kept = there | (missing - needed) | again
        await self._deliver(folder, [one for one in objects if one.name not in kept])
        return bool(objects)

    async def _named(self, folder: ParkedFolder, listed: ListedFolder, names: set[str]) -> set[str]:
        """Those of some objects that a stored line is known to name; lines that are not read in time name none yet."""
        try:
            async with timeout(self._seconds(folder, MOST_SEARCHED_BYTES)):
                search = self._references.get(folder.name)
                return (await search.look(listed.blobs, names, most_bytes=MOST_SEARCHED_BYTES)).named
        except TimeoutError:
            logger.debug("%s: lines are not searched in time", folder.name)
            return set()

    async def _parked(self, folder: ParkedFolder) -> list[_Parked]:
        below = parked_names.parked_objects(folder.name)
        return [
            _Parked(one.name, one.size, *unparked)
            for one in await retry_for(lambda: self._store.walk(below), _READ_RETRY_SECONDS)
            if one.size and (unparked := parked_names.unparked_object(one.name))
            if unparked.instance in {"", self._instance} or one.name in folder.wanted
        ]

    async def _listed(self, folder: ParkedFolder) -> ListedFolder:
        async with timeout(self._seconds(folder, _LISTING_BYTES)):
            return await listed_folder(self._store, folder.name)

    async def _stored(self, folder: ParkedFolder, line_ids: Collection[str]) -> set[str]:
        """Those of some lines that are stored in a folder."""
        if not line_ids:
            return set()
        try:
            async with timeout(self._seconds(folder, 0)):
                return await self._sink.stored_ids(folder.name, line_ids)
        except TimeoutError:
            self._sink.abandon(folder.name)
            raise

    async def _deliver(self, folder: ParkedFolder, objects: Sequence[_Parked]) -> None:
        """Deliver objects: large ones one at a time, and small ones a few at a time."""
        large = [one for one in objects if one.size > _LARGE_BYTES]
        small = [one for one in objects if one.size <= _LARGE_BYTES]
        if large:
            await self._probe(folder)
        refused = await _some_at_once(partial(self._deliver_one, folder, one) for one in small)
        for one in large:
            async with self._large:
                refused.append(await self._deliver_one(folder, one))
        await self._keep(folder, [one for one in refused if one is not None])

    async def _probe(self, folder: ParkedFolder) -> None:
        """Ask for any blob of the folder: a place that hangs must not keep large objects of others waiting."""
        async with timeout(self._seconds(folder, 0)):
            await self._store.state(f"{folder.name}/{self._instance}000000.jsonl")

    async def _deliver_one(self, folder: ParkedFolder, one: _Parked) -> _Refused | None:
        """Deliver an object; it is returned if its name has other content."""
        content = await self._store.read(one.parked, 0, one.size)
        async with timeout(self._seconds(folder, one.size)):
            try:
                await self._store.put(one.name, content, one.content_type)
            except ValueError as error:
                return _Refused(one, error)
        self._took(folder)
        await self._settle(folder, one, is_delivered=True)
        return None

    async def _keep(self, folder: ParkedFolder, refused: Sequence[_Refused]) -> None:
        """Keep objects that their folder refuses; a listing after that shows those that were erased there."""
        files = (await self._listed(folder)).files if refused else {}
        for one, error in refused:
            if files.get(one.name) == 0:
                self._refused.note_erased(folder)
            else:
                content = await self._store.read(one.parked, 0, one.size)
                await self._refused.keep(folder, one.name, content, error)
            self._took(folder)
            await self._settle(folder, one, is_delivered=True)

    async def _settle(self, folder: ParkedFolder, one: _Parked, *, is_delivered: bool = False) -> None:
        """Remove a delivered object; leave what cannot be removed, or is not needed, to `leftovers/`."""
        folder.wanted.discard(one.parked)
        if not (is_delivered and await self._leftovers.remove_now(one.parked, one.size)):
            folder.left.add(one.parked)
            kind = LeftoverKind.DOUBTFUL if one.instance in {"", self._instance} else LeftoverKind.FOREIGN
            kind = LeftoverKind.DELIVERED if is_delivered else kind
            self._leftovers.add(one.parked, Leftover(kind, folder.name, one.size, (), one.name, one.instance))
        if is_delivered:
            self._references.forget(folder.name, one.name)
        folder.objects.forget(one.name)
        self._folders.removed(folder, one.size)


async def _some_at_once(works: Iterable[Callable[[], Awaitable[_T]]]) -> list[_T]:
    """The results of what is independent, some of it done at the same time; none is running when this ends."""
    results: list[_T] = []
    rest = iter(works)
    while some := list(islice(rest, _SMALL_AT_ONCE)):
        for outcome in await asyncio.gather(*(work() for work in some), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
            results.append(outcome)
    return results
