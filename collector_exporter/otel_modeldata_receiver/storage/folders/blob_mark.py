"""What a blob must still contain: the size that was acknowledged, and digests of some of its bytes.

A store may change under a living receiver: it is restored from an older snapshot, or someone deletes or replaces a
blob. A mark finds this with small requests. It does not read the whole blob: lines are only appended, so a blob that
ends as it did before has not lost any.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["BlobMark", "mark", "vanished"]

_END_BYTES: Final = 4096
_DIGEST_BYTES: Final = 16
_PIECE_BYTES: Final = 2047
"""For more, `hashlib` releases the interpreter's lock; to get it back takes many times as long as the digest."""


class _Piece(NamedTuple):
    """Some bytes of a blob: where they end, how many they are, and their digest."""

    end: int
    length: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobMark:
    """What a blob must contain.

    Attributes:
        name: of the blob.
        size: bytes that are durable.
        pieces: the bytes before `size`, and those before the size at the first mark: another blob of the same size,
            to which lines were appended, ends as expected.
    """

    name: str
    size: int
    pieces: tuple[_Piece, ...]


def mark(name: str, size: int, end: bytes, before: BlobMark | None = None) -> BlobMark:
    """The mark of a blob of `size` bytes that ends with `end`; `before` is the mark that it had."""
    end = end[-_END_BYTES:]
    piece = _Piece(size, len(end), _digest(end))
    return BlobMark(name=name, size=size, pieces=(piece,) if before is None else (before.pieces[0], piece))


async def vanished(store: Store, expected: BlobMark) -> int | None:
    """The size of a blob that has no longer what is expected, 0 if it is gone; None if nothing is missing.

    Raises:
        StoreError: the store does not answer.
    """
    state = await store.state(expected.name)
    if state is None:
        return 0
    if state.size < expected.size:
        return state.size
    for piece in expected.pieces:
        content = await store.read(expected.name, piece.end - piece.length, piece.end)
        if _digest(content) != piece.digest:
            return state.size
    return None


def _digest(end: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for start in range(0, len(end), _PIECE_BYTES):
        digest.update(end[start : start + _PIECE_BYTES])
    return digest.digest()
