"""The columns of a result, decided when every row has been seen, and the rows that `where` chooses."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ..exceptions import ReaderError, UnknownNameError
from ..nearest import nearest
from ..types.null_room import has_room_for
from .envelope_columns import ENVELOPE, own_first
from .unify import LossyError, renamed, result_schema, unified, with_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .column_types import ColumnTypes
    from .row_tables import Part

__all__ = ["Plan", "planned", "where"]

_MOST_ROWS: Final = 1 << 20
"""About the rows of a part."""
_TABLE: Final = "rows"
_MISSING_COLUMN: Final = re.compile(r'Referenced column "(.+?)" not found')
_MOST_LINES: Final = 2
_SETTINGS: Final = (
    "TimeZone = 'UTC'",
    # A condition may come from a page or a file: it touches no files and no variables.
    "enable_external_access = false",
    "autoload_known_extensions = false",
    "python_enable_replacements = false",
    "lock_configuration = true",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The columns of a result.

    Attributes:
        own: the own columns.
        every: all columns, under the names that they have in the result.
        selected: those that were asked for.
        renamed: own columns that have another name in the result.
        is_wider: whether a column has another type than in some part, so that a value may have no equal in it, or
            nulls that may not fit into memory.
    """

    own: pa.Schema
    every: pa.Schema
    selected: pa.Schema
    renamed: Mapping[str, str]
    is_wider: bool

    @property
    def types(self) -> dict[str, str]:
        """The type of each own column, for messages."""
        return {field.name: str(field.type) for field in self.own}

    def table(self, part: Part) -> pa.Table:
        """A part as a table with all columns.

        Raises:
            LossyError: a value has no equal in the type of its column, so the part must be read again.
        """
        return with_schema(part, self.own, self.every)


def planned(found: Sequence[pa.Schema], columns: ColumnTypes, wanted: Sequence[str] | None, *, envelope: bool) -> Plan:
    """The columns of a result.

    Args:
        found: the own columns of each part.
        columns: what one pass over all rows has learned; a column that no other type can hold becomes text.
        wanted: the columns that were asked for; None means all.
        envelope: whether the envelope's columns are there, too.

    Raises:
        UnknownNameError: a column that no row has.
    """
    columns.settle()
    while True:
        try:
            own = unified(found, columns)
            break
        except LossyError as error:
            columns.mixed.add(error.column)
    every = result_schema(own, envelope=envelope)
    selected = _selected(every, wanted, is_empty=not found)
    if not found:
        every = pa.schema([*every, *(field for field in selected if field.name not in every.names)])
        own = pa.schema([field for field in every if field.name not in ENVELOPE.names or not envelope])
    return Plan(
        own=own,
        every=every,
        selected=selected,
        renamed=renamed(own, envelope=envelope),
        is_wider=any(_is_other(field, own) for schema in found for field in schema if field.name not in columns.mixed)
        or not all(has_room_for(_MOST_ROWS, field.type) for field in own),
    )


@contextmanager
def where(text: str | None) -> Iterator[Callable[[pa.Table], pa.Table]]:
    """A function that returns the rows of a table for which a condition in DuckDB's SQL is true; None chooses all.

    Raises:
        ReaderError: DuckDB is not installed; from the function: it is no condition, or has a column that there is not.
    """
    if text is None:
        yield lambda table: table
        return
    try:
        import duckdb  # noqa: PLC0415 (only for conditions)
    except ImportError:
        raise ReaderError(
            "expected DuckDB for a condition, got no such package: pip install 'otel-modeldata[read]'"
        ) from None
    with duckdb.connect() as connection:
        connection.execute("".join(f"SET {one};" for one in _SETTINGS))

        def chosen(table: pa.Table) -> pa.Table:
            connection.register(_TABLE, table)
            try:
                kept = connection.table(_TABLE).select(duckdb.SQLExpression(text)).to_arrow_table()
                (column,) = kept.columns
                return table.filter(column.cast(pa.bool_()))
            except (duckdb.Error, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                reason = " ".join(" ".join(str(error).splitlines()[:_MOST_LINES]).split())
                if missing := _MISSING_COLUMN.search(reason):
                    near = nearest(missing[1], own_first(table.column_names))
                    reason = f"there is no column {missing[1]!r}; {near}"
                raise ReaderError(f"expected a condition in SQL, got {text!r}: {reason}") from None
            except ValueError:  # such as `*`
                raise ReaderError(
                    f"expected a condition in SQL, got {text!r}, which has not one value: correct it"
                ) from None
            finally:
                connection.unregister(_TABLE)

        yield chosen


def _is_other(field: pa.Field, own: pa.Schema) -> bool:
    return not pa.types.is_null(field.type) and bool(own.field(field.name).type != field.type)


def _selected(schema: pa.Schema, columns: Sequence[str] | None, *, is_empty: bool) -> pa.Schema:
    """The fields of some columns, in their order; without any rows no own column is known, so each is possible."""
    if columns is None:
        return schema
    fields = []
    for name in columns:
        if name in schema.names:
            fields.append(schema.field(name))
        elif is_empty:
            fields.append(pa.field(name, pa.null()))
        else:
            near = nearest(name, own_first(schema.names))
            raise UnknownNameError(f"expected a column of the rows, got {name!r}: {near}")
    return pa.schema(fields)
