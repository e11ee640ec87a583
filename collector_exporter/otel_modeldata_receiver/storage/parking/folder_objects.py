"""What a process knows of the objects that it has parked in a folder, until they are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FolderObjects"]

_MOST_OBJECTS: Final = 100_000
"""What is known of further objects is not remembered; each takes about 500 bytes."""
_MOST_IDS: Final = 8
"""Lines of one object: an image may belong to very many events. It is delivered then, as if they were new."""


class FolderObjects:
    """The objects of one folder, by their own names.

    An object that is not remembered, because there are too many, counts as one that was parked by this process, and
    whose line is new: it is delivered.
    """

    def __init__(self) -> None:
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
        self._asked.pop(name, None)
        self._doubtful.discard(name)

    def _known(self, name: str) -> set[str] | None:
        if name not in self._asked and len(self._asked) >= _MOST_OBJECTS:
            self._is_full = True
            return None
        return self._asked.setdefault(name, set())
