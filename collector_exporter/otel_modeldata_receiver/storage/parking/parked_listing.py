"""What one listing of everything that is parked shows: how much of each folder, and of which receivers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from . import parked_names
from .delivered_marks import DeliveredMarks
from .leftovers.fates import OLD_SECONDS
from .leftovers.leftover import Leftover, LeftoverKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..store import Store, StoredObject

__all__ = ["ParkedListing", "parked_listing"]


class ParkedListing(NamedTuple):
    """What is parked, but for what is left already.

    Attributes:
        folders: bytes that are parked of each folder, and that this receiver delivers; 0 if everything is delivered.
        objects: the own names of the objects among that.
        others: the instance ids of other receivers that have parked lines or objects.
        foreign: objects that others have parked a long time ago, by the names under which they are parked.
    """

    folders: dict[str, int]
    objects: dict[str, list[str]]
    others: set[str]
    foreign: dict[str, Leftover]


def parked_listing(
    store: Store, objects: Sequence[StoredObject], instance: str, is_left: Callable[[str], bool]
) -> ParkedListing:
    """What a listing shows.

    Args:
        store: the main store.
        objects: everything that is parked.
        instance: that of this receiver.
        is_left: whether something is not to be delivered now.
    """
    folders: dict[str, int] = {}
    own: dict[str, list[str]] = {}
    others: set[str] = set()
    foreign: dict[str, Leftover] = {}
    sizes = DeliveredMarks(store, objects).sizes()
    old = time.time() - OLD_SECONDS
    for one in objects:
        name, size = one.name, sizes[one.name]
        parked = parked_names.parked_blob(name) or parked_names.unparked_object(name)
        if parked is None or is_left(name):
            continue
        if parked.instance in {"", instance}:
            folders[parked.folder] = folders.get(parked.folder, 0) + size
            if isinstance(parked, parked_names.ParkedObject):
                own.setdefault(parked.folder, []).append(parked.name)
        elif size:
            others.add(parked.instance)
            if isinstance(parked, parked_names.ParkedObject) and (one.modified is None or one.modified < old):
                left = Leftover(LeftoverKind.FOREIGN, parked.folder, size, (), parked.name, parked.instance)
                foreign[name] = left
    return ParkedListing(folders, own, others, foreign)
