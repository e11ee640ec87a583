"""One schema for all parts of a reading, and the parts in that schema; every cast keeps every value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..types import merge
from ..types.arrow_types import arrow_type
from ..types.data_types import CODE_KEY, OBJECTS
from ..types.null_room import has_room_for
from .column_types import MISMATCH
from .envelope_columns import ENVELOPE, free_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .column_types import ColumnTypes
    from .row_tables import Part

__all__ = ["LossyError", "renamed", "result_schema", "unified", "with_schema"]


class LossyError(Exception):
    """A part has values that have no equal in the type of the whole reading.

    Attributes:
        column: the own column of these values.
    """

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def unified(schemas: Iterable[pa.Schema], columns: ColumnTypes) -> pa.Schema:
    """The own columns of all parts, in the order in which they appear first.

    Args:
        schemas: of the parts.
        columns: the types of the columns of rows that say no types, over the whole reading.

    Raises:
        LossyError: no type has all values of a column.
    """
    types = columns.types()
    fields: dict[str, Any] = {}
    for schema in schemas:
        for one in schema:
            is_inferred = one.name in columns.mixed or (one.name in types and not one.metadata)
            field = pa.field(one.name, types[one.name]) if is_inferred else one
            known = fields.get(field.name)
            if known is None or pa.types.is_null(known.type):
                fields[field.name] = field
            elif not known.equals(field, check_metadata=True) and not pa.types.is_null(field.type):
                fields[field.name] = _wider(known, field)
    # The parser returns columns with a given type before others; what has been learned has them in their order.
    learned = dict.fromkeys(columns.learned())
    inferred = (name for name in learned if name in fields)
    return pa.schema([_typed(fields[next(inferred) if name in learned else name]) for name in fields])


def result_schema(own: pa.Schema, *, envelope: bool) -> pa.Schema:
    """The columns of the result: those of the envelope, then the own ones, under free names."""
    if not envelope:
        return own
    names = renamed(own, envelope=envelope)
    return pa.schema([*ENVELOPE, *(field.with_name(names.get(field.name, field.name)) for field in own)])


def renamed(own: pa.Schema, *, envelope: bool) -> dict[str, str]:
    """The own columns that have another name in the result, and that name."""
    if not envelope:
        return {}
    taken = {*ENVELOPE.names, *own.names}
    names: dict[str, str] = {}
    for name in own.names:
        if name in ENVELOPE.names:
            names[name] = free_name(name, taken)
            taken.add(names[name])
    return names


def with_schema(part: Part, own: pa.Schema, result: pa.Schema) -> pa.Table:
    """A part as a table of the result; an own column that it does not have is null.

    Raises:
        LossyError: a value has no equal in the type of its column.
    """
    rows = len(next(iter(part.envelope.values()))) if part.envelope else part.own.num_rows
    present = set(part.own.schema.names)
    absent: dict[pa.DataType, Any] = {}  # one column of nulls for all columns of a type: many may be absent
    for field in own:
        if field.name not in present and field.type not in absent:
            absent[field.type] = _nulls(rows, field)
    columns = [_cast(part.own[field.name], field) if field.name in present else _nulls(rows, field) for field in own]
    return pa.table([*part.envelope.values(), *columns], schema=result)


def _typed(field: pa.Field) -> pa.Field:
    """A field with the type of its code: objects that are all missing had none so far (`typed.py`)."""
    code = (field.metadata or {}).get(CODE_KEY, b"").decode()
    return field.with_type(arrow_type(code)) if code == OBJECTS else field


def _cast(column: Any, field: pa.Field) -> Any:
    if column.type == field.type:
        return column
    if pa.types.is_null(column.type):
        return _nulls(len(column), field)
    try:
        if pa.types.is_nested(field.type):
            return _cast_nested(column, field)
        if pa.types.is_dictionary(column.type) and pa.types.is_dictionary(field.type):
            return _without_order(column, field.type)
        if pa.types.is_string(_plain(column.type)) or not pa.types.is_string(field.type):
            return column.cast(field.type, safe=True)
    except MISMATCH:
        pass
    raise LossyError(field.name)


def _without_order(column: Any, kind: pa.DataType) -> Any:
    chunks = [
        pa.DictionaryArray.from_arrays(one.indices, one.dictionary.cast(kind.value_type), ordered=kind.ordered)
        for one in column.chunks
    ]
    return pa.chunked_array(chunks, kind)


def _nulls(rows: int, field: pa.Field) -> Any:
    if not has_room_for(rows, field.type):
        raise LossyError(field.name)
    return pa.nulls(rows, field.type)


def _cast_nested(column: Any, field: pa.Field) -> Any:
    both = [pa.schema([field]).empty_table(), pa.table([column], names=[field.name])]
    try:
        merged = pa.concat_tables(both, promote_options="permissive")[field.name]
    except MISMATCH:
        merged = column
    # Where a part has only nulls inside of its lists, their type was not known.
    return merged if merged.type == field.type else column.cast(field.type, safe=True)


def _wider(known: pa.Field, other: pa.Field) -> pa.Field:
    codes = [(field.metadata or {}).get(CODE_KEY, b"").decode() for field in (known, other)]
    code = merge(codes) if all(codes) else None
    if code is not None and _unordered(known.type) == _unordered(other.type):
        # Of different orders none is right.
        kind = known.type if codes[0] == codes[1] else _unordered(known.type)
        return pa.field(known.name, kind, metadata={CODE_KEY: code.encode()})
    if known.type == other.type:
        return known.with_metadata(None)
    kinds = [_plain(field.type) for field in (known, other)]
    if any(map(pa.types.is_floating, kinds)) and any(map(pa.types.is_integer, kinds)):
        return pa.field(known.name, pa.float64())
    if any(map(_is_binary, kinds)) and any(map(_is_text, kinds)):
        raise LossyError(known.name)  # Arrow would make bytes of the text
    schemas = [pa.schema([pa.field(known.name, kind)]) for kind in kinds]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except MISMATCH:
        raise LossyError(known.name) from None


def _unordered(kind: pa.DataType) -> pa.DataType:
    return pa.dictionary(kind.index_type, kind.value_type) if pa.types.is_dictionary(kind) else kind


def _is_binary(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values of a categorical column, which is a dictionary in Arrow."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
