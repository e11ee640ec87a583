"""The rows of one folder of a collection as pieces: its Parquet files, and its lines as far as they were decoded.

Lines are decoded from the ends of blobs on, so that the first rows that are shown are the newest ones. Of two events
with one id the one that is decoded first counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from otel_modeldata_reader.blobs.listing import CollectionBlobs, hours_of
from otel_modeldata_reader.compacted.folder_sources import folder_source
from otel_modeldata_reader.compacted.part_file import DamagedPartError
from otel_modeldata_reader.exceptions import StoreUnavailableError
from otel_modeldata_reader.following.line_slices import reading_of
from otel_modeldata_reader.following.unread_lines import UnreadLines
from otel_modeldata_reader.lines.known_ids import KnownIds
from otel_modeldata_reader.reading import Reading, Request
from otel_modeldata_reader.window import Window, held

from .piece_writer import write_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from otel_modeldata_reader.blobs.store_access import StoreAccess
    from otel_modeldata_receiver.storage.store import StoredObject

    from .cache_folder import CacheFolder
    from .part_pieces import PartPieces
    from .piece import Piece

__all__ = ["FolderRows"]

_PIECE_ROWS: Final = 200_000
_PIECE_BYTES: Final = 64 << 20
"""Of rows in memory, before they are written as a file."""
_SMALL_ROWS: Final = 20_000
_MOST_SMALL: Final = 8
"""So many small files of a folder that grows become one."""
_FILE_SHARE: Final = 16
"""So many bytes of a Parquet file are compared while one byte of lines is decoded."""
_OPEN: Final = Window()


class FolderRows:
    """Reads what a folder has, and what it gets later.

    Args:
        store: has the folder.
        parts: makes pieces of Parquet files.
        cache: takes Parquet files of lines.
        root: the collection.
        date: of the folder, as `2026/11/22/10`.
        ids_of: returns the ids of the events in some files.
    """

    def __init__(  # noqa: PLR0913 (most are keywords)
        self,
        store: StoreAccess,
        parts: PartPieces,
        cache: CacheFolder,
        *,
        root: str,
        date: str,
        ids_of: Callable[[list[Piece]], Iterator[list[str]]],
    ) -> None:
        self._store = store
        self._parts = parts
        self._cache = cache
        self._root = root
        self._date = date
        self._ids_of = ids_of
        self._start = held(hours_of(date)[0])
        self._seen: frozenset[tuple[str, int]] | None = None
        self._sizes: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._lines: UnreadLines | None = None
        self._ids = KnownIds()
        self._compacted: list[Piece] = []
        self._large: list[Piece] = []
        self._small: list[tuple[Piece, pa.Table]] = []

    @property
    def pieces(self) -> list[Piece]:
        """The files that have the rows so far: Parquet files of the store, then those of lines in the order of time."""
        of_lines = [*self._large, *(piece for piece, _ in self._small)]
        return [*self._compacted, *sorted(of_lines, key=lambda one: one.last)]

    def pending(self, blobs: tuple[StoredObject, ...], compacted: Mapping[str, int]) -> int:
        """About how many bytes are to be read until the pieces are what the listing has."""
        if any(self._cache.has_lost(piece.path) for piece in self.pieces):
            self.discard()  # somebody has removed old temporary files
        if self._seen != _state(compacted) or self._is_other(blobs):
            return 1 + sum(blob.size for blob in blobs)
        return sum(max(0, blob.size - self._sizes.get(blob.name, 0)) for blob in blobs)

    def effort(self, blobs: tuple[StoredObject, ...], compacted: Mapping[str, int]) -> int:
        """About how long it takes to read what is pending, as bytes of lines: Parquet files have digests to compare.

        Unlike the other methods any thread may call it at any time.
        """
        if self._seen != _state(compacted):
            return sum(blob.size for blob in blobs) + sum(compacted.values()) // _FILE_SHARE
        return sum(max(0, blob.size - self._sizes.get(blob.name, 0)) for blob in blobs)

    def read(
        self,
        found: CollectionBlobs,
        blobs: tuple[StoredObject, ...],
        compacted: Mapping[str, int],
        may_go_on: Callable[[], bool],
    ) -> None:
        """Read what is new in a listing, a few megabytes of lines at a time.

        Args:
            found: the collection as it was listed.
            blobs: of the folder.
            compacted: the objects of its compacted folder: sizes by name.
            may_go_on: asked before the next megabytes; what it refuses stays pending.

        Raises:
            ReaderError: the store cannot be read, or the cache takes no more. The next call begins again: what was
                read of lines and not written is in no later slice.
        """
        try:
            self._read(found, blobs, compacted, may_go_on)
        except BaseException:  # only to forget what was half read; it is raised again
            self.discard()
            raise

    def discard(self) -> None:
        """Forget everything that was read, and let its files go."""
        self._cache.discard(piece.path for piece in self.pieces)
        self._compacted, self._large, self._small = [], [], []
        self._ids, self._lines = KnownIds(), None
        self._seen, self._sizes, self._ends = None, {}, {}

    def _read(
        self,
        found: CollectionBlobs,
        blobs: tuple[StoredObject, ...],
        compacted: Mapping[str, int],
        may_go_on: Callable[[], bool],
    ) -> None:
        if self._seen != _state(compacted) or self._is_other(blobs):
            self._restart(found, blobs, compacted)
        if self._lines is None:
            return
        collection = replace(found, blobs=blobs, compacted={})
        self._ends |= {blob.name: blob.size for blob in blobs}
        tables: list[pa.Table] = []
        while (slices := self._lines.take(blobs)) is not None:
            table = reading_of(self._store, collection, _OPEN, slices).to_arrow()
            tables = self._taken([self._new(table), *tables])
            for name, content in slices.contents.items():
                self._sizes[name] = self._sizes.get(name, 0) + len(content)
            if not may_go_on():
                break
        else:
            self._sizes |= self._ends  # with torn ends
        self._taken(tables, is_last=True)

    def _is_other(self, blobs: tuple[StoredObject, ...]) -> bool:
        """Whether a blob has lost lines, as an erasure takes them, or is gone."""
        there = {blob.name: blob.size for blob in blobs}
        return any(there.get(name, -1) < size for name, size in self._ends.items())

    def _restart(self, found: CollectionBlobs, blobs: tuple[StoredObject, ...], compacted: Mapping[str, int]) -> None:
        """Begin again, because there are other Parquet files, or other lines under the name of a blob."""
        self.discard()
        source = folder_source(self._store, self._root, self._date, blobs, compacted)
        starts = {one.blob: one.start for one in source.lines}
        if source.manifest is not None:
            try:
                pieces = self._parts.pieces(source, source.manifest)
            except (DamagedPartError, StoreUnavailableError):
                pieces = None  # the reader reads the lines that are left, or says that the store cannot be read
            if pieces is None:
                self._decode_folder(replace(found, blobs=blobs, compacted={self._date: compacted}))
                starts = {}
            else:
                self._compacted = pieces
                if starts:
                    for ids in self._ids_of(pieces):
                        self._ids.new_ones(ids)
        else:
            starts = dict.fromkeys((blob.name for blob in blobs), 0)
        self._sizes = {blob.name: starts.get(blob.name, blob.size) for blob in blobs}
        self._ends = dict(self._sizes)
        self._lines = UnreadLines(self._store, self._sizes)
        self._seen = _state(compacted)

    def _decode_folder(self, folder: CollectionBlobs) -> None:
        """Rows that are not in Parquet files as rows: the reader reads all of the folder."""
        reading = Reading(self._store, Request(collection=folder, window=_OPEN))
        tables: list[pa.Table] = []
        for batch in reading.batches():
            table = pa.Table.from_batches([batch])
            self._ids.new_ones([one for one in pc.unique(table["event_id"]).to_pylist() if one])
            tables = self._taken([*tables, table])
        self._taken(tables, is_last=True)

    def _new(self, table: pa.Table) -> pa.Table:
        """The rows of events that were not read before; those without an id are all new."""
        ids = [one for one in pc.unique(table["event_id"]).to_pylist() if one]
        if self._ids.are_new(ids):
            return table
        repeated = [one for one, is_new in zip(ids, self._ids.new_ones(ids), strict=True) if not is_new]
        if not repeated:
            return table
        return table.filter(pc.invert(pc.is_in(table["event_id"], value_set=pa.array(repeated, pa.string()))))

    def _taken(self, tables: list[pa.Table], *, is_last: bool = False) -> list[pa.Table]:
        """Write tables that are large enough, and return those that wait."""
        tables = [table for table in tables if table.num_rows]
        while tables:
            alike = [table for table in tables if table.schema == tables[0].schema]
            rows, size = sum(table.num_rows for table in alike), sum(table.nbytes for table in alike)
            if not is_last and len(alike) == len(tables) and rows < _PIECE_ROWS and size < _PIECE_BYTES:
                break
            self._write(pa.concat_tables(alike))
            tables = [table for table in tables if table.schema != alike[0].schema]
        return tables

    def _write(self, table: pa.Table) -> None:
        same = [(piece, rows) for piece, rows in self._small if rows.schema == table.schema]
        if len(same) >= _MOST_SMALL:
            table = pa.concat_tables([*(rows for _, rows in same), table])
        piece = write_piece(self._cache, self._date, table, self._start)
        if len(same) >= _MOST_SMALL:
            self._small = [one for one in self._small if all(one[0] is not other for other, _ in same)]
            self._cache.discard(old.path for old, _ in same)
        if table.num_rows < _SMALL_ROWS and table.nbytes < _PIECE_BYTES // _MOST_SMALL:
            self._small.append((piece, table))
        else:
            self._large.append(piece)


def _state(compacted: Mapping[str, int]) -> frozenset[tuple[str, int]]:
    return frozenset(compacted.items())
