"""Scored rows: what a comparison of predictions with labels needs of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .joined_rows import Chosen, OwnColumn
    from .sql import Sql

__all__ = ["scored"]


def scored(chosen: Chosen, columns: Mapping[str, OwnColumn | None]) -> Sql:
    """Rows of `row_id`, `time` in nanoseconds since the epoch, and a column for each role; null for a role without one.

    Args:
        chosen: joined rows.
        columns: by their roles. Integers become floats, as the measures have them.
    """
    items = ["_row_id AS row_id", "epoch_ns(_time) AS time"]
    items += [f"{_item(one, chosen.aliases)} AS {role}" for role, one in columns.items()]
    return f"SELECT {', '.join(items)} FROM (" + chosen.sql + ")"


def _item(column: OwnColumn | None, aliases: Mapping[str, str]) -> str:
    if column is None:
        return "NULL"
    alias = aliases[column.name]
    return f"CAST({alias} AS DOUBLE)" if column.kind == "integer" else alias
