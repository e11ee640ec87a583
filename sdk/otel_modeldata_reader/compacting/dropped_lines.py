"""Removes the lines that a manifest stands for. From then on the Parquet files are all that there is of them.

Before a blob is removed, its Parquet files are read again and compared with their digests, a manifest says that it is
dropped, and a note tells receivers that its lines have not vanished. A blob that has grown meanwhile stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from ..blobs.checksum import checksum_of
from ..blobs.replacement_notes import put_note
from .covered_bytes import ChangedLinesError
from .folder_compaction import publish
from .part_writer import checked_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..blobs.store_access import StoreAccess
    from ..compacted.folder_sources import FolderSource
    from ..compacted.manifest import CoveredBlob, Manifest

__all__ = ["Dropped", "drop_lines", "droppable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What was dropped of a folder.

    Attributes:
        manifest: what vouches for the folder now.
        blobs: how many blobs were removed.
        size: their bytes.
    """

    manifest: Manifest
    blobs: int = 0
    size: int = 0


def droppable(source: FolderSource, manifest: Manifest) -> list[CoveredBlob]:
    """The blobs of a folder that are there, and for all of whose bytes the manifest stands."""
    rest = {one.blob for one in source.lines}
    sizes = {one.name: one.size for one in source.blobs if one.name not in rest}
    return [one for one in manifest.blobs if one.size and sizes.get(one.name) == one.size]


def drop_lines(
    store: StoreAccess, source: FolderSource, manifest: Manifest, check: Callable[[], None], *, is_checked: bool
) -> Dropped:
    """Remove the lines of a folder for which its manifest stands.

    Args:
        store: has the folder.
        source: what the folder is now.
        manifest: the newest one.
        check: called before each step that others can see; see `StoreAccess.locked`.
        is_checked: whether all files of the manifest were just read back.

    Raises:
        ChangedLinesError: a blob has other bytes than those that were compacted.
        ManifestError: the manifest has no room for what is dropped.
        OtherRowsError: a file is damaged.
        StoreUnavailableError: something cannot be read or written, or is not what was written.
        StoreBusyError: another command changes the store.
    """
    from otel_modeldata_receiver.storage.folders.replaced_blobs import (  # noqa: PLC0415 (a store is open already)
        Replacement,
    )

    blobs = droppable(source, manifest)
    if not blobs:
        return Dropped(manifest=manifest)
    if not is_checked:
        for part in manifest.parts:
            checked_part(store, manifest.folder, part)
    for blob in blobs:
        if checksum_of(store, blob.name, blob.size).sha256 != blob.sha256:
            raise ChangedLinesError(
                f"expected the {blob.size:,} bytes of {blob.name} as they were compacted, got others, which are in no "
                "Parquet file: nothing is removed; were they edited, or was the store restored from an older copy?"
            )
    names = {one.name for one in blobs}
    if any(one.name in names and not one.dropped for one in manifest.blobs):
        entries = [msgspec.structs.replace(one, dropped=one.dropped or one.name in names) for one in manifest.blobs]
        manifest = msgspec.structs.replace(manifest, number=manifest.number + 1, blobs=tuple(entries))
        publish(store, manifest, check)
    found = Dropped(manifest=manifest)
    for one in blobs:
        note = Replacement(blob=one.name, size=one.size)
        check()
        put_note(store, note)
        check()
        if store.remove(one.name, one.size):
            found = replace(found, blobs=found.blobs + 1, size=found.size + one.size)
    return found
