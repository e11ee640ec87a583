"""What a process knows of the objects that it has parked in a folder, until they are delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["FolderObjects", "ObjectRoom"]

_MOST_OBJECTS: Final = 50_000
"""Of all folders together; each takes about 600 bytes of memory, or 300 if an earlier process has parked it."""
_MOST_IDS: Final = 8
"""Lines of one object: an image may belong to very many events. It is delivered then, as if they were new."""


class ObjectRoom:
    """How many objects of all folders are remembered.

    Args:
        most: the limit.
    """

    def __init__(self, most: int = _MOST_OBJECTS) -> None:
        self._most = most
        self._taken = 0

    def take(self, count: int = 1) -> bool:
        """Take the room for some objects; False if there is not enough for all of them."""
        if self._taken + count > self._most:
            return False
        self._taken += count
        return True

    def give_back(self, count: int) -> None:
        """Give back the room of some objects."""
        self._taken -= count


@dataclass(slots=True)
class _Own:
    """An object that this process parks: its last put, and the lines of which it is not known if they are stored."""

    last_put: int = 0
    ids: set[str] = field(default_factory=set)


class FolderObjects:
    """The objects of one folder, by their own names.

    An object that is not remembered, because there are too many, counts as one that was parked by this process, and
    whose line is new: it is delivered. That is not so for those that were found, which an earlier process has parked.
    If these are too many, none that is not remembered counts as parked by this process.

    Args:
        room: that of all folders, for what this process parks.
        found_room: likewise, for what was found.
    """

    def __init__(self, room: ObjectRoom, found_room: ObjectRoom) -> None:
        self._room = room
        self._found_room = found_room
        self._own: dict[str, _Own] = {}
        self._found: set[str] = set()
        self._doubtful: set[str] = set()
        self._puts = 0
        self._is_full = False
        self._has_unknown_found = False

    def find(self, names: Collection[str]) -> None:
        """Note objects that are parked already, before this process parks any in this outage."""
        new = set(names) - self._found
        if self._found_room.take(len(new)):
            self._found |= new
        else:
            self._has_unknown_found = True

    def ask(self, name: str, line_id: str) -> None:
        """Note that it is not known yet whether a line that refers to an object is stored already."""
        if (own := self._remember(name)) is not None and len(own.ids) <= _MOST_IDS:
            own.ids.add(line_id)

    def put(self, name: str) -> None:
        """Note that this process parks an object."""
        self._puts += 1
        if (own := self._remember(name)) is not None:
            own.last_put = self._puts
        self._doubtful.discard(name)

    def doubt(self, names: Iterable[str]) -> None:
        """Note objects that are named by parked lines which will not be stored: they are stored already."""
        self._doubtful.update(names)

    def asked(self, name: str) -> set[str]:
        """The ids of the lines of an object of which it must be asked whether they are stored; empty if of none."""
        own = self._own.get(name)
        return set() if own is None or len(own.ids) > _MOST_IDS else own.ids

    def last_put(self, name: str) -> int:
        """A number that changes when this process parks an object; if that is not remembered, when it parks any."""
        if (own := self._own.get(name)) is not None:
            return own.last_put
        return self._puts if self._is_full and name not in self._found else 0

    def is_own(self, name: str) -> bool:
        """Whether this process may have parked an object, so that its line may be on the way."""
        if name in self._own:
            return True
        return self._is_full and not self._has_unknown_found and name not in self._found

    def is_doubtful(self, name: str) -> bool:
        """Whether parked lines name an object, and none of them will be stored."""
        return name in self._doubtful

    def forget(self, name: str) -> None:
        """Forget an object that is delivered, or is not needed."""
        if self._own.pop(name, None) is not None:
            self._room.give_back(1)
        self._forget_found(name)
        self._doubtful.discard(name)

    def forget_all(self) -> None:
        """Forget all of them: the folder is no longer parked."""
        self._room.give_back(len(self._own))
        self._found_room.give_back(len(self._found))
        self._own.clear()
        self._found.clear()
        self._doubtful.clear()

    def _remember(self, name: str) -> _Own | None:
        """What is known of an object that this process parks; None if there is no room."""
        self._forget_found(name)
        own = self._own.get(name)
        if own is None and self._room.take():
            own = self._own[name] = _Own()
        self._is_full |= own is None
        return own

    def _forget_found(self, name: str) -> None:
        if name in self._found:
            self._found.discard(name)
            self._found_room.give_back(1)
