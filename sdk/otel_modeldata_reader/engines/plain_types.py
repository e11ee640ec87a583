"""Arrow types that every engine has, in place of those that only some have, and batches in them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["as_schema", "daft_schema", "spark_schema"]

_UINT64_DIGITS: Final = 20
_MOST_DIGITS: Final = 38
"""Of a decimal in Spark, which has no negative scale."""


def daft_schema(schema: pa.Schema) -> pa.Schema:
    """A schema without dictionaries and half floats, which Daft does not have."""
    return _mapped(schema, _daft_type)


def spark_schema(schema: pa.Schema) -> pa.Schema:
    """A schema of types that Spark has: no unsigned numbers, and times in microseconds.

    Numbers without a sign become the next wider ones with a sign, and uint64 becomes a decimal of 20 digits, so no
    value changes. Times lose what is below a microsecond.
    """
    return _mapped(schema, _spark_type)


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table in a schema that one of the functions above has returned for its own schema."""
    columns = [_cast(table[field.name], field.type) for field in schema]
    return pa.table(columns, schema=schema)


def _cast(column: Any, kind: pa.DataType) -> Any:
    if column.type == kind:
        return column
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), kind)
    if pa.types.is_interval(column.type):
        return pa.chunked_array([pa.array(map(_interval_text, column.to_pylist()), kind)])
    if pa.types.is_list_view(column.type):  # Arrow's cast of one with nulls is invalid
        column = pa.chunked_array([pa.array(column.to_pylist(), pa.list_(column.type.value_type))])
    return pc.cast(column, options=pc.CastOptions(target_type=kind, allow_time_truncate=True))


def _interval_text(value: Any) -> str | None:
    """As ISO 8601 writes it."""
    return None if value is None else f"P{value.months}M{value.days}DT{Decimal(value.nanoseconds) / 10**9}S"


def _mapped(schema: pa.Schema, change: Callable[[pa.DataType], pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(field.name, change(field.type)) for field in schema])


def _nested(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return change(kind.value_type)
    if any(is_one(kind) for is_one in _LISTS):
        return pa.list_(change(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, change(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(change(kind.key_type), change(kind.item_type))
    return pa.float32() if pa.types.is_float16(kind) else kind


_LISTS: Final = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def _daft_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_interval(kind) else _nested(kind, _daft_type)


_WIDER: Final = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(_UINT64_DIGITS, 0),
    pa.null(): pa.string(),
    pa.date64(): pa.date32(),
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
}


def _spark_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", None if kind.tz is None else "UTC")
    if pa.types.is_duration(kind):
        return pa.duration("us")
    if pa.types.is_time(kind) or pa.types.is_interval(kind):
        return pa.string()
    if pa.types.is_decimal(kind):
        return _spark_decimal(kind)
    if pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    return _WIDER[kind] if kind in _WIDER else _nested(kind, _spark_type)


def _spark_decimal(kind: pa.DataType) -> pa.DataType:
    digits = kind.precision - min(kind.scale, 0)
    return pa.decimal128(digits, max(kind.scale, 0)) if digits <= _MOST_DIGITS else pa.string()
