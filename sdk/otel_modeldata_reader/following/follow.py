"""`follow`: the rows of a collection as they are written, by asking for the sizes of its blobs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ..blobs.listing import date_of
from ..exceptions import ReaderError
from ..rows.result import where as condition
from .compacted import compacted_ends, compacted_tables, dropped_dates, last_of_folder, with_manifest
from .growth import Growth
from .last_lines import last_lines
from .line_slices import reading_of
from .listing import Listing
from .new_ids import NewIds
from .new_rows import NewRows

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Window
    from .line_slices import LineSlices

__all__ = ["follow"]

_REPORTED: Final = ("duplicates", "foreign", "mismatched", "missing_payloads")
_SKIPPED: Final = (*_REPORTED, "undecided")


def follow(  # noqa: PLR0913 (most are keywords)
    store: StoreAccess,
    found: CollectionBlobs,
    window: Window,
    *,
    where: str | None = None,
    last: int | None = None,
    poll: float = 1.0,
) -> Iterator[NewRows]:
    """The rows of a collection as they are written; it does not end.

    Args:
        store: has the collection.
        found: its blobs, as they are listed now.
        window: only events of this window.
        where: only rows for which this is true, as for `Store.read`. A column that an event does not have is null.
        last: how many of the rows that are there already come first; None means all of the window, if it has a
            beginning, else none.
        poll: seconds between two listings.

    Raises:
        StoreUnavailableError: the store cannot be read.
        ReaderError: `where` cannot be evaluated.
    """
    with condition(where) as of_table:
        chosen = _Chosen(of_table, is_condition=where is not None)
        ids = NewIds()
        ends = found.blobs
        if last is None and window.since is not None:
            sources = with_manifest(store, found, window)
            ends = tuple(compacted_ends(sources))
            for table in compacted_tables(store, found, window):
                yield from _new(chosen, *ids.take(table))
        elif last or where is not None:  # a wrong condition is an error at once, not with the next row
            for rows in _last_rows(store, found, window, last or 1, chosen):
                ids.take(rows.table)
                if last:
                    yield rows
        growth = Growth(store, ends)
        listing = Listing(store, found)
        while True:
            for slices in growth.slices(found.within(window)):
                rows = _read(store, found, window, slices)
                table, repeated = ids.take(rows.table)
                table, undecided = chosen.or_none(table)
                skipped = _added(rows.skipped, duplicates=repeated, foreign=growth.take_foreign(), undecided=undecided)
                if table.num_rows or skipped:
                    yield NewRows(table=table, skipped=skipped)
            time.sleep(poll)
            found = listing.next()
            if listing.is_whole:
                growth.keep(blob.name for blob in found.blobs)


def _last_rows(
    store: StoreAccess,
    found: CollectionBlobs,
    window: Window,
    wanted: int,
    chosen: _Chosen,
) -> list[NewRows]:
    """The last rows: those of one folder together, the earliest first."""
    kept: list[NewRows] = []
    dropped = dropped_dates(store, found, window)
    if dropped:
        return _last_of_folders(store, found, window, wanted, chosen, dropped)
    for lines in last_lines(store, found.within(window)):
        rows = _read(store, found, window, lines.slices)
        table = chosen.rows(rows.table)
        if lines.is_final or table.num_rows >= wanted:
            table = table.slice(max(0, table.num_rows - wanted))
            kept.insert(0, replace(rows, table=table))
            wanted -= table.num_rows
        if not wanted:
            break
    return kept


def _last_of_folders(  # noqa: PLR0913, PLR0917 (those of `_last_rows`)
    store: StoreAccess,
    found: CollectionBlobs,
    window: Window,
    wanted: int,
    chosen: _Chosen,
    dropped: Container[str],
) -> list[NewRows]:
    """Likewise, where lines of some folders are in Parquet files only."""
    kept: list[NewRows] = []
    for date in reversed(found.dates(window)):
        blobs = tuple(blob for blob in found.blobs if date_of(blob.name) == date)
        if date in dropped:
            folder = replace(found, blobs=blobs, compacted={date: found.compacted[date]})
            table = last_of_folder(store, folder, window, wanted, chosen.rows)
            rows = [] if table is None else [NewRows(table=table, skipped={})]
        else:
            rows = _last_rows(store, replace(found, blobs=blobs, compacted={}), window, wanted, chosen)
        kept = [*rows, *kept]
        wanted -= sum(one.table.num_rows for one in rows)
        if wanted <= 0:
            break
    return kept


def _new(chosen: _Chosen, table: pa.Table, repeated: int) -> Iterator[NewRows]:
    """New rows, without those that the condition leaves out."""
    table, undecided = chosen.or_none(table)
    skipped = _added({}, duplicates=repeated, undecided=undecided)
    if table.num_rows or skipped:
        yield NewRows(table=table, skipped=skipped)


def _read(store: StoreAccess, found: CollectionBlobs, window: Window, slices: LineSlices) -> NewRows:
    """The rows of some lines, in the order of their times."""
    reading = reading_of(store, found, window, slices)
    table = reading.to_arrow()
    counts = {name: getattr(reading.report, name) for name in _REPORTED}
    table = table.sort_by("time") if table.num_rows > 1 else table
    return NewRows(table=table, skipped={name: count for name, count in counts.items() if count})


def _added(counts: Any, **more: int) -> dict[str, int]:
    return {name: count for name in _SKIPPED if (count := counts.get(name, 0) + more.get(name, 0))}


class _Chosen:
    """The rows of tables for which a condition is true; columns that earlier tables had are null where missing.

    Args:
        of_table: the rows of a table that has all columns of the condition.
        is_condition: whether it leaves out any.
    """

    def __init__(self, of_table: Callable[[pa.Table], pa.Table], *, is_condition: bool) -> None:
        self._of_table = of_table
        self._is_condition = is_condition
        self._is_proven = False
        self._known: dict[str, Any] = {}

    def rows(self, table: pa.Table) -> pa.Table:
        """The rows.

        Raises:
            ReaderError: the condition cannot be evaluated.
        """
        if not self._is_condition or not table.num_rows:
            return table
        own = table.column_names
        known = self._known | {field.name: field.type for field in table.schema if field.name not in self._known}
        for name in known.keys() - set(own):
            table = table.append_column(name, pa.nulls(table.num_rows, known[name]))
        found = self._of_table(table).select(own)
        self._known, self._is_proven = known, True
        return found

    def or_none(self, table: pa.Table) -> tuple[pa.Table, int]:
        """The rows, or none and the number of events if a condition that is right cannot be evaluated for them.

        Then a value has another type than before. Any client can send one, and must not end the following.

        Raises:
            ReaderError: the condition has never been evaluated.
        """
        try:
            return self.rows(table), 0
        except ReaderError:
            if not self._is_proven:
                raise
            return table.slice(0, 0), len(pc.unique(table["event_id"]))
