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

__all__ = ["MAX_SEQUENCE", "IdSet", "NumberRanges", "distinct"]

MAX_SEQUENCE: Final = 2**62
"""No producer reaches this number; sums and neighbors of smaller numbers fit into 64 bits."""
_LOOSE_RANGES: Final = 1024
"""Ranges that may wait for a merge; a larger set may have as many waiting ranges as merged ones."""


_MOST_RECENT: Final = 32
"""Arrays of ids of an `IdSet` that are not merged; each further one makes a search longer."""
_FIRST_MARKS: Final = 1 << 16
_MARKS_PER_ID: Final = 12
_MOST_MARKS: Final = 1 << 24
"""Bytes of the table of an `IdSet`; of more ids than that, more are searched."""


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
        ascending = distinct(given)
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


def distinct(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers, each once and ascending; `numpy.unique` imports masked arrays for that."""
    ascending = np.sort(numbers)
    return ascending[np.concatenate(([True], ascending[1:] != ascending[:-1]))] if len(ascending) else ascending


class IdSet:
    """A set of 64-bit hashes that only grows, as sorted arrays.

    Most hashes are new. A table that has a mark at the lowest bits of each hash says so without a search.
    """

    __slots__ = ("_marks", "_recent", "_runs")

    def __init__(self) -> None:
        self._runs: list[NDArray[np.int64]] = []
        """Each at least twice as long as the next."""
        self._recent: list[NDArray[np.int64]] = []
        self._marks = np.zeros(_FIRST_MARKS, np.bool_)

    def add(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add `hashes`; return for each, in their order, whether it is new."""
        places = hashes & (len(self._marks) - 1)
        is_new = np.ones(len(hashes), np.bool_)
        marked = np.flatnonzero(self._marks[places])
        is_new[marked] = ~self._has(hashes[marked])
        self._marks[places] = True
        ascending = np.sort(hashes[is_new] if len(marked) else hashes)
        if (ascending[1:] == ascending[:-1]).any():
            new = np.flatnonzero(is_new)
            order = np.argsort(hashes[new], kind="stable")
            repeats = hashes[new[order]][1:] == hashes[new[order]][:-1]
            is_new[new[order[1:][repeats]]] = False
            ascending = distinct(ascending)
        self._push(ascending)
        return is_new

    def ascending(self) -> NDArray[np.int64]:
        """All hashes, ascending."""
        return np.sort(np.concatenate([np.empty(0, np.int64), *self._runs, *self._recent]))

    def __len__(self) -> int:
        return sum(map(len, (*self._runs, *self._recent)))

    def _has(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = np.zeros(len(hashes), np.bool_)
        for run in (*self._runs, *self._recent):
            found |= run[np.minimum(np.searchsorted(run, hashes), len(run) - 1)] == hashes
        return found

    def _push(self, run: NDArray[np.int64]) -> None:
        if not len(run):
            return
        self._recent.append(run)
        if len(self._recent) > _MOST_RECENT:
            merged, self._recent = np.sort(np.concatenate(self._recent)), []
            while self._runs and len(self._runs[-1]) < 2 * len(merged):
                merged = np.sort(np.concatenate((self._runs.pop(), merged)))
            self._runs.append(merged)
        size = len(self._marks)
        while size < min(_MARKS_PER_ID * len(self), _MOST_MARKS):
            size *= 4
        if size > len(self._marks):
            self._marks = np.zeros(size, np.bool_)
            for one in (*self._runs, *self._recent):
                self._marks[one & (size - 1)] = True
