"""What a reading of a folder is: Parquet files that its newest manifest vouches for, and the lines that it does not.

Everything that reads rows of a collection asks here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ..blobs.byte_ranges import ByteRange, LinesOfBlob
from ..blobs.compacted_name import CompactedName, compacted_folder, compacted_name
from ..blobs.listing import date_of
from ..exceptions import StoreUnavailableError
from .manifest import END_BYTES, MOST_BYTES, LaterManifestError, Manifest, ManifestError, decode_manifest, end_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Window

__all__ = ["FolderSource", "folder_source", "folder_sources", "newest_manifest", "uncovered_lines"]

_TRIES: Final = 3
"""A compaction publishes a manifest, and then removes the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSource:
    """What a reading of a folder is.

    Attributes:
        root: folder of the collection.
        date: the span of time, as the folder has it.
        blobs: the blobs of the folder, in the order of their names.
        manifest: what vouches for Parquet files, which have the first rows of the folder; None without one.
        lines: the lines that no Parquet file has, in the order of the blobs.
        files: the sizes of the objects in the compacted folder by name.
        problem: why a manifest that is there cannot be used: then `lines` are all that there are.
        is_later: whether a later release has written that manifest.
        highest: the highest number of a manifest that is there, also of one that cannot be used; 0 without one.
    """

    root: str
    date: str
    blobs: tuple[StoredObject, ...]
    manifest: Manifest | None
    lines: tuple[LinesOfBlob, ...]
    files: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    is_later: bool = False
    highest: int = 0

    @property
    def covered_lines(self) -> tuple[LinesOfBlob, ...]:
        """The lines that the manifest stands for, as far as they are still there."""
        starts = {one.blob: one.start for one in self.lines}
        covered = [(one.name, starts.get(one.name, one.size)) for one in self.blobs]
        return tuple(LinesOfBlob(blob=name, start=0, end=end) for name, end in covered if end)


def folder_sources(store: StoreAccess, collection: CollectionBlobs, window: Window) -> Iterator[FolderSource]:
    """What a reading of a collection is, folder by folder, in the order of their times.

    Args:
        store: has the collection.
        collection: as it was listed.
        window: only folders that overlap it.

    Raises:
        StoreUnavailableError: a manifest cannot be read.
    """
    blobs = {date: tuple(found) for date, found in groupby(collection.blobs, key=lambda one: date_of(one.name))}
    for date in collection.dates(window):
        yield folder_source(store, collection.root, date, blobs.get(date, ()), collection.compacted.get(date, {}))


def folder_source(
    store: StoreAccess, root: str, date: str, blobs: Sequence[StoredObject], compacted: Mapping[str, int]
) -> FolderSource:
    """What a reading of one folder is.

    Args:
        store: has the folder.
        root: folder of the collection.
        date: the span of time, as the folder has it.
        blobs: of the folder, in the order of their names.
        compacted: the objects of its compacted folder: sizes by name.

    Raises:
        StoreUnavailableError: the manifest cannot be read.
    """
    blobs, problem, is_later, manifest = tuple(blobs), "", False, None
    if compacted:
        try:
            manifest, compacted = _newest(store, root, date, compacted)
        except ManifestError as error:
            problem, is_later = str(error), isinstance(error, LaterManifestError)
    return FolderSource(
        root=root,
        date=date,
        blobs=blobs,
        manifest=manifest,
        lines=uncovered_lines(store, manifest, blobs),
        files=compacted,
        problem=problem,
        is_later=is_later,
        highest=max((CompactedName(root, date, file).number or 0 for file in compacted), default=0),
    )


def uncovered_lines(
    store: StoreAccess, manifest: Manifest | None, blobs: Sequence[StoredObject]
) -> tuple[LinesOfBlob, ...]:
    """The lines of blobs that a manifest does not stand for.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    return tuple(one for blob in blobs if (one := _uncovered(store, manifest, blob)).size)


def newest_manifest(store: StoreAccess, root: str, date: str, compacted: Mapping[str, int]) -> Manifest | None:
    """The newest manifest of a folder; None if there is none.

    Args:
        store: has the folder.
        root: folder of the collection.
        date: the span of time, as the folder has it.
        compacted: the objects of its compacted folder: sizes by name.

    Raises:
        ManifestError: it is damaged, or is none that a compaction has written.
        StoreUnavailableError: it cannot be read.
    """
    return _newest(store, root, date, compacted)[0]


def _newest(
    store: StoreAccess, root: str, date: str, compacted: Mapping[str, int]
) -> tuple[Manifest | None, Mapping[str, int]]:
    """The newest manifest of a folder, and the objects in it."""
    for number in range(_TRIES):
        places = [CompactedName(root, date, file) for file in compacted]
        newest = max((one for one in places if one.number is not None), key=lambda one: one.number or 0, default=None)
        if newest is None:
            break
        if (size := compacted[newest.file]) > MOST_BYTES:
            raise ManifestError(f"expected a manifest of at most {MOST_BYTES >> 20} MiB, got {size:,} bytes")
        try:
            content = store.read(f"{compacted_folder(root, date)}/{newest.file}", size)
        except StoreUnavailableError:
            if number == _TRIES - 1:
                raise
            compacted = _listed(store, root, date)  # it was removed meanwhile, and there is a newer one
        else:
            return decode_manifest(content, newest), compacted
    return None, compacted


def _listed(store: StoreAccess, root: str, date: str) -> dict[str, int]:
    names = ((compacted_name(one.name), one.size) for one in store.walk(compacted_folder(root, date)))
    return {name.file: size for name, size in names if name is not None and (name.root, name.date) == (root, date)}


def _uncovered(store: StoreAccess, manifest: Manifest | None, blob: StoredObject) -> LinesOfBlob:
    """The lines of a blob that a manifest does not stand for."""
    for one in manifest.blobs if manifest is not None else ():
        if one.name != blob.name:
            continue
        if not one.dropped or _has_end(store, blob, one.size, one.end):
            return LinesOfBlob(
                blob=blob.name, start=min(one.size, blob.size), end=blob.size, before=min(one.lines, blob.size)
            )
    return LinesOfBlob(blob=blob.name, start=0, end=blob.size)


def _has_end(store: StoreAccess, blob: StoredObject, size: int, end: str) -> bool:
    """Whether a blob that was to be removed is still there, and not another one of its name."""
    if blob.size < size:
        return False
    try:
        (content,) = store.read_ranges([ByteRange(blob.name, max(0, size - END_BYTES), size)])
    except StoreUnavailableError:
        if any(one.name == blob.name for one in store.walk(blob.name.rpartition("/")[0])):
            raise
        return True  # it was removed after it was listed
    return end_digest(content) == end
