"""What a store has beside its readings: methods of `Store` that write about its lines, or change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .blobs.listing import collections_of
from .collection import collection_named
from .window import window_of

if TYPE_CHECKING:
    from .blobs.store_access import StoreAccess
    from .compacting.compacted_folder import CompactedFolder
    from .window import Moment

__all__ = ["MaintainedStore"]


class MaintainedStore:
    """The part of `Store` that compacts folders.

    Args:
        store: an open one.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store

    def compact(  # noqa: PLR0913 (most are keywords)
        self,
        collection: str | None = None,
        since: Moment = None,
        until: Moment = None,
        *,
        older: float = 3600,
        drop_lines: bool = False,
        dry_run: bool = False,
    ) -> list[CompactedFolder]:
        """Make Parquet files of the lines of folders whose time has ended; readings use them from then on.

        The files are in the folder `_parquet` of the store, with a manifest that proves that they have all rows. Lines
        that come later are read as lines, until the next call makes Parquet files of them, too.

        Args:
            collection: as for `read`; None means all collections.
            since: only folders whose time is in this window, as for `read`.
            until: likewise.
            older: only folders whose time ended so many seconds ago.
            drop_lines: remove the lines for which there are Parquet files, after these were read back. Azure ML's
                model monitoring reads lines only.
            dry_run: write nothing, and return what would be done.

        Returns:
            The folders, also those in which nothing was to do.

        Raises:
            UnknownNameError: no such collection.
            WindowError: a reversed window, or no time.
            StoreBusyError: another command changes the store.
            StoreUnavailableError: the store cannot be read or written.
        """
        from .compacting.compact import CompactRequest, compact  # noqa: PLC0415 (imports pyarrow)

        request = CompactRequest(window=window_of(since, until), lateness=older, drop=drop_lines, dry_run=dry_run)
        found = (
            collections_of(self._store.walk()).values()
            if collection is None
            else [collection_named(self._store, collection)]
        )
        return compact(self._store, found, request)
