"""The folders whose lines are parked now: each is a circuit breaker that opened and has not closed yet.

A folder is here from the first append that failed until its last parked line is delivered. Meanwhile all its lines are
parked, so none overtakes another. A datastore whose append failed is suspect too: further folders there are parked at
once, and do not wait for a failure of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError
from ..mounts import mount_of
from .folder_objects import FolderObjects, ObjectRoom
from .parked_names import place_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ...telemetry import Instruments

__all__ = ["FIRST_CLOSED_SECONDS", "MOST_FOLDERS", "ParkedFolder", "ParkedFolders"]

logger = logging.getLogger(__name__)

FIRST_CLOSED_SECONDS: Final = 1.0
"""How long the lines of a folder may wait for its first return to direct appends."""
MOST_FOLDERS: Final = 100_000
"""Limit for parked folders; each takes about 500 bytes of memory."""


class ParkedFolder:
    """A folder whose lines are parked.

    Attributes:
        name: its name in the store.
        place: whose place it is, for messages.
        mount: the mounted store that has it; None for the main store.
        reason: why its lines were parked.
        proven: whether something of it is parked, or was at the start of the process.
        pause: seconds until the next attempt to deliver; 0 before the first one.
        due: when that attempt is due, on the clock of the event loop.
        failures: attempts that delivered nothing so far.
        patience: factor of the time that its place has in the present attempt.
        delivered: lines that were delivered so far.
        size: bytes that are parked, as counted in the metrics.
        has_taken: whether it took something in the present attempt to deliver.
        left: parked objects that are not to be delivered now, as those that are delivered and cannot be removed.
        wanted: parked objects that are to be delivered though they were left, whoever has parked them.
        objects: what is known of its parked objects.
        closed_seconds: how long its lines may wait at the next attempt to store them directly again.
    """

    __slots__ = (
        "_changed",
        "_is_open",
        "_parking",
        "closed_seconds",
        "delivered",
        "due",
        "ended",
        "failures",
        "has_taken",
        "left",
        "mount",
        "name",
        "objects",
        "patience",
        "pause",
        "place",
        "proven",
        "reason",
        "size",
        "wanted",
    )

    def __init__(self, name: str, reason: str, objects: FolderObjects) -> None:
        self.name = name
        self.place = place_of(name)
        self.mount = mount_of(name)
        self.reason = reason
        self.proven = False
        self.pause = 0.0
        self.due = 0.0
        self.failures = 0
        self.patience = 1.0
        self.delivered = 0
        self.size = 0
        self.has_taken = False
        self.left: set[str] = set()
        self.wanted: set[str] = set()
        self.objects = objects
        self.closed_seconds = FIRST_CLOSED_SECONDS
        self.ended = False
        self._parking = 0
        self._is_open = True
        self._changed: asyncio.Event | None = None

    async def enter(self) -> bool:
        """Begin to park something, call `leave` afterwards; False when the folder takes lines again."""
        while not self._is_open:
            await self._change()
        if self.ended:
            return False
        self._parking += 1
        return True

    def leave(self) -> None:
        """End of what `enter` began, successful or not."""
        self._parking -= 1
        self._notify()

    def close(self) -> None:
        """Let what enters wait from now on."""
        self._is_open = False

    def open(self) -> None:
        """Let everything enter again."""
        self._is_open = True
        self._notify()

    async def empty(self) -> None:
        """Wait until nothing is inside."""
        while self._parking:
            await self._change()

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.Event()
        await self._changed.wait()

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None


class ParkedFolders:
    """All parked folders, what is counted about them, and the log lines at the beginning and the end of an outage.

    Args:
        instruments: metrics.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._folders: dict[str, ParkedFolder] = {}
        self._room = ObjectRoom()
        self._found_room = ObjectRoom()
        self._suspects: set[str] = set()
        self._places: Counter[str] = Counter()
        self._delivered: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._folders)

    def __iter__(self) -> Iterator[ParkedFolder]:
        return iter(list(self._folders.values()))

    def get(self, name: str) -> ParkedFolder | None:
        """The folder, if its lines are parked."""
        return self._folders.get(name)

    def is_suspect(self, mount: str | None) -> bool:
        """Whether the last append to a mounted store failed."""
        return mount is not None and mount in self._suspects

    def absolve(self, mount: str | None) -> bool:
        """Note that a mounted store took something; return whether it was suspect."""
        if mount is None or mount not in self._suspects:
            return False
        self._suspects.remove(mount)
        return True

    def begin(self, name: str, reason: str) -> ParkedFolder:
        """Park the lines of a folder from now on; a mounted store that has it is suspect.

        Raises:
            StoreError: too many folders are parked.
        """
        folder = self._folders.get(name)
        if folder is None:
            if len(self._folders) >= MOST_FOLDERS:
                raise StoreError(
                    f"expected at most {MOST_FOLDERS} folders with parked lines, got one more: repair the stores "
                    f"of their tenants ({reason})"
                )
            folder = self._add(name, reason)
        if folder.mount is not None:
            self._suspects.add(folder.mount)
        return folder

    def find(self, name: str, size: int, objects: Collection[str] = ()) -> ParkedFolder:
        """Note that `size` bytes of a folder are parked since before the start, among them `objects`."""
        folder = self._folders.get(name)
        if folder is None:  # two of a name would not know of each other: one is delivered while the other is written
            folder = self._add(name, "parked before the start")
        folder.objects.find(objects)
        if size and not folder.proven:  # without size there are only blobs that could not be removed
            self._prove(folder)
        folder.size += size
        self._instruments.parked_bytes.add(size)
        return folder

    def _add(self, name: str, reason: str) -> ParkedFolder:
        folder = ParkedFolder(name, reason, FolderObjects(self._room, self._found_room))
        self._folders[name] = folder
        return folder

    def parked(self, folder: ParkedFolder, lines: int, size: int) -> None:
        """Note that lines or an object of `folder` are durable in the main store."""
        if not folder.proven:
            self._prove(folder)
            if self._places[folder.place] == 1:
                logger.warning(
                    "%s takes no lines, they are parked in the main store until it does: %s",
                    folder.place,
                    folder.reason,
                )
        folder.size += size
        self._instruments.parked_bytes.add(size)
        if lines:
            self._instruments.parked.add(lines)

    def _prove(self, folder: ParkedFolder) -> None:
        folder.proven = True
        self._places[folder.place] += 1
        self._instruments.parked_folders.add(1)

    def delivered(self, folder: ParkedFolder, lines: int) -> None:
        """Note that parked lines are durable in their folder."""
        folder.delivered += lines
        self._delivered[folder.place] += lines
        self._instruments.delivered.add(lines)

    def removed(self, folder: ParkedFolder, size: int) -> None:
        """Note that bytes of `folder` are not parked any more."""
        size = min(size, folder.size)
        folder.size -= size
        self._instruments.parked_bytes.add(-size)

    def end(self, folder: ParkedFolder) -> None:
        """Note that nothing of `folder` is parked any more: further lines are stored there directly."""
        folder.ended = True
        folder.objects.forget_all()
        del self._folders[folder.name]
        if not folder.proven:
            return
        self._instruments.parked_bytes.add(-folder.size)
        self._instruments.parked_folders.add(-1)
        self._places[folder.place] -= 1
        if not self._places[folder.place]:
            del self._places[folder.place]
            logger.warning(
                "%s takes lines again: %d parked lines are delivered",
                folder.place,
                self._delivered.pop(folder.place, 0),
            )
