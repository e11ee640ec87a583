"""One pass over the blobs of a reading: every part of its rows, with what the pass learns and counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..blobs.compacted_name import compacted_folder
from ..compacted.folder_sources import folder_sources
from ..compacted.part_file import DamagedPartError
from ..lines.event_stream import event_batches
from ..lines.known_ids import KnownIds, NoIds
from ..lines.payloads import Payloads
from ..report import Place
from .compacted_rows import CompactedRows, places_of
from .inferred import Inference
from .row_tables import RowTables
from .typed import TypedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.byte_ranges import LinesOfBlob
    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..compacted.folder_sources import FolderSource
    from ..compacted.manifest import Manifest
    from ..compacted.manifest import Part as PartEntry
    from ..compacted.part_file import PartFile
    from ..lines.tally import Tally
    from ..window import Window
    from .column_types import ColumnTypes
    from .row_tables import Part

__all__ = ["OnePass", "ReadGroup", "ReadLines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLines:
    """Some lines of a blob that a pass has read.

    Attributes:
        lines: where they are.
        without: lines that were left out, because Parquet gave their rows: the blob, and the number of the line.
    """

    lines: StoredObject | LinesOfBlob
    without: Collection[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadGroup:
    """A row group that a pass has read, or left out because it is outside of the window.

    Attributes:
        manifest: of its folder.
        part: its file.
        number: of the group in the file.
        limits: of some blobs, how many lines were read.
    """

    manifest: Manifest
    part: PartEntry
    number: int
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class OnePass:
    """Reads the rows of a collection once.

    Attributes:
        store: has the blobs.
        collection: the blobs.
        window: only events of this window.
        envelope: whether parts have the envelope's columns.
        tally: the counts.
        known: the types of the columns, if an earlier pass has learned them.
        progress: called with the number of bytes of each piece that is read.
        wanted: says whether a column of the result is needed; None means all. Lines have all of them at any rate.
        repeated: whether an event whose id was read before is read again.
        read: what was read so far, in its order.
    """

    store: StoreAccess
    collection: CollectionBlobs
    window: Window
    envelope: bool
    tally: Tally
    known: ColumnTypes | None = None
    progress: Callable[[int], object] = field(default=lambda _: None)
    wanted: Callable[[str], bool] | None = None
    repeated: bool = False
    read: list[ReadLines | ReadGroup] = field(init=False, default_factory=list)
    _inference: Inference = field(init=False)
    _dropped: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._inference = Inference(self.tally, self.known)

    @property
    def columns(self) -> ColumnTypes:
        """What is known about the types of columns."""
        return self._inference.columns

    @property
    def blobs(self) -> list[StoredObject]:
        """The blobs that are read, as they were listed."""
        return self.collection.within(self.window)

    @property
    def extent(self) -> tuple[int, int]:
        """How many blobs were read, and their bytes, with those that are compacted and dropped."""
        sizes = [blob.size for blob in self.blobs] + self._dropped
        return len(sizes), sum(sizes)

    def parts(self) -> Iterator[Part]:
        """The rows, in the order of their lines.

        Raises:
            StoreUnavailableError: a blob cannot be read.
            DamagedLineError: the tally is strict, and something is skipped.
        """
        typed = TypedRows(self.tally, self._inference)
        tables = RowTables(
            payloads=Payloads(self.store, self.collection.objects),
            typed=typed,
            inference=self._inference,
            tally=self.tally,
            names=self.collection.names,
            envelope=self.envelope,
        )
        ids = NoIds() if self.repeated else KnownIds()
        if not self.collection.compacted:
            yield from self._lines(self.blobs, tables, ids)
            return
        compacted = CompactedRows(
            store=self.store,
            window=self.window,
            tally=self.tally,
            ids=ids,
            tables=tables,
            typed=typed,
            columns=self.columns,
            wanted=self.wanted,
            limits=self.collection.limits,
        )
        lines: list[LinesOfBlob] = []  # of folders that are read together
        for source in folder_sources(self.store, self.collection, self.window):
            if source.manifest is not None:
                yield from self._lines(lines, tables, ids)
                lines.clear()
                yield from self._compacted(source, source.manifest, compacted)
            elif source.problem:
                self._distrust(source, source.problem)
            lines += source.lines
        yield from self._lines(lines, tables, ids)

    def _lines(
        self,
        lines: Sequence[StoredObject | LinesOfBlob],
        tables: RowTables,
        ids: KnownIds,
        without: Collection[tuple[str, int]] = (),
    ) -> Iterator[Part]:
        self.read += [ReadLines(lines=one, without=without) for one in lines]
        for events in event_batches(
            self.store, lines, self.window, self.tally, self.progress, ids=ids, without=without
        ):
            yield from tables.parts(events)

    def _compacted(self, source: FolderSource, manifest: Manifest, rows: CompactedRows) -> Iterator[Part]:
        """The rows that a manifest vouches for: from Parquet; those of damaged files from the lines."""
        there = {(one.blob, one.end) for one in source.covered_lines}
        self._dropped += [one.size for one in manifest.blobs if one.dropped and (one.name, one.size) not in there]
        files: dict[str, PartFile] = {}
        damaged: dict[str, str] = {}
        if source.changed:  # all of their lines are read as lines
            self._distrust(source, source.changed_problem)
            rows = replace(rows, limits={**(rows.limits or {}), **dict.fromkeys(source.changed, 0)})
        limits = rows.limits or {}
        done: list[tuple[str, int]] = []
        for part, number in manifest.groups():
            if part.name in damaged:
                continue
            try:
                if part.name not in files:
                    files[part.name] = rows.file(manifest, part, source.files)
                yield from rows.group(files[part.name], number, source.date)
                done.append((part.name, number))
                self.read.append(ReadGroup(manifest=manifest, part=part, number=number, limits=limits))
            except DamagedPartError as error:
                damaged[part.name] = str(error)
        if not damaged:
            self.progress(sum(one.size for one in source.covered_lines))
            self._count(manifest)
            return
        self._distrust(source, next(iter(damaged.values())))
        seen = {place for name, number in done for place in places_of(files[name], number)}
        yield from self._lines(source.covered_lines, rows.tables, rows.ids, seen)

    def _count(self, manifest: Manifest) -> None:
        """Count the lines that no Parquet file has, as a reading of the lines would."""
        counts = {name: getattr(manifest.counts, name) for name in ("duplicates", "foreign", "misplaced")}
        for one in manifest.skipped:
            self.tally.skip(one.kind, Place(blob=one.blob, line=one.line), one.reason)
            counts[one.kind] -= 1
        for kind, count in counts.items():
            self.tally.add(kind, count)

    def _distrust(self, source: FolderSource, reason: str) -> None:
        folder = compacted_folder(source.root, source.date)
        self.tally.skip("distrusted", Place(blob=folder, line=0), reason)
