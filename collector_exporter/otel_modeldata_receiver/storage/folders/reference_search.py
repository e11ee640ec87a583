"""Searches the lines of a folder for the names of objects, a bounded part at a time.

There are three answers for an object: a line names it, no line names it, or that is not known yet. "Not known yet" must
never be taken for one of the others: an object that was erased would come back, or one that is needed would go. So the
caller waits and asks again, and the search goes on where it stopped. That is possible because blobs only grow.

1. Objects that are asked for the first time form a group, which remembers for each blob how far it is searched. Groups
   are searched in the order in which they came, so that new objects never keep older ones from their answer.
2. "No line names it" holds for the sizes of the blobs that are handed in. Asked again, only what is new is read.
3. "A line names it" is remembered with the place of the name, and that place is read again each time: the line may have
   been erased since. The search begins again if the name is not there any more, or cannot be read.
4. A blob that is shorter than what was searched, or that has grown and whose last searched bytes are others, was
   replaced, as in a store that is restored from a copy. It is searched from its begin.
5. A blob that cannot be read keeps no one from a line in another one (`unread_blobs.py`). But "no line names it" is not
   known until it can be read, of objects that were not searched in it before.
6. Names of parked blobs are used again, perhaps for lines of the same size. These blobs are small: one is searched from
   its begin if its size or the time of its last change is another one, or if its store does not say that time.

Names of objects contain a digest, and JSON writes their characters as they are, so the last part of a name is enough.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from ...exceptions import StoreError
from .object_references import BEFORE_NAME_BYTES, places_named_in
from .unread_blobs import UnreadBlobs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..store import Store, StoredObject

__all__ = ["Answers", "ReferenceSearch", "ReferenceSearches"]

_READ_BYTES: Final = 1 << 20
"""Most bytes of a blob that are in memory; others wait while they are searched, at most about 50 ms."""
_LEAST_READ_BYTES: Final = 64 << 10
"""What one request counts at least, so that many small blobs are bounded too."""
_CHECKED_BYTES: Final = 4 << 10
"""Last bytes of what is searched of a blob, by which it is recognized."""
_MOST_SEARCHES: Final = 1_000
"""Folders whose searches are remembered; another one begins again."""


class Answers(NamedTuple):
    """What is known of objects; of those in neither set it is not known yet.

    Attributes:
        named: those to which a line refers.
        unnamed: those to which no line refers.
        error: why a blob could not be read, if that is so; the answers of others may be known later.
    """

    named: set[str]
    unnamed: set[str]
    error: StoreError | None = None


class _Part(NamedTuple):
    """How much of a blob is searched, and a digest of the last bytes of that, with their number; the blob as listed."""

    size: int
    checked: int
    digest: bytes
    blob_size: int
    modified: float | None


class _Place(NamedTuple):
    """Where a line names an object."""

    blob: str
    start: int
    end: int


@dataclass(slots=True)
class _Group:
    """Objects that are searched together: the last parts of their names, and what is searched of each blob."""

    files: set[bytes]
    parts: dict[str, _Part] = field(default_factory=dict)


class ReferenceSearch:
    """The search in the blobs of one folder.

    Args:
        store: has the blobs.
        names_are_reused: whether the names of removed blobs are used again.
    """

    def __init__(self, store: Store, *, names_are_reused: bool = False) -> None:
        self._store = store
        self._names_are_reused = names_are_reused
        self._unread = UnreadBlobs(store)
        self._groups: list[_Group] = []
        self._places: dict[bytes, _Place] = {}
        self._lock = asyncio.Lock()
        self._bytes_left: float = 0
        self._found: set[bytes] = set()
        """What the present look has found."""
        self._error: StoreError | None = None

    async def look(
        self, blobs: Sequence[StoredObject], names: Iterable[str], *, most_bytes: float = math.inf
    ) -> Answers:
        """Search on for some objects, which are remembered until `forget`.

        Args:
            blobs: those with the lines, as they are listed now; the newest one is the last.
            names: names of the objects.
            most_bytes: how many bytes are read, about.
        """
        names_of: dict[bytes, set[str]] = {}
        for name in names:
            names_of.setdefault(_file(name), set()).add(name)
        async with self._lock:
            self._bytes_left, self._found, self._error = most_bytes, set(), None
            sizes = {one.name: one.size for one in blobs}
            self._unread.begin_look(sizes.keys())
            self._groups = [group for group in self._groups if group.files]
            for group in self._groups:
                group.parts = {name: part for name, part in group.parts.items() if name in sizes}
            await self._look_again(sizes, names_of.keys())
            self._add(names_of.keys() - self._places.keys())
            unnamed = await self._search(blobs)
            return Answers(
                named=set().union(*(names_of[file] for file in names_of.keys() & self._found)),
                unnamed=set().union(*(names_of[file] for file in names_of.keys() & unnamed)),
                error=self._error,
            )

    def forget(self, name: str) -> bool:
        """Forget an object of which nothing is asked any more; return whether there is no other one."""
        file = _file(name)
        self._places.pop(file, None)
        for group in self._groups:
            group.files.discard(file)
        return not self._places and not any(group.files for group in self._groups)

    async def _look_again(self, sizes: Mapping[str, int], files: Collection[bytes]) -> None:
        """Find those of some objects whose known place still names them, as far as there is time to look."""
        for file, place in [(file, place) for file, place in self._places.items() if file in files]:
            if self._bytes_left <= 0:
                break
            self._bytes_left -= _LEAST_READ_BYTES
            content = b""
            if place.end < sizes.get(place.blob, 0):
                try:
                    content = await self._unread.read(place.blob, place.start, place.end + 1)
                except StoreError as error:
                    self._error = error
            self._places.pop(file, None)
            if file in places_named_in(content, {file}):
                self._places[file] = place  # behind the others, which are looked at first next time
                self._found.add(file)

    def _add(self, files: set[bytes]) -> None:
        """Put those that are not searched yet into a group."""
        new = files.difference(*(group.files for group in self._groups))
        if not new:
            return
        if self._groups and not self._groups[-1].parts:
            self._groups[-1].files |= new
        else:
            self._groups.append(_Group(new))

    async def _search(self, blobs: Sequence[StoredObject]) -> set[bytes]:
        """Search on, and return the objects that no line names."""
        by_unread: defaultdict[frozenset[str], list[_Group]] = defaultdict(list)
        for group in self._groups:
            unread: set[str] = set()
            for blob in reversed(blobs):
                try:
                    may_go_on = await self._search_blob(group, blob)
                except StoreError as error:
                    self._error = error
                    unread.add(blob.name)
                else:
                    if not may_go_on:
                        return _files_of(by_unread.get(frozenset(), ()))
            if group.files:
                by_unread[frozenset(unread)].append(group)
        self._groups = [_joined(groups) for groups in by_unread.values()]
        return _files_of(by_unread.get(frozenset(), ()))

    async def _search_blob(self, group: _Group, blob: StoredObject) -> bool:
        """Search a blob to its end; False if no more may be read in this look."""
        position = await self._position(group, blob) if group.files else blob.size
        while group.files and position < blob.size:
            if self._bytes_left <= 0:
                return False
            stop = min(position + _READ_BYTES, blob.size)
            await self._search_piece(group, blob, position, stop)
            self._bytes_left -= max(stop - position, _LEAST_READ_BYTES)
            position = stop
        return True

    async def _position(self, group: _Group, blob: StoredObject) -> int:
        """Where the search of a blob goes on."""
        part = group.parts.get(blob.name)
        if part is None:
            return 0
        if self._names_are_reused:
            if blob.modified is not None and (part.blob_size, part.modified) == (blob.size, blob.modified):
                return part.size
            del group.parts[blob.name]
            return 0
        if part.size == blob.size:
            return part.size
        size: int = blob.size
        if part.size > size:  # it may have grown since it was listed
            state = await self._store.state(blob.name)
            size = 0 if state is None else state.size
        if part.size <= size:
            content = await self._unread.read(blob.name, part.size - part.checked, part.size)
            if _digest(content) == part.digest:
                return part.size
        del group.parts[blob.name]
        return 0

    async def _search_piece(self, group: _Group, blob: StoredObject, position: int, stop: int) -> None:
        start = max(0, position - BEFORE_NAME_BYTES - max(map(len, group.files)) - 1)
        content = await self._unread.read(blob.name, start, stop)
        places = places_named_in(content, group.files)
        for file, (begin, end) in places.items():
            self._places[file] = _Place(blob.name, start + begin, start + end)
        self._found |= places.keys()
        group.files -= places.keys()
        end_of_it = content[-_CHECKED_BYTES:]
        group.parts[blob.name] = _Part(stop, len(end_of_it), _digest(end_of_it), blob.size, blob.modified)


def _file(name: str) -> bytes:
    """The last part of the name of an object."""
    return name.rpartition("/")[2].encode()


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _files_of(groups: Iterable[_Group]) -> set[bytes]:
    """The objects of some groups."""
    return set().union(*(one.files for one in groups))


def _joined(groups: Sequence[_Group]) -> _Group:
    """One group for those that are searched up to the sizes of the same listing, or further."""
    first, *others = groups
    parts = {
        name: min([part, *(one.parts[name] for one in others)], key=lambda part: part.size)
        for name, part in first.parts.items()
        if all(name in one.parts for one in others)
    }
    return _Group(_files_of(groups), parts)


class ReferenceSearches:
    """The searches in several folders.

    Args:
        store: has the blobs.
        most: how many are remembered.
        names_are_reused: see `ReferenceSearch`.
    """

    def __init__(self, store: Store, most: int = _MOST_SEARCHES, *, names_are_reused: bool = False) -> None:
        self._store = store
        self._most = most
        self._names_are_reused = names_are_reused
        self._searches: OrderedDict[str, ReferenceSearch] = OrderedDict()

    def get(self, key: str) -> ReferenceSearch:
        """The search with this key, as the name of a folder; a new one if there is none."""
        search = self._searches.pop(key, None)
        if search is None:
            search = ReferenceSearch(self._store, names_are_reused=self._names_are_reused)
        self._searches[key] = search
        if len(self._searches) > self._most:
            self._searches.popitem(last=False)
        return search

    def forget(self, key: str, name: str) -> None:
        """Forget an object of which nothing is asked any more."""
        if key in self._searches and self._searches[key].forget(name):
            del self._searches[key]
