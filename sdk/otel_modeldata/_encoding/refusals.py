"""The error for a frame that cannot be written as JSON: it names the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..exceptions import UnsupportedValueError
from .columns import cells_of, column_of
from .kept.arrow_text import NOT_UTF8
from .number_range import OUT_OF_RANGE, check_integers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec
    import pandas as pd

REFUSED: Final = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, RuntimeError)
"""What a cell raises that has no JSON form, or whose own code fails: an unknown time zone is a LookupError."""

_REASONS: Final[dict[type[Exception], str]] = {
    UnicodeEncodeError: "expected text, got a lone surrogate in it, which UTF-8 cannot carry: clean the text",
    UnicodeDecodeError: NOT_UTF8,
    OverflowError: OUT_OF_RANGE,
    RecursionError: "expected values nested at most about 1000 deep, got more: flatten them",
}
_LONG_INTEGER: Final = "integer string conversion"
"""Part of what Python says about an integer of more than 4,300 digits: its text takes too long to make."""
_AT_ONCE: Final = 1024
"""Rows that are tried in one go, to find the first that fails."""


def refusal(frame: pd.DataFrame, names: Sequence[str], encoder: msgspec.json.Encoder, error: Exception) -> Exception:
    """The error of a frame, with the first cell by row and column that is refused.

    Args:
        frame: that was refused.
        names: of its columns.
        encoder: that refused it.
        error: what it raised.
    """
    found = []
    for position in range(len(names)):
        first = _first(column_of(frame, position), encoder)
        if first is not None:
            found.append((first[0], position, first[1]))
    if not found:
        return UnsupportedValueError(f"the frame cannot be written as JSON: {error}")
    row, position, reason = min(found)
    return UnsupportedValueError(f"column {names[position]!r}, row {row}: {reason}")


def _first(values: Any, encoder: msgspec.json.Encoder) -> tuple[int, str] | None:
    """Row and reason of the first cell of a column that is refused."""
    for start in range(0, len(values), _AT_ONCE):
        if _reason(values[start : start + _AT_ONCE], encoder) is None:
            continue
        for row in range(start, min(start + _AT_ONCE, len(values))):
            if reason := _reason(values[row : row + 1], encoder):
                return row, reason
    return None


def _reason(values: Any, encoder: msgspec.json.Encoder) -> str | None:
    """Why cells cannot be written; None when they can. Without their content, which may be personal."""
    try:
        check_integers(encoder.encode(cells_of(values)))
    except REFUSED as error:
        for kind, reason in _REASONS.items():
            if isinstance(error, kind):
                return reason
        if _LONG_INTEGER in str(error):
            return OUT_OF_RANGE
        got = error if isinstance(error, TypeError) else _type_of(values)
        return f"expected a value that JSON can carry, got {got}: convert it first"
    return None


def _type_of(values: Any) -> str:
    """The type of the first cell, or of the column if the cell cannot be read."""
    try:
        return type(values[0]).__name__
    except REFUSED:
        return str(values.dtype)
