"""What a blob must still contain: the size that was acknowledged, and digests of some of its bytes.

A store may change under a living receiver: it is restored from an older snapshot, or someone deletes or replaces a
blob. A mark finds this with small requests. It does not read the whole blob: lines are only appended, so a blob that
ends as it did before has not lost any.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from .folder_names import MOUNTED, VANISHED

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["BlobMark", "VanishedLines", "mark", "vanished"]

_NS_PER_SECOND: Final = 1_000_000_000
_END_BYTES: Final = 4096
_DIGEST_BYTES: Final = 16
_MOUNTED: Final = re.compile(rf"{MOUNTED}/[^/]+/")
"""How the names of a mounted store begin (`../mounts.py`)."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class VanishedLines:
    """Lines that were acknowledged and are not in the store any more.

    Attributes:
        blob: name of their blob.
        expected: bytes that were acknowledged.
        found: bytes that the blob has; 0 if it is gone. It was replaced if it is not shorter than expected.
        lines: how many of the ids that the receiver knew are gone; 0 if it is not known.
        time_ns: when it was noticed, ns since the epoch.
    """

    blob: str
    expected: int
    found: int
    lines: int
    time_ns: int

    @classmethod
    def of(cls, mark: BlobMark, found: int, *, lines: int, time_ns: int) -> VanishedLines:
        """What vanished from the blob of `mark`, which has `found` bytes now."""
        return cls(blob=mark.name, expected=mark.size, found=found, lines=lines, time_ns=time_ns)

    @property
    def size(self) -> int:
        """How many bytes are missing; a replaced blob counts as a whole."""
        return self.expected - self.found if self.found < self.expected else self.expected

    @property
    def note(self) -> bytes:
        """The note for `audit`: one JSON object."""
        moment = datetime.fromtimestamp(self.time_ns // _NS_PER_SECOND, timezone.utc)
        mounted = _MOUNTED.match(self.blob)
        note = {
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "blob": self.blob[mounted.end() if mounted else 0 :],
            "expected": self.expected,
            "found": self.found,
            "lines": self.lines,
        }
        return json.dumps(note).encode() + b"\n"

    @property
    def note_name(self) -> str:
        """The name of the note, in the store of the blob."""
        mounted = _MOUNTED.match(self.blob)
        digest = hashlib.sha256(f"{self.blob}|{self.expected}|{self.found}".encode()).hexdigest()[:32]
        return f"{mounted[0] if mounted else ''}{VANISHED}/{digest}.json"


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
    return hashlib.blake2b(end, digest_size=_DIGEST_BYTES).digest()
