"""What was erased on purpose, as the tombstones of the store say it: such an event is no gap.

A tombstone explains gaps of the folders that it names, and nothing else: who may write one may remove lines, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from ...blobs.checksum import BlobChecksum  # noqa: TC001 (msgspec reads the annotations)
from ..number_ranges import MAX_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_receiver.storage.store import StoredObject

    from ...blobs.store_access import StoreAccess

__all__ = ["ErasedNumbers", "Erasure", "erasures_in", "ranges_of"]

_NAME: Final = re.compile(r"_erased/(?:[^/]+\.json|unfinished/[^/]+/.+\.step\.json)")
_LONGEST: Final = 64 << 20
_MOST_DIGITS: Final = 19


class ErasedNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of events that are gone: of a producer, in the folder `{root}/{date}`, as `3,7-9`."""

    root: str
    date: str
    source: str = ""
    type: str = ""
    producer: str = ""
    numbers: str = ""


class _Hour(msgspec.Struct, frozen=True, kw_only=True):
    root: str
    date: str
    events: int = 0
    rows: int = 0


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    old: BlobChecksum


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a tombstone that an audit needs; `erase` writes more.

    Attributes:
        kind: `erase` or `expire`.
        time: when, in UTC.
        hours: how many events and rows are gone, by folder.
        numbers: the numbers of the events.
        blobs: blobs that were replaced or removed.
    """

    kind: str = "erase"
    time: str = ""
    hours: tuple[_Hour, ...] = ()
    numbers: tuple[ErasedNumbers, ...] = ()
    blobs: tuple[_Change, ...] = ()

    @property
    def events(self) -> int:
        """Events that are gone."""
        return sum(hour.events for hour in self.hours)

    @property
    def rows(self) -> int:
        """Rows that are gone, those of events that are gone included."""
        return sum(hour.rows for hour in self.hours)

    def explains(self, blob: str, size: int) -> bool:
        """Whether a blob that had so many bytes is gone on purpose."""
        return any(one.old.name == blob and one.old.size >= size for one in self.blobs)


_decoder: Final = msgspec.json.Decoder(Erasure)


def erasures_in(store: StoreAccess, objects: Iterable[StoredObject]) -> tuple[list[Erasure], list[str]]:
    """The erasures of a store, and the names of tombstones that cannot be read.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    found, damaged = [], []
    for one in objects:
        if _NAME.fullmatch(one.name) is None:
            continue
        try:
            if one.size > _LONGEST:
                raise ValueError  # noqa: TRY301 (as what cannot be decoded)
            found.append(_decoder.decode(store.read(one.name, one.size)))
        except (ValueError, RecursionError):
            damaged.append(one.name)
    return found, damaged


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
