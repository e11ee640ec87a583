"""Copies of blobs that an erasure is making: until its blob is removed, the lines of a copy are there twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from ...erasing.tombstone import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_receiver.storage.store import StoredObject

    from ...blobs.store_access import StoreAccess

__all__ = ["unfinished_copies"]

_NAME: Final = re.compile(rf"{re.escape(UNFINISHED)}/[^/]+/copy-[^/]+\.json")
_LONGEST: Final = 1 << 16


class _Copy(msgspec.Struct, frozen=True):
    blob: str
    copy: str


def unfinished_copies(store: StoreAccess, objects: Iterable[StoredObject]) -> set[str]:
    """The names of copies whose blobs are still there.

    Args:
        store: has them.
        objects: its listing.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    objects = list(objects)
    notes = [one for one in objects if _NAME.fullmatch(one.name) and one.size <= _LONGEST]
    sizes = {one.name: one.size for one in objects} if notes else {}
    found = set()
    for one in notes:
        try:
            note = msgspec.json.decode(store.read(one.name, one.size), type=_Copy)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        is_beside = note.copy != note.blob and note.copy.rpartition("/")[0] == note.blob.rpartition("/")[0]
        if is_beside and sizes.get(note.blob):
            found.add(note.copy)
    return found
