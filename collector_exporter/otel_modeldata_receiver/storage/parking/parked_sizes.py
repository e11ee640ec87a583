"""How much is parked of each folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import parked_names

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ParkedSizes", "parked_sizes"]


class ParkedSizes(NamedTuple):
    """What a look at everything that is parked shows.

    Attributes:
        folders: bytes that are parked of each folder, and that this receiver delivers.
        others: the instance ids of other receivers that have parked lines.
    """

    folders: dict[str, int]
    others: set[str]


def parked_sizes(sizes: Mapping[str, int], instance: str) -> ParkedSizes:
    """What is parked, from the names and sizes of blobs and objects; a size is 0 if everything is delivered."""
    folders: dict[str, int] = {}
    others: set[str] = set()
    for name, size in sizes.items():
        blob = parked_names.parked_blob(name)
        unparked = parked_names.unparked_object(name, instance)
        if blob is not None and blob.instance != instance:
            if size:
                others.add(blob.instance)
        elif blob is not None:
            folders[blob.folder] = folders.get(blob.folder, 0) + size
        elif unparked is not None:
            folder = parked_names.folder_of_object(unparked.name)
            folders[folder] = folders.get(folder, 0) + size
    return ParkedSizes(folders, others)
