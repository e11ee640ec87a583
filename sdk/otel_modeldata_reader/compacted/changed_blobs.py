"""Whether a blob still begins with the bytes that a manifest stands for.

Receivers only append. But a store may be restored from an older copy, and a blob be edited. The last bytes that the
manifest stands for say it, with one small read for each blob.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from ..blobs.byte_ranges import ByteRange
from ..exceptions import StoreUnavailableError
from .manifest import END_BYTES, end_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .manifest import CoveredBlob, Manifest

__all__ = ["other_blobs"]

_CLOCKS_DIFFER: Final = 300.0
"""Seconds that the clock of a compaction may be before that of the store."""


def other_blobs(
    store: StoreAccess, manifest: Manifest | None, blobs: Iterable[tuple[StoredObject, CoveredBlob]]
) -> set[str]:
    """The blobs that do not begin with the bytes that a manifest stands for.

    A distant store says itself when a blob was written last; one that was not written after the manifest is not read.
    In a local store a copy may have the time of what it was copied from, so each blob is read.

    Args:
        store: has the blobs.
        manifest: the newest one of their folder.
        blobs: as they were listed, and what the manifest says of them.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    blobs = list(blobs)
    if manifest is None or not blobs:
        return set()
    unwritten = _made(manifest) - _CLOCKS_DIFFER if store.is_distant() else float("-inf")
    read = [
        (blob, entry)
        for blob, entry in blobs
        if entry.dropped or blob.size < entry.size or blob.modified is None or blob.modified > unwritten
    ]
    # A blob may have been listed before the manifest was read, and have grown since.
    sizes = _sizes(store, manifest) if any(blob.size < entry.size for blob, entry in read) else {}
    whole, other = [], set()
    for blob, entry in read:
        size = blob.size if blob.size >= entry.size else sizes.get(blob.name)
        if size is not None and size < entry.size:
            other.add(blob.name)
        elif size is not None and entry.size:
            whole.append(entry)
    ends = zip(whole, _ends(store, manifest, whole), strict=True)
    return other | {entry.name for entry, end in ends if end is not None and end_digest(end) != entry.end}


def _ends(store: StoreAccess, manifest: Manifest, entries: Sequence[CoveredBlob]) -> list[bytes | None]:
    """The last bytes of each that the manifest stands for; None for a blob that was removed after it was listed."""
    ranges = [ByteRange(one.name, max(0, one.size - END_BYTES), one.size) for one in entries]
    try:
        return list(store.read_ranges(ranges))
    except StoreUnavailableError:
        there = _sizes(store, manifest)
    return [next(iter(store.read_ranges([one]))) if one.blob in there else None for one in ranges]


def _sizes(store: StoreAccess, manifest: Manifest) -> dict[str, int]:
    return {one.name: one.size for one in store.walk(manifest.lines_folder)}


def _made(manifest: Manifest) -> float:
    """When it was made, in seconds since the epoch; long ago if it does not say so."""
    try:
        return datetime.fromisoformat(manifest.made.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return float("-inf")
