"""The rows that are in Parquet already when a following begins, for one that begins in the past."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from ..blobs.listing import CollectionBlobs
from ..compacted.folder_sources import folder_sources
from ..reading import Reading, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from ..compacted.folder_sources import FolderSource
    from ..window import Window

__all__ = ["compacted_ends", "compacted_tables", "dropped_dates", "last_of_folder", "with_manifest"]


def compacted_tables(store: StoreAccess, found: CollectionBlobs, window: Window) -> Iterator[pa.Table]:
    """The rows that Parquet files have, some at a time, each part in the order of its times.

    Args:
        store: has them.
        found: the collection as it was listed.
        window: only events of this window.

    Raises:
        ReaderError: they cannot be read.
    """
    for source in with_manifest(store, found, window):
        covered = CollectionBlobs(
            root=found.root,
            blobs=tuple(compacted_ends([source])),
            objects=found.objects,
            compacted={source.date: found.compacted[source.date]},
        )
        for batch in Reading(store, Request(collection=covered, window=window)).batches():
            yield pa.Table.from_batches([batch]).sort_by("time")


def compacted_ends(sources: list[FolderSource]) -> list[StoredObject]:
    """The blobs that are there, up to what manifests stand for: what follows is read as lines."""
    starts = {one.blob: one.start for source in sources for one in source.lines}
    blobs = [replace(blob, size=starts.get(blob.name, blob.size)) for source in sources for blob in source.blobs]
    return [blob for blob in blobs if blob.size]


def dropped_dates(store: StoreAccess, found: CollectionBlobs, window: Window) -> set[str]:
    """The folders of which lines are in Parquet files only."""
    return {
        source.date
        for source in with_manifest(store, found, window)
        if source.manifest is not None
        and {one.name for one in source.manifest.blobs if one.dropped} - {blob.name for blob in source.blobs}
    }


def last_of_folder(
    store: StoreAccess, folder: CollectionBlobs, window: Window, wanted: int, chosen: Callable[[pa.Table], pa.Table]
) -> pa.Table | None:
    """The last rows of a folder, by their times; None if there is none.

    Args:
        store: has them.
        folder: the collection with this folder only.
        window: only events of this window.
        wanted: how many rows at most.
        chosen: leaves out rows.

    Raises:
        ReaderError: they cannot be read.
    """
    kept: pa.Table | None = None
    for batch in Reading(store, Request(collection=folder, window=window)).batches():
        rows = chosen(pa.Table.from_batches([batch]))
        together = rows if kept is None else pa.concat_tables([kept, rows])
        kept = together.sort_by("time").slice(max(0, together.num_rows - wanted))
    return kept if kept is not None and kept.num_rows else None


def with_manifest(store: StoreAccess, found: CollectionBlobs, window: Window) -> list[FolderSource]:
    """The folders that have Parquet files which can be used."""
    if not found.compacted:
        return []
    return [source for source in folder_sources(store, found, window) if source.manifest is not None]
