"""The rows of a store for queries: deployments, their collections, and the pieces of a window."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.exceptions import UnknownNameError
from otel_modeldata_reader.nearest import nearest

from .cache_folder import CacheFullError
from .collection_rows import CollectionRows, ReadPieces, bounds_of
from .database import Database
from .deadline import Deadline
from .deployment_rows import LABELS, deployment_rows
from .folder_rows import FolderRows
from .part_pieces import PartPieces
from .partners import FoundPartners, Partners
from .reading_ahead import ReadingAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.blobs.store_access import StoreAccess
    from otel_modeldata_reader.window import Window

    from .cache_folder import CacheFolder
    from .column import Column
    from .deployment_rows import DeploymentRows, Side
    from .piece import Piece

__all__ = ["Tables"]

logger = logging.getLogger(__name__)

_MOST_COLUMNS: Final = 5_000
"""Of a collection that are remembered."""
_READ_SECONDS: Final = 0.6
"""How long a question waits for lines that were not read before; a thread reads the others."""
_PART_SECONDS: Final = 0.3
"""How long it waits for a part of very many."""


class Tables:
    """See above.

    Args:
        store: is read.
        listing: returns the collections of the store, as they were listed last.
        cache: takes Parquet files of lines, and is closed with the tables.

    Attributes:
        is_local: whether Parquet files are read where they are; else they are copied.
    """

    def __init__(
        self, store: StoreAccess, listing: Callable[[], Mapping[str, CollectionBlobs]], cache: CacheFolder
    ) -> None:
        self._store = store
        self.listing = listing
        local = _local_folder(store)
        self.is_local = local is not None
        self.database = Database(
            [cache.path] if local is None else [cache.path, local], cache.path / "sql", cache.make_again
        )
        self._parts = PartPieces(store, local, cache)
        self._cache = cache
        self._lock = threading.Lock()
        self._collections: dict[str, CollectionRows] = {}
        self._columns: dict[str, dict[str, Column]] = {}
        self._ahead = ReadingAhead(self.read)
        self._ahead_partners = ReadingAhead(self.read_partners)
        self.partners = Partners(self.database, cache, lambda root: self._rows(root).known())

    def close(self) -> None:
        """End the thread, close the database, and remove the cache."""
        self._ahead.close()
        self._ahead_partners.close()
        self.database.close()
        self._cache.close()

    def roots(self, deployment: str) -> list[str]:
        """The collections of a deployment.

        Raises:
            UnknownNameError: the store has no such deployment.
            StoreUnavailableError: the store cannot be read.
        """
        found = self.listing()
        roots = [root for root in found if root.rpartition("/")[0] == deployment]
        if not roots:
            known = sorted({root.rpartition("/")[0] for root in found})
            raise UnknownNameError(
                f"expected a deployment of {self._store.shown}, got {deployment!r}: {nearest(deployment, known)}"
            )
        return roots

    def bounds(self, root: str) -> tuple[int, int] | None:
        """The time of the folders of a collection: the first nanosecond, and the one after the last."""
        return bounds_of(self.listing()[root])

    def pieces(
        self, root: str, window: Window, *, end: Deadline | float | None = None, first: Window | None = None
    ) -> ReadPieces:
        """The pieces of a window of a collection; a thread goes on with what is pending.

        Args:
            root: the collection.
            window: of event time.
            end: until when lines are read that were not read before, by the monotonic clock; None is a moment from now
                on. At least one folder is read.
            first: a part of the window, the folders of which are read before the others.

        Raises:
            ReaderError: the store cannot be read.
        """
        deadline = self.deadline() if end is None else Deadline.at(end) if isinstance(end, float) else end
        one, rows, listed = iter([True]), self._rows(root), self.listing()[root]
        is_time = deadline.asking(lambda: rows.unread(listed, window))
        found = rows.pieces(listed, window, lambda: next(one, False) or is_time(), first=first)
        if found.pending:
            self._ahead.want(root, window)
        return found

    def with_known(self, root: str, columns: Mapping[str, Column]) -> Mapping[str, Column]:
        """The columns of a window, and those that earlier windows of the collection had, which are null here."""
        with self._lock:
            known = self._columns.setdefault(root, {})
            found = {**columns, **{name: one for name, one in known.items() if name not in columns}}
            if len(found) <= _MOST_COLUMNS:
                self._columns[root] = found
            return found

    def found_partners(
        self, deployment: str, rows: DeploymentRows, side: Side, window: Window, deadline: float
    ) -> FoundPartners:
        """The partners of the rows of a deployment in another side; a thread goes on with what is pending.

        Raises:
            ReaderError: a file cannot be read.
        """
        found = self._partners_until(rows, side, lambda: time.monotonic() < deadline)
        if found.pending:
            self._ahead_partners.want(deployment, window)
        return found

    def read_partners(self, deployment: str, window: Window, may_go_on: Callable[[], bool]) -> int:
        """Find some of the partners that are pending in a window; returns of how many rows they still are.

        Raises:
            ReaderError: a file cannot be read.
        """
        rows = deployment_rows(self, deployment, window)
        pending = 0
        for side in rows.sides[1:]:
            if side.role != LABELS:
                pending += self._partners_until(rows, side, may_go_on).pending
        return pending

    def _partners_until(self, rows: DeploymentRows, side: Side, may_go_on: Callable[[], bool]) -> FoundPartners:
        try:
            return self.partners.of((rows.base.root, side.root), rows.base.pieces, side.pieces, may_go_on)
        except (OSError, CacheFullError) as error:
            logger.warning("Studio joins rows by their ids, which is slow: %s", error)
            return FoundPartners(of={}, are_certain=False)

    def deadline(self) -> Deadline:
        """Until when a question that begins now waits for lines that were not read before."""
        now = time.monotonic()
        return Deadline(last=now + _READ_SECONDS, soon=now + min(_PART_SECONDS, _READ_SECONDS))

    def read(self, root: str, window: Window, may_go_on: Callable[[], bool]) -> int:
        """Read what is pending of a window; returns about how many bytes are still pending.

        Raises:
            ReaderError: the store cannot be read.
        """
        listed = self.listing().get(root)
        return 0 if listed is None else self._rows(root).pieces(listed, window, may_go_on).pending

    def _rows(self, root: str) -> CollectionRows:
        with self._lock:
            if root not in self._collections:
                self._collections[root] = CollectionRows(
                    lambda date: FolderRows(
                        self._store, self._parts, self._cache, root=root, date=date, ids_of=self._ids_of
                    )
                )
            return self._collections[root]

    def _ids_of(self, pieces: list[Piece]) -> Iterator[list[str]]:
        for piece in pieces:
            text = "SELECT DISTINCT event_id FROM read_parquet(?, hive_partitioning = false) WHERE event_id IS NOT NULL"
            yield [one for (one,) in self.database.rows(text, [piece.path])]


def _local_folder(store: StoreAccess) -> Path | None:
    """The folder of a store on this machine; None for a distant one."""
    from otel_modeldata_receiver.config.store_url import is_azure, meant_store  # noqa: PLC0415 (a store is open)

    place = meant_store(store.url)
    return None if is_azure(place) else Path(place).resolve()
