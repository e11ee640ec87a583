"""A source of Daft with one task for each part of a plan; imports Daft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from daft import Schema
from daft.io.source import DataSource, DataSourceTask
from daft.recordbatch import RecordBatch

from .plain_types import as_schema, daft_schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .partition import Partition
    from .planning import ReadPlan

__all__ = ["ModeldataSource"]


class ModeldataSource(DataSource):
    """The rows of a plan.

    Args:
        plan: what to read.
    """

    def __init__(self, plan: ReadPlan) -> None:
        self._plan = plan

    @property
    def name(self) -> str:
        """The name in Daft's plans."""
        return "modeldata"

    @property
    def schema(self) -> Any:
        """The columns."""
        return Schema.from_pyarrow_schema(daft_schema(self._plan.schema))

    async def get_tasks(self, pushdowns: Any) -> AsyncIterator[DataSourceTask]:
        """One task for each partition; it reads only the columns that are used."""
        for partition in self._plan.partitions:
            yield _Task(partition, pushdowns.columns)


class _Task(DataSourceTask):
    def __init__(self, partition: Partition, columns: list[str] | None) -> None:
        self._partition = partition
        names = partition.rows.schema.names if columns is None else columns
        self._schema = daft_schema(pa.schema([partition.rows.schema.field(name) for name in names]))

    @property
    def schema(self) -> Any:
        return Schema.from_pyarrow_schema(self._schema)

    async def read(self) -> AsyncIterator[RecordBatch]:
        for batch in self._partition.batches(self._schema.names):
            table = as_schema(pa.Table.from_batches([batch]), self._schema)
            for one in table.to_batches():
                yield RecordBatch.from_arrow_record_batches([one], self._schema)
