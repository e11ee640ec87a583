"""Which ids were read before, in bounded memory however long the reading is.

The latest ids are in a set. Older ones are in sorted arrays of two 64-bit hashes each, 16 bytes an id; both are equal
for one of 2^128 pairs of ids. The oldest are forgotten: an id repeats, if at all, in the blobs of one folder, which are
read one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["KnownIds", "NoIds"]

_MOST_IN_SET: Final = 200_000
_MOST_IN_GENERATION: Final = 2_000_000


class KnownIds:
    """The ids of one reading.

    Args:
        most_in_set: ids that are kept as texts, about 150 bytes each.
        most_in_generation: ids of an array; two of them are kept.
    """

    def __init__(self, most_in_set: int = _MOST_IN_SET, most_in_generation: int = _MOST_IN_GENERATION) -> None:
        self._most_in_set = most_in_set
        self._most_in_generation = most_in_generation
        self._latest: set[str] = set()
        self._generations = [_Hashes(), _Hashes()]

    def are_new(self, ids: Sequence[str]) -> bool:
        """Whether none of the ids is known or twice among them; if so, they are known from now on."""
        if not self._latest.isdisjoint(ids) or self._hashed(ids).any():
            return False
        count = len(self._latest) + len(ids)
        self._latest.update(ids)
        if len(self._latest) < count:
            self._latest.difference_update(ids)
            return False
        self._shrink()
        return True

    def new_ones(self, ids: Sequence[str]) -> list[bool]:
        """Whether each of the ids is new; all are known from now on."""
        hashed = self._hashed(ids)
        fresh: set[str] = set()
        is_new = []
        for one, is_hashed in zip(ids, hashed.tolist(), strict=True):
            is_new.append(not (is_hashed or one in self._latest or one in fresh))
            fresh.add(one)
        self._latest |= fresh
        self._shrink()
        return is_new

    def _hashed(self, ids: Sequence[str]) -> Any:
        found = np.zeros(len(ids), dtype=bool)
        for generation in self._generations:
            if generation.count:
                found |= generation.have(*_hashes(ids))
        return found

    def _shrink(self) -> None:
        if len(self._latest) < self._most_in_set:
            return
        if self._generations[0].count >= self._most_in_generation:
            self._generations = [_Hashes(), self._generations[0]]
        self._generations[0].add(*_hashes(list(self._latest)))
        self._latest = set()


class NoIds(KnownIds):
    """Knows none, so that every line is read, also one whose id is that of another one."""

    def are_new(self, ids: Sequence[str]) -> bool:  # noqa: ARG002 (see the class above)
        """Always: see `KnownIds.are_new`."""
        return True


class _Hashes:
    """Pairs of hashes in sorted arrays, each at least twice as long as the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._arrays: list[tuple[Any, Any]] = []

    def add(self, first: Any, second: Any) -> None:
        self.count += len(first)
        while self._arrays and len(self._arrays[-1][0]) < 2 * len(first):
            other = self._arrays.pop()
            first, second = np.concatenate([other[0], first]), np.concatenate([other[1], second])
        order = np.argsort(first)
        self._arrays.append((first[order], second[order]))

    def have(self, first: Any, second: Any) -> Any:
        found = np.zeros(len(first), dtype=bool)
        for known, beside in self._arrays:
            at = np.searchsorted(known, first)
            at[at == len(known)] = 0
            equal = known[at] == first
            found |= equal & (beside[at] == second)
        return found


def _hashes(ids: Sequence[str]) -> tuple[Any, Any]:
    salted = (f"{one}\0" for one in ids)
    return (
        np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids)),
        np.fromiter(map(hash, salted), dtype=np.int64, count=len(ids)),
    )
