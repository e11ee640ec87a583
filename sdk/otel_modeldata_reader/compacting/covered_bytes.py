"""Which bytes of a blob a compaction covers, and what it notes of them while they are read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from ..blobs.byte_ranges import ByteRange
from ..compacted.manifest import END_BYTES, CoveredBlob, end_digest
from ..exceptions import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..blobs.byte_ranges import LinesOfBlob
    from ..blobs.store_access import Piece, StoreAccess

__all__ = ["ChangedLinesError", "CoveredBytes", "end_of_last_line"]

_STEP: Final = 256 << 10


def end_of_last_line(store: StoreAccess, lines: LinesOfBlob) -> int:
    """The position after the last line feed of some lines; their beginning if there is none.

    Raises:
        StoreUnavailableError: the blob cannot be read.
    """
    end = lines.end
    while end > lines.start:
        start = max(lines.start, end - _STEP)
        (content,) = store.read_ranges([ByteRange(lines.blob, start, end)])
        if (found := content.rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return lines.start


class ChangedLinesError(ReaderError):
    """Lines that are compacted have other bytes now."""


class CoveredBytes:
    """Reads blobs, and notes size, lines and digest of what was read.

    Args:
        store: has the blobs.
        before: what earlier compactions have covered of them, by name; these bytes are read again for the digest.
    """

    def __init__(self, store: StoreAccess, before: dict[str, CoveredBlob]) -> None:
        self._store = store
        self._before = before
        self.blobs: dict[str, CoveredBlob] = {}

    def pieces(self, blobs: Iterable[ByteRange]) -> Iterator[Piece]:
        """See `StoreAccess.pieces`. Each range ends with a whole line.

        Raises:
            ChangedLinesError: what was covered before has changed.
            StoreUnavailableError: a blob cannot be read.
        """
        digest: Any = None
        lines, end = 0, b""
        for piece in self._store.pieces(blobs):
            if digest is None:
                digest, lines, end = hashlib.sha256(), 0, b""
                if piece.start:
                    digest, lines = self._again(self._before[piece.blob])
            digest.update(piece.content)
            lines += piece.content.count(b"\n")
            end = (end + piece.content)[-END_BYTES:]
            if piece.is_last:
                size = piece.start + len(piece.content)
                if len(end) < min(END_BYTES, size):
                    (end,) = self._store.read_ranges([ByteRange(piece.blob, max(0, size - END_BYTES), size)])
                self.blobs[piece.blob] = CoveredBlob(
                    name=piece.blob, size=size, lines=lines, sha256=digest.hexdigest(), end=end_digest(end)
                )
                digest = None
            yield piece

    def _again(self, before: CoveredBlob) -> tuple[Any, int]:
        digest = hashlib.sha256()
        for piece in self._store.pieces([before.range]):
            digest.update(piece.content)
        if digest.hexdigest() != before.sha256:
            raise ChangedLinesError(
                f"expected the first {before.size:,} bytes of {before.name} as they were compacted, got others: "
                "was the store restored from an older copy?"
            )
        return digest, before.lines
