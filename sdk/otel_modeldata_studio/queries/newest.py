"""The newest rows of one collection: their times first, so that the columns of no other row are unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata_reader.window import Window

from .cells import cell_text
from .scans import scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..tables.column import Column
    from ..tables.piece import Piece
    from .sql import Sql

__all__ = ["cells_of_newest", "newest_times"]

_IDS = ("row_id", "correlationid", "traceparent", "event_id")


def newest_times(pieces: Sequence[Piece], count: int) -> Sql:
    """The times of the newest rows, in nanoseconds since the epoch, the newest first."""
    return (
        "SELECT epoch_ns(_time) FROM ("
        + scan(pieces, {}, {}, Window(), envelope=("time",))
        + (f") ORDER BY _time DESC LIMIT {count}")
    )


def cells_of_newest(  # noqa: PLR0913, PLR0917 (what a query takes)
    pieces: Sequence[Piece],
    columns: Mapping[str, Column],
    shown: Sequence[str],
    label: Column | None,
    since: int,
    count: int,
    *,
    has_row_ids: bool,
) -> Sql:
    """The time, an id of the request, and the cells of rows.

    Args:
        pieces: of the collection.
        columns: of all pieces.
        shown: the names of the wanted columns; each has two values, see `cells.py`.
        label: the column that names the row of a label, if there is one.
        since: the time of the earliest row, in nanoseconds since the epoch.
        count: at most so many.
        has_row_ids: whether the rows are those of a model; a body or a span belongs to all rows of its request.
    """
    aliases = {name: f"c{number}" for number, name in enumerate(shown)}
    if label is not None:
        aliases[label.name] = "label_row"
    late = [piece for piece in pieces if piece.last >= since]
    rows = scan(late, columns, aliases, Window(since=since), envelope=("time", *_IDS))
    named = [] if label is None else ["CAST(label_row AS VARCHAR)"]
    # Where nobody gave a correlation id, as in spans, the trace leads to the request.
    of_row = ["CASE WHEN coalesce(_correlationid, '') <> '' THEN _row_id END"] if has_row_ids else []
    ids = [*named, *of_row, "_correlationid", "substr(_traceparent, 4, 32)", "_event_id"]
    known = ", ".join(f"nullif({one}, '')" for one in ids)
    cells = ", ".join(cell_text(aliases[name], columns[name].kind) for name in shown)
    text = f"SELECT epoch_ns(_time), coalesce({known}){', ' if cells else ''}{cells} FROM ("
    # The order of rows with one time is the same at each load, and so are the last ones.
    return text + rows + f") ORDER BY _time DESC, _event_id DESC, _row_id DESC LIMIT {count}"
