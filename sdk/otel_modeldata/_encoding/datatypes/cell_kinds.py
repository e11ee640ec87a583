"""What kind of cells a column of Python objects has: text unless its code says another kind.

Cells without a value (None, NaN and NaT among other objects, `pandas.NA`) are no kind of their own, so that the types
of a column do not change with its gaps.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from itertools import chain
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from .dtype_code import numpy_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TEXT: Final = "O"
MIXED: Final = "O[mixed]"
"""Readers get what JSON has."""

AS_JSON: Final = frozenset({MIXED, "O[dict]", "O[list]", "O[tuple]", "O[bigint]", "O[decimal]"})
"""Kinds of cells that readers keep as JSON: so are categories of them."""
_GAPS: Final = frozenset({NoneType, type(pd.NA), type(pd.NaT)})
_KINDS: Final[dict[type, str]] = {
    str: TEXT,
    np.str_: TEXT,
    bool: "O[bool]",
    int: "O[int]",
    float: "O[float]",
    bytes: "O[bytes]",
    decimal.Decimal: "O[decimal]",
    dt.date: "O[date]",
    dt.time: "O[time]",
    dt.datetime: "O[datetime]",
    dt.timedelta: "O[timedelta]",
    pd.Timestamp: "O[Timestamp]",
    pd.Timedelta: "O[Timedelta]",
    uuid.UUID: "O[uuid]",
    list: "O[list]",
    tuple: "O[tuple]",
    dict: "O[dict]",
    np.ndarray: "O[array]",
}
"""By the exact type; a column of others, or of several, is mixed."""
_ELEMENTS: Final[dict[type, str]] = {float: "f8", int: "i8", bool: "b", str: "s"}
"""Of lists."""
_INT64: Final = 2**63


def types_of(cells: Iterable[Any]) -> frozenset[type]:
    """The types of cells, without those of gaps."""
    return frozenset(map(type, cells)) - _GAPS


def kind_code(types: frozenset[type], cells: Sequence[Any]) -> str:  # noqa: PLR0911 - one line per family reads best
    """The code of a column of objects.

    Args:
        types: of the cells as they were collected.
        cells: the same, or what they were converted to: numbers, lists and arrays must still be there.
    """
    if float in types and not any(cell == cell for cell in cells if type(cell) is float):  # noqa: PLR0124 - NaN is not
        types -= {float}  # pandas' usual gap
    if not types:
        return TEXT
    if len(types) > 1:
        return MIXED
    (kind,) = types
    if kind is int:
        return _integers(cells)
    if kind is list:
        return _lists(cells)
    if kind is np.ndarray:
        return _arrays(cells)
    code = _KINDS.get(kind)
    if code is None and issubclass(kind, (np.number, np.bool_)) and np.dtype(kind).kind in "biuf":
        return f"O[{numpy_code(np.dtype(kind))}]"
    return code or MIXED


def array_code(dtype: np.dtype[Any], dimensions: int) -> str:
    """The code of arrays in cells."""
    if dtype.kind not in "biufMm" or not dimensions:
        return MIXED
    return f"O[array[{numpy_code(dtype)}{f', {dimensions}' if dimensions > 1 else ''}]]"


def _integers(cells: Iterable[Any]) -> str:
    numbers = [cell for cell in cells if type(cell) is int]
    fits = not numbers or (min(numbers) >= -_INT64 and max(numbers) < _INT64)
    return "O[int]" if fits else "O[bigint]"


def _lists(cells: Iterable[Any]) -> str:
    lists = [cell for cell in cells if type(cell) is list]
    found = frozenset(map(type, chain.from_iterable(lists))) - {NoneType}
    if len(found) > 1 or not lists:
        return "O[list]"
    code = "s" if not found else _ELEMENTS.get(next(iter(found)))
    if code == "i8" and _integers(chain.from_iterable(lists)) != "O[int]":
        code = None
    return "O[list]" if code is None else f"O[list[{code}]]"


def _arrays(cells: Iterable[Any]) -> str:
    arrays = [cell for cell in cells if type(cell) is np.ndarray]
    forms = {(array.dtype, array.ndim) for array in arrays}
    return array_code(*forms.pop()) if len(forms) == 1 else MIXED
