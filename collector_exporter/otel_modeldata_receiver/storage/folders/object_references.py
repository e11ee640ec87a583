"""Whether an object is there, and whether a line refers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["is_stored", "refers_to"]

_READ_BYTES: Final = 8 << 20
"""Most bytes of a blob that are in memory."""


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


async def _has(store: Store, blob: str, size: int, wanted: bytes) -> bool:
    for start in range(0, size, _READ_BYTES):
        if wanted in await store.read(blob, start, min(start + _READ_BYTES + len(wanted), size)):
            return True
    return False
