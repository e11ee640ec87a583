"""One reading of a collection: its rows as batches, as a table or as a frame, and the report of what was skipped.

Nothing is read before one of them is asked for. The types of the columns are known when every row has been seen. So a
table is read once and then unified, which needs another pass only where a value would be lost. Of batches the first
must have the final types already: they are read twice, unless all of them fit in the memory that they may take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from .exceptions import DamagedLineError, ReaderError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from mlflow.data.pandas_dataset import PandasDataset

    from .blobs.listing import CollectionBlobs
    from .blobs.store_access import StoreAccess
    from .engines.planning import ReadPlan
    from .report import ReadReport, SealCounts
    from .rows.column_types import ColumnTypes
    from .rows.one_pass import OnePass
    from .rows.result import Plan
    from .rows.row_tables import Part
    from .window import Window

__all__ = ["Reading", "Request", "check_packages"]

_NEEDED: Final = ("pyarrow", "msgspec")
"""Of the extra `read`."""
_BATCH_ROWS: Final = 65_536
_KEPT_BYTES: Final = 64 << 20
"""The rows of so many bytes of blobs are kept in memory while the types are being learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to read.

    Attributes:
        collection: its blobs.
        window: only events of this window.
        columns: only these columns of the result, in this order; None means all.
        where: only rows for which this is true: a condition in DuckDB's SQL.
        envelope: whether the envelope's columns come before the own ones.
        strict: whether what would be skipped is an error.
        repeated: whether an event whose id was read before is read again: another line may have other rows.
        seals: what was left out, if the blobs are only those that are sealed.
    """

    collection: CollectionBlobs
    window: Window
    columns: Sequence[str] | None = None
    where: str | None = None
    envelope: bool = True
    strict: bool = False
    repeated: bool = False
    seals: SealCounts | None = None


class Reading:
    """The rows of a collection; see `Store.read`. Each method reads the store again."""

    def __init__(self, store: StoreAccess, request: Request) -> None:
        check_packages()
        self._store = store
        self._request = request
        self._report: ReadReport | None = None

    def __repr__(self) -> str:
        return f"Reading({self._request.collection.root!r} of {self._store.shown!r})"

    @property
    def report(self) -> ReadReport:
        """What was read and what was skipped. If nothing has been read to its end before, everything is read now.

        Raises:
            ReaderError: as for `batches`.
        """
        if self._report is None:
            for _ in self.batches():
                pass
        assert self._report is not None  # noqa: S101 - the batches have ended
        return self._report

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow record batches of one schema, a few megabytes each, in bounded memory.

        Raises:
            StoreUnavailableError: the store cannot be read.
            UnknownNameError: no such column.
            DamagedLineError: something is skipped, and the reading is strict.
            ReaderError: `where` cannot be evaluated.
        """
        from .rows.unify import LossyError  # noqa: PLC0415 (imports pyarrow)

        may_keep = self._size() <= _KEPT_BYTES
        is_kept = may_keep
        first = self._pass(None, "rows" if is_kept else "columns", envelope=may_keep and self._request.envelope)
        schemas: dict[str, pa.Schema] = {}
        parts: list[Part] = []
        size = 0
        for part in first.parts():
            schemas.setdefault(part.own.schema.to_string(), part.own.schema)
            size += part.nbytes
            if may_keep := may_keep and size <= _KEPT_BYTES:  # payloads that are objects of their own may be large
                parts.append(part)
            else:
                parts.clear()
        plan = self._planned(list(schemas.values()), first.columns)
        if may_keep and (tables := _exact_tables(plan, parts)) is not None:
            yield from self._chosen(first, plan, tables)
            return
        parts.clear()
        while plan.is_wider:  # a pass that only looks whether every value has an equal in the type of its column
            try:
                for part in self._pass(first.columns, "types").parts():
                    plan.table(part)
                break
            except LossyError as error:
                first.columns.mixed.add(error.column)
                plan = self._planned(list(schemas.values()), first.columns)
        last = self._pass(first.columns, "rows again" if is_kept else "rows")
        yield from self._chosen(first, plan, map(plan.table, last.parts()))

    def to_arrow(self) -> pa.Table:
        """The rows as a table.

        Raises:
            ReaderError: as for `batches`.
        """
        import pyarrow as pa  # noqa: PLC0415 (slow to import)

        from .rows.result import where  # noqa: PLC0415 (likewise)
        from .rows.unify import LossyError  # noqa: PLC0415 (likewise)

        first = self._pass(None, "rows")
        parts = list(first.parts())
        is_first = True
        while True:
            plan = self._planned([part.own.schema for part in parts], first.columns)
            try:
                tables = [plan.table(part) for part in parts]
                break
            except LossyError as error:
                if not is_first:
                    first.columns.mixed.add(error.column)
                is_first = False  # a pass that knows the final types may find an equal for every value
                parts = []  # two of them would take twice the memory
                parts = list(self._pass(first.columns, "rows again").parts())
        del parts
        with where(self._request.where) as chosen:
            kept = [chosen(table).select(plan.selected.names) for table in tables]
        # An empty table has arrays, for which pyarrow imports pandas; one without batches has none.
        first_table = pa.Table.from_batches([], plan.selected) if kept else plan.selected.empty_table()
        table = pa.concat_tables([first_table, *kept]).unify_dictionaries()
        self._finish(first, plan, table.num_rows)
        return table

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a frame.

        A cell may be no value of the type that its line says, as no SDK writes it: then its column has the values of
        `to_arrow`, and is named in the report.

        Raises:
            ReaderError: as for `batches`.
        """
        from .rows.frames import to_pandas  # noqa: PLC0415 (imports pyarrow)

        names: list[str] = []
        frame = to_pandas(self.to_arrow(), names.append)
        if names and self._request.strict:
            raise DamagedLineError(
                f"expected values of the types that the lines say, got others in the column {names[0]!r}: read with "
                "strict=False, which has them as texts"
            )
        self._report = replace(self.report, unconverted=tuple(names))
        return frame

    def to_polars(self) -> pl.DataFrame:
        """The rows as a frame of Polars.

        Raises:
            ReaderError: Polars is not installed, and as for `batches`.
        """
        from .rows.frames import to_polars  # noqa: PLC0415 (imports pyarrow)

        return to_polars(self.to_arrow())

    def plan(self, schema: pa.Schema | None = None) -> ReadPlan:
        """This reading in parts that other processes can read; the collection is read once now.

        Args:
            schema: the columns and their types; without it they are found over all rows.

        Raises:
            ReaderError: as for `batches`.
        """
        from .engines.planning import plan_read  # noqa: PLC0415 (imports pyarrow)

        return plan_read(self._store, self._request, schema)

    def scan_polars(self) -> pl.LazyFrame:
        """The rows as a lazy frame of Polars, which reads them when it is collected.

        Raises:
            ReaderError: Polars is not installed, and as for `plan`.
        """
        from .engines.polars import scan_polars  # noqa: PLC0415 (imports pyarrow)

        return scan_polars(self.plan())

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """The rows as a relation of DuckDB; each query that uses it reads them again, in bounded memory.

        Args:
            connection: where the relation is used; None is DuckDB's default one.

        Raises:
            ReaderError: as for `plan`.
        """
        from .engines.duckdb import to_duckdb  # noqa: PLC0415 (imports pyarrow)

        return to_duckdb(self.plan(), connection)

    def to_dask(self) -> Any:
        """The rows as a frame of Dask, whose partitions its workers read.

        Raises:
            ReaderError: Dask is not installed, and as for `plan`.
        """
        from .engines.dask import to_dask  # noqa: PLC0415 (imports pyarrow)

        return to_dask(self.plan())

    def to_daft(self) -> Any:
        """The rows as a lazy frame of Daft, whose partitions its workers read.

        Raises:
            ReaderError: Daft is not installed, and as for `plan`.
        """
        try:
            from .engines.daft import ModeldataSource  # noqa: PLC0415 (imports Daft)
        except ImportError:
            raise ReaderError("expected Daft, got no such package: pip install daft") from None
        return ModeldataSource(self.plan()).read()

    def to_mlflow_dataset(
        self, *, targets: str | None = None, predictions: str | None = None, name: str | None = None
    ) -> PandasDataset:
        """The rows as a dataset of MLflow, for `mlflow.log_input` and `mlflow.models.evaluate`.

        Its source is the store and the window, without credentials; its digest is equal for equal rows.

        Args:
            targets: the column that has what was right.
            predictions: the column that has what the model answered.
            name: of the dataset; by default that of the collection.

        Raises:
            ReaderError: MLflow is not installed, and as for `batches`.
        """
        from .datasets.mlflow_dataset import mlflow_dataset  # noqa: PLC0415 (with the first dataset)
        from .datasets.origin import Origin, window_texts  # noqa: PLC0415 (likewise)

        asked, root = self._request, self._request.collection.root
        columns = None if asked.columns is None else list(asked.columns)
        arguments = {"collection": root, "columns": columns, "where": asked.where, "envelope": asked.envelope}
        arguments |= window_texts(asked.window) | ({} if asked.seals is None else {"sealed": True})
        origin = Origin(store=self._store.shown, method="read", arguments=arguments)
        return mlflow_dataset(
            self.to_pandas(), origin, name=name or root or "rows", targets=targets, predictions=predictions
        )

    def _chosen(self, first: OnePass, plan: Plan, tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
        """The batches of tables with all columns: those rows and columns that were asked for."""
        from .rows.result import where  # noqa: PLC0415 (imports pyarrow)

        kept = 0
        with where(self._request.where) as chosen:
            for table in tables:
                found = chosen(table).select(plan.selected.names)
                kept += found.num_rows
                yield from found.to_batches(max_chunksize=_BATCH_ROWS)
        self._finish(first, plan, kept)

    def _size(self) -> int:
        """Bytes to read."""
        return sum(blob.size for blob in self._request.collection.within(self._request.window))

    def _pass(self, known: ColumnTypes | None, reading: str, *, envelope: bool | None = None) -> OnePass:
        from .lines.tally import Tally  # noqa: PLC0415 (imports msgspec)
        from .progress import Progress  # noqa: PLC0415 (with the others)
        from .rows.one_pass import OnePass  # noqa: PLC0415 (imports pyarrow)
        from .rows.wanted_columns import wanted_columns  # noqa: PLC0415 (with the others)

        collection = self._request.collection
        progress = Progress(collection.root, self._size(), reading)
        return OnePass(
            store=self._store,
            collection=collection,
            window=self._request.window,
            envelope=self._request.envelope if envelope is None else envelope,
            tally=Tally(strict=self._request.strict),
            known=known,
            progress=progress.add,
            repeated=self._request.repeated,
            wanted=wanted_columns(self._request.columns, self._request.where),
        )

    def _planned(self, schemas: Sequence[pa.Schema], columns: ColumnTypes) -> Plan:
        from .rows.result import planned  # noqa: PLC0415 (imports pyarrow)

        asked = self._request
        try:
            return planned(schemas, columns, asked.columns, envelope=asked.envelope)
        except UnknownNameError:
            if not asked.collection.compacted:
                raise
            every = replace(asked, columns=None, where=None, strict=False)  # the message names columns that there are
            names = Reading(self._store, every).to_arrow().slice(0, 0)
            return planned([names.schema], columns, asked.columns, envelope=False)

    def _finish(self, first: OnePass, plan: Plan, kept: int) -> None:
        from .blobs.set_aside import parked_bytes, quarantined_lines  # noqa: PLC0415 (only at the end)

        root = self._request.collection.root
        blobs, size = first.extent
        self._report = first.tally.report(
            plan.types,
            tuple(plan.renamed.items()),
            seals=self._request.seals,
            blobs=blobs,
            size=size,
            kept=kept,
            quarantined=quarantined_lines(self._store, self._request.window),
            parked=parked_bytes(self._store, root) if root else 0,
        )


def check_packages() -> None:
    """Raise ReaderError if the extra `read` is not installed, before anything of it is imported."""
    if missing := next(filter(_is_missing, _NEEDED), None):
        raise ReaderError(f"expected the dependencies of read, got no {missing}: pip install 'otel-modeldata[read]'")


def _is_missing(package: str) -> bool:
    try:
        return find_spec(package) is None
    except ValueError:  # `sys.modules[package] = None`
        return True


def _exact_tables(plan: Plan, parts: Sequence[Part]) -> list[pa.Table] | None:
    """The parts with all columns; None if a value has no equal in the type of its column."""
    from .rows.unify import LossyError  # noqa: PLC0415 (imports pyarrow)

    try:
        return [plan.table(part) for part in parts]
    except LossyError:
        return None
