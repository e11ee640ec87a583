"""The columns of a sample, as profiles take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .joined_rows import Chosen, OwnColumn
    from .sql import Sql

__all__ = ["sampled"]


def sampled(chosen: Chosen, columns: Sequence[OwnColumn]) -> Sql:
    """Some columns of rows, in this order; the time if there are none.

    Categories are texts, also those of numbers, as filters compare them.
    """
    items = [
        f"CAST({alias} AS VARCHAR) AS {alias}" if one.kind == "category" else alias
        for one in columns
        for alias in (chosen.aliases[one.name],)
    ]
    return f"SELECT {', '.join(items) or '_time'} FROM (" + chosen.sql + ")"
