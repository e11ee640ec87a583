"""An audit whose lines are read by the executors of Spark.

```python
from otel_modeldata_reader.engines.spark_audit import audit_on_spark

result = audit_on_spark(spark, "az://modeldata/prod")
```

Executors summarize segments of blobs and send the summaries back, with 8 bytes for each line. The driver compares the
ids and reconciles the producers, in bounded memory, as `otel-modeldata audit` does.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from otel_modeldata_receiver.storage.open_store import open_store

from ..auditing.audit import Selection, audit
from ..auditing.records.store_records import StoreRecords
from ..auditing.summaries import hour_summary
from ..auditing.summaries.line_decoder import LineDecoder
from ..auditing.summaries.segment_summary import summarize
from ..auditing.summaries.segments import Segment
from ..blobs.store_access import StoreAccess
from ..exceptions import ReaderError
from .remote_store import RemoteStore, checked_url, remote_store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence

    import pyarrow as pa
    from pyspark.sql import SparkSession

    from otel_modeldata.report import DeliveryReport
    from otel_modeldata_receiver.config.store_access import AccessConfig

    from ..auditing.audit import Audit
    from ..auditing.summaries.hour_summary import Summarized
    from ..auditing.summaries.workers import Task

__all__ = ["audit_on_spark"]

_TASKS: Final = "part int, segment binary, stored binary"
_SUMMARIES: Final = "part int, summary binary"
_segment_decoder: Final = msgspec.msgpack.Decoder(Segment)


def audit_on_spark(
    spark: SparkSession,
    url: str,
    selection: Selection | None = None,
    reports: Sequence[DeliveryReport] = (),
    access: AccessConfig | None = None,
) -> Audit:
    """Audit a store; executors read the lines that no seal remembers.

    Args:
        spark: its workers need this package with the extras `read` and `receiver`.
        url: of the store, which the driver and all executors can open; without a secret in it.
        selection: the part to audit; None means everything.
        reports: final reports of producers.
        access: how an account in Azure is opened.

    Returns:
        The same as `auditing.audit.audit` does in one process.

    Raises:
        ReaderError: the URL holds a secret, which would be part of plans and logs, or the store cannot be read.
    """
    reading = StoreAccess(checked_url(url), access)
    workers = _SparkWorkers(spark, remote_store(reading))

    async def run() -> Audit:
        store = open_store(url, access=access)
        try:
            return await audit(
                store,
                selection or Selection(),
                reports,
                lambda *_: None,
                workers=workers,
                records=StoreRecords(reading),
            )
        finally:
            await store.close()

    with ThreadPoolExecutor(1) as thread:  # a notebook has an event loop in its own
        return thread.submit(asyncio.run, run()).result()


class _SparkWorkers:
    """Summarizes on executors.

    Args:
        spark: the session.
        store: how they open the store.
    """

    def __init__(self, spark: SparkSession, store: RemoteStore) -> None:
        self._spark = spark
        self._store = store

    async def summarized(
        self, tasks: Sequence[Task], progress: Callable[[int], object]
    ) -> AsyncGenerator[tuple[int, Summarized], None]:
        """See `auditing.summaries.workers.Workers.summarized`."""
        if not tasks:
            return
        rows = [
            (task.part, msgspec.msgpack.encode(task.segment), None if task.stored is None else task.stored.tobytes())
            for task in tasks
        ]
        sizes = {task.part: task.segment.size for task in tasks}
        frame = self._spark.createDataFrame(rows, _TASKS).repartition(len(rows)).mapInArrow(self._work(), _SUMMARIES)
        found = frame.toLocalIterator(prefetchPartitions=True)
        while (row := await asyncio.to_thread(next, found, None)) is not None:
            one = hour_summary.decoded(bytes(row.summary), None)
            if one is None:
                raise ReaderError(
                    "expected the summary of a segment from an executor, got something else: run it again"
                )
            progress(sizes[row.part])
            yield row.part, one

    def _work(self) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
        store = self._store

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            import pyarrow as pa  # noqa: PLC0415 (on the executor)

            for batch in batches:
                for task in batch.to_pylist():
                    content = _summarized(store, task)
                    yield pa.RecordBatch.from_arrays(
                        [pa.array([task["part"]], pa.int32()), pa.array([content], pa.binary())], ["part", "summary"]
                    )

        return work


def _summarized(remote: RemoteStore, task: dict[str, Any]) -> bytes:
    """What an executor does."""
    segment = _segment_decoder.decode(task["segment"])
    stored = None if task["stored"] is None else np.frombuffer(task["stored"], np.int64)

    async def run() -> bytes:
        store = open_store(remote.url, access=remote.access)
        try:
            return hour_summary.encoded(await summarize(store, segment, LineDecoder(), stored))
        finally:
            await store.close()

    return asyncio.run(run())
