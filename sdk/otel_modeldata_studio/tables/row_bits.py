"""Chosen rows of files, as a bit for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .piece import Slice

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

    def of_piece(self, piece: Piece) -> Any:
        """An array of booleans, one for each row."""
        packed = self.packed.get(piece.path)
        if packed is None:
            return np.zeros(piece.rows, dtype=bool)
        return np.unpackbits(np.frombuffer(packed, np.uint8), count=piece.rows).astype(bool)

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

    def chosen_groups(self, piece: Piece) -> list[Slice]:
        """The row groups of a file that have a chosen row."""
        found = self.of_piece(piece)
        return [
            Slice(piece=piece, start=one.start, rows=one.rows, first=one.first, last=one.last)
            for one in piece.groups
            if found[one.start : one.start + one.rows].any()
        ]

    def parts(self, some: Sequence[Piece | Slice]) -> list[Slice]:
        """The parts of files from the first to the last chosen row of each row group."""
        found = []
        for one in some:
            piece, start = (one.piece, one.start) if isinstance(one, Slice) else (one, 0)
            if piece.path not in self.packed:
                continue
            chosen = self.of_piece(piece)
            for group in piece.groups:
                numbers = np.flatnonzero(chosen[group.start : group.start + group.rows]) + group.start
                if len(numbers) and start <= group.start < start + one.rows:
                    first, rows = int(numbers[0]), int(numbers[-1] - numbers[0]) + 1
                    found.append(Slice(piece=piece, start=first, rows=rows, first=group.first, last=group.last))
        return found
