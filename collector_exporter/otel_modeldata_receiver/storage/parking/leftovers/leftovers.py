"""What is parked and not to be delivered now: it is removed when that is possible, or delivered after all.

There are three kinds. Blobs and objects that are delivered and could not be removed: a lease ends, a policy expires, a
store answers again. Objects that nothing is known to refer to. And objects that another receiver has parked a long time
ago: it may never come back. `fates.py` says what is to become of them.

Each kind has room of its own, and each folder its share of it (`folders/fair_room.py`): what only cannot be removed
keeps nothing doubtful waiting, and no folder those of others. What another receiver has parked takes only free room.

A look at a folder ends after some time. Then it goes behind the others, also if everything stays as it is. An object
that no line names is removed some minutes later, because the request that has its line may still be under way. If it is
parked once more, that waits for the end of a removal that is under way (`give_up`).
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Final

from otel_modeldata.log_throttle import LogThrottle

from ....exceptions import StoreError
from ....retry import backoff, retry_for
from ....time_limit import timeout
from ...folders.fair_room import FairRoom
from ...store import FencedError
from ..parked_names import place_of, unparked_object
from .fates import Fate, Fates
from .leftover import LeftoverKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...folders.reference_search import ReferenceSearches
    from ...store import Store
    from .leftover import Leftover

__all__ = ["Leftovers"]

logger = logging.getLogger(__name__)

_MOST: Final = 10_000
"""Leftovers of each kind."""
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 30.0
"""How long one folder may take to be listed and searched, so that one that hangs does not keep the others waiting."""
_PASS_SECONDS: Final = 30.0
"""How long the looks and removals of one pass may take together; one more of them is the most beyond that."""
_UNNAMED_SECONDS: Final = 300.0
"""How long an object that no line names waits: a request lasts much shorter."""
_REMOVE_RETRY_SECONDS: Final = 0.1
_REMOVE_SECONDS: Final = 2.0


class Leftovers:
    """Looks at them in a background task that exists only while there are any.

    Args:
        store: the main store.
        references: the searches for references in the folders.
        instance: that of this receiver.
        on_missing: called with the folder and the name of something that is to be delivered (again).
        on_removed: called with the folder and the name of what was removed; the name may be used again.
    """

    def __init__(
        self,
        store: Store,
        references: ReferenceSearches,
        instance: str,
        on_missing: Callable[[str, str], None],
        on_removed: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self._store = store
        self._fates = Fates(store, references, instance)
        self._on_missing = on_missing
        self._on_removed = on_removed
        self._left: dict[str, Leftover] = {}
        """In the order in which they are looked at."""
        self._rooms: dict[LeftoverKind, FairRoom[str]] = {kind: FairRoom(_MOST) for kind in LeftoverKind}
        self._unnamed_since: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._removal: tuple[str, asyncio.Event] | None = None
        """What the background task removes now, and its end."""
        self._log = LogThrottle(logger, math.inf)
        self._is_stopped = False

    def __contains__(self, name: str) -> bool:
        """Whether `name` is left, or may be one of those that found no room and are not looked for yet."""
        if name in self._left:
            return True
        if not any(room.has_crowded for room in self._rooms.values()):  # the usual case
            return False
        parked = unparked_object(name)
        folder = "" if parked is None else parked.folder
        crowded = [room for room in self._rooms.values() if room.is_crowded(folder)]
        return bool(crowded) and all(room.is_full(folder) for room in crowded)

    def names_of(self, folder: str) -> set[str]:
        """The names of what is left of a folder."""
        return set().union(*(room.names_of(folder) for room in self._rooms.values()))

    def is_crowded(self, folder: str) -> bool:
        """Whether more of a folder is left than is looked at; asked when the rest of it was found again."""
        is_crowded = any(room.is_crowded(folder) for room in self._rooms.values())
        for room in self._rooms.values():
            room.uncrowd(folder)
        return is_crowded

    def add(self, name: str, left: Leftover) -> None:
        """Look at `name` from time to time until it is removed, with its marks."""
        if left.kind is LeftoverKind.DELIVERED:
            text = "%s is delivered and cannot be removed now: look for a lease or a policy on it"
            self._log.log(logging.WARNING, place_of(left.folder), text, name)
        if self._is_stopped:
            return
        self._forget(name)
        room = self._rooms[left.kind]
        if left.kind is LeftoverKind.FOREIGN and not room.has_room:
            return
        without = room.take(left.folder, name)
        if without == name:
            return
        if without is not None:
            self._left.pop(without, None)
            self._unnamed_since.pop(without, None)
        self._left[name] = left
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
            self._rooms[left.kind].give_back(left.folder, name)

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
                    fates: Mapping[str, Fate] = await self._fates.of(folder, found)
            except (StoreError, TimeoutError, ValueError) as error:  # unread now, or a datastore that is not configured
                logger.debug("%s is looked at later: %s", folder, error)
                fates = {}
            for name, left in found.items():
                if loop.time() > end and fates:
                    return
                if self._left.get(name) is left:  # otherwise it was parked once more
                    self._left[name] = self._left.pop(name)  # behind the others
                    await self._carry_out(name, left, fates.get(name))

    async def _carry_out(self, name: str, left: Leftover, fate: Fate | None) -> None:
        if fate is Fate.UNNAMED:
            now = asyncio.get_running_loop().time()
            if now - self._unnamed_since.setdefault(name, now) < _UNNAMED_SECONDS:
                return
        elif fate is not None:
            self._unnamed_since.pop(name, None)
        if fate is Fate.DELIVER:
            self._deliver_again(name, left)
        elif fate is Fate.GONE:
            self._end(name, left)
        elif fate in {Fate.REMOVE, Fate.UNNAMED}:
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
                self._deliver_again(name, left)
        except StoreError:
            pass
        else:
            self._end(name, left)

    def _end(self, name: str, left: Leftover) -> None:
        """Note that something is not parked any more."""
        self._forget(name)
        self._fates.forget(left)
        self._on_removed(left.folder, name)

    def _deliver_again(self, name: str, left: Leftover) -> None:
        self._forget(name)
        self._on_missing(left.folder, name)

    async def _has_grown(self, name: str, size: int) -> bool:
        try:
            state = await self._store.state(name)
        except StoreError:
            return False
        return state is not None and state.size > size
