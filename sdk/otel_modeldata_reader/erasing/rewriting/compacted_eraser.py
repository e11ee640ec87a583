"""Takes chosen rows out of a compacted folder: new Parquet files and a manifest with the next number, then the old go.

Only rows whose lines are dropped stay in the new files. The others are read from their lines from then on, where they
are erased as all lines are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from otel_modeldata import semconv

from ...blobs.checksum import BlobChecksum, checksum_of
from ...blobs.compacted_name import compacted_name, manifest_name
from ...blobs.listing import hours_of
from ...compacted.manifest import LineCounts, encode_manifest
from ...compacted.part_file import DamagedPartError
from ...compacting.folder_compaction import publish
from ...compacting.part_writer import PartWriter
from ...compacting.row_group_tables import GroupTable
from ...exceptions import ReaderError
from ...lines.erased_rows import ranges_of, ranges_text, united
from ...rows.stored_columns import DATA, EVENT, stored_names
from ...window import held
from ..choosing.selection import ALL_ROWS
from ..journal import Step, remove_now
from ..tombstone import BlobChange
from .compacted_rows import dropped_blobs, row_groups, starts_of
from .erased_counts import ErasedCounts
from .line_eraser import LineChange
from .line_keys import keys_of, members_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...blobs.store_access import StoreAccess
    from ...compacted.manifest import Manifest, Part
    from ..choosing.selection import Selection
    from ..journal import Journal
    from .compacted_rows import CompactedEvent, RowGroupRows
    from .line_eraser import LineEraser

__all__ = ["CompactedEraser"]

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What is left of a row group, and what went."""

    group: RowGroupRows
    table: pa.Table
    changes: list[tuple[LineChange, int]]


class CompactedEraser:
    """Erases from the compacted folders of one collection.

    Args:
        store: has them.
        selection: the chosen rows.
        root: the collection's folder.
        lines: what erases from the lines of events that are kept as JSON.
        has_lines: whether lines are there that were to be dropped, see `manifests_with_lines`.
    """

    def __init__(
        self, store: StoreAccess, selection: Selection, root: str, lines: LineEraser, *, has_lines: bool = False
    ) -> None:
        self._store = store
        self._selection = selection
        self._root = root
        self._lines = lines
        self._in_rows = selection.in_rows(root)
        self._has_lines = has_lines

    def has_chosen(self, manifest: Manifest) -> bool:
        """Whether a file of a folder has chosen rows, also those whose lines are there, or may have some.

        So it is if lines are there that were to be dropped: a copy of their blob would have them a second time.

        Raises:
            ReaderError: a file is damaged that has the only copy of rows, or the store cannot be read.
        """
        if self._has_lines:
            return True
        try:
            return any(self._kept(group).changes for group in row_groups(self._store, manifest, every=True))
        except DamagedPartError as error:
            if dropped_blobs(manifest):
                raise ReaderError(f"{error} Restore it from a backup, and erase again") from None
            return True  # it is not known, and the lines have everything

    def mentions(self, manifest: Manifest) -> int:
        """How many rows whose lines are dropped have a chosen id as a value of any column, and stay.

        Raises:
            ReaderError: a file is damaged, or the store cannot be read.
        """
        if not self._in_rows:
            return 0
        found = 0
        for group in row_groups(self._store, manifest):
            if group.part.kind == "events":
                found += sum(map(self._lines.mentions, group.lines()))
                continue
            kept = self._kept(group).table
            found += sum(map(self._selection.mentions, _own_rows(group.part, kept)))
        return found

    def counts(self, manifest: Manifest) -> ErasedCounts:
        """What would go that has no lines.

        Raises:
            ReaderError: a file is damaged, or the store cannot be read.
        """
        counts = ErasedCounts(manifest.root, manifest.date)
        for group in row_groups(self._store, manifest):
            for change, before in self._kept(group).changes:
                counts.add(change, before)
        return counts

    def erase(self, manifest: Manifest, journal: Journal, check: Callable[[], None], tool: str) -> Step:
        """Write the files without the chosen rows, and remove the old ones.

        Raises:
            ReaderError: a file is damaged, or the store cannot be read or written.
        """
        writer = PartWriter(self._store, manifest.folder, 0, check)
        counts = ErasedCounts(manifest.root, manifest.date)
        removes: list[str] = []
        objects = 0
        for group in row_groups(self._store, manifest):
            kept = self._kept(group)
            for change, before in kept.changes:
                counts.add(change, before)
                if change.new_object is not None:
                    check()
                    self._store.put(change.new_object.name, change.new_object.content)
                if change.old_object:
                    removes.append(change.old_object)
                    objects += 1
            if kept.table.num_rows:
                writer.add(_group_table(kept, manifest.date))
        new = self._next(manifest, writer)
        content = encode_manifest(new) if new is not None else b""
        step = Step(
            kind=journal.info.kind,
            id=journal.info.id,
            time=journal.info.time,
            tool=tool,
            hours=counts.hours,
            numbers=counts.numbers,
            blobs=(BlobChange(old=self._stored(manifest), new=_maybe(new, content)),),
            objects=objects,
            removes=tuple(dict.fromkeys(removes)),
        )
        journal.step(step)
        if new is not None:
            publish(self._store, new, check)
        check()
        remove_now(self._store, step.blobs[0].old.name)
        clean_compacted(self._store, manifest.folder, new, check)
        return step

    def _stored(self, manifest: Manifest) -> BlobChecksum:
        """What the store has of a manifest; the one in memory may say of other blobs that they are dropped."""
        name = manifest_name(manifest.root, manifest.date, manifest.number)
        size = next((one.size for one in self._store.walk(manifest.folder) if one.name == name), 0)
        return checksum_of(self._store, name, size)

    def _next(self, manifest: Manifest, writer: PartWriter) -> Manifest | None:
        """The manifest of what is left; None if no line is dropped, so that lines have everything."""
        parts = writer.finish()
        dropped = dropped_blobs(manifest)
        if not dropped:
            return None
        blobs = tuple(one for one in manifest.blobs if one.dropped)
        counts = LineCounts(
            lines=sum(one.lines for one in blobs),
            events=sum(part.events for part in parts),
            duplicates=manifest.counts.duplicates,
            foreign=manifest.counts.foreign,
        )
        return msgspec.structs.replace(
            manifest, number=manifest.number + 1, blobs=blobs, parts=parts, counts=counts, skipped=()
        )

    def _kept(self, group: RowGroupRows) -> _Kept:
        return self._kept_events(group) if group.part.kind == "events" else self._kept_rows(group)

    def _kept_events(self, group: RowGroupRows) -> _Kept:
        """A file of events: each is a line."""
        events, datas = group.table[EVENT].to_pylist(), group.table[DATA].to_pylist()
        kept: list[int] = []
        changes: list[tuple[LineChange, int]] = []
        for index, line in enumerate(group.lines()):
            change = self._lines.change(line)
            if change is not None:
                changes.append((change, len(line)))
                if not change.line:
                    continue
                members = members_of(change.line) or {}
                datas[index] = bytes(members.pop("data")).decode() if "data" in members else None
                events[index] = _encode(members).decode()
            kept.append(index)
        if not changes:
            return _Kept(group=group, table=group.table, changes=[])
        table = _with_column(_with_column(group.table, EVENT, events), DATA, datas)
        return _Kept(group=group, table=table.take(pa.array(kept, pa.int64())), changes=changes)

    def _kept_rows(self, group: RowGroupRows) -> _Kept:
        """A file of rows in their types."""
        named = self._named_rows(group)
        is_kept = np.ones(group.table.num_rows, np.bool_)
        events: list[str | None] = group.table[EVENT].to_pylist()
        changes: list[tuple[LineChange, int]] = []
        for event in group.events():
            chosen = self._selection.rows_of(self._root, event.id, event.correlation_id, event.trace_id)
            if not chosen and not named:
                continue
            change = self._change(event, chosen, named, is_kept, events)
            if change is not None:
                changes.append(change)
        if not changes:
            return _Kept(group=group, table=group.table, changes=[])
        table = _with_column(group.table, EVENT, events).filter(pa.array(is_kept))
        return _Kept(group=group, table=table, changes=changes)

    def _change(
        self, event: CompactedEvent, chosen: Any, named: set[int], is_kept: Any, events: list[str | None]
    ) -> tuple[LineChange, int] | None:
        """Mark the rows of an event that go, and give the first one that stays the keys of the event."""
        rows = range(event.start, event.end)
        numbers = [number for first, last in event.numbers for number in range(first, last + 1)]
        gone = [
            (row, number)
            for row, number in zip(rows, numbers, strict=True)
            if row in named or any(first <= number <= last for first, last in chosen)
        ]
        if not gone and chosen != ALL_ROWS:
            return None
        is_kept[[row for row, _ in gone]] = False
        text = events[event.start] or "{}"
        events[event.start] = None
        members = members_of(text.encode()) or {}
        keys = keys_of(members)
        if len(gone) == len(rows):
            return LineChange(line=b"", rows=len(gone), keys=keys), 0
        erased = united((*ranges_of(keys.erased), *((number, number) for _, number in gone)))
        members[semconv.ERASED_ROWS_KEY] = msgspec.Raw(_encode(ranges_text(erased)))
        first = next(row for row in rows if is_kept[row])
        events[first] = _encode(members).decode()
        return LineChange(line=b"-", rows=len(gone), keys=keys), 1

    def _named_rows(self, group: RowGroupRows) -> set[int]:
        """The rows that name a chosen id: those of labels and spans."""
        if not self._in_rows:
            return set()
        rows = enumerate(_own_rows(group.part, group.table))
        return {row for row, values in rows if self._selection.names(self._root, values)}


def clean_compacted(store: StoreAccess, folder: str, manifest: Manifest | None, check: Callable[[], None]) -> None:
    """Remove what the newest manifest of a folder does not name: older manifests, and files that nothing reads.

    Raises:
        StoreUnavailableError: the store cannot be written.
    """
    kept = set() if manifest is None else {part.name for part in manifest.parts}
    for one in store.walk(folder):
        place = compacted_name(one.name)
        if place is None or one.name.rpartition("/")[0] != folder or place.file in kept:
            continue
        if manifest is not None and place.number is not None and place.number >= manifest.number:
            continue
        check()
        remove_now(store, one.name)


def _group_table(kept: _Kept, date: str) -> GroupTable:
    start, end = map(held, hours_of(date))
    part, table = kept.group.part, kept.table
    firsts = starts_of(table) if part.kind == "rows" else list(range(table.num_rows))
    times = table["time"].take(pa.array(firsts, pa.int64())).cast(pa.int64()).fill_null(start).to_numpy()
    return GroupTable(
        kind=part.kind,
        types=part.types,
        columns=part.columns,
        table=table,
        events=len(firsts),
        first=int(times.min()),
        last=int(times.max()),
        misplaced=int(np.count_nonzero((times < start) | (times >= end))),
        size=table.nbytes,
    )


def _with_column(table: pa.Table, name: str, values: list[str | None]) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), pa.array(values, pa.string()))


def _checksum(manifest: Manifest, content: bytes) -> BlobChecksum:
    name = manifest_name(manifest.root, manifest.date, manifest.number)
    return BlobChecksum(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _maybe(manifest: Manifest | None, content: bytes) -> BlobChecksum | None:
    return None if manifest is None else _checksum(manifest, content)


def _own_rows(part: Part, table: pa.Table) -> Iterator[dict[str, Any]]:
    """The own columns of each row of a file of rows that may have texts."""
    stored = zip(part.columns, stored_names(part.columns), strict=True)
    names = [(own, name) for own, name in stored if _may_have_texts(table.schema.field(name).type)]
    columns = [table[name].to_pylist() for _, name in names]
    for row in range(table.num_rows):
        yield {own: column[row] for (own, _), column in zip(names, columns, strict=True)}


def _may_have_texts(kind: pa.DataType) -> bool:
    types = pa.types
    return not (types.is_primitive(kind) or types.is_binary(kind) or types.is_null(kind))
