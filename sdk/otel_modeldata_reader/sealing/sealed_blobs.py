"""The sealed bytes of a collection, as the blobs of a reading."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..compacted.stored_folders import stored_folders
from ..report import SealCounts
from .seal_name import seals_of
from .seals import late_bytes, seals_in, state_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..compacted.manifest import Manifest
    from ..window import Window
    from .seal import Seal

__all__ = ["sealed_blobs"]


def sealed_blobs(store: StoreAccess, collection: CollectionBlobs, window: Window) -> tuple[CollectionBlobs, SealCounts]:
    """The blobs of a collection, each up to the size that is sealed, and what is left out.

    Args:
        store: has the seals.
        collection: its blobs as they are now.
        window: folders outside are not counted.

    Raises:
        StoreUnavailableError: the seals cannot be read.
    """
    seals = seals_in(store, store.walk(seals_of(collection.root)))
    kept: list[StoredObject] = []
    compacted: dict[str, Mapping[str, int]] = {}
    limits: dict[str, int] = {}
    unsealed = changed = reopened = late = 0
    for stored in stored_folders(store, collection, window):
        folder = stored.folder
        seal = seals.get(folder.name)
        if seal is None:
            unsealed += 1
            continue
        if (state := state_of(seal, folder.blobs)) == "changed":
            changed += 1
            continue
        if state == "reopened":
            reopened += 1
            late += late_bytes(seal, {blob.name: blob.size for blob in folder.blobs})
        sizes = {blob.name: blob.size for blob in seal.blobs}
        there = [blob for blob in folder.blobs if blob.name in sizes and blob.name not in stored.removed]
        kept += [replace(blob, size=sizes[blob.name]) for blob in there]
        if stored.manifest is not None:
            own = _limits(seal, stored.manifest)
            if stored.removed or not own:  # else the lines have all that is sealed, and nothing else
                compacted[folder.date] = collection.compacted[folder.date]
                limits |= own
    counts = SealCounts(unsealed=unsealed, changed=changed, reopened=reopened, late_bytes=late)
    return replace(collection, blobs=tuple(kept), compacted=compacted, limits=limits), counts


def _limits(seal: Seal, manifest: Manifest) -> dict[str, int]:
    """How many lines of each blob are sealed, for blobs of which Parquet has more; empty if it has none too many."""
    sealed = {one.name: one for one in seal.blobs}
    found = {}
    for one in manifest.blobs:
        known = sealed.get(one.name)
        if known is None or known.size < one.size:
            found[one.name] = 0 if known is None else known.lines
    return found
