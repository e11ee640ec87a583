"""The newest seal of each folder, and whether the folder still has the bytes that are sealed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from ..blobs.byte_ranges import ByteRange
from .seal import LONGEST_SEAL, decoded
from .seal_name import read_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .seal import Seal

__all__ = ["LONGEST_MEMORY", "SealState", "audit_memory", "late_bytes", "seals_in", "state_of"]

SealState: TypeAlias = Literal["sealed", "reopened", "changed"]
LONGEST_MEMORY: Final = 64 << 20
"""Bytes that an audit may remember of a folder; a folder for which it needs more has none."""


def seals_in(store: StoreAccess, objects: Iterable[StoredObject]) -> dict[str, Seal]:
    """The newest seal of each folder that can be read, by the name of the folder.

    Args:
        store: has them.
        objects: listed below `_sealed`; others are left out.

    Raises:
        StoreUnavailableError: they cannot be read.
    """
    sizes = {one.name: one.size for one in objects if 0 < one.size <= LONGEST_SEAL}
    left: dict[str, list[str]] = {}
    for name in sorted(sizes):  # by number in each folder
        if (parts := read_name(name)) is not None:
            left.setdefault(parts.folder, []).append(name)
    found: dict[str, Seal] = {}
    while left:  # one round, unless a newest one is damaged
        tried = {folder: names.pop() for folder, names in left.items()}
        contents = store.read_ranges(ByteRange(name, 0, sizes[name]) for name in tried.values())
        for (folder, name), content in zip(tried.items(), contents, strict=True):
            if (seal := decoded(name, content)) is not None:
                found[folder] = seal
        left = {folder: names for folder, names in left.items() if names and folder not in found}
    return found


def state_of(seal: Seal, blobs: Iterable[StoredObject]) -> SealState:
    """What became of the bytes of a seal.

    Args:
        seal: of the folder.
        blobs: the blobs that the folder has now.

    Returns:
        `sealed` if the folder has these bytes and no others, as far as sizes say it; `reopened` if lines came after
        them; `changed` if some of them are gone, so that the seal says nothing any more.
    """
    now = {blob.name: blob.size for blob in blobs}
    if any(now.get(one.name, -1) < one.size for one in seal.blobs):
        return "changed"
    return "reopened" if late_bytes(seal, now) else "sealed"


def late_bytes(seal: Seal, sizes: dict[str, int]) -> int:
    """How many bytes the blobs of a folder have beyond those that are sealed.

    Args:
        seal: of the folder.
        sizes: of the blobs by name.
    """
    known = {one.name: one for one in seal.blobs}
    late = 0
    for name, size in sizes.items():
        one = known.get(name)
        if one is None:
            late += size
        elif size != one.size + one.torn:
            late += max(0, size - one.size)
    return late


def audit_memory(store: StoreAccess, seal: Seal) -> bytes | None:
    """What an audit remembers of the lines of a seal; None if nothing, or if it is damaged.

    Raises:
        StoreUnavailableError: it cannot be read.
    """
    if (memory := seal.audit) is None or not 0 < memory.size <= LONGEST_MEMORY:
        return None
    content = store.read(memory.name, memory.size)
    is_whole = len(content) == memory.size and hashlib.sha256(content).hexdigest() == memory.sha256
    return content if is_whole else None
