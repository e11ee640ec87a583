"""One schema for all parts of a reading, and the parts in that schema; every cast keeps every value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from .envelope_columns import ENVELOPE, free_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .row_tables import Part

__all__ = ["LossyError", "renamed", "result_schema", "unified", "with_schema"]

_MISMATCH: Final = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError)


class LossyError(Exception):
    """A part has values that have no equal in the type of the whole reading.

    Attributes:
        column: the own column of these values.
    """

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def unified(schemas: Iterable[pa.Schema], types: Mapping[str, Any]) -> pa.Schema:
    """The own columns of all parts, in the order in which they appear first.

    Args:
        schemas: of the parts.
        types: the types of the columns of rows that say no types, over the whole reading.

    Raises:
        LossyError: no type has all values of a column.
    """
    fields: dict[str, Any] = {}
    for schema in schemas:
        for one in schema:
            field = one if one.metadata or one.name not in types else pa.field(one.name, types[one.name])
            known = fields.get(field.name)
            if known is None or pa.types.is_null(known.type):
                fields[field.name] = field
            elif not known.equals(field, check_metadata=True) and not pa.types.is_null(field.type):
                fields[field.name] = _wider(known, field)
    return pa.schema(list(fields.values()))


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
    columns = [
        _cast(part.own[field.name], field) if field.name in present else pa.nulls(rows, field.type) for field in own
    ]
    return pa.table([*part.envelope.values(), *columns], schema=result)


def _cast(column: Any, field: pa.Field) -> Any:
    if column.type == field.type:
        return column
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), field.type)
    try:
        if pa.types.is_nested(field.type):
            both = [pa.schema([field]).empty_table(), pa.table([column], names=[field.name])]
            merged = pa.concat_tables(both, promote_options="permissive")[field.name]
            if merged.type == field.type:
                return merged
        elif not pa.types.is_string(field.type):
            return column.cast(field.type, safe=True)
    except _MISMATCH:
        pass
    raise LossyError(field.name)


def _wider(known: pa.Field, other: pa.Field) -> pa.Field:
    if known.type == other.type:
        return known.with_metadata(None)
    schemas = [pa.schema([field.with_metadata(None)]) for field in (known, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except _MISMATCH:
        raise LossyError(known.name) from None
