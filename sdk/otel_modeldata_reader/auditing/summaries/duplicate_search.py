"""Finds ids that are in more than one part of a store, in bounded memory however many ids there are.

Each part has its own ids once, as ascending hashes. They are written to a temporary folder in sorted runs of bounded
length, 12 bytes an id. Then all runs are merged one range of hashes after the other. An id belongs to the first part
that has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .temporary_folder import room_needed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DuplicateSearch", "Repeated"]

_MOST_IN_RUN: Final = 2_000_000
"""Ids that are sorted in memory; the sort takes about 100 bytes each."""


class Repeated(NamedTuple):
    """Ids that are in more than one part; the arrays are equally long.

    Attributes:
        hashes: of the ids.
        parts: a part that has the id too.
        owners: the first part that has it.
    """

    hashes: NDArray[np.int64]
    parts: NDArray[np.int64]
    owners: NDArray[np.int64]


class _Run(NamedTuple):
    hashes: NDArray[np.int64]
    codes: NDArray[np.int32]


class DuplicateSearch:
    """Takes the ids of all parts, and then finds those that repeat.

    Args:
        folder: takes the runs; the caller removes it.
        most_in_run: see `_MOST_IN_RUN`.
    """

    def __init__(self, folder: Path, most_in_run: int = _MOST_IN_RUN) -> None:
        self._folder = folder
        self._most = most_in_run
        self._waiting: list[_Run] = []
        self._runs: list[Path] = []
        self._count = 0
        self._waits = 0

    def add(self, part: int, ids: NDArray[np.int64], named: NDArray[np.int64]) -> None:
        """Add the ids of a part.

        Args:
            part: its number.
            ids: hashes of its ids.
            named: hashes that are looked up only: they repeat if an earlier part has them, and make none repeat.
        """
        for hashes, is_named in ((ids, 0), (named, 1)):
            for start in range(0, len(hashes), self._most):
                piece = hashes[start : start + self._most]
                self._waiting.append(_Run(piece, np.full(len(piece), 2 * part + is_named, np.int32)))
                self._count += len(piece)
                self._waits += len(piece)
                if self._waits >= self._most:
                    self._write()

    def repeated(self, order: NDArray[np.int64]) -> Iterator[Repeated]:
        """The ids that repeat, some at a time.

        Args:
            order: the place of each part, by its number; -1 for parts that are left out.
        """
        rounds = -(-self._count // self._most)
        edges = [int(edge) for edge in np.linspace(-(2.0**63), 2.0**63, rounds + 1)[1:-1]]
        for first, last in zip([None, *edges], [*edges, None], strict=True):
            pieces = [
                *(_between(_stored(path), first, last) for path in self._runs),
                *(_between(run, first, last) for run in self._waiting),
            ]
            hashes = np.concatenate([np.empty(0, np.int64), *(one.hashes for one in pieces)])
            codes = np.concatenate([np.empty(0, np.int32), *(one.codes for one in pieces)])
            yield from _repeated(hashes, codes, order)

    def _write(self) -> None:
        hashes = np.concatenate([one.hashes for one in self._waiting])
        codes = np.concatenate([one.codes for one in self._waiting])
        self._waiting, self._waits = [], 0
        ascending = np.argsort(hashes)
        path = self._folder / f"ids-{len(self._runs):06d}"
        with room_needed():
            hashes[ascending].tofile(path)
            codes[ascending].tofile(path.with_suffix(".parts"))
        self._runs.append(path)


def _stored(path: Path) -> _Run:
    """A run in a file; its pages are in memory until the arrays are gone."""
    return _Run(np.memmap(path, np.int64, "r"), np.memmap(path.with_suffix(".parts"), np.int32, "r"))


def _between(run: _Run, first: int | None, last: int | None) -> _Run:
    """The ids of a run from `first` up to, not including, `last`."""
    start = 0 if first is None else int(np.searchsorted(run.hashes, first))
    end = len(run.hashes) if last is None else int(np.searchsorted(run.hashes, last))
    return _Run(np.array(run.hashes[start:end]), np.array(run.codes[start:end]))  # copies


def _repeated(hashes: NDArray[np.int64], codes: NDArray[np.int32], order: NDArray[np.int64]) -> Iterator[Repeated]:
    if not _are_equal(np.sort(hashes)).any():
        return  # as in most ranges; to sort with places takes longer
    ascending = np.argsort(hashes)
    hashes = hashes[ascending]
    follows = _are_equal(hashes)
    is_several = np.concatenate((follows, [False])) | np.concatenate(([False], follows))
    hashes, codes = hashes[is_several], codes[ascending[is_several]]
    parts, is_named = (codes >> 1).astype(np.int64), (codes & 1).astype(np.bool_)
    places = order[parts]
    kept = np.lexsort((places, hashes))
    kept = kept[places[kept] >= 0]
    hashes, parts, is_named = hashes[kept], parts[kept], is_named[kept]
    if not len(hashes):
        return
    begins = np.concatenate(([True], hashes[1:] != hashes[:-1]))
    group = np.cumsum(begins) - 1
    is_owned = ~is_named
    owners_before: NDArray[np.int64] = np.cumsum(is_owned) - is_owned  # in all groups so far
    is_repeated: NDArray[np.bool_] = owners_before > owners_before[np.flatnonzero(begins)][group]
    owner_places = np.flatnonzero(is_owned)
    first_owner = np.full(int(group[-1]) + 1, -1, np.int64)
    first_owner[group[owner_places][::-1]] = parts[owner_places][::-1]
    if is_repeated.any():
        yield Repeated(hashes[is_repeated], parts[is_repeated], first_owner[group[is_repeated]])


def _are_equal(ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each hash but the first equals the one before."""
    equal: NDArray[np.bool_] = ascending[1:] == ascending[:-1]
    return equal
