"""The sealed bytes of a collection, as the blobs of a reading."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..blobs.dated_folder import dated_folders
from ..blobs.listing import hours_of
from ..report import SealCounts
from .seal_name import seals_of
from .seals import late_bytes, seals_in, state_of

if TYPE_CHECKING:
    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Window

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
    unsealed = changed = reopened = late = 0
    for folder in dated_folders(collection):
        if not window.overlaps(*hours_of(folder.date)):
            continue
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
        kept += [replace(blob, size=sizes[blob.name]) for blob in folder.blobs if blob.name in sizes]
    counts = SealCounts(unsealed=unsealed, changed=changed, reopened=reopened, late_bytes=late)
    return replace(collection, blobs=tuple(kept)), counts
