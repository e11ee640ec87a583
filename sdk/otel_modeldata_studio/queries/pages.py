"""Pages of joined rows by keyset: the keys of a page first, then the cells of these rows.

The key of a row is its time, its row id and the id of its event, so that two rows at one moment have an order. Rows of
other senders may have no ids: these have a place in a file instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from otel_modeldata_reader.window import Window

from .cells import cell_text
from .joined_rows import joined_rows
from .scans import AT, PLACE, scan
from .sql import Sql, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..tables.deployment_rows import DeploymentRows, Side
    from ..tables.piece import Piece, Slice
    from .filters import Filter
    from .joined_rows import OwnColumn

__all__ = ["KEY_FIELDS", "RowKey", "cells_of_numbers", "cells_of_rows", "keys_of_page"]

KEY_FIELDS: Final = ("row_id", "time", "event_id", PLACE)
_KEY: Final = f"epoch_ns(_time), coalesce(_row_id, ''), coalesce(_event_id, ''), _{PLACE}"


class RowKey(NamedTuple):
    """The place of a row in the order of pages.

    Attributes:
        time: in nanoseconds since the epoch.
        row_id: empty without one.
        event_id: empty without one.
        place: of a row without one of these; empty for others.
    """

    time: int
    row_id: str
    event_id: str
    place: str = ""


def keys_of_page(  # noqa: PLR0913 (most are keywords)
    rows: DeploymentRows,
    filters: Sequence[Filter],
    window: Window,
    base: Sequence[Piece | Slice],
    *,
    start: RowKey | None,
    count: int,
    is_descending: bool,
    only: Sql | None = None,
) -> Sql:
    """The keys of the rows that follow a row, in their order.

    Args:
        rows: of the deployment.
        filters: all must hold.
        window: only rows of this window.
        base: only rows of these pieces.
        start: only rows behind this one.
        count: at most so many.
        is_descending: whether the latest row is first.
        only: a condition for the row id, the correlation id and the traceparent.

    Raises:
        ReaderError: a filter does not fit.
    """
    sign, word = ("<", "DESC") if is_descending else (">", "ASC")
    fields = KEY_FIELDS if only is None else (*KEY_FIELDS, "correlationid", "traceparent")
    chosen = joined_rows(rows, [], filters, window, base=base, envelope=fields, only=only)
    text = f"SELECT {_KEY} FROM (" + chosen.sql + ")"
    if start is not None:
        text = text + Sql(f" WHERE _time {sign}= {moment(start.time)} AND ({_KEY}) {sign} (?, ?, ?, ?)", tuple(start))
    return text + f" ORDER BY _time {word}, 2 {word}, 3 {word}, 4 {word} LIMIT {count}"


def cells_of_rows(
    rows: DeploymentRows,
    columns: Sequence[OwnColumn],
    ids: Sequence[str],
    window: Window,
    base: Sequence[Piece | Slice],
) -> Sql:
    """The key and the cells of the rows with some row ids.

    Args:
        rows: of the deployment.
        columns: of the cells; each has two values, see `cells.py`.
        ids: of the rows.
        window: in which they are.
        base: the pieces in which they are.

    Raises:
        ReaderError: a column has a name that DuckDB does not take.
    """
    only = Sql("coalesce(_row_id, '') IN (SELECT unnest(?))", (list(ids),))
    chosen = joined_rows(rows, columns, [], window, base=base, envelope=KEY_FIELDS, only=only)
    cells = [cell_text(chosen.aliases[one.name], one.kind) for one in columns]
    return f"SELECT {', '.join([_KEY, *cells])} FROM (" + chosen.sql + ")"


def cells_of_numbers(
    side: Side, columns: Sequence[OwnColumn], parts: Sequence[Slice], starts: Mapping[str, int]
) -> Sql:
    """The number, the time in nanoseconds and the cells of rows of one side, which are known by their numbers.

    Args:
        side: has the rows.
        columns: of the cells, of this side; each has two values, see `cells.py`.
        parts: the rows.
        starts: the number of the first row of each file, by its path.

    Raises:
        ReaderError: a column has a name that DuckDB does not take.
    """
    aliases = {one.own: f"k{at}" for at, one in enumerate(columns)}
    scanned = scan(parts, side.columns, aliases, Window(), envelope=("time", AT), starts=starts)
    cells = [cell_text(aliases[one.own], one.kind) for one in columns]
    return f"SELECT {', '.join(['_at', 'epoch_ns(_time)', *cells])} FROM (" + scanned + ")"
