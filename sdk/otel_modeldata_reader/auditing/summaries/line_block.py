"""Some lines of a blob, each with its end and its number: a line, some of them, or one half after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["LineBlock"]


class LineBlock(NamedTuple):
    """Some lines of a blob.

    Attributes:
        content: the lines.
        ends: where each of them ends.
        numbers: of the lines in the blob.
    """

    content: memoryview
    ends: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def line(self, place: int) -> bytes:
        """One of the lines."""
        start = int(self.ends[place - 1]) + 1 if place else 0
        return bytes(self.content[start : int(self.ends[place])])

    def only(self, places: NDArray[np.int64]) -> LineBlock:
        """Some of the lines."""
        starts = np.where(places > 0, self.ends[places - 1] + 1, 0)
        spans = zip(starts.tolist(), self.ends[places].tolist(), strict=True)
        content = b"".join([self.content[start : end + 1] for start, end in spans])
        ends = np.cumsum(self.ends[places] - starts + 1) - 1
        return LineBlock(memoryview(content), ends, self.numbers[places])

    def halves(self) -> Iterator[tuple[LineBlock, int]]:
        """The first half of the lines and the second one, each with the place at which it begins."""
        middle = len(self.ends) // 2
        cut = int(self.ends[middle - 1]) + 1
        yield LineBlock(self.content[:cut], self.ends[:middle], self.numbers[:middle]), 0
        yield LineBlock(self.content[cut:], self.ends[middle:] - cut, self.numbers[middle:]), middle
