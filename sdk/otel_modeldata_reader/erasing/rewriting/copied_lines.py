"""Whether a blob is a copy of another one: anything may be in a journal, so its word is not enough to remove a blob."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from ...blobs.byte_ranges import ByteRange
from .line_blocks import line_blocks, lines_in
from .line_keys import members_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...blobs.store_access import StoreAccess

__all__ = ["is_copy_of"]

_CHANGED: Final = frozenset({"data", "dataref", "contentrange", "erasedrows"})
"""What an erasure changes in a line."""
_DIGEST_BYTES: Final = 8


def is_copy_of(store: StoreAccess, blob: str, copy: str) -> bool:
    """Whether each whole line of a copy is one of the blob, apart from what an erasure changes.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    known = set(_lines(store, blob))
    return all(line in known for line in _lines(store, copy))


def _lines(store: StoreAccess, name: str) -> Iterator[bytes]:
    sizes = [one.size for one in store.walk(name.rpartition("/")[0]) if one.name == name]
    for block in line_blocks(store, ByteRange(name, 0, sizes[0] if sizes else 0)):
        if block.is_long:
            yield blake2b(block.content, digest_size=_DIGEST_BYTES).digest()
            continue
        yield from map(_digest, lines_in(block.content))
        if members_of(block.tail) is not None:  # else it is torn, as an append that was killed leaves it
            yield _digest(block.tail)


def _digest(line: bytes) -> bytes:
    members = members_of(line)
    digest = blake2b(digest_size=_DIGEST_BYTES)
    if members is None:
        digest.update(line)
    else:
        for key, value in members.items():
            if key not in _CHANGED:
                digest.update(b"%b\0%b\0" % (key.encode(errors="surrogatepass"), bytes(value)))
    return digest.digest()
