"""What is parked and not to be delivered now: it is removed when that is possible, or delivered after all.

There are three kinds. Blobs that are delivered and could not be removed: a lease ends, a policy expires, a store
answers again. Objects that are delivered and could not be removed. And objects that nothing is known to refer to.

The rule for objects is that of `object_delivery.py`: delivered only if something refers to them. So each look has one
of these outcomes, and takes two listings of a folder, whatever the number of its objects:

- Its copy is in the folder: the parked one is removed.
- The copy is missing, and a stored line refers to it: it is delivered again. The store was restored from a copy of
  before the delivery.
- The copy is missing, and only a parked line names it: it waits for what becomes of that line.
- The copy is missing, and no line names it: its rows were erased, or its line never came. It is removed after some
  minutes, because the request that has its line may still be under way. Only the receiver that has parked it does
  that, or the process that runs after it: for others its request may come at any time. If it is parked once more,
  that waits for the end of a removal that is under way (`give_up`).
- The copy is missing, and it is not known yet whether a line names it, because there are too many lines for one look:
  it stays. The next look searches on (`folders/reference_search.py`).
- The folder cannot be read now: nothing is done.

A blob is removed only while its marks are there. If they are gone, the store was restored likewise, and the blob is
delivered again. A look ends after some time, and the next one goes on with what was not reached.
"""

from __future__ import annotations

import asyncio
import logging
import math
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_modeldata.log_throttle import LogThrottle

from ...exceptions import StoreError
from ...retry import backoff, retry_for
from ...time_limit import timeout
from ..folders.reference_search import ReferenceSearch
from ..store import BLOB_SUFFIX, FencedError
from .listed_folder import ListedFolder, listed_folder
from .parked_names import folder_of_object, parked_folder, place_of, unparked_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..folders.reference_search import ReferenceSearches
    from ..store import Store

__all__ = ["MOST_SEARCHED_BYTES", "Leftover", "Leftovers"]

logger = logging.getLogger(__name__)

MOST_SEARCHED_BYTES: Final = 64 << 20
"""Lines of a folder in which one look searches for the names of objects."""
_MOST: Final = 10_000
"""Further ones are looked for when there is room again, which is when half of them are removed."""
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 30.0
"""How long one folder may take to be listed, so that one that hangs does not keep the others waiting."""
_PASS_SECONDS: Final = 30.0
"""How long the removals of one pass may take together; one more request is the most beyond that."""
_UNNAMED_SECONDS: Final = 300.0
"""How long an object that no line names waits: a request lasts much shorter."""
_REMOVE_RETRY_SECONDS: Final = 0.1
_REMOVE_SECONDS: Final = 2.0


class Leftover(NamedTuple):
    """What is left.

    Attributes:
        folder: the folder to which it was delivered, or would be.
        size: its bytes.
        marks: of a blob, the names and sizes of its marks.
        stored: of an object, its name in its folder.
        is_mine: of an object, whether this receiver has parked it, in this process or an earlier one.
    """

    folder: str
    size: int
    marks: Sequence[tuple[str, int]] = ()
    stored: str = ""
    is_mine: bool = False


class _Fate(Enum):
    REMOVE = auto()
    DELIVER = auto()
    WAIT = auto()
    UNNAMED = auto()


class Leftovers:
    """Looks at them in a background task that exists only while there are any.

    Args:
        store: the main store.
        references: the searches for references in the folders.
        on_missing: called with the folder and the name of something that is to be delivered (again).
        on_removed: called with the folder and the name of what was removed; the name may be used again.
    """

    def __init__(
        self,
        store: Store,
        references: ReferenceSearches,
        on_missing: Callable[[str, str], None],
        on_removed: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self._store = store
        self._references = references
        self._on_missing = on_missing
        self._on_removed = on_removed
        self._left: dict[str, Leftover] = {}
        self._names: dict[str, set[str]] = {}
        """Of what is left, by the folders."""
        self._crowded: set[str] = set()
        """Folders of which there was more than could be taken."""
        self._unnamed_since: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._removal: tuple[str, asyncio.Event] | None = None
        """What the background task removes now, and its end."""
        self._log = LogThrottle(logger, math.inf)
        self._is_stopped = False

    def __contains__(self, name: str) -> bool:
        """Whether `name` is left, or may be one of those for which there was no room."""
        if name in self._left:
            return True
        if not self._crowded or len(self._left) < _MOST // 2:
            return False
        parked = unparked_object(name)
        return parked is not None and folder_of_object(parked.name) in self._crowded

    def names_of(self, folder: str) -> set[str]:
        """The names of what is left of a folder."""
        return set(self._names.get(folder, ()))

    def is_crowded(self, folder: str) -> bool:
        """Whether more of a folder is left than is looked at; asked when the rest of it was found again."""
        is_crowded = folder in self._crowded
        self._crowded.discard(folder)
        return is_crowded

    def add(self, name: str, left: Leftover, *, is_refused: bool = True) -> None:
        """Look at `name` from time to time until it is removed, with its marks.

        Args:
            name: where it is parked.
            left: what it is.
            is_refused: whether it is delivered, and its removal was refused.
        """
        if is_refused:
            text = "%s is delivered and cannot be removed now: look for a lease or a policy on it"
            self._log.log(logging.WARNING, place_of(left.folder), text, name)
        if self._is_stopped:
            return
        if name not in self._left and len(self._left) >= _MOST:
            self._crowded.add(left.folder)
            return
        self._left[name] = left
        self._names.setdefault(left.folder, set()).add(name)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="removal of delivered blobs")

    async def give_up(self, name: str) -> None:
        """Look at `name` no more, because it is parked once more; it is not being removed when this ends."""
        self._forget(name)
        if self._removal is not None and self._removal[0] == name:
            await self._removal[1].wait()
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._unnamed_since.pop(name, None)
        if (left := self._left.pop(name, None)) is not None:
            self._names[left.folder].discard(name)
            if not self._names[left.folder]:
                del self._names[left.folder]

    async def remove_now(self, name: str, size: int) -> bool:
        """Remove a delivered blob or object; False if it has grown, or its removal is refused."""
        try:
            async with timeout(_REMOVE_SECONDS):
                await retry_for(lambda: self._store.remove(name, size), _REMOVE_RETRY_SECONDS)
        except (FencedError, StoreError, TimeoutError) as error:
            logger.debug("%s is not removed: %s", name, error)
            return False
        return True

    async def stop(self) -> None:
        """Stop; what is left is looked at after the next start."""
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            for pause in backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS):
                await asyncio.sleep(pause)
                await self._look_at_all()
                if not self._left:
                    return
        finally:
            self._task = None

    async def _look_at_all(self) -> None:
        by_folder: dict[str, dict[str, Leftover]] = {}
        for name, left in self._left.items():
            by_folder.setdefault(left.folder, {})[name] = left
        loop = asyncio.get_running_loop()
        end = loop.time() + _PASS_SECONDS
        for folder, found in by_folder.items():
            if loop.time() > end:
                return
            try:
                async with timeout(_LOOK_SECONDS):
                    fates = await self._fates(folder, found)
            except (StoreError, TimeoutError) as error:  # nothing is known of it now
                logger.debug("%s is looked at later: %s", folder, error)
                for name, left in found.items():
                    self._postpone(name, left)
                continue
            for name, left in found.items():
                if loop.time() > end:
                    return
                if self._left.get(name) is left:  # otherwise it was parked once more
                    await self._carry_out(name, left, fates[name])

    async def _fates(self, folder: str, found: Mapping[str, Leftover]) -> dict[str, _Fate]:
        """What is to become of each of the leftovers of a folder.

        Raises:
            StoreError: the folder cannot be read now.
        """
        objects = {left.stored for left in found.values() if left.stored}
        listed = await listed_folder(self._store, folder) if objects else ListedFolder((), {})
        missing = objects - listed.files.keys()
        fates = dict.fromkeys(found, _Fate.REMOVE)
        if not missing and not any(left.marks for left in found.values()):
            return fates
        parked = await self._store.walk(parked_folder(folder))
        there = {one.name for one in parked}
        search = self._references.get(folder)
        stored = await search.look(listed.blobs, missing, most_bytes=MOST_SEARCHED_BYTES)
        blobs = [one for one in parked if one.name.endswith(BLOB_SUFFIX)]
        # Names of parked blobs are used again, so nothing of this search is remembered.
        waiting = await ReferenceSearch(self._store).look(blobs, stored.unnamed, most_bytes=MOST_SEARCHED_BYTES)
        for name, left in found.items():
            if not all(mark in there for mark, _ in left.marks) or left.stored in stored.named:
                fates[name] = _Fate.DELIVER
            elif left.stored in waiting.unnamed and left.is_mine:
                fates[name] = _Fate.UNNAMED
            elif left.stored in missing:
                fates[name] = _Fate.WAIT
        return fates

    async def _carry_out(self, name: str, left: Leftover, fate: _Fate) -> None:
        if fate is _Fate.UNNAMED:
            now = asyncio.get_running_loop().time()
            if now - self._unnamed_since.setdefault(name, now) < _UNNAMED_SECONDS:
                return
        else:
            self._unnamed_since.pop(name, None)
        if fate is _Fate.DELIVER:
            self._deliver_again(name)
        elif fate is not _Fate.WAIT:
            self._removal = (name, asyncio.Event())
            try:
                await self._remove(name, left)
            finally:
                self._removal[1].set()
                self._removal = None

    async def _remove(self, name: str, left: Leftover) -> None:
        try:
            await self._store.remove(name, left.size)
            for mark, length in left.marks:
                await self._store.remove(mark, length)
        except FencedError:
            if await self._has_grown(name, left.size):
                self._deliver_again(name)
                return
        except StoreError:
            pass
        else:
            self._forget(name)
            self._references.forget(left.folder, left.stored)
            self._on_removed(left.folder, name)
            return
        self._postpone(name, left)

    def _postpone(self, name: str, left: Leftover) -> None:
        """Look at others first in the next pass."""
        if self._left.get(name) is left:
            self._left[name] = self._left.pop(name)

    def _deliver_again(self, name: str) -> None:
        left = self._left[name]
        self._forget(name)
        self._on_missing(left.folder, name)

    async def _has_grown(self, name: str, size: int) -> bool:
        try:
            state = await self._store.state(name)
        except StoreError:
            return False
        return state is not None and state.size > size
