"""Rows that were not there when the schema was found: each fits into it, or is an error; none becomes a silent null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..exceptions import ReaderError
from ..rows.column_types import MISMATCH
from ..rows.envelope_columns import ENVELOPE
from ..rows.result import planned
from ..rows.unify import LossyError

if TYPE_CHECKING:
    from ..rows.column_types import ColumnTypes
    from ..rows.result import Plan
    from ..rows.row_tables import Part

__all__ = ["CheckedRows", "GivenRows", "given_plan"]


class CheckedRows:
    """Rows of a schema that was found over earlier rows: with them it would have been the same.

    Args:
        plan: the columns.
        columns: what is known about the types of rows that say none; it learns from the new rows.
        envelope: whether rows have the envelope's columns.
    """

    def __init__(self, plan: Plan, columns: ColumnTypes, *, envelope: bool) -> None:
        self._plan = plan
        self._columns = columns
        self._envelope = envelope

    def table(self, part: Part, blob: str) -> pa.Table:
        """A part as a table with all columns.

        Args:
            part: the rows.
            blob: where they are.

        Raises:
            ReaderError: the schema has no such column, or its type does not hold a value.
        """
        own = self._plan.own
        now = planned([own, part.own.schema], self._columns, None, envelope=self._envelope).own
        for field in now:
            if field.name not in own.names:
                raise ReaderError(_changed(blob, f"the new column {field.name!r} ({field.type})"))
            if _plain(field.type) != _plain(own.field(field.name).type):
                raise ReaderError(_changed(blob, _other(own.field(field.name), part.own.schema.field(field.name).type)))
        try:
            return self._plan.table(part)
        except LossyError as error:
            type_now = part.own.schema.field(error.column).type
            raise ReaderError(_changed(blob, _other(own.field(error.column), type_now))) from None


class GivenRows:
    """Rows of a schema that the caller has given: other columns are left out, and each value keeps what it is.

    Args:
        plan: the columns.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def table(self, part: Part, blob: str) -> pa.Table:
        """A part as a table with all columns.

        Args:
            part: the rows.
            blob: where they are.

        Raises:
            ReaderError: a value has no equal in the type of its column.
        """
        present = set(part.own.schema.names)
        rows = len(next(iter(part.envelope.values()))) if part.envelope else part.own.num_rows
        columns = []
        for field in self._plan.every:
            if field.name in part.envelope:
                columns.append(part.envelope[field.name])
            elif field.name in present:
                columns.append(_cast(part.own[field.name], field, blob))
            else:
                columns.append(pa.nulls(rows, field.type))
        return pa.table(columns, schema=self._plan.every)


def given_plan(schema: pa.Schema, *, envelope: bool) -> Plan:
    """The columns of a schema that the caller has given; those of the envelope keep their own types."""
    from ..rows.result import Plan  # noqa: PLC0415 (a value here, a type elsewhere)

    fields = [ENVELOPE.field(one.name) if envelope and one.name in ENVELOPE.names else one for one in schema]
    own = pa.schema([one for one in fields if not envelope or one.name not in ENVELOPE.names])
    every = pa.schema([*ENVELOPE, *own]) if envelope else own
    return Plan(own=own, every=every, selected=pa.schema(fields), renamed={}, is_wider=False)


def _cast(column: Any, field: pa.Field, blob: str) -> Any:
    if column.type == field.type:
        return column
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), field.type)
    try:
        if _class_of(column.type) == _class_of(field.type):
            return pc.cast(column, options=pc.CastOptions(target_type=field.type, allow_time_truncate=True))
    except MISMATCH:
        pass
    raise ReaderError(_changed(blob, _other(field, column.type)))


def _class_of(kind: pa.DataType) -> str:
    """Types of one class have values in common: a number is none of the texts."""
    kind = _plain(kind)
    for name in ("boolean", "string", "large_string", "binary", "date", "time", "timestamp", "duration", "nested"):
        if getattr(pa.types, f"is_{name}")(kind):
            return name.removeprefix("large_")
    return "number"


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _other(field: pa.Field, kind: pa.DataType) -> str:
    if kind == field.type:
        return f"values of {field.name!r} that {field.type} does not hold"
    return f"{kind} in {field.name!r}, which is {field.type}"


def _changed(blob: str, got: str) -> str:
    return (
        f"expected rows of the schema that the reading began with, got {got} in {blob}: begin again, from the same "
        "checkpoint if it is a stream, so that the schema is found again, or give a schema"
    )
