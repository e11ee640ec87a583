"""The stream of Spark: new rows exactly once, by the offsets that Spark keeps in its checkpoint; imports PySpark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import DataSourceStreamReader
from pyspark.sql.streaming.datasource import ReadAllAvailable, ReadLimit, ReadMaxBytes, SupportsTriggerAvailableNow

from ..window import window_of
from .checked_rows import given_plan
from .growing import GrowingCollection
from .partition import ReadRows
from .remote_store import remote_store
from .spark_source import SparkPartition, read_partition

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyspark.sql.datasource import InputPartition

    from .planning import ReadPlan
    from .spark_options import SparkOptions

__all__ = ["stream_reader"]


def stream_reader(options: SparkOptions, plan: ReadPlan | None, schema: pa.Schema) -> DataSourceStreamReader:
    """Reads a collection while it grows.

    Args:
        options: what to read.
        plan: has the schema that was found; None where the user has given one, so that there may be no row yet.
        schema: the columns in Spark's types.
    """
    rows = _given_rows(options, schema) if plan is None else plan.rows
    return _StreamReader(GrowingCollection(rows), schema, options.max_bytes_per_batch)


def _given_rows(options: SparkOptions, schema: pa.Schema) -> ReadRows:
    from ..blobs.store_access import StoreAccess  # noqa: PLC0415 (only for a schema that was given)

    return ReadRows(
        store=remote_store(StoreAccess(options.store)),
        root=options.collection,
        window=window_of(options.since, options.until),
        where=options.where,
        envelope=options.envelope,
        plan=given_plan(schema, envelope=options.envelope),
        columns=None,
        is_complete=False,
    )


class _StreamReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    def __init__(self, collection: GrowingCollection, schema: pa.Schema, most: int | None) -> None:
        self._collection = collection
        self._schema = schema
        self._most = most
        self._sizes: dict[str, int] | None = None

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802 (the names are Spark's)
        return self._collection.first_offset()

    def getDefaultReadLimit(self) -> ReadLimit:  # noqa: N802
        return ReadAllAvailable() if self._most is None else ReadMaxBytes(self._most)

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802
        self._sizes = self._collection.sizes()

    def latestOffset(self, start: dict[str, Any], limit: ReadLimit) -> dict[str, Any]:  # noqa: N802
        sizes = self._collection.sizes() if self._sizes is None else self._sizes
        most = limit.max_bytes if isinstance(limit, ReadMaxBytes) else None
        return self._collection.next_offset(start, sizes, most)

    def partitions(self, start: dict[str, Any], end: dict[str, Any]) -> list[SparkPartition]:
        return [SparkPartition(one) for one in self._collection.partitions(start, end)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        return read_partition(partition.value, self._schema)
