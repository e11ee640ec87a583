"""Logs the first line of each collection, and where it is written: whoever starts a receiver sees that data arrives."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..layout.destination import Destination

__all__ = ["FirstLines"]

logger = logging.getLogger(__name__)

MOST_LOGGED: Final = 100
"""Collections that are logged; clients choose the names, and must not be able to fill a log."""
_MOST_EXPECTED: Final = 1000


class FirstLines:
    """Logs each collection once, when its first line is stored.

    Args:
        store: the store as it may be shown.
    """

    def __init__(self, store: str) -> None:
        self._store = store.rstrip("/")
        self._expected: dict[str, Destination] = {}
        self._logged: set[tuple[str, str, str]] = set()
        self._is_full = False

    def expect(self, destination: Destination) -> None:
        """Note that lines for `destination` may be stored; see `Destinations.on_new`."""
        if not self._is_full and _names(destination) not in self._logged and len(self._expected) < _MOST_EXPECTED:
            self._expected[destination.root] = destination

    def stored(self, folders: Iterable[str]) -> None:
        """Log the collections whose first lines were stored in `folders`."""
        if not self._expected:
            return
        for folder in folders:
            parts = folder.split("/")
            for count in range(1, len(parts)):
                if (destination := self._expected.pop("/".join(parts[:count]), None)) is not None:
                    self._log(destination)

    def _log(self, destination: Destination) -> None:
        if len(self._logged) >= MOST_LOGGED:
            self._is_full = True
            self._expected.clear()
            logger.info("more than %d collections: the first events of others are not logged", MOST_LOGGED)
            return
        self._logged.add(_names(destination))
        where = destination.path or f"{self._store}/{destination.root}"
        logger.info("first event of %s is stored, below %s", "/".join(_names(destination)), where)


def _names(destination: Destination) -> tuple[str, str, str]:
    return (destination.endpoint, destination.deployment, destination.collection)
