"""Lines that wait because their own place takes none: how many of which collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.blobs.byte_ranges import ByteRange
from otel_modeldata_reader.blobs.listing import date_of
from otel_modeldata_receiver.storage.parking.parked_names import PARKED, parked_blob, place_of, read_mark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_reader.blobs.store_access import StoreAccess
    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = ["Parked", "ParkedCollection"]

MOST_BYTES: Final = 64 << 20
"""Of parked lines that are counted in one look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedCollection:
    """The parked lines of one collection.

    Attributes:
        root: its folder.
        place: what takes no lines: `endpoint/deployment`, or a datastore.
        lines: how many are counted.
        size: bytes of all of them.
        oldest: the date of the folder of the oldest ones.
        is_counted: whether all of them are counted.
    """

    root: str
    place: str
    lines: int
    size: int
    oldest: str
    is_counted: bool


class Parked:
    """Counts parked lines, each blob once.

    Args:
        store: has them.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._lines: dict[str, tuple[int, int]] = {}
        self.found: dict[str, ParkedCollection] = {}

    def look(self, aside: Iterable[StoredObject]) -> dict[str, ParkedCollection]:
        """What is parked now, by the folders of collections.

        Args:
            aside: what the store has beside its collections.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        listed = [one for one in aside if one.name.startswith(f"{PARKED}/")]
        delivered = {(mark.blob, mark.size) for one in listed if (mark := read_mark(one.name)) is not None}
        blobs = [one for one in listed if one.size and parked_blob(one.name) and (one.name, one.size) not in delivered]
        names = {one.name for one in blobs}
        self._lines = {name: known for name, known in self._lines.items() if name in names}
        room = MOST_BYTES
        for one in blobs:
            size, lines = self._lines.get(one.name, (0, 0))
            size, lines = (0, 0) if size > one.size else (size, lines)
            end = min(one.size, size + max(0, room))
            if end > size:
                pieces = self._store.pieces([ByteRange(one.name, size, end)])
                lines += sum(piece.content.count(b"\n") for piece in pieces)
                room -= end - size
            self._lines[one.name] = (end, lines)
        self.found = self._by_collection(blobs)
        return self.found

    def _by_collection(self, blobs: Iterable[StoredObject]) -> dict[str, ParkedCollection]:
        found: dict[str, ParkedCollection] = {}
        for one in blobs:
            blob = parked_blob(one.name)
            date = date_of(one.name)
            if blob is None or not date:
                continue
            root = blob.folder.removesuffix(f"/{date}")
            counted, lines = self._lines[one.name]
            known = found.get(root)
            found[root] = ParkedCollection(
                root=root,
                place=place_of(blob.folder),
                lines=lines + (known.lines if known else 0),
                size=one.size + (known.size if known else 0),
                oldest=min(date, known.oldest) if known else date,
                is_counted=counted == one.size and (known is None or known.is_counted),
            )
        return found
