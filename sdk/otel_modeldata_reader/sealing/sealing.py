"""Seals folders: reads their lines once, and writes what they have.

Receivers may append meanwhile: a seal has the bytes that were listed. An object of a store appears whole, so a process
that is killed leaves no half seal; at most what an audit remembers, without a seal, which the next run removes.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

from ..blobs.checksum import BlobChecksum
from ..exceptions import ReaderError
from ..progress import Progress
from .folder_lines import FolderLines
from .folder_states import folder_states
from .seal import LONGEST_SEAL, Seal, encoded
from .seal_name import SealName, memory_name, seals_of
from .seals import LONGEST_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..blobs.dated_folder import DatedFolder
    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Window
    from .folder_lines import LineObserver
    from .folder_seal import FolderSeal

__all__ = ["Observing", "seal_collections"]

Observing: TypeAlias = "Callable[[DatedFolder, Mapping[str, int]], LineObserver]"
"""Makes what sees the lines of a folder; its second argument has the sizes of the payloads that lines refer to."""


def seal_collections(
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
    """
    found = [
        (one, *states) for one in collections for states in folder_states(store, one, window, lateness)
    ]
    due = [folder for _, state, folder in found if _is_due(state, has_memory=observing is not None)]
    if not due or dry_run:
        yield from (state for _, state, _ in found)
        return
    progress = Progress(store.shown, sum(blob.size for folder in due for blob in folder.blobs))
    with store.locked("seal") as check:
        for collection, state, folder in found:
            if not _is_due(state, has_memory=observing is not None):
                yield state
                continue
            observer = None if observing is None else observing(folder, collection.objects)
            seal, memory = _seal(store, collection, state, folder, lateness, observer, progress.add)
            check()
            _write(store, seal, memory)
            yield replace(state, state="sealed", seal=seal, late_bytes=0, is_new=True)


def _is_due(state: FolderSeal, *, has_memory: bool) -> bool:
    """Whether a folder needs a seal, or what an audit remembers of it."""
    if state.state == "sealed":
        return has_memory and state.seal is not None and state.seal.audit is None
    return state.state in {"closed", "reopened", "changed"} and not state.waits_for


def _seal(
    store: StoreAccess,
    collection: CollectionBlobs,
    state: FolderSeal,
    folder: DatedFolder,
    lateness: float,
    observer: LineObserver | None,
    progress: Callable[[int], object],
) -> tuple[Seal, bytes | None]:
    """The seal of a folder, and what an audit remembers of it."""
    before = state.seal
    known = {} if before is None else {blob.name: blob for blob in before.blobs}
    lines = FolderLines(store, collection.objects, observer, progress)
    blobs, is_same = [], state.state != "changed"
    for blob in folder.blobs:
        one, has_known = lines.add(blob.name, blob.size, known.get(blob.name))
        blobs.append(one)
        is_same = is_same and has_known
    producers, more_producers = lines.producers()
    grown = before is not None and is_same
    name = SealName(folder.root, folder.date, 1 if before is None else before.number + 1)
    memory = None if observer is None else observer.encoded()
    if memory is not None and len(memory) > LONGEST_MEMORY:
        memory = None
    seal = Seal(
        root=folder.root,
        date=folder.date,
        number=name.number,
        reason="closed" if before is None else _reason(state, is_same=is_same),
        sealed_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        made_by=f"otel-modeldata {version('otel-modeldata')}",
        lateness=lateness,
        blobs=tuple(blobs),
        lines=lines.lines,
        events=lines.events,
        rows=lines.rows,
        unreadable=lines.unreadable,
        first_ns=lines.first_ns,
        last_ns=lines.last_ns,
        producers=producers,
        more_producers=more_producers,
        late_lines=lines.lines - before.lines if before is not None and grown else 0,
        late_bytes=sum(blob.size for blob in blobs) - before.size if before is not None and grown else 0,
        audit=None if memory is None else _checksum(name, memory),
    )
    return seal, memory


def _reason(state: FolderSeal, *, is_same: bool) -> str:
    if not is_same:
        return "changed"
    return "late" if state.state == "reopened" else "audit"


def _checksum(name: SealName, memory: bytes) -> BlobChecksum:
    digest = hashlib.sha256(memory).hexdigest()
    return BlobChecksum(name=memory_name(name, digest), size=len(memory), sha256=digest)


def _write(store: StoreAccess, seal: Seal, memory: bytes | None) -> None:
    """Write a seal; what audits remember of earlier ones is removed, and the seals stay."""
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
        if one.name.endswith(".audit") and one.name != kept:
            store.remove(one.name, one.size)
