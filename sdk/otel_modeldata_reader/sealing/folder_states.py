"""The states of the folders of a collection; nothing is read but its seals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ..blobs.dated_folder import is_closed
from ..blobs.listing import hours_of
from ..blobs.set_aside import parked_folders
from ..compacted.stored_folders import stored_folders
from .folder_seal import FolderSeal, FolderState, Waiting, moment_of
from .seal_name import seals_of
from .seals import late_bytes, seals_in, state_of

if TYPE_CHECKING:
    from ..blobs.dated_folder import DatedFolder
    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..compacted.stored_folders import StoredFolder
    from ..window import Window

__all__ = ["folder_states"]

_QUIET_SECONDS: Final = 60.0
"""A receiver or a gateway that was away writes what it has kept in one go: the folder is quiet when that has ended."""


def folder_states(
    store: StoreAccess, collection: CollectionBlobs, window: Window, lateness: float, now_ns: int | None = None
) -> list[tuple[FolderSeal, StoredFolder]]:
    """The folders of a collection that overlap a window, in the order of their times.

    Args:
        store: has the seals.
        collection: its blobs.
        window: of event time.
        lateness: seconds that events may be late.
        now_ns: nanoseconds since the epoch; None is the present.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    now = time.time_ns() if now_ns is None else now_ns
    seals = seals_in(store, store.walk(seals_of(collection.root)))
    parked = parked_folders(store, collection.root)
    found = []
    for stored in stored_folders(store, collection, window):
        folder = stored.folder
        start, end = hours_of(folder.date)
        seal = seals.get(folder.name)
        late = 0 if seal is None else late_bytes(seal, {blob.name: blob.size for blob in folder.blobs})
        state: FolderState = "closed" if is_closed(folder.date, lateness, now) else "open"
        if seal is not None:
            state = state_of(seal, folder.blobs)
        waits_for: Waiting = "parked" if parked.get(folder.date) else ""
        if not waits_for and _is_being_written(folder, lateness, now):
            waits_for = "written"
        one = FolderSeal(
            collection=collection.root,
            date=folder.date,
            since=moment_of(start),
            until=moment_of(end),
            state=state,
            seal=seal,
            late_bytes=late if state == "reopened" else 0,
            waits_for="" if state in {"open", "sealed"} else waits_for,
        )
        found.append((one, stored))
    return found


def _is_being_written(folder: DatedFolder, lateness: float, now_ns: int) -> bool:
    """Whether a blob of a folder has grown a moment ago."""
    quiet = min(_QUIET_SECONDS, lateness)
    written = [blob.modified for blob in folder.blobs if blob.modified is not None]
    return bool(written) and max(written) > now_ns / 1e9 - quiet
