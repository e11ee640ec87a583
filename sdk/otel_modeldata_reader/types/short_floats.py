"""Floats of 4 and 2 bytes as the shortest numbers that mean them: 0.71, where Python would write 0.7099999785423279."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

__all__ = ["short_floats"]


def short_floats(column: Any) -> Any:
    """An array whose float32 became the float64 with the shortest text, also in lists and structures.

    A float16 is first a float32, which has it exactly. Other arrays are returned as they are.
    """
    texts = _with(column.type, pa.string())
    if texts == column.type:
        return column
    return column.cast(_with(column.type, pa.float32())).cast(texts).cast(_with(column.type, pa.float64()))


def _with(kind: Any, other: Any) -> Any:
    """A type with another one in the place of short floats."""
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        return other
    if pa.types.is_list(kind):
        return pa.list_(_field(kind.value_field, other))
    if pa.types.is_large_list(kind):
        return pa.large_list(_field(kind.value_field, other))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_field(kind.value_field, other), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct([_field(kind.field(place), other) for place in range(kind.num_fields)])
    return kind


def _field(field: Any, other: Any) -> Any:
    return field.with_type(_with(field.type, other))
