"""Waits until an hour is complete, and seals it then: for a pipeline that needs all of its rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ..blobs.dated_folder import is_closed
from ..blobs.listing import CollectionBlobs, collections_of, hours_of
from ..blobs.set_aside import parked_folders
from ..collection import collection_named
from ..exceptions import StoreBusyError
from ..window import Window
from .folder_seal import FolderSeal, moment_of
from .sealing import seal_collections

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..blobs.store_access import StoreAccess

__all__ = ["sealed_when_complete"]

_HOUR_NS: Final = 3_600 * 1_000_000_000


def sealed_when_complete(  # noqa: PLR0913 (keywords)
    store: StoreAccess,
    root: str,
    start_ns: int,
    *,
    lateness: float,
    timeout: float,
    poll: float,
    sleep: Callable[[float], object] = time.sleep,
) -> list[FolderSeal]:
    """Seal the folders of an hour as soon as that is possible.

    Args:
        store: has them.
        root: the collection; it may come into being while this waits.
        start_ns: the first nanosecond of the hour since the epoch.
        lateness: seconds that events may be late.
        timeout: seconds to wait at most.
        poll: seconds between two looks at the store.
        sleep: waits.

    Returns:
        The folders of the hour as they are then: complete, unless the time ended before. One that is `empty` stands for
        an hour without events.

    Raises:
        UnknownNameError: the hour has no events, and the store has no such collection.
        StoreUnavailableError: the store cannot be read or written.
    """
    end = time.monotonic() + timeout
    window = Window(since=start_ns, until=start_ns + _HOUR_NS)
    while True:
        found = _sealed(store, root, window, lateness)
        left = end - time.monotonic()
        if all(one.is_complete for one in found) or left <= 0:
            if all(one.state in {"empty", "open"} and not one.waits_for for one in found):
                collection_named(store, root)  # a misspelled one has no events in any hour
            return found
        sleep(min(poll, left))


def _sealed(store: StoreAccess, root: str, window: Window, lateness: float) -> list[FolderSeal]:
    collection = collections_of(store.walk(root)).get(root) or CollectionBlobs(root=root, blobs=(), objects={})
    try:
        found = list(seal_collections(store, [collection], window, lateness=lateness))
    except StoreBusyError:  # another command may hold it for long; the wait goes on
        found = list(seal_collections(store, [collection], window, lateness=lateness, dry_run=True))
    return found or [_without_folder(store, root, window, lateness)]


def _without_folder(store: StoreAccess, root: str, window: Window, lateness: float) -> FolderSeal:
    """An hour for which the store has no line."""
    start, end = window.bounds
    date = f"{moment_of(start):%Y/%m/%d/%H}"
    is_parked = any(window.overlaps(*hours_of(one)) for one in parked_folders(store, root))
    return FolderSeal(
        collection=root,
        date=date,
        since=moment_of(start),
        until=moment_of(end),
        state="empty" if is_closed(date, lateness) and not is_parked else "open",
        waits_for="parked" if is_parked else "",
    )
