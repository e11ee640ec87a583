"""Compacts one folder: new lines become Parquet files, and then a manifest vouches for them.

Whatever others can see happens in an order in which each moment is right:

1. The files are stored and read back. Without a manifest nothing reads them.
2. The manifest with the next number is stored, and read back. From then on it counts.
3. What no manifest names any more is removed.

A process that dies leaves what it has stored, and the next run removes it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, cast

from ..blobs.compacted_name import CompactedName, compacted_folder, manifest_name
from ..compacted.manifest import (
    CoveredBlob,
    LineCounts,
    Manifest,
    ManifestError,
    SkippedLine,
    decode_manifest,
    encode_manifest,
)
from ..compacted.part_file import DamagedPartError, PartFile
from ..exceptions import StoreUnavailableError
from ..lines.event_stream import event_batches
from ..lines.known_ids import KnownIds
from ..lines.tally import Tally
from ..window import Window
from .covered_bytes import ChangedLinesError, CoveredBytes, end_of_last_line
from .part_writer import OtherRowsError, PartWriter
from .row_group_tables import group_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..blobs.store_access import StoreAccess
    from ..compacted.folder_sources import FolderSource
    from ..compacted.manifest import Part
    from ..report import Place

__all__ = ["FOLDER_ERRORS", "Compaction", "compact_folder", "publish"]

_SHOWN: Final = 20
FOLDER_ERRORS: Final = (ChangedLinesError, DamagedPartError, ManifestError, OtherRowsError)
"""What is wrong with one folder, and says nothing about others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """What a compaction did to a folder.

    Attributes:
        manifest: what vouches for the folder now; None if there is nothing in it.
        lines: lines that were read.
        size: their bytes.
        written: bytes of the Parquet files that were written.
    """

    manifest: Manifest | None
    lines: int = 0
    size: int = 0
    written: int = 0


class _SkipTally(Tally):
    """Counts, and notes which lines no file has."""

    def __init__(self) -> None:
        super().__init__(strict=False)
        self.counts = {"duplicates": 0, "foreign": 0, "misplaced": 0}
        self.skipped: list[SkippedLine] = []

    def add(self, name: str, count: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + count

    def skip(self, name: str, place: Place, reason: str) -> None:
        self.counts[name] += 1
        if len(self.skipped) < _SHOWN:
            self.skipped.append(SkippedLine(blob=place.blob, line=place.line, kind=name, reason=reason))


def compact_folder(
    store: StoreAccess,
    source: FolderSource,
    names: tuple[str, str, str] | None,
    check: Callable[[], None],
    progress: Callable[[int], object] = lambda _: None,
) -> Compaction:
    """Compact the lines of a folder that no Parquet file has yet.

    Args:
        store: has the folder, and takes the files.
        source: what the folder is now.
        names: endpoint, deployment and collection, where the folder names them.
        check: called before each step that others can see; see `StoreAccess.locked`.
        progress: called with the number of bytes of each piece that is read.

    Raises:
        ChangedLinesError: what was covered before has changed.
        DamagedPartError: a file that the folder has already is damaged.
        ManifestError: the folder has more blobs than a manifest may name.
        OtherRowsError: a file does not give back the rows of the lines.
        StoreUnavailableError: something cannot be read or written, or is not what was written.
        StoreBusyError: another command changes the store.
    """
    before = source.manifest
    lines = [replace(one, end=end_of_last_line(store, one)) for one in source.lines]
    lines = [one for one in lines if one.size]
    if not lines:
        return Compaction(manifest=before)
    known = [one for one in before.blobs if not one.dropped or _continues(one, source)] if before is not None else []
    covered = CoveredBytes(store, {one.name: one for one in known})
    tally = _SkipTally()
    orders = [group.order for part in before.parts for group in part.groups] if before is not None else []
    folder = compacted_folder(source.root, source.date)
    parts_before = before.parts if before is not None else ()
    writer = PartWriter(store, folder, max(orders, default=-1) + 1, check, parts_before)
    batches = event_batches(
        cast("StoreAccess", covered), lines, Window(), tally, progress, ids=_known_ids(store, before), with_texts=True
    )
    events = 0
    with _nothing_left(store, source, writer, check):
        for batch in batches:
            events += len(batch.envelopes)
            for group in group_tables(batch, names, source.date, writer.has_room):
                writer.add(group)
        parts = writer.finish()
    blobs = {one.name: one for one in known} | covered.blobs
    gone = [one for one in before.blobs if one not in known] if before is not None else []
    counts = before.counts if before is not None else LineCounts()
    read = sum(one.lines for one in covered.blobs.values()) - sum(one.before for one in lines)
    manifest = Manifest(
        version=1,
        root=source.root,
        date=source.date,
        number=(before.number if before is not None else source.highest) + 1,
        blobs=(*gone, *(blobs[name] for name in sorted(blobs))),
        parts=(*(before.parts if before is not None else ()), *parts),
        counts=LineCounts(
            lines=counts.lines + read,
            events=counts.events + events,
            duplicates=counts.duplicates + tally.counts["duplicates"],
            foreign=counts.foreign + tally.counts["foreign"],
            misplaced=counts.misplaced + tally.counts["misplaced"] - _misplaced(parts),
        ),
        skipped=(*(before.skipped if before is not None else ()), *tally.skipped)[:_SHOWN],
        made=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        by=version("otel-modeldata"),
    )
    with _nothing_left(store, source, writer, check):
        publish(store, manifest, check)
    return Compaction(
        manifest=manifest, lines=read, size=sum(one.size for one in lines), written=sum(part.size for part in parts)
    )


@contextmanager
def _nothing_left(
    store: StoreAccess, source: FolderSource, writer: PartWriter, check: Callable[[], None]
) -> Iterator[None]:
    """Remove the new files if the folder cannot be compacted: no manifest is going to name them."""
    try:
        yield
    except FOLDER_ERRORS:
        for name, size in writer.stored.items():
            if name.rpartition("/")[2] not in source.files:
                check()
                store.remove(name, size)
        raise


def publish(store: StoreAccess, manifest: Manifest, check: Callable[[], None]) -> None:
    """Store a manifest, and read it back. Then it counts.

    Raises:
        ManifestError: it is too large, or none that a reading would take.
        StoreUnavailableError: it cannot be stored, or is not what was stored.
        StoreBusyError: another command changes the store.
    """
    content = encode_manifest(manifest)
    name = manifest_name(manifest.root, manifest.date, manifest.number)
    decode_manifest(content, CompactedName(manifest.root, manifest.date, name.rpartition("/")[2]))
    check()
    store.put(name, content)
    if store.read(name, len(content)) != content:
        raise StoreUnavailableError(f"expected {name} as it was written, got other content: run the command again")


def _misplaced(parts: Iterable[Part]) -> int:
    return sum(group.misplaced for part in parts for group in part.groups)


def _continues(one: CoveredBlob, source: FolderSource) -> bool:
    """Whether a blob that was to be removed is still there, because it had grown."""
    return any(lines.blob == one.name and lines.start == one.size for lines in source.lines)


def _known_ids(store: StoreAccess, manifest: Manifest | None) -> KnownIds:
    """The ids of the events that the folder's files have."""
    ids = KnownIds()
    if manifest is None:
        return ids
    for part in manifest.parts:
        file = PartFile.opened(store, manifest, part)
        for number in range(len(part.groups)):
            ids.new_ones([one for one in file.read(number, ["event_id"])["event_id"].unique().to_pylist() if one])
    return ids
