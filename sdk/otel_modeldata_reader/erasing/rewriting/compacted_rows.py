"""The events in the Parquet files of compacted folders whose lines are dropped, so that nothing else has them.

Where the lines are still there, they are what is erased from, and the folder is made compact again later.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...blobs.checksum import checksum_of
from ...blobs.compacted_name import compacted_folder
from ...compacted.folder_sources import newest_manifest
from ...compacted.manifest import ManifestError
from ...compacted.part_file import PartFile
from ...exceptions import ReaderError
from ...index.line_ids import span_ids_of
from ...lines.erased_rows import united
from ...rows.compacted_rows import line_of
from ...rows.stored_columns import BLOB, DATA, EVENT, LINE, ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...blobs.listing import CollectionBlobs
    from ...blobs.store_access import StoreAccess
    from ...compacted.manifest import CoveredBlob, Manifest, Part
    from ...lines.erased_rows import RowRanges

__all__ = [
    "CompactedEvent",
    "RowGroupRows",
    "dropped_blobs",
    "manifests_of",
    "manifests_with_lines",
    "row_groups",
    "starts_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedEvent:
    """An event whose rows are consecutive rows of a row group.

    Attributes:
        id: its own id.
        correlation_id: of its request.
        trace_id: 32 hex digits; empty outside of a trace.
        start: its first row in the group.
        end: the row after its last one.
        numbers: the numbers of its rows.
    """

    id: str | None
    correlation_id: str | None
    trace_id: str
    start: int
    end: int
    numbers: RowRanges


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroupRows:
    """A row group, without rows of blobs that are not dropped.

    Attributes:
        part: the file.
        table: its columns as they are in the file.
    """

    part: Part
    table: pa.Table

    def events(self) -> Iterator[CompactedEvent]:
        """The events of a file of rows, in their order."""
        ids, corrs, parents = (self.table[name].to_pylist() for name in ("event_id", "correlationid", "traceparent"))
        numbers = self.table[ROW].to_numpy().tolist()
        starts = [*starts_of(self.table), self.table.num_rows]
        for start, end in pairwise(starts):
            yield CompactedEvent(
                id=ids[start],
                correlation_id=corrs[start],
                trace_id=span_ids_of(parents[start])[0],
                start=start,
                end=end,
                numbers=united((one, one) for one in numbers[start:end]),
            )

    def event_texts(self) -> Iterator[bytes]:
        """The keys of each event of a file of rows, as JSON."""
        return (text.encode(errors="surrogatepass") for text in self.table[EVENT].to_pylist() if text is not None)

    def lines(self) -> Iterator[bytes]:
        """The lines of a file of events."""
        for event, data in zip(self.table[EVENT].to_pylist(), self.table[DATA].to_pylist(), strict=True):
            yield line_of(event or "{}", data).encode(errors="surrogatepass")


def manifests_of(store: StoreAccess, collection: CollectionBlobs) -> Iterator[Manifest]:
    """The newest manifest of each compacted folder; see `manifests_with_lines`.

    Raises:
        ReaderError: one is damaged, so that it is not known which rows its files have; or it cannot be read.
    """
    return (manifest for manifest, _ in manifests_with_lines(store, collection))


def manifests_with_lines(store: StoreAccess, collection: CollectionBlobs) -> Iterator[tuple[Manifest, bool]]:
    """The newest manifest of each compacted folder, and whether lines that it says are dropped are there.

    They are if the command was killed before it removed them, or if their blob grew at that moment. Such a blob is
    not `dropped` here: what is erased goes from its lines, and the files would have the others once more.

    Raises:
        ReaderError: as for `manifests_of`.
    """
    sizes = {blob.name: blob.size for blob in collection.blobs}
    for date, files in sorted(collection.compacted.items()):
        try:
            manifest = newest_manifest(store, collection.root, date, files)
        except ManifestError as error:
            folder = compacted_folder(collection.root, date)
            raise ReaderError(
                f"{error}; if the lines of {folder} are there, remove that folder and run it again"
            ) from None
        if manifest is None:
            continue
        kept = {
            one.name
            for one in manifest.blobs
            if one.dropped and 0 < one.size <= sizes.get(one.name, 0) and _has_bytes(store, one)
        }
        blobs = tuple(
            msgspec.structs.replace(one, dropped=one.dropped and one.name not in kept) for one in manifest.blobs
        )
        yield msgspec.structs.replace(manifest, blobs=blobs) if kept else manifest, bool(kept)


def _has_bytes(store: StoreAccess, covered: CoveredBlob) -> bool:
    """Whether the blob that has the name now is the one that was dropped."""
    return checksum_of(store, covered.name, covered.size).sha256 == covered.sha256


def dropped_blobs(manifest: Manifest) -> frozenset[str]:
    """The blobs whose lines are only in the Parquet files."""
    return frozenset(one.name for one in manifest.blobs if one.dropped)


def row_groups(store: StoreAccess, manifest: Manifest, *, every: bool = False) -> Iterator[RowGroupRows]:
    """The row groups of a folder in the order of their lines, each with the rows of dropped blobs only, or with all.

    Raises:
        DamagedPartError: a file is not what the manifest says.
        StoreUnavailableError: a file cannot be read.
    """
    names = dropped_blobs(manifest)
    if not names and not every:
        return
    dropped = pa.array(sorted(names), pa.string())
    files: dict[str, PartFile] = {}
    for part, number in manifest.groups():
        file = files.get(part.name) or files.setdefault(part.name, PartFile.opened(store, manifest, part))
        table = file.read(number)
        kept = table if every else table.filter(pc.is_in(table[BLOB], value_set=dropped))
        if kept.num_rows:
            yield RowGroupRows(part=part, table=kept)


def starts_of(table: pa.Table) -> list[int]:
    """The first row of each event of a file of rows."""
    if not table.num_rows:
        return []
    lines = table[LINE].to_numpy()
    blobs = np.array(table[BLOB].to_pylist(), dtype=object)
    is_first = np.ones(table.num_rows, np.bool_)
    is_first[1:] = (lines[1:] != lines[:-1]) | (blobs[1:] != blobs[:-1])
    found: list[int] = np.flatnonzero(is_first).tolist()
    return found
