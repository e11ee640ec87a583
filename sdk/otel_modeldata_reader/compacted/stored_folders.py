"""The folders of a collection with all bytes that they had: also of blobs that are compacted and were removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..blobs.dated_folder import DatedFolder, dated_folders
from ..blobs.listing import hours_of
from .folder_sources import folder_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Window
    from .manifest import Manifest

__all__ = ["StoredFolder", "stored_folders"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFolder:
    """A folder.

    Attributes:
        folder: its blobs. One that was removed has the size that its manifest stands for.
        manifest: of its Parquet files; None without them.
        removed: names of the blobs that are in Parquet only.
    """

    folder: DatedFolder
    manifest: Manifest | None = None
    removed: frozenset[str] = frozenset()


def stored_folders(store: StoreAccess, collection: CollectionBlobs, window: Window) -> Iterator[StoredFolder]:
    """The folders of a collection that overlap a window, in the order of their times.

    Args:
        store: has them.
        collection: as it was listed.
        window: of event time.

    Raises:
        StoreUnavailableError: a manifest cannot be read.
    """
    if not collection.compacted:
        for folder in dated_folders(collection):
            start, end = hours_of(folder.date)
            if start < end and window.overlaps(start, end):
                yield StoredFolder(folder=folder)
        return
    for source in folder_sources(store, collection, window):
        there = {one.name for one in source.blobs}
        covered = source.manifest.blobs if source.manifest is not None else ()
        removed = [one for one in covered if one.dropped and one.name not in there]
        blobs = sorted([*source.blobs, *(_stored(one.name, one.size) for one in removed)], key=lambda one: one.name)
        if blobs:
            yield StoredFolder(
                folder=DatedFolder(root=source.root, date=source.date, blobs=tuple(blobs)),
                manifest=source.manifest,
                removed=frozenset(one.name for one in removed),
            )


def _stored(name: str, size: int) -> StoredObject:
    from otel_modeldata_receiver.storage.store import StoredObject  # noqa: PLC0415 (a store is open already)

    return StoredObject(name=name, size=size)
