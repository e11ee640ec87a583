"""What was erased on purpose, as the tombstones of the store say it: such an event is no gap.

A tombstone explains gaps of the folders that it names, and nothing else: who may write one may remove lines, too.
"""

from __future__ import annotations

from collections import Counter
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
    found = [(name, one if one is not None and _is_sound(one) else None) for name, one in tombstones_in(store, objects)]
    return [one for _, one in found if one is not None], [name for name, one in found if one is None]


def _is_sound(one: Tombstone) -> bool:
    """Whether its figures can be true: none is negative, and no more numbers are gone than events.

    Its HMAC is about what was asked for only, and its key is in the receipt. So whoever may write into the store can
    still say that events were erased which were not, but not without saying how many.
    """
    events: Counter[tuple[str, str]] = Counter()
    for hour in one.hours:
        if min(hour.events, hour.rows, hour.lines, hour.size) < 0:
            return False
        events[hour.root, hour.date] += hour.events
    numbers: Counter[tuple[str, str]] = Counter()
    for some in one.numbers:
        numbers[some.root, some.date] += sum(last - first + 1 for first, last in ranges_of(some.numbers))
    return one.objects >= 0 and all(count <= events[folder] for folder, count in numbers.items())


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
