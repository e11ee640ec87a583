"""Rows by their ids, and the rows beside them in time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.index.line_ids import id_of_row
from otel_modeldata_reader.window import Window

from .scans import scan
from .sql import Sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..tables.piece import Piece
    from .joined_rows import Chosen

__all__ = ["moment_of_place", "moments_of_id", "neighbor", "ranks"]


_TRACE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


def moments_of_id(sides: Sequence[Sequence[Piece]], wanted: str) -> Iterator[Sql]:
    """Queries for the time of a row with an id, in nanoseconds since the epoch: the first one that has a row answers.

    Args:
        sides: have the rows. Those of an earlier side answer first: an output may come an hour after its inputs.
        wanted: a correlation id, row id, event id or trace id.
    """
    row = id_of_row(wanted)
    ids = [wanted] if row is None else [wanted, row[0]]
    kinds = [("correlationid", f"IN ({', '.join('?' for _ in ids)})", ids), ("event_id", "= ?", [wanted])]
    if _TRACE.fullmatch(wanted):
        kinds.append(("traceparent", "LIKE ?", [f"00-{wanted}-%"]))
    yield from (_moment(pieces, *kind) for kind in kinds for pieces in sides if pieces)


def moment_of_place(path: str, row: int, row_id: str) -> Sql:
    """A query for the time of a row of a file, in nanoseconds since the epoch, if it has this row id.

    Args:
        path: of the file.
        row: the number of the row in it.
        row_id: of the row.
    """
    text = "SELECT epoch_ns(time) FROM read_parquet([?], hive_partitioning = false, file_row_number = true)"
    return Sql(text + " WHERE file_row_number = ? AND row_id = ?", (path, row, row_id))


def _moment(pieces: Sequence[Piece], column: str, condition: str, values: Sequence[str]) -> Sql:
    rows = scan(pieces, {}, {}, Window(), envelope=(column, "time"))
    return "SELECT epoch_ns(_time) FROM (" + rows + Sql(f") WHERE _{column} {condition} LIMIT 1", tuple(values))


def neighbor(chosen: Chosen, moment: int, row_id: str, *, is_before: bool) -> Sql:
    """The row id of the row before or after another one, in the order of times and row ids.

    Args:
        chosen: rows around it.
        moment: the time of the other one, in nanoseconds since the epoch.
        row_id: of the other one.
        is_before: whether the one before is wanted.
    """
    sign, word = ("<", "DESC") if is_before else (">", "ASC")
    key = "(epoch_ns(_time), coalesce(_row_id, ''))"
    order = f"epoch_ns(_time) {word}, coalesce(_row_id, '') {word}"
    text = "SELECT _row_id FROM (" + chosen.sql + f") WHERE {key} {sign} (?, ?) ORDER BY {order} LIMIT 1"
    return Sql(text.text, (*text.parameters, moment, row_id))


def ranks(chosen: Chosen, values: Mapping[str, int]) -> Sql:
    """One row: for each value how many of its column are lower, how many are equal, and how many there are.

    Args:
        chosen: the rows.
        values: by the aliases of columns of whole numbers.
    """
    items, parameters = [], []
    for alias, value in values.items():
        number = f"CAST({alias} AS HUGEINT)"
        items += [f"count(*) FILTER ({number} {sign} CAST(? AS HUGEINT))" for sign in ("<", "=")] + [f"count({alias})"]
        parameters += [value, value]
    return Sql(f"SELECT {', '.join(items)} FROM (", tuple(parameters)) + chosen.sql + ")"
