"""A sample of rows of fixed size, the same for the same rows in the same order: all rows while there are few.

Every row draws a number, and the rows with the least ones are kept. So the sample does not depend on where batches
end, and its memory is bounded by the rows that it may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..measures.bins import Floats

__all__ = ["RowSample", "rows_for"]

MOST_ROWS: Final = 1_000_000
MOST_VALUES: Final = 16_000_000
"""128 MiB; wide tables have fewer rows in their sample."""
_SEED: Final = 17
_ROOM: Final = 1.25


def rows_for(columns: int) -> int:
    """The rows of a sample of so many columns."""
    return min(MOST_ROWS, max(1, MOST_VALUES // max(1, columns)))


class RowSample:
    """A sample that grows.

    Args:
        columns: how many.
        most: rows at most.
    """

    def __init__(self, columns: int, most: int | None = None) -> None:
        self.seen = 0
        self._most = rows_for(columns) if most is None else most
        self._random = np.random.Generator(np.random.PCG64(_SEED))
        self._keys: list[Any] = []
        self._parts: list[list[Any]] = [[] for _ in range(columns)]
        self._kept = 0
        self._below = 1.0

    @property
    def is_complete(self) -> bool:
        """Whether every row is in the sample."""
        return self.seen <= self._most

    @property
    def rows(self) -> int:
        """Rows in the sample."""
        return min(self.seen, self._most)

    def add(self, columns: Sequence[Floats], rows: int) -> None:
        """Add rows, one array for each column."""
        keys = self._random.random(rows)
        self.seen += rows
        if self._below < 1.0:
            chosen = np.flatnonzero(keys < self._below)
            keys, columns = keys[chosen], [column[chosen] for column in columns]
        self._keys.append(keys)
        for parts, column in zip(self._parts, columns, strict=True):
            parts.append(column)
        self._kept += len(keys)
        if self._kept > self._most * _ROOM:
            self._prune()

    def columns(self) -> list[Floats]:
        """The values of each column."""
        if self._kept > self._most:
            self._prune()
        return [np.concatenate(parts) if parts else np.empty(0) for parts in self._parts]

    def _prune(self) -> None:
        keys = np.concatenate(self._keys)
        chosen = np.sort(np.argpartition(keys, self._most - 1)[: self._most])
        self._keys = [keys[chosen]]
        self._below = float(self._keys[0].max())
        for place, parts in enumerate(self._parts):
            self._parts[place] = [np.concatenate(parts)[chosen]]
        self._kept = self._most
