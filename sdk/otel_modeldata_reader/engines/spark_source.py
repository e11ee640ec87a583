"""The data source of Spark; imports PySpark.

Spark makes the source on the driver, asks it for the schema, and sends it to the processes that plan and read. So the
plan that found the schema is sent with it: the collection is planned once for a frame, and each use of the frame reads
the same rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from ..exceptions import ReaderError
from .plain_types import as_schema, spark_schema
from .spark_options import read_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql.datasource import DataSourceStreamReader
    from pyspark.sql.types import StructType

    from .partition import Partition
    from .planning import ReadPlan

__all__ = ["ModeldataSource", "SparkPartition", "read_partition"]


class ModeldataSource(DataSource):
    """A collection.

    Args:
        options: see `SparkOptions`.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(dict(options))
        self._read = read_options(options)
        self._plan: ReadPlan | None = None

    @classmethod
    def name(cls) -> str:
        """The name of the format."""
        return "modeldata"

    def schema(self) -> StructType:
        """The columns, found over all rows that there are."""
        self._plan = self._read.reading().plan()
        return from_arrow_schema(spark_schema(self._plan.schema))

    def reader(self, schema: StructType) -> DataSourceReader:
        """Reads the collection once."""
        arrow = to_arrow_schema(schema, timezone="UTC")
        plan = self._read.reading().plan(schema=arrow) if self._plan is None else self._plan
        return _Reader(plan, arrow)

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 (the name is Spark's)
        """Reads the collection while it grows."""
        try:
            from .spark_stream import stream_reader  # noqa: PLC0415 (needs a newer Spark than batches)
        except ImportError:
            from pyspark import __version__ as version  # noqa: PLC0415 (for the message)

            raise ReaderError(
                f"expected PySpark 4.2 or newer for a stream, got {version}: upgrade it, or read with spark.read"
            ) from None
        return stream_reader(self._read, self._plan, to_arrow_schema(schema, timezone="UTC"))


class SparkPartition(InputPartition):
    """A partition, as Spark sends it to a worker."""

    value: Partition


class _Reader(DataSourceReader):
    def __init__(self, plan: ReadPlan, schema: pa.Schema) -> None:
        self._partitions = [SparkPartition(one) for one in plan.partitions]
        self._schema = schema

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_partitions": []}  # a worker is sent its own one

    def partitions(self) -> list[SparkPartition]:
        return self._partitions

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        return read_partition(partition.value, self._schema)


def read_partition(partition: Partition | None, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a partition in Spark's types; Spark sends None where there is no partition."""
    if partition is None:
        return
    for batch in partition.batches(schema.names):
        yield from as_schema(pa.Table.from_batches([batch]), schema).to_batches()
