"""The row ids of files as sorted 64-bit hashes, on disk; and whether one of them repeats.

Hashes decide which rows are looked at together: that two different ids of ten million have the same one happens in one
of a hundred thousand stores.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from otel_modeldata_reader.types.plain_arrays import numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from .cache_folder import CacheFolder
    from .database import Database
    from .piece import Piece, RowNumber

__all__ = ["Keys", "RowKeys"]

_QUERY: Final = (
    "SELECT hash(row_id) AS key, file_row_number AS row "
    "FROM read_parquet([?], hive_partitioning = false, file_row_number = true) WHERE row_id IS NOT NULL"
)
_RANGES: Final = 32
"""All hashes are compared in so many parts, to take little memory."""
_FEW: Final = 200_000
"""Rows of new files that are looked up in each other file, instead of comparing all."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The hashes of the row ids of a file, sorted, and the rows that have them."""

    hashes: Any
    rows: Any


class RowKeys:
    """The hashes of the files of a collection.

    Args:
        database: reads the files.
        cache: takes the hashes.
    """

    def __init__(self, database: Database, cache: CacheFolder) -> None:
        self._database = database
        self._cache = cache
        self._known: dict[str, Path] = {}
        self._checked: set[str] = set()
        self._repeating: set[str] = set()

    def has(self, piece: Piece) -> bool:
        """Whether the hashes of a file are known."""
        return piece.path in self._known

    def read(self, piece: Piece) -> None:
        """Make the hashes of a file.

        Raises:
            ReaderError: it cannot be read.
            CacheFullError: they cannot be written.
        """
        table = self._database.table(_QUERY, [piece.path])
        hashes, rows = numbers_of(table["key"]), numbers_of(table["row"]).astype(np.int32)
        order = np.argsort(hashes)
        path = self._cache.new("ids", ".keys")
        with self._cache.writing(path) as partial, partial.open("wb") as file:
            file.write(hashes[order].tobytes())
            file.write(rows[order].tobytes())
        self._known[piece.path] = path

    def of(self, piece: Piece) -> Keys:
        """The hashes of a file that were made."""
        return self.of_path(piece.path)

    def of_path(self, file: str) -> Keys:
        """The same by the path of the file.

        Raises:
            OSError: they have gone, or cannot be read.
        """
        path, count = self._file(file)
        if not count:
            return Keys(np.zeros(0, np.uint64), np.zeros(0, np.int32))
        content = np.memmap(path, np.uint8, "r")
        return Keys(content[: 8 * count].view(np.uint64), content[8 * count :].view(np.int32))

    def places(self, row_id: str) -> list[tuple[str, int]]:
        """Where a row with this id may be: the path of a file whose hashes are known, and the number of the row."""
        ((wanted,),) = self._database.rows("SELECT hash(?)", [row_id])
        found = []
        for path in list(self._known):
            try:
                keys = self.of_path(path)
            except (KeyError, OSError):  # another thread or the system has just removed it
                continue
            at = int(np.searchsorted(keys.hashes, np.uint64(wanted)))
            if at < len(keys.hashes) and keys.hashes[at] == wanted:
                found.append((path, int(keys.rows[at])))
        return found

    def numbers(self, row_ids: Sequence[str], pieces: Sequence[Piece]) -> dict[str, list[RowNumber]] | None:
        """Where rows with some ids may be; None where the hashes of a file are not known.

        Returns:
            By the row id: files, and the number of a row in each.
        """
        asked = "SELECT i, hash(i) FROM (SELECT unnest(?) AS i) ORDER BY 2"
        found = self._database.rows(asked, [list(row_ids)])
        wanted = np.array([key for _, key in found], np.uint64)
        rows: dict[str, list[RowNumber]] = {}
        try:
            for piece in pieces:
                keys = self.of(piece)
                first, last = (np.searchsorted(keys.hashes, wanted, side) for side in ("left", "right"))
                for at in np.flatnonzero(first < last).tolist():
                    numbers = keys.rows[first[at] : last[at]].tolist()
                    rows.setdefault(found[at][0], []).extend((piece, number) for number in numbers)
        except (KeyError, OSError):  # not made yet, or just removed by another thread or the system
            return None
        return rows

    def keep(self, paths: Iterable[str]) -> None:
        """Remove the hashes of all other files: their rows are in others by now, or are gone."""
        for path in self._known.keys() - set(paths):
            self._forget(path).unlink(missing_ok=True)

    def forget_lost(self) -> bool:
        """Forget the hashes whose files have gone, so that they are made again; returns whether there are such."""
        lost = [path for path, file in self._known.items() if self._cache.has_lost(str(file))]
        for path in lost:
            self._forget(path)
        return bool(lost)

    def _forget(self, path: str) -> Path:
        self._checked.discard(path)
        if path in self._repeating:  # what repeated its ids may be unique now
            self._checked, self._repeating = set(), set()
        return self._known.pop(path)

    def repeat(self, pieces: Sequence[Piece]) -> bool:
        """Whether a row id of some files is there twice, in all files whose hashes are known.

        Raises:
            OSError: the hashes cannot be read.
        """
        new = self._known.keys() - self._checked
        if new:
            every = {path: self._hashes(path) for path in self._known}
            fresh = {path: every[path] for path in new}
            self._repeating |= _repeating(fresh, {path: one for path, one in every.items() if path not in fresh})
            self._checked |= fresh.keys()
        return any(one.path in self._repeating for one in pieces)

    def _hashes(self, path: str) -> Any:
        file, count = self._file(path)
        return np.memmap(file, np.uint64, "r", shape=(count,)) if count else np.zeros(0, np.uint64)

    def _file(self, path: str) -> tuple[Path, int]:
        """The file with the hashes of a file, and how many it has."""
        file = self._known[path]
        if self._cache.has_lost(str(file)):
            raise FileNotFoundError(f"{file} has gone")
        return file, file.stat().st_size // 12


def _repeating(fresh: Mapping[str, Any], others: Mapping[str, Any]) -> set[str]:
    """The files that have a hash of the fresh files which is there twice."""
    if sum(map(len, fresh.values())) <= _FEW:
        mine = np.sort(np.concatenate(list(fresh.values())))
        twice = [_twice(mine), *(_common(mine, one) for one in others.values())]
    else:
        every = [*fresh.values(), *others.values()]
        edges = [2**64 * at // _RANGES for at in range(_RANGES + 1)]
        twice = [
            _twice(np.sort(np.concatenate([_between(one, low, high) for one in every])))
            for low, high in itertools.pairwise(edges)
        ]
    found = np.unique(np.concatenate(twice))
    return {path for path, one in {**fresh, **others}.items() if len(found) and len(_common(found, one))}


def _between(hashes: Any, low: int, high: int) -> Any:
    first = np.searchsorted(hashes, np.uint64(low))
    last = len(hashes) if high > 2**64 - 1 else np.searchsorted(hashes, np.uint64(high))
    return hashes[first:last]


def _twice(ordered: Any) -> Any:
    return ordered[1:][ordered[1:] == ordered[:-1]]


def _common(some: Any, ordered: Any) -> Any:
    """Those of some hashes that are in sorted ones."""
    if not len(ordered):
        return some[:0]
    return some[ordered[np.minimum(np.searchsorted(ordered, some), len(ordered) - 1)] == some]
