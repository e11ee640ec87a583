"""Room for a bounded number of names in many folders, or of many tenants, of which each has its fair share.

Thousands of names of one folder may stay for weeks, as where a policy keeps them. So while there is no room, a folder
that has less than its share takes the place of a name of the one that has the most.

A folder of which a name found no place is *crowded*. It counts as full until half of the names that it has here are
gone, or half of all: looking for the rest of it after each single one would cost more than it brings.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["FairRoom"]


_Name = TypeVar("_Name", bound=Hashable)


class FairRoom(Generic[_Name]):
    """The names that have a place.

    Args:
        most: how many there are at most; as many crowded folders are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._names: dict[str, dict[_Name, None]] = {}
        self._crowded: dict[str, int] = {}
        """Crowded folders, with the number of names that they had when one found no place."""

    def __len__(self) -> int:
        return self._count

    def names_of(self, folder: str) -> set[_Name]:
        """The names of a folder that have a place."""
        return set(self._names.get(folder, ()))

    @property
    def has_room(self) -> bool:
        """Whether there is a place that no other name has to give up."""
        return self._count < self._most

    @property
    def has_crowded(self) -> bool:
        """Whether any folder is crowded."""
        return bool(self._crowded)

    def take(self, folder: str, name: _Name) -> _Name | None:
        """Take a place for a name that has none.

        Returns:
            The name that has no place in the end: this one, if its folder has its share, or another one. None if there
            was room.
        """
        mine = len(self._names.get(folder, ()))
        last = None
        if not self.has_room:
            folders = len(self._names) + (not mine)
            if mine >= self._most // folders:
                self._crowd(folder)
                return name
            largest = max(self._names, key=lambda one: len(self._names[one]))
            last = next(reversed(self._names[largest]))
            self.give_back(largest, last)
            self._crowd(largest)
        self._names.setdefault(folder, {})[name] = None
        self._count += 1
        return last

    def give_back(self, folder: str, name: _Name) -> None:
        """Give back the place of a name."""
        names = self._names[folder]
        del names[name]
        self._count -= 1
        if not names:
            del self._names[folder]

    def is_crowded(self, folder: str) -> bool:
        """Whether a name of a folder found no place."""
        return folder in self._crowded

    def is_full(self, folder: str) -> bool:
        """Whether a crowded folder has not enough room yet to look for the rest of it."""
        before = self._crowded.get(folder)
        if before is None:
            return False
        return 2 * len(self._names.get(folder, ())) >= before and 2 * self._count >= self._most

    def uncrowd(self, folder: str) -> None:
        """Forget that a folder is crowded: the rest of it was found."""
        self._crowded.pop(folder, None)

    def _crowd(self, folder: str) -> None:
        self._crowded.pop(folder, None)
        self._crowded[folder] = len(self._names.get(folder, ()))
        if len(self._crowded) > self._most:  # the rest of that one is found again as if it were new
            del self._crowded[next(iter(self._crowded))]
