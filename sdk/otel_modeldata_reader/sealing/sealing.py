"""Seals folders: reads their lines once, and writes what they have.

Receivers may append meanwhile: a seal has the bytes that were listed. An object of a store appears whole, so a process
that is killed leaves no half seal; at most what an audit remembers, without a seal, which the next run removes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from ..blobs.checksum import BlobChecksum
from ..exceptions import ReaderError, StoreUnavailableError
from ..index.dropped_lines import DroppedFolder
from ..progress import Progress
from .folder_lines import FolderLines
from .folder_states import folder_states
from .seal import LONGEST_SEAL, Seal, encoded
from .seal_name import SealName, is_draft, memory_name, read_name, seals_of
from .seals import LONGEST_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..blobs.dated_folder import DatedFolder
    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..compacted.stored_folders import StoredFolder
    from ..window import Window
    from .folder_lines import LineObserver
    from .folder_seal import FolderSeal
    from .seal import SealedBlob

__all__ = ["Observing", "seal_collections"]

Observing: TypeAlias = "Callable[[DatedFolder, Mapping[str, int]], LineObserver]"
"""Makes what sees the lines of a folder; its second argument has the sizes of the payloads that lines refer to."""


def seal_collections(  # noqa: PLR0913 (keywords)
    store: StoreAccess,
    collections: Iterable[CollectionBlobs],
    window: Window,
    *,
    lateness: float,
    observing: Observing | None = None,
    dry_run: bool = False,
) -> Iterator[FolderSeal]:
    """Seal the closed folders of collections; each comes when it is done, also those that need nothing.

    Args:
        store: has them.
        collections: which ones.
        window: only folders that overlap it.
        lateness: seconds that events may be late.
        observing: makes what an audit remembers.
        dry_run: only say what would be done: the state of such a folder is the present one.

    Raises:
        StoreUnavailableError: the store cannot be read or written.
        StoreBusyError: another command changes the store.
        ReaderError: a folder cannot be sealed; it comes after all others are done.
    """
    collections = list(collections)

    def listed() -> list[tuple[CollectionBlobs, FolderSeal, StoredFolder]]:
        return [(one, *found) for one in collections for found in folder_states(store, one, window, lateness)]

    has_memory = observing is not None
    folders = listed()
    if dry_run or not any(_is_due(state, stored, has_memory=has_memory) for _, state, stored in folders):
        yield from (state for _, state, _ in folders)
        return
    with store.locked("seal") as check:
        folders = listed()  # another process may have sealed some of them meanwhile
        due = [stored for _, state, stored in folders if _is_due(state, stored, has_memory=has_memory)]
        progress = Progress(store.shown, sum(blob.size for one in due for blob in one.folder.blobs))
        sealer = _Sealer(store=store, lateness=lateness, observing=observing, progress=progress.add, check=check)
        failed: list[ReaderError] = []
        for collection, state, stored in folders:
            if _is_due(state, stored, has_memory=has_memory):
                try:
                    sealed = sealer.sealed(collection, state, stored)
                except StoreUnavailableError:
                    raise
                except ReaderError as error:  # of this folder: the others are sealed all the same
                    failed.append(error)
                else:
                    yield sealed
                    continue
            yield state
    if failed:
        raise failed[0]


def _is_due(state: FolderSeal, stored: StoredFolder, *, has_memory: bool) -> bool:
    """Whether a folder needs a seal, or what an audit remembers of it."""
    if state.state == "sealed":
        return has_memory and state.seal is not None and state.seal.audit is None and not stored.removed
    return state.state in {"closed", "reopened", "changed"} and not state.waits_for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sealer:
    store: StoreAccess
    lateness: float
    observing: Observing | None
    progress: Callable[[int], object]
    check: Callable[[], None]

    def sealed(self, collection: CollectionBlobs, state: FolderSeal, stored: StoredFolder) -> FolderSeal:
        """Seal a folder."""
        # What an audit remembers is made of lines, also where Parquet has their rows.
        is_observed = self.observing is not None and not stored.removed
        observer = self.observing(stored.folder, collection.objects) if self.observing and is_observed else None
        lines = FolderLines(self.store, collection.objects, observer, self.progress)
        known = {} if state.seal is None else {blob.name: blob for blob in state.seal.blobs}
        blobs, is_same = [], state.state != "changed"
        for blob in stored.folder.blobs:
            if blob.name not in stored.removed:
                one, has_known = lines.add(blob.name, blob.size, known.get(blob.name))
                blobs.append(one)
                is_same = is_same and has_known
        if stored.manifest is not None and stored.removed:
            removed = lines.add_removed(DroppedFolder.of(self.store, state.collection, stored.manifest, stored.removed))
            ends = {one.name: one.end for one in stored.manifest.blobs}
            blobs += [msgspec.structs.replace(one, end=ends[one.name]) for one in removed]
            is_same = is_same and all(_goes_on(one, known.get(one.name)) for one in removed)
        memory = None if observer is None else observer.encoded()
        if memory is not None and len(memory) > LONGEST_MEMORY:
            memory = None
        seal = self._seal(state, lines, sorted(blobs, key=lambda one: one.name), memory, is_same=is_same)
        self.check()
        _write(self.store, seal, memory)
        return replace(state, state="sealed", seal=seal, late_bytes=0, is_new=True)

    def _seal(
        self,
        state: FolderSeal,
        lines: FolderLines,
        blobs: Sequence[SealedBlob],
        memory: bytes | None,
        *,
        is_same: bool,
    ) -> Seal:
        before = state.seal
        name = _free_name(
            self.store, SealName(state.collection, state.date, 1 if before is None else before.number + 1)
        )
        producers, more_producers = lines.producers()
        grown = before if is_same else None
        return Seal(
            root=name.root,
            date=name.date,
            number=name.number,
            reason="closed" if before is None else _reason(state, is_same=is_same),
            sealed_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            made_by=f"otel-modeldata {version('otel-modeldata')}",
            lateness=self.lateness,
            blobs=tuple(blobs),
            lines=lines.lines,
            events=lines.events,
            rows=lines.rows,
            unreadable=lines.unreadable,
            first_ns=lines.first_ns,
            last_ns=lines.last_ns,
            producers=producers,
            more_producers=more_producers,
            late_lines=0 if grown is None else lines.lines - grown.lines,
            late_bytes=0 if grown is None else sum(blob.size for blob in blobs) - grown.size,
            audit=None if memory is None else _checksum(name, memory),
        )


def _free_name(store: StoreAccess, name: SealName) -> SealName:
    """The next name that no object has: a seal that is damaged counts as none, and stays."""
    start = f"{seals_of(name.folder)}/"
    taken = {one.name.removeprefix(start).partition("/")[0] for one in store.walk(seals_of(name.folder))}
    while str(name).removeprefix(start) in taken:
        name = name._replace(number=name.number + 1)
    if read_name(str(name)) is None:
        raise ReaderError(
            f"expected a free number for a seal of {name.folder}, got none: remove damaged ones in {start}"
        )
    return name


def _goes_on(now: SealedBlob, known: SealedBlob | None) -> bool:
    """Whether a removed blob began with the bytes of the seal before; of a longer one its compaction has proved it."""
    return known is None or known.size < now.size or known.sha256 == now.sha256


def _reason(state: FolderSeal, *, is_same: bool) -> str:
    if not is_same:
        return "changed"
    return "late" if state.state == "reopened" else "audit"


def _checksum(name: SealName, memory: bytes) -> BlobChecksum:
    digest = hashlib.sha256(memory).hexdigest()
    return BlobChecksum(name=memory_name(name, digest), size=len(memory), sha256=digest)


def _write(store: StoreAccess, seal: Seal, memory: bytes | None) -> None:
    """Write a seal; the seals before stay. What audits remember of them is removed, and drafts of runs that ended."""
    content = encoded(seal)
    if len(content) > LONGEST_SEAL:
        raise ReaderError(
            f"expected a folder with fewer blobs than {len(seal.blobs):,}, got {seal.name.folder}: its seal has more "
            f"than {LONGEST_SEAL >> 20} MiB; give each receiver larger blobs"
        )
    if memory is not None and seal.audit is not None:
        store.put(seal.audit.name, memory)
    store.put(str(seal.name), content)
    kept = "" if seal.audit is None else seal.audit.name
    for one in store.walk(seals_of(seal.name.folder)):
        is_earlier = one.name.endswith(".audit") and one.name != kept
        if is_earlier or is_draft(one.name):  # no other run writes one: this one has the lock
            store.remove(one.name, one.size)
