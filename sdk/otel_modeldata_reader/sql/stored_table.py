"""Puts the rows of a collection into DuckDB, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..exceptions import ReaderError
from ..rows.envelope_columns import ENVELOPE
from .column_types import stored, stored_type
from .database import sentence
from .table_names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duckdb import DuckDBPyConnection

    from .statement import Statement
    from .table_names import TableName

__all__ = ["StoredTable", "store_names", "store_table"]

_BATCH = "modeldata_batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTable:
    """A table that is in DuckDB.

    Attributes:
        fields: its columns as they were read, by their names in SQL.
        every: the names of all columns, also of those that were left out.
    """

    fields: dict[str, pa.Field]
    every: tuple[str, ...]


def store_table(
    connection: DuckDBPyConnection,
    names: Sequence[TableName],
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema | None,
    statement: Statement,
) -> StoredTable:
    """Put rows into a table.

    Args:
        connection: the database.
        names: of the table; the others become views of the first.
        batches: the rows.
        schema: of the batches, for a table without any; None without rows.
        statement: what the table is for: columns that it cannot name are left out.

    Raises:
        ReaderError: DuckDB cannot store a value; and what `batches` raises.
    """
    first, *others = names
    table = None
    for batch in batches:
        if table is None:
            table = _Columns.of(connection, batch.schema, statement)
            table.create(connection, first)
        table.insert(connection, first, batch)
    if table is None:
        stored_as = _store_empty(connection, first, schema or ENVELOPE, statement)
    else:
        stored_as = StoredTable(fields=table.fields, every=table.every)
    for other in others:
        _create_view(connection, other, f"FROM {first.sql}")
    return stored_as


def store_names(connection: DuckDBPyConnection, names: Iterable[TableName]) -> None:
    """Make names known without reading their rows: each with the columns that every table has."""
    for name in names:
        _store_empty(connection, name, ENVELOPE, None)


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of a table: as they were read by their names in SQL, and the types that DuckDB has them by."""

    fields: dict[str, pa.Field]
    kinds: tuple[Any, ...]
    every: tuple[str, ...]

    @classmethod
    def of(cls, connection: DuckDBPyConnection, schema: pa.Schema, statement: Statement) -> _Columns:
        names = _names(schema)
        chosen = {name: field for name, field in zip(names, schema, strict=True) if statement.needs(name)}
        if not chosen:  # such as for count(*)
            chosen = {names[0]: schema.field(0)}
        kinds = tuple(_kind(connection, field.type) for field in chosen.values())
        return cls(chosen, kinds, tuple(names))

    def create(self, connection: DuckDBPyConnection, name: TableName) -> None:
        if name.schema:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.schema)}")
        empty = [pa.array([], kind) for kind in self.kinds]
        with _registered(connection, pa.table(empty, names=list(self.fields))):
            connection.execute(f"CREATE TABLE {name.sql} AS FROM {_BATCH}")

    def insert(self, connection: DuckDBPyConnection, name: TableName, batch: pa.RecordBatch) -> None:
        table = pa.Table.from_batches([batch])
        columns = [table[field.name] for field in self.fields.values()]
        columns = [stored(column, kind) for column, kind in zip(columns, self.kinds, strict=True)]
        with _registered(connection, pa.table(columns, names=list(self.fields))):
            connection.execute(f"INSERT INTO {name.sql} FROM {_BATCH}")


class _registered:  # noqa: N801 (a context manager)
    def __init__(self, connection: DuckDBPyConnection, table: pa.Table) -> None:
        self._connection = connection
        self._table = table

    def __enter__(self) -> None:
        self._connection.register(_BATCH, self._table)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        import duckdb  # noqa: PLC0415 (slow to import)

        self._connection.unregister(_BATCH)
        if isinstance(error, duckdb.Error):
            raise ReaderError(f"expected rows that DuckDB can store, got others: {sentence(error)}") from None


def _store_empty(
    connection: DuckDBPyConnection, name: TableName, schema: pa.Schema, statement: Statement | None
) -> StoredTable:
    """A table without rows; where no row is, no own column is known, so each is possible."""
    names = _names(schema)
    known = {one.casefold() for one in names}
    wanted = () if statement is None or statement.columns is None else sorted(statement.columns)
    kinds = [_kind(connection, field.type) for field in schema]
    types = connection.from_arrow(pa.table([pa.array([], kind) for kind in kinds], names=names)).types
    columns = [f"NULL::{kind} AS {quoted(one)}" for one, kind in zip(names, types, strict=True)]
    others = {one.casefold(): one for one in wanted if one.casefold() not in known}
    columns += [f"NULL AS {quoted(one)}" for one in others.values()]
    _create_view(connection, name, f"SELECT {', '.join(columns)} WHERE false")
    return StoredTable(fields=dict(zip(names, schema, strict=True)), every=tuple(names))


def _create_view(connection: DuckDBPyConnection, name: TableName, text: str) -> None:
    if name.schema:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.schema)}")
    connection.execute(f"CREATE VIEW {name.sql} AS {text}")


def _kind(connection: DuckDBPyConnection, kind: Any) -> Any:
    """The type by which DuckDB has the values of a type; text where it refuses it."""
    import duckdb  # noqa: PLC0415 (slow to import)

    wanted = stored_type(kind)
    if not pa.types.is_nested(wanted) and not pa.types.is_dictionary(wanted):
        return wanted
    try:
        connection.from_arrow(pa.table({"c": pa.array([], wanted)})).fetchall()
    except (duckdb.Error, pa.ArrowException):
        return pa.string()
    return wanted


def _names(schema: pa.Schema) -> list[str]:
    """Names that are not equal in SQL, which ignores case, and that have no zero byte."""
    used: set[str] = set()
    names = []
    for name in schema.names:
        name = plain = name.replace("\0", "\ufffd") or "column"  # noqa: PLW2901
        number = 2
        while name.casefold() in used:
            name = f"{plain}_{number}"  # noqa: PLW2901
            number += 1
        used.add(name.casefold())
        names.append(name)
    return names
