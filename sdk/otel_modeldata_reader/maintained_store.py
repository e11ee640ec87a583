"""What a store has beside its readings: methods of `Store` that write about its lines, or change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .blobs.dated_folder import LATENESS_SECONDS
from .blobs.listing import collections_of
from .collection import collection_named
from .exceptions import WindowError
from .window import window_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .blobs.listing import CollectionBlobs
    from .blobs.store_access import StoreAccess
    from .compacting.compacted_folder import CompactedFolder
    from .erasing import Receipt
    from .sealing.folder_seal import FolderSeal
    from .window import Moment

__all__ = ["MaintainedStore"]

_HOUR_NS = 3_600 * 1_000_000_000


class MaintainedStore:
    """The part of `Store` that compacts and seals folders, and erases rows.

    Args:
        store: an open one.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store

    @property
    def objects(self) -> StoreAccess:
        """The blobs and other objects of the store, for programs that know its layout."""
        return self._store

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

        request = CompactRequest(
            window=window_of(since, until), lateness=older, drop=drop_lines, dry_run=dry_run, is_all=collection is None
        )
        return compact(self._store, self._selected(collection), request)

    def seal(
        self,
        collection: str | None = None,
        since: Moment = None,
        until: Moment = None,
        *,
        lateness: float = LATENESS_SECONDS,
        dry_run: bool = False,
    ) -> list[FolderSeal]:
        """Seal what is complete: write for each closed hour which lines it has.

        A folder is sealed when its time ended `lateness` seconds ago, no line for it is parked, and none came a moment
        ago. Lines that come later are in the next seal of the folder. A seal is a small object in the folder `_sealed`
        of the store.

        Args:
            collection: as for `read`; None seals all collections.
            since: only folders with events from this moment on, as for `read`.
            until: only folders with events before this moment.
            lateness: seconds that events may be late.
            dry_run: write nothing.

        Returns:
            The folders of the window, also those that are not sealed, each with its state.

        Raises:
            StoreBusyError: another command changes the store.
            ReaderError: as for `read`, and the store cannot be written.
        """
        from .auditing.records.sealed_memory import HourSummaryMaker  # noqa: PLC0415 (imports NumPy)
        from .sealing.sealing import seal_collections  # noqa: PLC0415 (imports msgspec)

        found = seal_collections(
            self._store,
            self._selected(collection),
            window_of(since, until),
            lateness=lateness,
            dry_run=dry_run,
            observing=HourSummaryMaker,
        )
        return list(found)

    def sealed(
        self,
        collection: str | None = None,
        since: Moment = None,
        until: Moment = None,
        *,
        lateness: float = LATENESS_SECONDS,
    ) -> list[FolderSeal]:
        """Which hours are complete, as far as they are sealed; reads no lines and writes nothing.

        Args:
            collection: as for `seal`, as are all others.
            since: see `seal`.
            until: see `seal`.
            lateness: see `seal`.

        Raises:
            ReaderError: as for `read`.
        """
        return self.seal(collection, since, until, lateness=lateness, dry_run=True)

    def erase(  # noqa: PLR0913 (most are keywords)
        self,
        scope: str = "",
        *,
        where: str | None = None,
        ids: Sequence[str] = (),
        since: Moment = None,
        until: Moment = None,
        dry_run: bool = True,
        only: bool = False,
        every: bool = False,
        shared: bool = False,
        by: str = "",
        reason: str = "",
        keep: Callable[[Receipt], object] = lambda _: None,
    ) -> Receipt:
        """Erase rows in all collections of a deployment, beside living receivers; by default only say what would go.

        Args:
            scope: the collection that `where` is about; with `ids` a collection or a deployment, or everything.
            where: only rows for which this is true: a condition in SQL, as for `read`.
            ids: correlation ids, row ids, event ids or trace ids.
            since: `where` is about events from this moment on, as for `read`.
            until: `where` is about events before this moment.
            dry_run: whether nothing is changed. False erases; after an error the same call continues.
            only: whether other collections than `scope` are left as they are.
            every: whether `where` may be true for all rows.
            shared: whether rows are erased, too, that were not chosen and have the row id of one that was.
            by: who erases, for the tombstone.
            reason: why, for the tombstone.
            keep: called with the receipt before the store forgets what was asked for. If it raises an error, or the
                process is killed, the same call gives the receipt again.

        Raises:
            UnknownNameError: no such collection or deployment.
            ReaderError: neither a condition nor ids, or one that chooses too much; the message says what to add.
            StoreBusyError: another command changes the store.
            StoreUnavailableError: the store cannot be read or written.
        """
        from .erasing.choosing.request import asked  # noqa: PLC0415 (likewise)
        from .erasing.erase import erase  # noqa: PLC0415 (imports pyarrow)

        request = asked(scope, where, ids, since, until, only=only, every=every, shared=shared)
        return erase(self._store, request, dry_run=dry_run, by=by, reason=reason, keep=keep)

    def resume_erasures(self, keep: Callable[[Receipt], object] = lambda _: None) -> list[Receipt]:
        """Complete every erasure that was interrupted.

        Args:
            keep: called with each receipt, as for `erase`.

        Raises:
            ReaderError: as for `erase`.
        """
        from .erasing.erase import resume  # noqa: PLC0415 (imports pyarrow)

        return resume(self._store, keep)

    def expire(  # noqa: PLR0913 (most are keywords)
        self,
        older: float,
        collection: str = "",
        *,
        dry_run: bool = True,
        by: str = "",
        reason: str = "",
        keep: Callable[[Receipt], object] = lambda _: None,
    ) -> Receipt:
        """Remove whole folders whose time ended long ago; by default only say what would go.

        Args:
            older: seconds since their end.
            collection: only this one; without it all collections, and the quarantine.
            dry_run: whether nothing is changed.
            by: who does it, for the tombstone.
            reason: why, for the tombstone.
            keep: called with the receipt, as for `erase`.

        Raises:
            UnknownNameError: no such collection.
            ReaderError: the age is below one hour.
            StoreBusyError: another command changes the store.
            StoreUnavailableError: the store cannot be read or written.
        """
        from .erasing.expire import ExpireRequest, expire  # noqa: PLC0415 (imports pyarrow)

        request = ExpireRequest(older=older, collection=collection.strip("/"))
        return expire(self._store, request, dry_run=dry_run, by=by, reason=reason, keep=keep)

    def _selected(self, collection: str | None) -> list[CollectionBlobs]:
        if collection is not None:
            return [self._blobs_of(collection)]
        return list(collections_of(self._store.walk()).values())

    def wait_sealed(
        self,
        collection: str,
        hour: Moment,
        *,
        lateness: float = LATENESS_SECONDS,
        timeout: float = 3_600.0,
        poll: float = 10.0,
    ) -> list[FolderSeal]:
        """Wait until an hour of a collection is complete, and seal it then.

        Args:
            collection: as for `read`; it may come into being while this waits.
            hour: a moment in the hour, in UTC: `2026-11-22T10`, as for `since` of `read`.
            lateness: as for `seal`.
            timeout: seconds to wait at most.
            poll: seconds between two looks at the store.

        Returns:
            The folders of the hour: one, unless the collection has folders of another length. If one of them is not
            `is_complete`, the time ended before. The state `empty` is that of an hour without events.

        Raises:
            UnknownNameError: the hour has no events, and the store has no such collection.
            ReaderError: as for `seal`.
        """
        from .sealing.waiting import sealed_when_complete  # noqa: PLC0415 (imports msgspec)

        moment = window_of(hour, None).since
        if moment is None:
            raise WindowError("expected an hour like '2026-11-22T10', got None: name one")
        return sealed_when_complete(
            self._store,
            collection.strip("/"),
            moment - moment % _HOUR_NS,
            lateness=lateness,
            timeout=timeout,
            poll=poll,
        )

    def _blobs_of(self, collection: str) -> CollectionBlobs:
        return collection_named(self._store, collection)
