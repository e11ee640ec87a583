"""What a reading of a folder is: Parquet files that its newest manifest vouches for, and the lines that it does not.

Everything that reads rows of a collection asks here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ..blobs.byte_ranges import LinesOfBlob
from ..blobs.compacted_name import CompactedName, compacted_folder, compacted_name
from ..blobs.listing import date_of
from ..exceptions import StoreUnavailableError
from .changed_blobs import other_blobs
from .manifest import MOST_BYTES, LaterManifestError, Manifest, ManifestError, decode_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Window
    from .manifest import CoveredBlob

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
        changed: the blobs that have other bytes than those that the manifest stands for. All of their lines are among
            `lines`.
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
    changed: tuple[str, ...] = ()

    @property
    def changed_problem(self) -> str:
        """What is wrong with the blobs that have changed; empty if none has."""
        if not self.changed:
            return ""
        return (
            f"expected the bytes of {self.changed[0]} as they were compacted, got others: was it edited, or the store "
            "restored from an older copy?"
        )

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
    lines, changed = uncovered_lines(store, manifest, blobs)
    return FolderSource(
        root=root,
        date=date,
        blobs=blobs,
        manifest=manifest,
        lines=lines,
        changed=changed,
        files=compacted,
        problem=problem,
        is_later=is_later,
        highest=max((CompactedName(root, date, file).number or 0 for file in compacted), default=0),
    )


def uncovered_lines(
    store: StoreAccess, manifest: Manifest | None, blobs: Sequence[StoredObject]
) -> tuple[tuple[LinesOfBlob, ...], tuple[str, ...]]:
    """The lines of blobs that a manifest does not stand for.

    Returns:
        The lines, and the names of the blobs that have other bytes than the manifest stands for.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    covered: dict[str, CoveredBlob] = {}
    for entry in manifest.blobs if manifest is not None else ():
        if entry.name not in covered or covered[entry.name].dropped:
            covered[entry.name] = entry
    other = other_blobs(store, manifest, [(one, covered[one.name]) for one in blobs if one.name in covered])
    lines = []
    for blob in blobs:
        known = covered.get(blob.name)
        if known is None or blob.name in other:
            lines.append(LinesOfBlob(blob=blob.name, start=0, end=blob.size))
        else:
            start = min(known.size, blob.size)
            lines.append(LinesOfBlob(blob=blob.name, start=start, end=blob.size, before=min(known.lines, blob.size)))
    changed = tuple(one.name for one in blobs if one.name in other and not covered[one.name].dropped)
    return tuple(one for one in lines if one.size), changed


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
