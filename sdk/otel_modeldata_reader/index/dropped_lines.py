"""Lines that are compacted and dropped, made again of the Parquet files that have their rows.

The keys of a line are as they were. Its rows have the same values, but not always the same text: a compaction keeps
values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..compacted.folder_sources import folder_sources
from ..compacted.part_file import DamagedPartError, PartFile
from ..lines.envelope import decode_line
from ..lines.erased_rows import ranges_of
from ..lines.line_counts import rows_of
from ..rows.compacted_rows import line_of, own_columns
from ..rows.stored_columns import BLOB, DATA, EVENT, LINE, ROW
from ..types.plain_arrays import numbers_array, texts_array, truths_array, truths_of
from ..types.plain_values import json_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..compacted.manifest import Manifest, Part
    from ..lines.payloads import Payloads
    from ..window import Window

__all__ = ["DroppedBlob", "DroppedFolder", "dropped_folders"]

_MOST_ROWS: Final = 1 << 24
"""A line of 64 MiB has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedBlob:
    """A blob that is compacted, and was removed.

    Attributes:
        name: it had.
        size: its bytes.
        lines: its lines.
        sha256: the digest of its bytes, in hexadecimal.
    """

    name: str
    size: int
    lines: int
    sha256: str


class DroppedFolder:
    """The lines of a folder that are in Parquet files only.

    Args:
        store: has the files.
        root: folder of the collection.
        manifest: that vouches for them.

    Attributes:
        root: folder of the collection.
        blobs: by name.
    """

    def __init__(self, store: StoreAccess, root: str, manifest: Manifest, blobs: Collection[DroppedBlob]) -> None:
        self.root = root
        self.blobs = {one.name: one for one in blobs}
        self._store = store
        self._manifest = manifest
        self._files: dict[str, PartFile] = {}
        self._listed: dict[str, int] = {}

    @classmethod
    def of(cls, store: StoreAccess, root: str, manifest: Manifest, names: Collection[str]) -> DroppedFolder:
        """Those of some blobs that a manifest stands for."""
        blobs = [
            DroppedBlob(name=one.name, size=one.size, lines=one.lines, sha256=one.sha256)
            for one in manifest.blobs
            if one.name in names
        ]
        return cls(store, root, manifest, blobs)

    @property
    def foreign(self) -> int:
        """How many lines of the folder were no events when it was compacted."""
        return self._manifest.counts.foreign

    def lines_at(self, places: Collection[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """Some lines by their places: the name of the blob, and the number of the line.

        Raises:
            DamagedPartError: a file is not what the manifest says.
            StoreUnavailableError: a file cannot be read.
        """
        found: dict[tuple[str, int], bytes] = {}
        for file, number in self._groups():
            if not any(file.may_have(number, {BLOB: blob, LINE: line}) for blob, line in places):
                continue
            if not pc.any(_may_be_at(file.read(number, (BLOB, LINE)), places)).as_py():
                continue
            table = file.read(number)
            rows = table.filter(_may_be_at(table, places))
            found |= {place: line for place, line in _lines(rows, file) if place in places}
        return found

    def events(self) -> Iterator[tuple[Sequence[tuple[str, int]], Sequence[str]]]:
        """All events, a row group at a time: their places, and the JSON of each line without its `data`.

        Raises:
            DamagedPartError: a file is not what the manifest says.
            StoreUnavailableError: a file cannot be read.
        """
        for file, number in self._groups():
            table = file.read(number, (BLOB, LINE, EVENT))
            table = table.filter(table[EVENT].is_valid())
            yield list(zip(table[BLOB].to_pylist(), table[LINE].to_pylist(), strict=True)), table[EVENT].to_pylist()

    def places_with(self, texts: Collection[str], near: Window) -> Iterator[tuple[str, int]]:
        """The places of the events that have one of some texts in their JSON, which is searched without `data`.

        Args:
            texts: at least one.
            near: only row groups with events of this window.

        Raises:
            DamagedPartError: a file is not what the manifest says.
            StoreUnavailableError: a file cannot be read.
        """
        for file, number in self._groups():
            group = file.part.groups[number]
            if not near.overlaps(group.first, group.last + 1):
                continue
            table = file.read(number, (BLOB, LINE, EVENT))
            found = [pc.match_substring(table[EVENT], one) for one in texts]
            hits = table.filter(reduce(pc.or_, found))
            yield from zip(hits[BLOB].to_pylist(), hits[LINE].to_pylist(), strict=True)

    def rows(self, payloads: Payloads) -> int:
        """How many rows the dropped blobs had, without those of lines that repeat an event.

        Args:
            payloads: the objects that lines refer to.

        Raises:
            DamagedPartError: a file is not what the manifest says.
            StoreUnavailableError: a file cannot be read.
        """
        count = 0
        for file, number in self._groups():
            if file.part.kind == "rows":
                is_dropped = pc.is_in(file.read(number, (BLOB,))[BLOB], value_set=pa.array(self.blobs, pa.string()))
                count += pc.sum(is_dropped).as_py() or 0
                continue
            for (blob, _), line in _lines(file.read(number), file):
                envelope = decode_line(line) if blob in self.blobs else None
                count += 0 if envelope is None else rows_of(envelope, payloads, blob)
        return count

    def lines(self) -> Iterator[tuple[tuple[str, int], bytes]]:
        """All lines, each with its place.

        Raises:
            DamagedPartError: a file is not what the manifest says.
            StoreUnavailableError: a file cannot be read.
        """
        for file, number in self._groups():
            yield from _lines(file.read(number), file)

    def _groups(self) -> Iterator[tuple[PartFile, int]]:
        for part, number in self._manifest.groups():
            yield self._file(part), number

    def _file(self, part: Part) -> PartFile:
        if part.name not in self._files:
            name = self._manifest.part_name(part)
            if not self._listed:
                self._listed = {one.name: one.size for one in self._store.walk(self._manifest.folder)}
            if self._listed.get(name) != part.size:
                raise DamagedPartError(f"expected {part.size:,} bytes in {name}, got {self._listed.get(name, 0):,}")
            self._files[part.name] = PartFile.opened(self._store, self._manifest, part)
        return self._files[part.name]


def dropped_folders(
    store: StoreAccess, collection: CollectionBlobs, window: Window
) -> Iterator[tuple[DroppedFolder | None, str]]:
    """The folders of a collection of which lines are in Parquet files only; or why such lines cannot be read.

    Args:
        store: has them.
        collection: as it was listed.
        window: only folders that overlap it.

    Raises:
        StoreUnavailableError: a manifest cannot be read.
    """
    if not collection.compacted:
        return
    for source in folder_sources(store, collection, window):
        if source.problem:
            yield None, source.problem
        elif source.manifest is not None:
            there = {one.name for one in source.blobs}
            names = {one.name for one in source.manifest.blobs if one.dropped and one.name not in there}
            if names:
                yield DroppedFolder.of(store, collection.root, source.manifest, names), ""


def _may_be_at(table: pa.Table, places: Collection[tuple[str, int]]) -> Any:
    """Which rows may be of some lines: those of one of the blobs and one of the numbers."""
    try:
        blobs = pc.is_in(table[BLOB], value_set=texts_array(list({blob for blob, _ in places})))
        numbers = numbers_array(np.array(list({line for _, line in places}), np.int64))
        return pc.and_(blobs, pc.is_in(table[LINE], value_set=numbers))
    except KeyError:
        return truths_array(np.zeros(table.num_rows, np.bool_))


def _lines(table: pa.Table, file: PartFile) -> Iterator[tuple[tuple[str, int], bytes]]:
    """The lines of a row group, or of those of its rows that are whole events."""
    try:
        if file.part.kind == "events":
            columns = (table[name].to_pylist() for name in (BLOB, LINE, EVENT, DATA))
            for blob, line, event, data in zip(*columns, strict=True):
                yield (blob, line), line_of(event or "{}", data).encode(errors="surrogatepass")
            return
        yield from _of_rows(table, file)
    except KeyError as error:
        raise DamagedPartError(f"expected the column {error} in {file.name}, got none") from None


def _of_rows(table: pa.Table, file: PartFile) -> Iterator[tuple[tuple[str, int], bytes]]:
    own = own_columns(table, file.part, file.part.columns, file.name)
    starts = np.flatnonzero(truths_of(table[EVENT].is_valid()))
    texts = [row for batch in own.to_batches() for row in json_rows(batch).split(b"\n")[:-1]]
    numbers = table[ROW].to_pylist()
    first_rows = numbers_array(starts)
    blobs, lines, events = (table[name].take(first_rows).to_pylist() for name in (BLOB, LINE, EVENT))
    ends = [*starts[1:].tolist(), table.num_rows]
    for blob, line, event, start, end in zip(blobs, lines, events, starts.tolist(), ends, strict=True):
        rows = dict(zip(numbers[start:end], texts[start:end], strict=True))
        data = b",".join(rows.get(index, b"{}") for index in range(_count(event, rows)))
        yield (blob, line), line_of(event, f"[{data.decode()}]").encode(errors="surrogatepass")


class _Erased(msgspec.Struct):
    erasedrows: str | None = None


def _count(event: str, rows: Collection[int]) -> int:
    """How many rows a line had, with those that were erased."""
    last = max(rows, default=-1)
    if "erasedrows" in event:
        ranges = ranges_of(msgspec.json.decode(event, type=_Erased).erasedrows)
        last = max(last, min(_MOST_ROWS, max((end for _, end in ranges), default=-1)))
    return last + 1
