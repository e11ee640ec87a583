"""Cells of a table as the page has them: short, and of types that JSON has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..tables.piece import Kind

__all__ = ["cell_of", "cell_text"]

_MOST_TEXT: Final = 200
_EXACT: Final = 2**53


def cell_text(column: str, kind: Kind, most: int = _MOST_TEXT) -> str:
    """The expressions of a cell, and of the length of its whole text or content.

    Args:
        column: the expression of the column.
        kind: of the column.
        most: characters of a text.
    """
    if kind in {"number", "integer", "boolean"}:
        return f"{column}, NULL"
    if kind == "binary":
        return f"NULL, octet_length({column})"
    text = f"CAST(to_json({column}) AS VARCHAR)" if kind == "nested" else f"CAST({column} AS VARCHAR)"
    return f"left({text}, {most}), length({text})"


def cell_of(value: Any, size: int | None, kind: Kind, most: int = _MOST_TEXT) -> Any:  # noqa: PLR0911 (a table)
    """The cell of the values of these expressions."""
    if kind == "binary":
        return None if size is None else {"bytes": size}
    if value is None:
        return None
    if kind == "time":
        return _iso(value)
    if isinstance(value, str):
        return {"cut": value, "length": size} if size is not None and size > most else value
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else str(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value)


def _iso(text: str) -> str:
    """A time of DuckDB as ISO 8601: `2026-11-22 10:00:00+00` is `2026-11-22T10:00:00Z`."""
    text = text.replace(" ", "T", 1)
    return f"{text[:-3]}Z" if text.endswith("+00") else text
