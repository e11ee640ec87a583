"""Partitions of a collection: ranges of its blobs, which any process reads as Arrow record batches of one schema."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from ..blobs.listing import CollectionBlobs
from ..compacted.blob_file import BlobFile
from ..compacted.part_file import PartFile
from ..exceptions import ReaderError
from ..lines.event_stream import event_batches
from ..lines.known_ids import KnownIds
from ..lines.payloads import Payloads
from ..lines.tally import Tally
from ..rows.compacted_rows import CompactedRows
from ..rows.inferred import Inference
from ..rows.result import where
from ..rows.row_tables import RowTables
from ..rows.typed import TypedRows
from ..rows.unify import LossyError
from ..rows.wanted_columns import wanted_columns
from .checked_rows import CheckedRows, GivenRows
from .remote_store import FolderObjects, RangeAccess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from ..blobs.store_access import StoreAccess
    from ..compacted.manifest import Part
    from ..lines.event_stream import Events
    from ..rows.column_types import ColumnTypes
    from ..rows.result import Plan
    from ..rows.row_tables import Part as RowsPart
    from ..window import Window
    from .remote_store import RemoteStore

__all__ = ["PARTITION_BYTES", "GroupRange", "LineRange", "Partition", "ReadRows", "packed"]

_BATCH_ROWS: Final = 65_536
PARTITION_BYTES: Final = 32 << 20
"""About a second of parsing; in memory the rows take about as much as their lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRange:
    """Some lines of a blob.

    Attributes:
        blob: name of the blob.
        start: position of the first byte of the first line.
        end: position after the last line, or after a torn one.
        before: lines of the blob before the range.
        repeated: numbers of the lines that are left out, because an earlier one has the same event.
    """

    blob: str
    start: int
    end: int
    before: int = 0
    repeated: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRange:
    """A row group of a compacted folder.

    Attributes:
        folder: the compacted folder, relative to the store.
        date: the span of time, as the folder of the lines has it.
        part: what the manifest says of the file.
        number: of the group in the file.
        repeated: lines that are left out, because an earlier one has the same event: the blob, and the number.
        limits: of some blobs, how many lines are read.
    """

    folder: str
    date: str
    part: Part
    number: int
    repeated: frozenset[tuple[str, int]] = frozenset()
    limits: tuple[tuple[str, int], ...] = ()

    @property
    def blob(self) -> str:
        """The name of the file."""
        return f"{self.folder}/{self.part.name}"

    @property
    def start(self) -> int:
        """About where the group begins in the file."""
        return self._bytes_of(sum(group.rows for group in self.part.groups[: self.number]))

    @property
    def size(self) -> int:
        """About how many bytes."""
        return self._bytes_of(self.part.groups[self.number].rows)

    def opened(self, store: StoreAccess) -> PartFile:
        """The file.

        Raises:
            DamagedPartError: it is another file.
            StoreUnavailableError: it cannot be read.
        """
        return PartFile(BlobFile(store, self.blob, self.part.size), self.blob, self.part)

    def _bytes_of(self, rows: int) -> int:
        return self.part.size * rows // max(1, self.part.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRows:
    """What every partition of a plan shares: the store, the schema, and which rows.

    Attributes:
        store: has the blobs.
        root: the collection.
        window: only events of this window.
        where: only rows for which this is true.
        envelope: whether rows have the envelope's columns.
        plan: the columns.
        columns: what is known about the types of rows that say none; None where the caller has given the schema.
        is_complete: whether the schema was found over all rows that are read. If not, a row that does not fit into it
            is an error.
    """

    store: RemoteStore
    root: str
    window: Window
    where: str | None
    envelope: bool
    plan: Plan
    columns: ColumnTypes | None
    is_complete: bool

    @property
    def schema(self) -> pa.Schema:
        """The columns of each batch."""
        return self.plan.selected


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Some rows of a collection; it can be sent to another process.

    Attributes:
        rows: what to read.
        ranges: where from.
    """

    rows: ReadRows
    ranges: tuple[LineRange | GroupRange, ...]

    @property
    def size(self) -> int:
        """Bytes of its lines."""
        return sum(one.size for one in self.ranges)

    def __repr__(self) -> str:
        first = self.ranges[0]
        return f"Partition({first.blob!r} from byte {first.start:,}, {self.size:,} bytes in {len(self.ranges)} blobs)"

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow record batches, all of the schema of the plan.

        Args:
            columns: only these columns, in this order.

        Raises:
            StoreUnavailableError: the store cannot be read from this process.
            ReaderError: a row does not fit into the schema, or `where` cannot be evaluated.
        """
        rows = self.rows
        names = rows.schema.names if columns is None else list(columns)
        store = rows.store.opened()
        with where(rows.where) as chosen:
            for one in self.ranges:
                for table in _tables(store, rows, one, wanted_columns(names, rows.where)):
                    yield from chosen(table).select(names).to_batches(max_chunksize=_BATCH_ROWS)


def packed(rows: ReadRows, ranges: Sequence[LineRange | GroupRange], size: int = PARTITION_BYTES) -> list[Partition]:
    """Partitions of about `size` bytes: small ranges together, in their order."""
    partitions: list[Partition] = []
    together: list[LineRange | GroupRange] = []
    bytes_together = 0
    for one in ranges:
        if together and bytes_together + one.size > size:
            partitions.append(Partition(rows=rows, ranges=tuple(together)))
            together, bytes_together = [], 0
        together.append(one)
        bytes_together += one.size
    if together:
        partitions.append(Partition(rows=rows, ranges=tuple(together)))
    return partitions


def _tables(
    store: StoreAccess, rows: ReadRows, lines: LineRange | GroupRange, wanted: Callable[[str], bool] | None
) -> Iterator[pa.Table]:
    """The rows of a range, with all columns of the plan."""
    if rows.is_complete and rows.columns is not None:
        inference = Inference(Tally(strict=False), copy.deepcopy(rows.columns))
        for part in _parts(store, rows, lines, inference, wanted):
            try:
                yield rows.plan.table(part)
            except LossyError as error:
                raise ReaderError(
                    f"expected the bytes of {lines.blob} that the plan has read, got other values of "
                    f"{error.column!r}: read the collection again"
                ) from None
        return
    inference = Inference(Tally(strict=False))
    checked: CheckedRows | GivenRows
    if rows.columns is None:
        checked = GivenRows(rows.plan)
    else:
        inference.columns = copy.deepcopy(rows.columns)
        checked = CheckedRows(rows.plan, inference.columns, envelope=rows.envelope)
    for part in _parts(store, rows, lines, inference, wanted):
        yield checked.table(part, lines.blob)


def _parts(
    store: StoreAccess,
    rows: ReadRows,
    lines: LineRange | GroupRange,
    inference: Inference,
    wanted: Callable[[str], bool] | None,
) -> Iterator[RowsPart]:
    from otel_modeldata_receiver.storage.store import StoredObject  # noqa: PLC0415 (a store is open already)

    tally = Tally(strict=False)
    names = CollectionBlobs(root=rows.root, blobs=(), objects={}).names
    typed = TypedRows(tally, inference)
    tables = RowTables(
        payloads=Payloads(store, FolderObjects(store)),
        typed=typed,
        inference=inference,
        tally=tally,
        names=names,
        envelope=rows.envelope,
    )
    if isinstance(lines, GroupRange):
        compacted = CompactedRows(
            store=store,
            window=rows.window,
            tally=tally,
            ids=KnownIds(),
            tables=tables,
            typed=typed,
            columns=inference.columns,
            wanted=wanted,
            without=lines.repeated,
            limits=dict(lines.limits),
        )
        yield from compacted.group(lines.opened(store), lines.number, lines.date)
        return
    access = cast("StoreAccess", RangeAccess(store, lines.start))
    for events in event_batches(access, [StoredObject(name=lines.blob, size=lines.size)], rows.window, tally):
        yield from tables.parts(_once(events, lines))


def _once(events: Events, lines: LineRange) -> Events:
    """The events without those that an earlier range has."""
    if not lines.repeated:
        return events
    numbers = enumerate(events.numbers)
    kept = [index for index, number in numbers if number + lines.before not in lines.repeated]
    return events if len(kept) == len(events.numbers) else events.chosen(kept)
