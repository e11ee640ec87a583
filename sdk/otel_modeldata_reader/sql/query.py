"""A query: the collections that it names are read when its rows are asked for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..exceptions import ReaderError, UnknownNameError
from ..nearest import nearest
from ..progress import Step
from .database import locked_database, sentence
from .plain_columns import plain_columns
from .statement import parsed
from .table_names import table_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from ..joined_rows import JoinedRows
    from ..joining import JoinReport
    from ..reading import Reading
    from ..report import ReadReport
    from ..window import Moment
    from .statement import NamedTable
    from .stored_table import StoredTable
    from .table_names import Table, TableNames

__all__ = ["Query", "Source"]

_BATCH_ROWS: Final = 65_536
_SHOWN_MEANINGS: Final = 5


class _Joins(Protocol):
    """`Store.join`."""

    def __call__(self, deployment: str, since: Moment, until: Moment, *, labels: bool) -> JoinedRows: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The store of a query.

    Attributes:
        shown: the store, for messages.
        collections: the folders of its collections.
        read: `Store.read`.
        join: `Store.join`.
    """

    shown: str
    collections: tuple[str, ...]
    read: Callable[[str, Moment, Moment], Reading]
    join: _Joins


class Query:
    """The rows of a query; see `Store.query`. Each method reads the store again.

    Args:
        source: the store.
        text: one statement in SQL.
        since: as for `Store.read`.
        until: likewise.

    Raises:
        ReaderError: the text is not one statement that reads.
        UnknownNameError: it names a table that there is not.
    """

    def __init__(self, source: Source, text: str, since: Moment = None, until: Moment = None) -> None:
        self._source = source
        self._since = since
        self._until = until
        self._names = table_names(source.collections)
        with locked_database() as connection:
            self._statement = parsed(connection, text)
        self._tables: list[Table] = []
        for named in self._statement.tables:
            table = self._names.find(named.schema, named.name)
            if table is not None:
                self._tables += [] if table in self._tables else [table]
            elif not named.is_system:
                raise UnknownNameError(_unknown(self._names, named, source.shown))
        self._reports: dict[str, ReadReport] | None = None
        self._joins: dict[str, JoinReport] = {}

    def __repr__(self) -> str:
        return f"Query({self._statement.text!r} of {self._source.shown!r})"

    @property
    def reports(self) -> Mapping[str, ReadReport]:
        """What was read and skipped of each collection. If nothing has been read before, everything is read now.

        Raises:
            ReaderError: as for `batches`.
        """
        if self._reports is None:
            for _ in self.batches():
                pass
        return dict(self._reports or {})

    @property
    def joins(self) -> Mapping[str, JoinReport]:
        """The reports of the joined rows that were read, by deployment; likewise.

        Raises:
            ReaderError: as for `batches`.
        """
        return dict(self._joins) if self.reports or self._joins else {}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow record batches of one schema. The result is never in memory as a whole.

        Raises:
            StoreUnavailableError: the store cannot be read.
            UnknownNameError: the SQL names a column that there is not.
            ReaderError: DuckDB cannot run the SQL.
        """
        for batch in self._stream():
            if batch.num_rows:
                yield batch

    def to_arrow(self) -> pa.Table:
        """The rows as a table.

        Raises:
            ReaderError: as for `batches`.
        """
        import pyarrow as pa  # noqa: PLC0415 (slow to import)

        return pa.Table.from_batches(list(self._stream())).unify_dictionaries()

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a frame. Columns that the query takes as they are have the dtypes that were collected.

        Raises:
            ReaderError: as for `batches`.
        """
        from ..rows.frames import to_pandas  # noqa: PLC0415 (imports pyarrow)

        return to_pandas(self.to_arrow())

    def to_polars(self) -> pl.DataFrame:
        """The rows as a frame of Polars.

        Raises:
            ReaderError: Polars is not installed, and as for `batches`.
        """
        from ..rows.frames import to_polars  # noqa: PLC0415 (imports pyarrow)

        return to_polars(self.to_arrow())

    def _stream(self) -> Iterator[pa.RecordBatch]:
        """The rows; the first batch may be empty, but has the schema."""
        import duckdb  # noqa: PLC0415 (slow to import)

        from .result import Result  # noqa: PLC0415 (imports pyarrow)

        with self._loaded() as (connection, tables):
            running = Step("query, result")
            try:
                relation = connection.sql(self._statement.text)
                reader = relation.to_arrow_reader(_BATCH_ROWS)
                result = Result.of(reader.schema, tables, plain_columns(self._statement.node))
                yield result.empty()
                for batch in reader:
                    running.end()
                    yield result.batch(batch)
            except duckdb.Error as error:
                raise self._explained(error, tables) from None
            finally:
                running.end()

    @contextmanager
    def _loaded(self) -> Iterator[tuple[DuckDBPyConnection, list[StoredTable]]]:
        """A database with the tables of the statement."""
        from .stored_table import store_names, store_table  # noqa: PLC0415 (imports pyarrow)

        reports: dict[str, ReadReport] = {}
        joins: dict[str, JoinReport] = {}
        with locked_database() as connection:
            tables = []
            for table in self._tables:
                names = self._names.of(table)
                schema = None
                if table.is_joined:
                    rows = self._source.join(table.root, self._since, self._until, labels=True)
                    batches, schema = iter(rows.table.to_batches(_BATCH_ROWS)), rows.table.schema
                    reports |= _reports_of(table.root, rows)
                    joins[table.root] = rows.report
                    tables.append(store_table(connection, names, batches, schema, self._statement))
                    continue
                reading = self._source.read(table.root, self._since, self._until)
                tables.append(store_table(connection, names, reading.batches(), None, self._statement))
                reports[table.root] = reading.report
            if self._statement.lists_tables:
                others = [name for name, table in self._names.tables.items() if table not in self._tables]
                store_names(connection, others)
            self._reports, self._joins = reports, joins
            yield connection, tables

    def _explained(self, error: Exception, tables: list[StoredTable]) -> ReaderError:
        reason = sentence(error)
        column = _column_in(reason)
        if column is not None:
            from ..rows.envelope_columns import own_first  # noqa: PLC0415 (imports pyarrow)

            known = own_first(dict.fromkeys(name for table in tables for name in table.every))
            shown = ", ".join(map(str, self._tables)) or "the query"
            return UnknownNameError(f"expected a column of {shown}, got {column!r}: {nearest(column, known)}")
        return ReaderError(f"expected SQL that DuckDB can run, got: {reason}")


def _unknown(names: TableNames, named: NamedTable, store: str) -> str:
    """The message about a table that there is not."""
    if not named.schema and (meant := names.meanings(named.name)):
        more = f" or {len(meant) - _SHOWN_MEANINGS:,} more" if len(meant) > _SHOWN_MEANINGS else ""
        shown = " or ".join(repr(str(name)) for name in meant[:_SHOWN_MEANINGS])
        return (
            f"expected one collection of {store}, got {named.name!r}, which several deployments have: "
            f"write {shown}{more}"
        )
    return f"expected a collection of {store}, got {str(named)!r}: {nearest(str(named), list(map(str, names.tables)))}"


def _column_in(reason: str) -> str | None:
    """The column that DuckDB did not find."""
    start = 'Referenced column "'
    if not reason.startswith(start):
        return None
    return reason[len(start) :].partition('" not found')[0]


def _reports_of(deployment: str, rows: JoinedRows) -> dict[str, Any]:
    found = {"model_inputs": rows.inputs, "model_outputs": rows.outputs, "ground_truth": rows.labels}
    return {f"{deployment}/{name}": report for name, report in found.items() if report is not None}
