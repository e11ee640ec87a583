"""Plans a reading for an engine: one pass that finds the schema, the repeated events, and where lines begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ..lines.event_stream import event_batches
from ..lines.tally import Tally
from ..rows.one_pass import OnePass, ReadGroup, ReadLines
from ..rows.result import planned, where
from ..rows.unify import LossyError
from .checked_rows import given_plan
from .line_marks import LineMarks, RepeatTally
from .partition import PARTITION_BYTES, GroupRange, ReadRows, packed
from .remote_store import remote_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from ..blobs.store_access import StoreAccess
    from ..reading import Request
    from ..report import ReadReport
    from ..rows.column_types import ColumnTypes
    from ..rows.result import Plan
    from .partition import LineRange, Partition

__all__ = ["ReadPlan", "plan_read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlan:
    """A reading in parts, each of which another process can read.

    Attributes:
        rows: what every partition shares.
        partitions: the parts, in the order of their lines. Together they are the rows of the reading, each event once.
        report: what planning read and skipped. `kept` counts rows before `where`.
        nullable: the columns that have missing values.
    """

    rows: ReadRows
    partitions: tuple[Partition, ...]
    report: ReadReport
    nullable: frozenset[str] = frozenset()

    @property
    def schema(self) -> pa.Schema:
        """The columns of each batch."""
        return self.rows.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, one partition after the other."""
        for partition in self.partitions:
            yield from partition.batches()


def plan_read(
    store: StoreAccess, request: Request, schema: pa.Schema | None = None, size: int = PARTITION_BYTES
) -> ReadPlan:
    """Read a collection once, and return how to read it in parts.

    Args:
        store: has the blobs.
        request: what to read.
        schema: columns that the caller gives; None finds them over all rows.
        size: bytes of a partition.

    Raises:
        ReaderError: as for `Reading.batches`.
    """
    marks = LineMarks(store)
    tally = RepeatTally(strict=request.strict)
    every = OnePass(
        store=cast("StoreAccess", marks),
        collection=request.collection,
        window=request.window,
        envelope=request.envelope,
        tally=tally,
    )
    columns: ColumnTypes | None = None
    nullable: frozenset[str] = frozenset()
    if schema is None:
        plan, nullable = _found(store, request, every)
        columns = every.columns
    else:
        plan = given_plan(schema, envelope=request.envelope)
        if request.collection.compacted:  # of Parquet only the ids are read
            every.wanted = lambda _: False
            for _ in every.parts():
                pass
        else:
            every.read += [ReadLines(lines=blob) for blob in every.blobs]
            for events in event_batches(cast("StoreAccess", marks), every.blobs, request.window, tally):
                tally.add("lines", len(events.envelopes))
    with where(request.where) as chosen:
        chosen(plan.every.empty_table())  # a wrong condition is an error here, not in another process
    rows = ReadRows(
        store=remote_store(store),
        root=request.collection.root,
        window=request.window,
        where=request.where,
        envelope=request.envelope,
        plan=plan,
        columns=columns,
        is_complete=True,
    )
    blobs, bytes_of_blobs = every.extent
    report = tally.report(
        plan.types,
        tuple(plan.renamed.items()),
        blobs=blobs,
        size=bytes_of_blobs,
        kept=tally.rows,
        seals=request.seals,
    )
    ranges = [one for read in every.read for one in _ranges(read, marks, tally.repeated, request, size)]
    return ReadPlan(rows=rows, partitions=tuple(packed(rows, ranges, size)), report=report, nullable=nullable)


def _ranges(
    read: ReadLines | ReadGroup, marks: LineMarks, repeated: Mapping[str, Sequence[int]], request: Request, size: int
) -> Iterator[LineRange | GroupRange]:
    """What partitions read of what the pass has read."""
    if isinstance(read, ReadLines):
        name = read.lines.name
        done = [line for blob, line in read.without if blob == name]
        yield from marks.ranges(read.lines, [*repeated.get(name, ()), *done], size)
        return
    group = read.part.groups[read.number]
    if request.window.overlaps(group.first, group.last + 1):
        names = {blob.name for blob in read.manifest.blobs}
        again = frozenset((name, line) for name in names & repeated.keys() for line in repeated[name])
        limits = tuple((name, lines) for name, lines in read.limits.items() if name in names)
        yield GroupRange(
            folder=read.manifest.folder,
            date=read.manifest.date,
            part=read.part,
            number=read.number,
            repeated=again,
            limits=limits,
        )


def _found(store: StoreAccess, request: Request, first: OnePass) -> tuple[Plan, frozenset[str]]:
    """The columns over all rows, as `Reading.batches` finds them, and which of them have missing values."""
    schemas: dict[str, pa.Schema] = {}
    with_nulls: set[str] = set()
    for part in first.parts():
        schemas.setdefault(part.own.schema.to_string(), part.own.schema)
        with_nulls.update(name for name in part.own.column_names if part.own[name].null_count)
    while True:
        plan = planned(list(schemas.values()), first.columns, request.columns, envelope=request.envelope)
        if not plan.is_wider or _holds_all(plan, store, request, first.columns):
            break
    missing = {name for name in plan.own.names if any(name not in one.names for one in schemas.values())}
    return plan, frozenset(plan.renamed.get(name, name) for name in with_nulls | missing)


def _holds_all(plan: Plan, store: StoreAccess, request: Request, columns: ColumnTypes) -> bool:
    """Whether every value has an equal in the type of its column; if not, the column is noted as mixed."""
    again = OnePass(
        store=store,
        collection=request.collection,
        window=request.window,
        envelope=request.envelope,
        tally=Tally(strict=False),
        known=columns,
    )
    try:
        for part in again.parts():
            plan.table(part)
    except LossyError as error:
        columns.mixed.add(error.column)
        return False
    return True
