"""The newest rows of one collection: also of those that Explore does not join, such as labels, bodies and spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from otel_modeldata_reader.collection_names import is_tabular
from otel_modeldata_reader.exceptions import UnknownNameError
from otel_modeldata_reader.nearest import nearest
from otel_modeldata_reader.window import Window

from ..queries.cells import cell_of
from ..queries.joined_rows import LABEL_ROW
from ..queries.moments import iso
from ..queries.newest import cells_of_newest, newest_times
from ..tables.column import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..studio import Studio
    from ..tables.collection_rows import ReadPieces

__all__ = ["NewestAnswer", "NewestColumn", "NewestRow", "newest"]

_MOST_ROWS: Final = 500
_MOST_COLUMNS: Final = 60
_LISTING_SECONDS: Final = 8.0
_SPANS_NS: Final = tuple(hours * 3_600 * 1_000_000_000 for hours in (1, 24, 24 * 30))
"""How long before the end of a collection its newest rows are looked for, one after the other."""


class NewestColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column; `kind` is that of `tables.piece.Kind`."""

    name: str
    kind: str


class NewestRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row; `id` finds its request, and is empty without one; `values` are in the order of the columns."""

    id: str
    time: str
    values: list[Any]


class NewestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a collection, the newest first; `columns_total` counts those that they have."""

    collection: str
    columns: list[NewestColumn]
    rows: list[NewestRow]
    columns_total: int = 0
    pending: int = 0


def newest(studio: Studio, *, collection: str, limit: int = 100) -> NewestAnswer:
    """The newest rows of a collection.

    Args:
        studio: has the store.
        collection: its folder, such as `shop/blue/ground_truth`.
        limit: of the rows.

    Raises:
        UnknownNameError: the store has no such collection.
        ReaderError: the store cannot be read.
    """
    known = studio.catalog.listing().collections
    if collection not in known:  # of a store that is still being listed it may not be among the newest folders
        known = studio.catalog.whole(_LISTING_SECONDS).collections
    if collection not in known:
        raise UnknownNameError(
            f"expected a collection of {studio.store.objects.shown}, got {collection!r:.200}: "
            f"{nearest(collection, sorted(known))}"
        )
    limit = min(limit, _MOST_ROWS)
    found = _read(studio, collection, limit)
    every = columns_of(found.pieces)
    columns = {name: one for name, one in every.items() if name != LABEL_ROW}
    shown = dict(list(columns.items())[:_MOST_COLUMNS])
    database = studio.tables.database
    times = newest_times(found.pieces, limit)
    moments = [time for (time,) in database.rows(times.text, times.parameters)] if found.pieces else []
    rows: list[NewestRow] = []
    if moments:
        label = every.get(LABEL_ROW)
        has_row_ids = is_tabular(collection)
        text = cells_of_newest(found.pieces, every, list(shown), label, moments[-1], limit, has_row_ids=has_row_ids)
        for time, row_id, *values in database.rows(text.text, text.parameters):
            pairs = zip(values[::2], values[1::2], shown.values(), strict=True)
            cells = [cell_of(value, size, one.kind) for value, size, one in pairs]
            rows.append(NewestRow(id=row_id or "", time=iso(time), values=cells))
    return NewestAnswer(
        collection=collection,
        columns=[NewestColumn(name=name, kind=one.kind) for name, one in shown.items()],
        rows=rows,
        columns_total=len(columns),
        pending=found.pending,
    )


def _read(studio: Studio, collection: str, limit: int) -> ReadPieces:
    """The pieces of the shortest time before the end of a collection that has enough rows."""
    deadline = studio.tables.deadline()
    for window in _windows(studio.tables.bounds(collection)):
        found = studio.tables.pieces(collection, window, end=deadline)
        if sum(one.rows for one in found.pieces) >= limit:
            break
    return found


def _windows(bounds: Sequence[int] | None) -> Iterator[Window]:
    if bounds is not None:
        yield from (Window(since=bounds[1] - span) for span in _SPANS_NS if bounds[1] - span > bounds[0])
    yield Window()
