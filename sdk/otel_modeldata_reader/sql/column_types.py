"""The types of columns in DuckDB, and the way back.

DuckDB has most types of Arrow. A column of another type is stored as one that keeps every value: half floats as floats,
durations as counts of their unit, Arrow's intervals and maps as structures, decimals beyond 38 digits as texts. What
even then cannot be stored is JSON text.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow as pa

from ..rows.column_types import MISMATCH
from ..types.categories import with_categories
from ..types.data_types import CODE_KEY

__all__ = ["restored", "stored", "stored_type"]

_DECIMAL_DIGITS: Final = 38
_INTERVAL: Final = pa.struct([("months", pa.int32()), ("days", pa.int32()), ("nanoseconds", pa.int64())])
_NO_CAST: Final = (*MISMATCH, TypeError, ValueError)


def stored_type(kind: Any) -> Any:  # noqa: PLR0911 (a table of kinds)
    """The type by which DuckDB has the values of a type."""
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_duration(kind):
        return pa.int64()
    if kind == pa.month_day_nano_interval():
        return _INTERVAL
    if pa.types.is_decimal(kind) and (kind.precision > _DECIMAL_DIGITS or kind.scale < 0):
        return pa.string()
    if pa.types.is_map(kind):  # DuckDB's own have each key once
        return pa.list_(pa.struct([("key", stored_type(kind.key_type)), ("value", stored_type(kind.item_type))]))
    if pa.types.is_struct(kind):
        fields = [field.with_type(stored_type(field.type)) for field in kind]
        return kind if [field.type for field in fields] == [field.type for field in kind] else pa.struct(fields)
    if pa.types.is_nested(kind):
        inner = stored_type(kind.value_type)
        return kind if inner == kind.value_type else pa.list_(inner)
    if pa.types.is_dictionary(kind):
        return stored_type(kind.value_type)
    return kind


def stored(column: Any, kind: Any) -> Any:
    """A column in the type by which DuckDB has it."""
    if column.type == kind:
        return column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return column.cast(kind)
    except _NO_CAST:
        values = [_plain(value) for value in column.to_pylist()]
        if kind == pa.string():
            values = [value if value is None else json.dumps(value, default=str) for value in values]
        return pa.chunked_array([pa.array(values, kind)])


def restored(column: Any, field: pa.Field) -> Any:
    """A column as it was before it was stored."""
    kind = field.type
    if column.type == kind:
        return column
    if pa.types.is_null(kind):
        return pa.nulls(len(column), kind)
    if pa.types.is_dictionary(kind):
        return _restored_categories(column, field)
    try:
        return column.cast(kind)
    except _NO_CAST:
        return pa.array([_unplain(value, kind) for value in column.to_pylist()], kind)


def _restored_categories(column: Any, field: pa.Field) -> Any:
    kind = field.type
    plain = restored(column, pa.field("values", kind.value_type)).dictionary_encode()
    indices = plain.indices.cast(kind.index_type)
    array = pa.DictionaryArray.from_arrays(indices, plain.dictionary, ordered=kind.ordered)
    code = (field.metadata or {}).get(CODE_KEY)
    return array if code is None else with_categories(array, code.decode())


def _plain(value: Any) -> Any:
    """A value of Arrow's intervals and maps, as a value of structures."""
    if isinstance(value, pa.MonthDayNano):
        return {"months": value.months, "days": value.days, "nanoseconds": value.nanoseconds}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return [{"key": _plain(key), "value": _plain(item)} for key, item in value]
        return [_plain(item) for item in value]
    return value


def _unplain(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if kind == pa.month_day_nano_interval():
        return pa.MonthDayNano([value["months"], value["days"], value["nanoseconds"]])
    if pa.types.is_map(kind):
        return [(_unplain(one["key"], kind.key_type), _unplain(one["value"], kind.item_type)) for one in value]
    if pa.types.is_struct(kind):
        return {field.name: _unplain(value[field.name], field.type) for field in kind}
    if pa.types.is_nested(kind):
        return [_unplain(item, kind.value_type) for item in value]
    return value
