"""Compacted folders whose lines were edited, so that lines and Parquet files have other rows.

A reading takes one of the two. An erasure must look at both: what is asked for may be in either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...blobs.checksum import checksum_of
from ...blobs.listing import date_of
from ...compacted.folder_sources import folder_sources

if TYPE_CHECKING:
    from ...blobs.listing import CollectionBlobs
    from ...blobs.store_access import StoreAccess
    from ...compacted.folder_sources import FolderSource
    from ...compacted.manifest import Manifest
    from ...window import Window

__all__ = ["EditedFolders", "edited_folders"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFolders:
    """The folders of a collection that were edited since they were compacted.

    Attributes:
        noticed: how many of them a reading notices by itself.
        sides: the collection with their lines only, and with their Parquet files only; empty if there are none.
    """

    noticed: int = 0
    sides: tuple[CollectionBlobs, ...] = ()


def edited_folders(store: StoreAccess, collection: CollectionBlobs, window: Window) -> EditedFolders:
    """The folders of a collection that were edited since they were compacted.

    Every blob that is compacted is read for its digest.

    Raises:
        StoreUnavailableError: a blob or a manifest cannot be read.
    """
    if not collection.compacted:
        return EditedFolders()
    edited = {
        source.date: bool(source.changed)
        for source in folder_sources(store, collection, window)
        if source.manifest is not None and _is_edited(store, source, source.manifest)
    }
    if not edited:
        return EditedFolders()
    lines = tuple(blob for blob in collection.blobs if date_of(blob.name) in edited)
    files = {date: files for date, files in collection.compacted.items() if date in edited}
    return EditedFolders(
        noticed=sum(edited.values()),
        sides=(replace(collection, blobs=lines, compacted={}), replace(collection, blobs=(), compacted=files)),
    )


def _is_edited(store: StoreAccess, source: FolderSource, manifest: Manifest) -> bool:
    if source.changed:
        return True
    sizes = {one.name: one.size for one in source.blobs}
    return any(
        one.size and not one.dropped and checksum_of(store, one.name, one.size).sha256 != one.sha256
        for one in manifest.blobs
        if sizes.get(one.name, 0) >= one.size
    )
