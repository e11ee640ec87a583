"""Rows by their ids, and the rows beside them in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata_reader.window import Window

from .scans import scan
from .sql import Sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..tables.piece import Piece
    from .joined_rows import Chosen

__all__ = ["moment_of_request", "neighbor", "ranks"]


def moment_of_request(pieces: Sequence[Piece], ids: Sequence[str]) -> Sql:
    """The time of a row of one of some correlation ids, in nanoseconds since the epoch."""
    rows = scan(pieces, {}, {}, Window(), envelope=("correlationid", "time"))
    marks = ", ".join("?" for _ in ids)
    return "SELECT epoch_ns(_time) FROM (" + rows + Sql(f") WHERE _correlationid IN ({marks}) LIMIT 1", tuple(ids))


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
