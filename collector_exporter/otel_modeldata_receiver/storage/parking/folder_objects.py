"""What a process knows of the objects that it has parked in a folder, until they are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FolderObjects", "ObjectRoom"]

_MOST_OBJECTS: Final = 50_000
"""Of all folders together; each takes about 500 bytes of memory."""
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

    def take(self) -> bool:
        """Take the room for one object; False if there is none."""
        if self._taken >= self._most:
            return False
        self._taken += 1
        return True

    def give_back(self, count: int) -> None:
        """Give back the room of some objects."""
        self._taken -= count


class FolderObjects:
    """The objects of one folder, by their own names.

    An object that is not remembered, because there are too many, counts as one that was parked by this process, and
    whose line is new: it is delivered.

    Args:
        room: that of all folders.
    """

    def __init__(self, room: ObjectRoom) -> None:
        self._room = room
        self._asked: dict[str, set[str]] = {}
        self._doubtful: set[str] = set()
        self._is_full = False

    def ask(self, name: str, line_id: str) -> None:
        """Note that it is not known yet whether a line that refers to an object is stored already."""
        if (ids := self._known(name)) is not None and len(ids) <= _MOST_IDS:
            ids.add(line_id)

    def put(self, name: str) -> None:
        """Note that this process parks an object."""
        self._known(name)
        self._doubtful.discard(name)

    def doubt(self, names: Iterable[str]) -> None:
        """Note objects that are named by parked lines which will not be stored: they are stored already."""
        self._doubtful.update(names)

    def asked(self, name: str) -> set[str]:
        """The ids of the lines of an object of which it must be asked whether they are stored; empty if of none."""
        ids = self._asked.get(name, set())
        return set() if len(ids) > _MOST_IDS else ids

    def is_own(self, name: str) -> bool:
        """Whether this process may have parked an object, so that its line may be on the way."""
        return self._is_full or name in self._asked

    def is_doubtful(self, name: str) -> bool:
        """Whether parked lines name an object, and none of them will be stored."""
        return name in self._doubtful

    def forget(self, name: str) -> None:
        """Forget an object that is delivered, or is not needed."""
        if self._asked.pop(name, None) is not None:
            self._room.give_back(1)
        self._doubtful.discard(name)

    def forget_all(self) -> None:
        """Forget all of them: the folder is no longer parked."""
        self._room.give_back(len(self._asked))
        self._asked.clear()
        self._doubtful.clear()

    def _known(self, name: str) -> set[str] | None:
        ids = self._asked.get(name)
        if ids is None and self._room.take():
            ids = self._asked[name] = set()
        self._is_full |= ids is None
        return ids
