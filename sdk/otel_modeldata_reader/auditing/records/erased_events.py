"""What was erased on purpose, as the tombstones of the store say it: such an event is no gap.

A tombstone explains gaps of the folders that it names, and nothing else: who may write one may remove lines, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...erasing.tombstone import tombstones_in
from ..number_ranges import MAX_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_receiver.storage.store import StoredObject

    from ...blobs.store_access import StoreAccess
    from ...erasing.tombstone import Tombstone

__all__ = ["erasures_in", "ranges_of"]

_MOST_DIGITS: Final = 19


def erasures_in(store: StoreAccess, objects: Iterable[StoredObject]) -> tuple[list[Tombstone], list[str]]:
    """The erasures of a store, and the names of tombstones that cannot be read.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    found = list(tombstones_in(store, objects))
    return [one for _, one in found if one is not None], [name for name, one in found if one is None]


def ranges_of(text: str) -> list[tuple[int, int]]:
    """The ranges of `3,7-9`; what is none is left out."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        last = last or first
        if all(one.isascii() and one.isdecimal() and len(one) <= _MOST_DIGITS for one in (first, last)):
            start, end = int(first), int(last)
            if start <= end <= MAX_SEQUENCE:
                found.append((start, end))
    return found
