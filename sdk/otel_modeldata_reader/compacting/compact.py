"""`Store.compact`: the closed folders of a store, one after the other, under the lock of the store."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..blobs.compacted_name import compacted_folder, compacted_name, compacted_root
from ..blobs.dated_folder import is_closed
from ..blobs.listing import CollectionBlobs, collections_of, date_of, hours_of
from ..compacted.folder_sources import FolderSource, folder_source, uncovered_lines
from ..compacted.part_file import DamagedPartError
from ..progress import Progress
from .compacted_folder import CompactedFolder
from .covered_bytes import ChangedLinesError, end_of_last_line
from .dropped_folders import DroppedFolders
from .dropped_lines import drop_lines
from .folder_compaction import FOLDER_ERRORS, compact_folder
from .remove_orphans import remove_orphans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from ..compacted.manifest import Manifest
    from ..window import Window

__all__ = ["CompactRequest", "CompactedFolder", "compact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRequest:
    """What to compact.

    Attributes:
        window: only folders whose time is inside.
        lateness: seconds after the end of its time at which a folder is closed.
        drop: whether lines that are compacted are removed.
        dry_run: whether nothing is written.
        is_all: whether the whole store is asked for, also what has no collection any more.
    """

    window: Window
    lateness: float
    drop: bool
    dry_run: bool
    is_all: bool


def compact(
    store: StoreAccess, collections: Iterable[CollectionBlobs], request: CompactRequest
) -> list[CompactedFolder]:
    """Compact the closed folders of some collections.

    Args:
        store: has them.
        collections: as they were listed.
        request: what to do.

    Raises:
        StoreUnavailableError: the store cannot be read or written.
        StoreBusyError: another command changes the store.
    """
    collections = list(collections)
    total = sum(one.size for each in collections for one in each.blobs)
    progress = Progress(store.shown, total)
    found: list[CompactedFolder] = []
    lock: Any = nullcontext(lambda: None) if request.dry_run else store.locked("compact")
    with lock as check:
        dropped = DroppedFolders(store)
        roots = None if request.is_all else {one.root for one in collections}
        found += remove_orphans(store, roots, dropped, None if request.dry_run else check)
        kept = {(one.collection, one.date) for one in found}
        for collection in collections:
            listed = collection if request.dry_run else _again(store, collection.root)
            blobs: dict[str, list[StoredObject]] = {}
            for blob in listed.blobs:
                blobs.setdefault(date_of(blob.name), []).append(blob)
            for date in sorted({*blobs, *listed.compacted}):
                if not is_closed(date, request.lateness) or not _is_inside(request.window, date):
                    continue
                if (collection.root, date) in kept:
                    continue
                folder = _Folder(
                    store=store,
                    collection=listed,
                    date=date,
                    blobs=tuple(blobs.get(date, ())),
                    dropped=dropped,
                    check=check,
                    request=request,
                )
                found.append(folder.compacted(progress.add))
    return sorted(found, key=lambda one: (one.collection, one.date))


def _again(store: StoreAccess, root: str) -> CollectionBlobs:
    """A collection as it is now, under the lock; also files of a compaction that was interrupted."""
    objects = [*store.walk(root), *store.walk(compacted_root(root))]
    return collections_of(objects).get(root) or CollectionBlobs(root=root, blobs=(), objects={})


def _is_inside(window: Window, date: str) -> bool:
    first, last = window.bounds
    start, end = hours_of(date)
    return first <= start and end <= last


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """One folder while it is compacted."""

    store: StoreAccess
    collection: CollectionBlobs
    date: str
    blobs: tuple[StoredObject, ...]
    dropped: DroppedFolders
    check: Callable[[], None]
    request: CompactRequest

    def compacted(self, progress: Callable[[int], object]) -> CompactedFolder:
        try:
            return self._dry_run() if self.request.dry_run else self._run(progress)
        except FOLDER_ERRORS as error:
            return CompactedFolder(collection=self.collection.root, date=self.date, problem=str(error))

    def _source(self) -> FolderSource:
        compacted = self.collection.compacted.get(self.date, {})
        return folder_source(self.store, self.collection.root, self.date, self.blobs, compacted)

    def _unchanged_source(self) -> FolderSource:
        """The source of a folder whose lines are those that its files stand for.

        Raises:
            ChangedLinesError: they are not.
        """
        source = self._source()
        if source.changed:
            raise ChangedLinesError(f"{source.changed_problem} Nothing of this hour is changed")
        return source

    def _dry_run(self) -> CompactedFolder:
        source = self._unchanged_source()
        read = {one.blob: end_of_last_line(self.store, one) - one.start for one in source.lines}
        torn = {one.blob for one in source.lines if read[one.blob] < one.size}
        dropped = [one for one in source.blobs if one.size and one.name not in torn] if self.request.drop else []
        return _facts(
            source,
            source.manifest,
            read=sum(read.values()),
            dropped=len(dropped),
            dropped_bytes=sum(one.size for one in dropped),
        )

    def _run(self, progress: Callable[[int], object]) -> CompactedFolder:
        source = self._unchanged_source()
        if source.problem and (not self.blobs or source.is_later or self.dropped.has(source.root, source.date)):
            return _facts(source, None)  # its files may be all that there is of lines
        self._check_sizes(source)
        done = compact_folder(self.store, source, self.collection.names, self.check, progress)
        manifest, dropped, size = done.manifest, 0, 0
        if manifest is None:
            return _facts(source, None)
        if self.request.drop:
            lines, changed = uncovered_lines(self.store, manifest, source.blobs)
            now = replace(source, manifest=manifest, lines=lines, changed=changed)
            gone = drop_lines(self.store, now, manifest, self.check, is_checked=not source.manifest)
            manifest, dropped, size = gone.manifest, gone.blobs, gone.size
        self._clean(manifest)
        return _facts(
            source,
            manifest,
            lines=done.lines,
            read=done.size,
            written=done.written,
            dropped=dropped,
            dropped_bytes=size,
        )

    def _check_sizes(self, source: FolderSource) -> None:
        """Whether the files are there to which new lines are added, and for which lines are removed."""
        manifest = source.manifest
        for part in manifest.parts if manifest is not None else ():
            if (size := source.files.get(part.name, 0)) != part.size:
                raise DamagedPartError(
                    f"expected {part.size:,} bytes in {compacted_folder(source.root, source.date)}/{part.name}, "
                    f"got {size:,}: nothing of this hour is changed"
                )

    def _clean(self, manifest: Manifest) -> None:
        """Remove what no manifest names any more, and what an interrupted compaction has left."""
        kept = {part.name for part in manifest.parts}
        folder = compacted_folder(manifest.root, manifest.date)
        for one in self.store.walk(folder):
            place = compacted_name(one.name)
            if place is None or (place.root, place.date) != (manifest.root, manifest.date) or place.file in kept:
                continue
            if place.number is None or place.number < manifest.number:
                self.check()
                self.store.remove(one.name, one.size)


def _facts(source: FolderSource, manifest: Manifest | None, **figures: Any) -> CompactedFolder:
    if manifest is None:
        return CompactedFolder(collection=source.root, date=source.date, problem=source.problem, **figures)
    return CompactedFolder(
        collection=source.root,
        date=source.date,
        events=manifest.counts.events,
        rows=sum(part.rows for part in manifest.parts if part.kind == "rows"),
        json_events=sum(part.events for part in manifest.parts if part.kind == "events"),
        files=len(manifest.parts),
        size=sum(part.size for part in manifest.parts),
        duplicates=manifest.counts.duplicates,
        foreign=manifest.counts.foreign,
        **figures,
    )
