"""Chosen rows of files, as a bit for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .piece import Slice, exact_slice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .piece import Piece

__all__ = ["RowBits"]


@dataclass(frozen=True, slots=True)
class RowBits:
    """See above.

    Attributes:
        packed: by the path of a file: eight rows a byte, the first one in the highest bit. No row of another file is
            chosen.
    """

    packed: Mapping[str, bytes]

    @classmethod
    def of(cls, chosen: Mapping[str, Any]) -> RowBits:
        """The bits of arrays of booleans."""
        return cls({path: np.packbits(one).tobytes() for path, one in chosen.items()})

    def both(self, others: RowBits) -> RowBits:
        """The rows that both have chosen, of files that both know."""
        return RowBits(
            {
                path: (np.frombuffer(one, np.uint8) & np.frombuffer(others.packed[path], np.uint8)).tobytes()
                for path, one in self.packed.items()
                if path in others.packed
            }
        )

    def of_piece(self, piece: Piece) -> Any:
        """An array of booleans, one for each row."""
        return self._unpacked(piece, 0, piece.rows)

    def _unpacked(self, piece: Piece, start: int, rows: int) -> Any:
        """The same for some rows: no other bytes are looked at, because a file may have hundreds of row groups."""
        packed = self.packed.get(piece.path)
        if packed is None:
            return np.zeros(rows, dtype=bool)
        skipped = start % 8
        some = np.frombuffer(packed, np.uint8)[start // 8 : -(-(start + rows) // 8)]
        return np.unpackbits(some, count=skipped + rows)[skipped:].view(bool)

    def together(self, some: Sequence[Piece | Slice]) -> tuple[bytes, list[int]]:
        """The bits of files one after the other, and for each file the number of the bit of its first row.

        Args:
            some: files; or one slice, whose file may begin before the bits, so that its number is negative.
        """
        if isinstance(one := some[0], Slice):
            begin = one.start // 8
            packed = self.packed.get(one.piece.path, bytes(-(-one.piece.rows // 8)))
            return packed[begin : -(-(one.start + one.rows) // 8)], [-8 * begin]
        parts, starts, count = [], [], 0
        for one in some:
            assert not isinstance(one, Slice)  # noqa: S101 - a slice is alone
            parts.append(self.packed.get(one.path, bytes(-(-one.rows // 8))))
            starts.append(count)
            count += 8 * len(parts[-1])
        return b"".join(parts), starts

    def counts(self, piece: Piece) -> list[int]:
        """How many rows of each row group are chosen."""
        return [int(np.count_nonzero(self._unpacked(piece, one.start, one.rows))) for one in piece.groups]

    def count(self, one: Piece | Slice) -> int:
        """How many rows of a file, or of some of its rows, are chosen."""
        piece, start = (one.piece, one.start) if isinstance(one, Slice) else (one, 0)
        return int(np.count_nonzero(self._unpacked(piece, start, one.rows)))

    def exact(self, some: Sequence[Piece | Slice]) -> list[Slice]:
        """The chosen rows of some files or row groups by their numbers; for a query of few rows."""
        found = []
        for one in some:
            piece, start = (one.piece, one.start) if isinstance(one, Slice) else (one, 0)
            if piece.path in self.packed:
                numbers = np.flatnonzero(self._unpacked(piece, start, one.rows)) + start
                if len(numbers):
                    found.append(exact_slice(piece, numbers.tolist()))
        return found

    def chosen_groups(self, piece: Piece) -> list[Slice]:
        """The row groups of a file that have a chosen row."""
        return [
            Slice(piece=piece, start=one.start, rows=one.rows, first=one.first, last=one.last)
            for one in piece.groups
            if self._unpacked(piece, one.start, one.rows).any()
        ]
