"""Which columns of Parquet a reading needs: those that were asked for, and those that its condition may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["wanted_columns"]

_ANY: Final = ("*", "#", "columns", "rows", "u&")
"""What names columns in DuckDB's SQL without their names: all, by place, by pattern, as a row, in escapes."""


def wanted_columns(columns: Sequence[str] | None, where: str | None) -> Callable[[str], bool] | None:
    """A function that says whether a column of the result is needed; None if all are.

    Args:
        columns: those that were asked for; None means all.
        where: a condition in DuckDB's SQL. A column of which it has the name somewhere is needed.
    """
    if columns is None:
        return None
    asked, text = frozenset(columns), (where or "").casefold()
    if any(one in text for one in _ANY):
        return None
    return lambda name: name in asked or (bool(text) and name.replace('"', '""').casefold() in text)
