"""The blobs of a collection that are in Parquet only, for a stream that reads them from their beginning.

A stream counts bytes of lines. Where a line began in a blob that was removed is not known any more. So such a blob is
read whole or not at all: a stream that was in the middle of it must begin again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..blobs.listing import date_of
from ..compacted.stored_folders import stored_folders
from ..exceptions import ReaderError
from ..index.dropped_lines import DroppedFolder
from ..window import Window
from .partition import GroupRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..compacted.manifest import Manifest
    from ..lines.known_ids import KnownIds

__all__ = ["RemovedBlobs"]


class _Id(msgspec.Struct):
    id: str | None = None


class RemovedBlobs:
    """See above.

    Args:
        root: folder of the collection.

    Attributes:
        is_listed: whether the store was looked at already.
    """

    def __init__(self, root: str) -> None:
        self.is_listed = False
        self._root = root
        self._manifests: dict[str, Manifest] = {}
        self._known: dict[str, tuple[Mapping[str, int], dict[str, int]]] = {}
        self._sizes: dict[str, int] = {}

    def __contains__(self, blob: str) -> bool:
        return blob in self._sizes

    def sizes(self, store: StoreAccess, found: CollectionBlobs) -> dict[str, int]:
        """Their sizes; manifests are read once.

        Args:
            store: has them.
            found: the collection as it is listed now.

        Raises:
            StoreUnavailableError: a manifest cannot be read.
        """
        self.is_listed = True
        changed = {
            date: files for date, files in found.compacted.items() if self._known.get(date, ({}, {}))[0] != files
        }
        dates = set(changed)
        if dates:
            blobs = tuple(blob for blob in found.blobs if date_of(blob.name) in dates)
            listed = type(found)(root=found.root, blobs=blobs, objects={}, compacted=changed)
            for stored in stored_folders(store, listed, Window()):
                date = stored.folder.date
                removed = {one.name: one.size for one in stored.folder.blobs if one.name in stored.removed}
                self._known[date] = (found.compacted[date], removed)
                if stored.manifest is not None:
                    self._manifests[date] = stored.manifest
        there = {blob.name for blob in found.blobs}
        every = (known[1] for date, known in self._known.items() if date in found.compacted)
        self._sizes = {name: size for sizes in every for name, size in sizes.items() if name not in there}
        return self._sizes

    def check(self, blob: str, start: int, end: int) -> None:
        """Raise ReaderError if only a part of a blob is to be read."""
        if start or end != self._sizes[blob]:
            raise ReaderError(
                f"expected a stream that has read all or nothing of {blob}, got one at byte {start or end:,}: its "
                "lines were compacted and removed meanwhile; begin with a new checkpoint"
            )

    def ranges(self, store: StoreAccess, blobs: Sequence[str], ids: KnownIds) -> list[GroupRange]:
        """The rows of some blobs of one folder.

        Args:
            store: has them.
            blobs: their names.
            ids: the events of the folder that were read before; those of these blobs are added.

        Raises:
            ReaderError: a file is not what its manifest says.
        """
        manifest = self._manifests[date_of(blobs[0])]
        repeated: set[tuple[str, int]] = set()
        for places, events in DroppedFolder.of(store, self._root, manifest, blobs).events():
            given = [
                (place, found)
                for place, event in zip(places, events, strict=True)
                if place[0] in blobs and (found := msgspec.json.decode(event, type=_Id).id)
            ]
            are_new = ids.new_ones([found for _, found in given])
            repeated |= {place for (place, _), is_new in zip(given, are_new, strict=True) if not is_new}
        others = tuple((one.name, 0) for one in manifest.blobs if one.name not in blobs)
        return [
            GroupRange(
                folder=manifest.folder,
                date=manifest.date,
                part=part,
                number=number,
                repeated=frozenset(repeated),
                limits=others,
            )
            for part, number in manifest.groups()
        ]
