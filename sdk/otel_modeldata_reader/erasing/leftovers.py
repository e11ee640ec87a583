"""What is left of erased rows beside the lines: their payloads, files of the index, seals, and damaged parked lines.

A payload goes with all its copies: one in its folder, and one where it was parked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from otel_modeldata_receiver.layout.partition import SHADOW_SUFFIX

from ..blobs.byte_ranges import ByteRange
from ..blobs.compacted_name import compacted_name
from ..blobs.listing import collections_of
from ..index.index_file import FIRST_READ_BYTES, DamagedIndexError, header_size, is_index, read_header
from .journal import remove_now
from .places import delivered_name
from .rewriting.compacted_rows import manifests_of, row_groups
from .rewriting.line_eraser import object_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .choosing.selection import Selection
    from .journal import Step

__all__ = ["compacted_lines", "folder_of", "remove_leftovers"]

_SEALED: Final = "_sealed"
_DAMAGED: Final = "_quarantine/damaged/"
_DATED: Final = re.compile(r"(?P<root>.+?)/(?P<date>\d{4}(?:/\d\d){0,4})", re.ASCII)
_MOST_BYTES: Final = 64 << 20
_BLOB_SUFFIX: Final = ".jsonl"
_FILES: Final = "/files/"


def remove_leftovers(store: StoreAccess, check: Callable[[], None], steps: Sequence[Step], selection: Selection) -> int:
    """Remove what is left beside the blobs of some steps; returns how many objects.

    Raises:
        StoreUnavailableError: the store cannot be read or written.
    """
    objects = store.walk()
    names = {one.name for one in objects}
    removed = {delivered_name(name) for step in steps for name in step.removes if _is_payload_of(step, name)}
    wanted = {name for name in names if delivered_name(name) in removed}
    wanted.update(_of_chosen_events(names, selection))
    gone = [
        *_unreferenced(store, objects, wanted),
        *_stale_indexes(store, objects, names),
        *(one.name for one in objects if _is_seal_of(one.name, steps)),
        *(one.name for one in objects if _is_damaged_line(store, one, selection)),
    ]
    for name in gone:
        check()
        remove_now(store, name)
    return len(gone)


def _is_payload_of(step: Step, name: str) -> bool:
    """Whether an object is beside a blob of a step: anything may be in a journal."""
    folders = {_lines_folder(change.old.name).removeprefix("_parked/") for change in step.blobs}
    folders |= {_original(folder) for folder in folders}
    return _FILES in name and folder_of(name) in folders


def _unreferenced(store: StoreAccess, objects: Sequence[StoredObject], wanted: Iterable[str]) -> list[str]:
    """Those of some objects to which no line refers: a binary payload may be that of several events."""
    left: dict[str, dict[bytes, list[str]]] = {}
    for name in wanted:
        copies = left.setdefault(folder_of(name), {}).setdefault(name.rpartition("/")[2].encode(), [])
        copies.append(name)
    for folder, candidates in left.items():
        for blob in objects:
            if blob.name.endswith(_BLOB_SUFFIX) and folder_of(blob.name) == folder:
                for found in _names_in(store, blob, candidates):
                    candidates.pop(found, None)
        if candidates:
            for line in compacted_lines(store, objects, folder):
                for found in [one for one in candidates if one in line]:
                    del candidates[found]
    return [name for candidates in left.values() for copies in candidates.values() for name in copies]


def _of_chosen_events(names: Iterable[str], selection: Selection) -> Iterator[str]:
    """The objects with rows of chosen events: a command or a receiver that was killed may have left one."""
    ids = {object_start(one) for one in selection.events}
    for name in names:
        file = delivered_name(name).partition(_FILES)[2]
        if file.endswith(".json") and file.rpartition("-")[0] in ids:
            yield name


def compacted_lines(store: StoreAccess, objects: Sequence[StoredObject], folder: str) -> Iterator[bytes]:
    """The keys of the events in the Parquet files of a folder, as JSON; of those that may name objects whole lines."""
    for collection in collections_of(objects).values():
        if folder != collection.root and not folder.startswith(f"{collection.root}/"):
            continue
        for manifest in manifests_of(store, collection):
            if manifest.lines_folder == folder:
                for group in row_groups(store, manifest, every=True):
                    yield from group.lines() if group.part.kind == "events" else group.event_texts()


def _names_in(store: StoreAccess, blob: StoredObject, names: Iterable[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    longest = max(map(len, names), default=0)
    before = b""
    for piece in store.pieces([ByteRange(blob.name, 0, blob.size)]):
        content = before + piece.content
        found.update(name for name in names if name in content)
        before = content[-longest:]
    return found


def folder_of(name: str) -> str:
    """The dated folder of a blob or of an object beside it, also of one that is parked."""
    folder = name.removeprefix("_parked/").partition(_FILES)[0]
    return folder.rpartition("/")[0] if name.endswith(_BLOB_SUFFIX) else folder


def _original(folder: str) -> str:
    """The folder whose lines Azure ML's reader copied into a folder: payloads are only there."""
    match = _DATED.fullmatch(folder)
    return folder if match is None else f"{match['root'].removesuffix(SHADOW_SUFFIX)}/{match['date']}"


def _stale_indexes(store: StoreAccess, objects: Sequence[StoredObject], names: set[str]) -> list[str]:
    """The files of the index that cover a blob which is gone, or that cannot be read."""
    gone = []
    for one in objects:
        if not is_index(one):
            continue
        try:
            size = header_size(store.read(one.name, min(one.size, FIRST_READ_BYTES)))
            header = read_header(store.read(one.name, min(one.size, size)), one.size)
        except DamagedIndexError:
            gone.append(one.name)
            continue
        if any(part.blob not in names for part in header.covered):
            gone.append(one.name)
    return gone


def _is_seal_of(name: str, steps: Sequence[Step]) -> bool:
    """Whether a seal, or what an audit remembers, is that of a folder that was changed."""
    if not name.startswith(f"{_SEALED}/"):
        return False
    folder = name.removeprefix(f"{_SEALED}/").rpartition("/")[0]
    return any(folder == _lines_folder(change.old.name) for step in steps for change in step.blobs)


def _lines_folder(name: str) -> str:
    """The folder of the lines of a blob, or of a manifest."""
    place = compacted_name(name)
    return name.rpartition("/")[0] if place is None else place.folder


def _is_damaged_line(store: StoreAccess, one: StoredObject, selection: Selection) -> bool:
    """Whether an object is a parked line that is no JSON any more, with a chosen id."""
    return one.name.startswith(_DAMAGED) and one.size <= _MOST_BYTES and selection.is_in(store.read(one.name, one.size))
