"""Whether an object is there, and whether a line refers to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..store import Store, StoredObject

__all__ = ["files_named_in", "is_stored", "referred", "refers_to"]

_READ_BYTES: Final = 8 << 20
"""Most bytes of a blob that are in memory."""
_NAMED: Final = re.compile(rb'files[/\\]+([^"/\\\s]+)')
"""How a line names an object: in an address or a path, whose last part needs no escape in JSON."""
_BEFORE_NAME: Final = 16
"""Most bytes of `_NAMED` before the name, where this program writes it."""


async def is_stored(store: Store, name: str) -> bool:
    """Whether an object that was stored can still be read: it may have vanished, as lines may."""
    try:
        return bool(await store.read(name, 0, 1))
    except StoreError:
        return False


async def refers_to(store: Store, stem: str, name: str, *, most_bytes: int) -> bool:
    """Whether a line refers to an object, or may do so: True if there are more bytes than are searched.

    Names of objects contain a digest, and JSON writes their characters as they are, so it is enough to look for the
    last part of the name.

    Args:
        store: the store of the blobs.
        stem: how the names of the blobs begin.
        name: name of the object.
        most_bytes: how many bytes are searched, from the newest blob on.

    Raises:
        StoreError: the store does not answer.
    """
    wanted = name.rpartition("/")[2].encode()
    for blob in reversed(await store.blobs(stem)):
        state = await store.state(blob)
        size = 0 if state is None else state.size  # removed since: its copy was there before
        most_bytes -= size
        if most_bytes < 0 or await _has(store, blob, size, wanted):
            return True
    return False


def files_named_in(content: bytes) -> set[bytes]:
    """The last parts of the names of all objects that a line, or several, may refer to."""
    return set(_NAMED.findall(content))


async def referred(store: Store, blobs: Sequence[StoredObject], names: Iterable[str], *, most_bytes: int) -> set[str]:
    """Those of some objects to which a line refers, or may do so: all if there are more bytes than are searched.

    Args:
        store: the store of the blobs.
        blobs: those with the lines, as they were listed; the newest one is the last.
        names: names of the objects.
        most_bytes: how many bytes are searched, from the newest blob on.

    Raises:
        StoreError: the store does not answer, or a blob is not there any more.
    """
    left: dict[bytes, set[str]] = {}
    for name in names:
        left.setdefault(name.rpartition("/")[2].encode(), set()).add(name)
    found: set[str] = set()
    overlap = _BEFORE_NAME + max(map(len, left), default=0)
    for blob in reversed(blobs):
        if not left:
            return found
        most_bytes -= blob.size
        if most_bytes < 0:
            return found.union(*left.values())
        for start in range(0, blob.size, _READ_BYTES):
            if not left:
                return found
            content = await store.read(blob.name, start, min(start + _READ_BYTES + overlap, blob.size))
            for file in files_named_in(content) & left.keys():
                found |= left.pop(file)
    return found


async def _has(store: Store, blob: str, size: int, wanted: bytes) -> bool:
    for start in range(0, size, _READ_BYTES):
        if wanted in await store.read(blob, start, min(start + _READ_BYTES + len(wanted), size)):
            return True
    return False
