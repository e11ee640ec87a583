"""What is to become of leftovers: the listings and the lines of their folders say it.

The rule for objects is that of `object_delivery.py`: delivered only if something refers to them. So each look has one
of these outcomes, and takes two listings of a folder, whatever the number of its objects:

- Its copy is in the folder: the parked one is removed, whoever has parked it.
- The copy is missing, and a stored line refers to it: it is delivered, again or for another receiver. The store was
  restored from a copy of before the delivery, or its receiver never came back.
- The copy is missing, and only a parked line names it: it waits for what becomes of that line.
- The copy is missing, and no line names it: its rows were erased, or its line never came. It is not needed, if its
  request does not come again. Only the receiver that has parked it knows that, or the process that runs after it.
  What belongs to none, as from an older version, is not needed if it was parked more than a day ago.
- The copy is missing, and the parked one is gone meanwhile: there is nothing to do.
- The copy is missing, and it is not known yet whether a line names it, because there are too many lines for one look,
  or because some cannot be read: it stays. The next look searches on (`folders/reference_search.py`).

Why another receiver's object waits, whatever its age: it may come back after any time, and a sender with it that has
kept its events. What is parked once more then is not written once more, so it looks as old as before. If others removed
it between the object and its line, an acknowledged line would name nothing.

A blob is removed only while its marks are there. If they are gone, the store was restored likewise, and the blob is
delivered again.
"""

from __future__ import annotations

import time
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from ...folders.reference_search import ReferenceSearches
from ...store import BLOB_SUFFIX
from ..listed_folder import ListedFolder, listed_folder
from ..parked_names import parked_folder
from .leftover import LeftoverKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...store import Store, StoredObject
    from .leftover import Leftover

__all__ = ["MOST_SEARCHED_BYTES", "OLD_SECONDS", "Fate", "Fates"]

MOST_SEARCHED_BYTES: Final = 64 << 20
"""Lines of a folder in which one look searches for the names of objects; and as many parked ones."""
OLD_SECONDS: Final = 86_400.0
"""Age of what no request is about any more that has begun before."""


class Fate(Enum):
    """What is to become of something that is left.

    Attributes:
        REMOVE: it is not needed any more.
        DELIVER: it is missing in its folder.
        WAIT: that is not known yet, or is known to another receiver.
        UNNAMED: no line names it, but its request may still be under way.
        GONE: it is not parked any more.
    """

    REMOVE = auto()
    DELIVER = auto()
    WAIT = auto()
    UNNAMED = auto()
    GONE = auto()


class Fates:
    """Looks at folders.

    Args:
        store: the main store.
        references: the searches for references in the folders.
        instance: that of this receiver.
    """

    def __init__(self, store: Store, references: ReferenceSearches, instance: str) -> None:
        self._store = store
        self._stored = references
        self._parked = ReferenceSearches(store, names_are_reused=True)
        self._instance = instance

    async def of(self, folder: str, found: Mapping[str, Leftover]) -> dict[str, Fate]:
        """What is to become of each of the leftovers of a folder, by their names.

        Raises:
            StoreError: the folder cannot be read now.
        """
        objects = {left.stored for left in found.values() if left.stored}
        listed = await listed_folder(self._store, folder) if objects else ListedFolder((), {})
        missing = {left.stored for left in found.values() if left.stored and not _is_there(left, listed)}
        fates = dict.fromkeys(found, Fate.REMOVE)
        if not missing and not any(left.marks for left in found.values()):
            return fates
        parked = {one.name: one for one in await self._store.walk(parked_folder(folder))}
        stored = await self._stored.get(folder).look(listed.blobs, missing, most_bytes=MOST_SEARCHED_BYTES)
        blobs = [one for one in parked.values() if one.name.endswith(BLOB_SUFFIX)]
        waiting = await self._parked.get(folder).look(blobs, stored.unnamed, most_bytes=MOST_SEARCHED_BYTES)
        for name, left in found.items():
            if left.stored in missing and name not in parked:
                fates[name] = Fate.GONE
            elif not all(mark in parked for mark, _ in left.marks) or left.stored in stored.named:
                fates[name] = Fate.DELIVER
            elif left.stored in waiting.unnamed and self._is_abandoned(left, parked[name]):
                fates[name] = Fate.UNNAMED
            elif left.stored in missing:
                fates[name] = Fate.WAIT
        return fates

    def forget(self, left: Leftover) -> None:
        """Forget what was searched for an object, of which nothing is asked any more."""
        self._stored.forget(left.folder, left.stored)
        self._parked.forget(left.folder, left.stored)

    def _is_abandoned(self, left: Leftover, parked: StoredObject) -> bool:
        """Whether no request for an object that no line names will come any more, if none is under way now."""
        if left.instance:
            return left.instance == self._instance
        return parked.modified is not None and parked.modified < time.time() - OLD_SECONDS


def _is_there(left: Leftover, listed: ListedFolder) -> bool:
    """Whether a folder has the copy of an object; one that is empty was erased where nothing may be removed."""
    size = listed.files.get(left.stored)
    return size is not None and (left.kind is not LeftoverKind.FOREIGN or size in {0, left.size})
