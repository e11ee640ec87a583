"""What is measured of a column: its kind, by its Arrow type, and its values as numbers or as texts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...types.plain_arrays import floats_of

if TYPE_CHECKING:
    from ..figures.column import Kind
    from ..measures.bins import Floats

__all__ = ["are_rounded", "category_counts", "is_without_values", "kind_of", "numbers_of", "short_category"]

_TEXT_LENGTH: Final = 200
"""Longer categories are cut, with a part of their digest, so that they stay different."""
_EXACT: Final = 2**53
"""Up to here a float has every whole number."""
_EXACT_DIGITS: Final = 15
_MOST_MERGED: Final = 0.001
"""The share of different values that may become one: it moves no measure by more."""
_PER_SECOND: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def kind_of(data_type: pa.DataType) -> Kind:
    """The kind of a column of this type."""
    value = data_type.value_type if pa.types.is_dictionary(data_type) else data_type
    if pa.types.is_boolean(value) or _is_text(value):
        return "category"
    if pa.types.is_dictionary(data_type):
        return "category" if _has_text(value) else "other"
    if pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_decimal(value):
        return "number"
    if pa.types.is_duration(value):
        return "number"
    if pa.types.is_timestamp(value) or pa.types.is_date(value):
        return "time"
    return "other"


def is_without_values(data_type: pa.DataType) -> bool:
    """Whether a column of this type has nulls only."""
    return bool(pa.types.is_null(data_type))


def numbers_of(column: Any) -> Floats:
    """The values of a column of numbers or times; NaN for nulls. Times and durations are in seconds."""
    found = column.type
    scale = 1.0
    if pa.types.is_timestamp(found) or pa.types.is_duration(found):
        scale = _PER_SECOND[found.unit]
        column = column.cast(pa.int64())
    elif pa.types.is_date(found):
        scale = 1 / 86_400 if pa.types.is_date32(found) else 1e3
        column = column.cast(pa.int32() if pa.types.is_date32(found) else pa.int64())
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    values: Floats = floats_of(column.cast(pa.float64(), safe=False))
    return values / scale if scale != 1.0 else values


def are_rounded(column: Any, values: Floats) -> bool:
    """Whether different values of a column became the same number.

    Args:
        column: whole numbers, decimals or others.
        values: `numbers_of` it.
    """
    if pa.types.is_decimal(column.type):
        may_be = column.type.precision > _EXACT_DIGITS
    elif pa.types.is_int64(column.type) or pa.types.is_uint64(column.type):
        may_be = bool((np.abs(values) >= _EXACT).any())
    else:
        return False
    if not may_be:
        return False
    different = len(pc.unique(column.drop_null()))
    return different - len(np.unique(values[~np.isnan(values)])) > _MOST_MERGED * different


def category_counts(column: Any) -> dict[str, int]:
    """How often each value of a column of categories is there; nulls are left out."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode() if _is_text(column.type.value_type) else column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = column.cast(pa.string())
    counted = pc.value_counts(column.drop_null())
    found: dict[str, int] = {}
    for value, count in zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True):
        text = short_category(value)
        found[text] = found.get(text, 0) + count
    return found


def _is_text(data_type: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(check(data_type) for check in checks)


def _has_text(data_type: pa.DataType) -> bool:
    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
    return any(check(data_type) for check in checks)


def short_category(text: str) -> str:
    """The text by which a category is counted: long ones are cut, with a part of their digest."""
    if len(text) <= _TEXT_LENGTH:
        return text
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
    return f"{text[: _TEXT_LENGTH - 20]}... ({digest})"
