"""Relinks a store: goes through its blobs, and makes each reference lead to where the payload is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...storage.mounts import mount_of
from ...storage.parking import parked_names
from ...storage.store import BLOB_SUFFIX
from .blob_file import replace_lines
from .line_references import Counts, rewritten
from .vouched_folders import VouchedFolders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ...storage.store import StoredObject

__all__ = ["Relinked", "relink"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relinked:
    """The result.

    Attributes:
        blobs: names of the blobs that were replaced, or would be.
        counts: the references.
        left: names of blobs that are left as they are, because other lines of their folder are in Parquet files only.
    """

    blobs: Sequence[str]
    counts: Counts
    left: Sequence[str] = ()


def relink(root: Path, listing: Sequence[StoredObject], place: Callable[[str], str], *, write: bool) -> Relinked:
    """Relink a store.

    Args:
        root: its folder.
        listing: everything in it.
        place: the reference to the object of a name.
        write: whether blobs are replaced; else they are only read.

    Raises:
        StoreCheckError: a blob cannot be replaced; those before it are, and a second run continues.
    """
    objects = {_final_name(one.name) for one in listing if not one.name.endswith(BLOB_SUFFIX)}
    counts, replaced, left = Counts(), [], []
    vouched = VouchedFolders(root, listing)
    for name, folder in _blobs(listing):
        if vouched.has_dropped_lines(name.rpartition("/")[0]):
            left.append(name)
            continue

        def change(line: bytes, folder: str = folder) -> bytes:
            return rewritten(line, folder, objects, place, counts)

        def release(name: str = name) -> None:
            vouched.release(name.rpartition("/")[0])

        if replace_lines(root / name, change, write=write, before=release):
            replaced.append(name)
    return Relinked(blobs=replaced, counts=counts, left=left)


def _final_name(name: str) -> str:
    """The name of an object; of a parked one, the name that it gets when it is delivered."""
    parked = parked_names.unparked_object(name)
    return name if parked is None else parked[0]


def _blobs(listing: Sequence[StoredObject]) -> Iterator[tuple[str, str]]:
    """The blobs, each with the folder where its lines belong.

    Parked lines of another datastore are left as they are, because their payloads will be there. So are parked blobs
    that are delivered and could not be removed: the marks beside them have digests of their content.
    """
    marked = {mark.blob for one in listing if (mark := parked_names.read_mark(one.name)) is not None}
    for name in (one.name for one in listing if one.name.endswith(BLOB_SUFFIX)):
        parked = parked_names.parked_blob(name)
        if not parked_names.is_parked(name):
            yield name, name.rpartition("/")[0]
        elif parked is not None and name not in marked and mount_of(parked.folder) is None:
            yield name, parked.folder
