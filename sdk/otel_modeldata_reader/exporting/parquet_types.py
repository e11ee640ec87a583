"""The types by which Parquet, as pandas reads it, has columns."""

from __future__ import annotations

import warnings
from typing import Any, Final

import pyarrow as pa

from ..rows.column_types import MISMATCH
from ..rows.frames import to_pandas
from ..types.data_types import CODE_KEY

__all__ = ["as_written", "table_of_frame", "values_as", "written_schema"]

_INTEGER_INTERVALS: Final = (b"interval[i", b"interval[u")
"""Their ends are floats where one is missing, so batches would differ."""


def written_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of a file with these columns.

    A column of periods or intervals has pandas' own type of Arrow, as `DataFrame.to_parquet` gives it.
    """
    return pa.schema([field.with_type(_of_pandas(field) or _written(field.type)) for field in schema])


def as_written(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns of the file."""
    pairs = zip(table.schema, table.columns, schema, strict=True)
    return pa.table([_as_written(one, column, field) for one, column, field in pairs], schema=schema)


def table_of_frame(frame: Any) -> pa.Table:
    """The table that pandas writes of a frame."""
    with warnings.catch_warnings():  # Arrow calls what pandas is going to change
        warnings.simplefilter("ignore")
        return pa.Table.from_pandas(frame, preserve_index=False)


def _as_written(original: pa.Field, column: Any, field: pa.Field) -> Any:
    kind = field.type
    if column.type == kind:
        return column
    if isinstance(kind, pa.BaseExtensionType):
        frame = to_pandas(pa.table([column], schema=pa.schema([original])))
        return table_of_frame(frame)[0].cast(kind)
    try:
        return column.cast(kind)
    except MISMATCH:
        return pa.array(values_as(column.to_pylist(), kind), kind)


def values_as(values: list[Any], kind: Any) -> list[Any]:
    """Values for an array of a type: what is text there is text at any depth."""
    return [_value_as(value, kind) for value in values]


def _value_as(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind):
        return str(value)
    if pa.types.is_map(kind):
        return [(_value_as(key, kind.key_type), _value_as(item, kind.item_type)) for key, item in value]
    if pa.types.is_struct(kind):
        return {field.name: _value_as(value[field.name], field.type) for field in kind}
    return values_as(value, kind.value_type) if pa.types.is_nested(kind) else value


def _of_pandas(field: pa.Field) -> Any:
    code = (field.metadata or {}).get(CODE_KEY, b"")
    if not code or not pa.types.is_string(field.type) or code.startswith(_INTEGER_INTERVALS):
        return None
    frame = to_pandas(pa.table([pa.nulls(1, field.type)], schema=pa.schema([field])))
    try:
        kind = table_of_frame(frame).schema.field(0).type
    except (TypeError, ValueError, pa.ArrowException):
        return None
    return kind if isinstance(kind, pa.BaseExtensionType) else None


def _written(kind: Any) -> Any:  # noqa: PLR0911 (a table of kinds)
    if (
        kind == pa.month_day_nano_interval()
        or pa.types.is_union(kind)
        or (pa.types.is_decimal(kind) and kind.scale < 0)
    ):
        return pa.string()
    if pa.types.is_dictionary(kind):  # those of other values come back without their dictionary
        return kind if pa.types.is_string(kind.value_type) else _written(kind.value_type)
    if pa.types.is_map(kind):
        return pa.map_(_written(kind.key_type), _written(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _written(field.type)) for field in kind])
    if pa.types.is_large_list(kind):
        return pa.large_list(_written(kind.value_type))
    if pa.types.is_nested(kind):
        return pa.list_(_written(kind.value_type))
    return kind
