"""What remains of an erasure: a tombstone in the store, so that an audit knows which events are gone on purpose.

It has no ids of events, requests or rows: numbers of producers, counts, and checksums of blobs. What was asked for is
in it as an HMAC, whose key only the receipt has. So whoever has the receipt can prove what was asked, and nobody can
guess it from the store.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from ..blobs.checksum import BlobChecksum  # noqa: TC001 (msgspec reads the annotations)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess

__all__ = [
    "FOLDER",
    "UNFINISHED",
    "BlobChange",
    "ErasedHour",
    "ErasedNumbers",
    "Tombstone",
    "is_tombstone",
    "read_tombstone",
    "tombstone_name",
    "tombstones_in",
]

FOLDER: Final = "_erased"
"""The folder of tombstones. No endpoint can have the name: it begins with an underscore."""
UNFINISHED: Final = f"{FOLDER}/unfinished"
"""The folder of what an erasure needs until it is complete; each has a folder of its own there."""
STEP_SUFFIX: Final = ".step.json"
"""Of the tombstones of single blobs, which are written before a blob is removed and joined at the end."""
_VERSION: Final = 1
_MOST_BYTES: Final = 64 << 20


class ErasedHour(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone from one folder of a collection.

    Attributes:
        root: the collection's folder in the store; `_quarantine` and `_parked/...` too.
        date: the hour: `2026/11/22/10`.
        events: whole lines.
        rows: all rows, those of whole lines included.
        lines: lines that stay, without some of their rows.
        size: bytes, those of objects included.
    """

    root: str
    date: str
    events: int = 0
    rows: int = 0
    lines: int = 0
    size: int = 0


class ErasedNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The sequence numbers of events that are gone.

    Attributes:
        root: of their folder.
        date: of their folder.
        source: of their lines.
        type: of their lines.
        producer: the process that numbered them.
        numbers: `3,7-9`.
    """

    root: str
    date: str
    source: str
    type: str
    producer: str
    numbers: str


class BlobChange(msgspec.Struct, frozen=True, kw_only=True):
    """A blob before and after: None if it has no line any more."""

    old: BlobChecksum
    new: BlobChecksum | None = None


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure removed.

    Attributes:
        kind: `erase` or `expire`.
        id: of the erasure.
        time: when it began, in UTC.
        by: who did it; empty if it was not said.
        reason: why; empty if it was not said.
        tool: name and version of what did it.
        predicate: HMAC-SHA256 of what was asked for, in hexadecimal.
        hours: what is gone from each folder.
        numbers: the events that are gone, as far as they had numbers.
        blobs: those that were replaced or removed.
        objects: how many objects were removed or replaced.
        version: of this form.
    """

    kind: str
    id: str
    time: str
    tool: str
    by: str = ""
    reason: str = ""
    predicate: str = ""
    hours: tuple[ErasedHour, ...] = ()
    numbers: tuple[ErasedNumbers, ...] = ()
    blobs: tuple[BlobChange, ...] = ()
    objects: int = 0
    version: int = _VERSION

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


_decoder: Final = msgspec.json.Decoder(Tombstone)


def tombstone_name(tombstone: Tombstone, content: bytes) -> str:
    """The name of a tombstone in the store."""
    moment = tombstone.time.replace("-", "").replace(":", "")
    return f"{FOLDER}/{moment}-{hashlib.sha256(content).hexdigest()[:16]}.json"


def is_tombstone(name: str) -> bool:
    """Whether an object may be a tombstone, or that of a single blob of an erasure that is not complete."""
    if not name.startswith(f"{FOLDER}/") or not name.endswith(".json"):
        return False
    return name.count("/") == 1 or (name.startswith(f"{UNFINISHED}/") and name.endswith(STEP_SUFFIX))


def read_tombstone(store: StoreAccess, one: StoredObject) -> Tombstone | None:
    """A tombstone; None if it cannot be read: anything may be in a store.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    if one.size > _MOST_BYTES:
        return None
    try:
        found = _decoder.decode(store.read(one.name, one.size))
    except (ValueError, RecursionError):
        return None
    return found if found.version == _VERSION else None


def tombstones_in(store: StoreAccess, objects: Iterable[StoredObject]) -> Iterator[tuple[str, Tombstone | None]]:
    """The name and the content of each tombstone of a store; None where it cannot be read.

    Args:
        store: has them.
        objects: its listing.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    for one in objects:
        if is_tombstone(one.name):
            yield one.name, read_tombstone(store, one)
