"""Compact sets of numbers and ids, so that an audit can read a store of any size.

Sequence numbers are kept as ranges: the numbers of a producer that lost nothing are one range, however many there are.
Ids are kept as 64-bit hashes in sorted arrays, 8 bytes each. The chance that two of n ids share a hash is n^2 / 2^65:
one in four thousand for a hundred million ids of one collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["MAX_SEQUENCE", "IdSet", "NumberRanges"]

MAX_SEQUENCE: Final = 2**62
"""No producer reaches this number; sums and neighbors of smaller numbers fit into 64 bits."""
_LOOSE_RANGES: Final = 1024
"""Ranges that may wait for a merge; a larger set may have as many waiting ranges as merged ones."""


class NumberRanges:
    """A set of whole numbers from 0 up to `MAX_SEQUENCE`, as ranges."""

    __slots__ = ("_loose", "_ranges")

    def __init__(self) -> None:
        self._ranges: NDArray[np.int64] = np.empty((0, 2), np.int64)
        """First and last number of each range, ascending; at least one number is missing between two ranges."""
        self._loose: list[tuple[int, int]] = []

    def add(self, numbers: Sequence[int] | NDArray[np.int64]) -> None:
        """Add `numbers`, in any order; repeated numbers are allowed."""
        if len(numbers) == 0:
            return
        given = np.asarray(numbers, np.int64)
        if (given[1:] - given[:-1] == 1).all():
            self.add_ranges([(int(given[0]), int(given[-1]))])
            return
        ascending = np.unique(given)
        breaks = np.flatnonzero(np.diff(ascending) > 1)
        firsts = ascending[np.concatenate(([0], breaks + 1))]
        lasts = ascending[np.concatenate((breaks, [len(ascending) - 1]))]
        self._loose += zip(firsts.tolist(), lasts.tolist(), strict=True)
        if len(self._loose) > max(_LOOSE_RANGES, len(self._ranges)):
            self._merge()

    def add_ranges(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Add the numbers of ranges, each with its first and last one, in any order."""
        self._loose += ranges
        if len(self._loose) > max(_LOOSE_RANGES, len(self._ranges)):
            self._merge()

    def union(self, others: Iterable[NumberRanges]) -> NumberRanges:
        """The numbers that are in this set or in one of `others`."""
        union = NumberRanges()
        for one in (self, *others):
            union._loose += one.ranges()
        return union

    def ranges(self) -> list[tuple[int, int]]:
        """First and last number of each range, ascending."""
        self._merge()
        return [(first, last) for first, last in self._ranges.tolist()]

    def holes(self, first: int, last: int) -> list[tuple[int, int]]:
        """The ranges between `first` and `last`, both included, that are not in the set."""
        holes = []
        for start, end in self.ranges():
            if end < first:
                continue
            if start > last:
                break
            if start > first:
                holes.append((first, start - 1))
            first = end + 1
        if first <= last:
            holes.append((first, last))
        return holes

    def count_from(self, number: int) -> int:
        """How many members are `number` or above."""
        return sum(last - max(first, number) + 1 for first, last in self.ranges() if last >= number)

    def __len__(self) -> int:
        return self.count_from(0)

    def _merge(self) -> None:
        if not self._loose:
            return
        ranges = np.concatenate((self._ranges, np.array(self._loose, np.int64)))
        self._loose = []
        ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
        reach = np.maximum.accumulate(ranges[:, 1])
        starts = np.flatnonzero(np.concatenate(([True], ranges[1:, 0] > reach[:-1] + 1)))
        ends = np.concatenate((starts[1:] - 1, [len(ranges) - 1]))
        self._ranges = np.column_stack((ranges[starts, 0], reach[ends]))


class IdSet:
    """A set of 64-bit hashes that only grows, as sorted arrays, each at least twice as long as the next."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: list[NDArray[np.int64]] = []

    def add(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add `hashes`; return for each, in their order, whether it is new."""
        ascending, firsts = np.unique(hashes, return_index=True)
        new = np.ones(len(ascending), np.bool_)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, ascending), len(run) - 1)
            new &= run[places] != ascending
        is_new = np.zeros(len(hashes), np.bool_)
        is_new[firsts[new]] = True
        self._push(ascending[new])
        return is_new

    def ascending(self) -> NDArray[np.int64]:
        """All hashes, ascending."""
        return np.sort(np.concatenate([np.empty(0, np.int64), *self._runs]), kind="stable")

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def _push(self, run: NDArray[np.int64]) -> None:
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = np.sort(np.concatenate((self._runs.pop(), run)), kind="stable")  # merges sorted arrays
        if len(run):
            self._runs.append(run)
