"""Which row of another collection belongs to each row, as numbers of rows: they are found once, for all questions.

To join ten million rows by their ids takes seconds; with these numbers a filter of the outputs is a bit for each row of
the inputs. They are only made where no row id repeats, so that every partner is certain.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .row_keys import RowKeys
from .slices import NEAR_OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .cache_folder import CacheFolder
    from .database import Database
    from .piece import Piece, RowNumber

__all__ = ["FoundPartners", "Partners", "PartnersOfPiece"]

_MOST_ROWS: Final = 100_000_000
"""Of all files whose partners are kept, four bytes each."""


@dataclass(frozen=True, slots=True)
class PartnersOfPiece:
    """The partners of the rows of a file.

    Attributes:
        near: the files that may have them.
        rows: for each row the number of its partner among the rows of these files one after the other; -1 without one.
    """

    near: tuple[Piece, ...]
    rows: Any

    def of_row(self, number: int) -> RowNumber | None:
        """The partner of a row: its file, and its number in it; None without one."""
        at = int(self.rows[number])
        if at < 0:
            return None
        for piece in self.near:
            if at < piece.rows:
                return piece, at
            at -= piece.rows
        raise AssertionError(f"expected a row of {len(self.near)} files, got one behind them")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPartners:
    """The partners of some files.

    Attributes:
        of: by the path of a file.
        pending: how many rows are in files whose partners are not found yet.
        are_certain: False if a row id repeats: then there are none.
    """

    of: Mapping[str, PartnersOfPiece]
    pending: int = 0
    are_certain: bool = True


class Partners:
    """See above.

    Args:
        database: reads the files.
        cache: takes the hashes of row ids.
        known: returns the files that a collection has now.
    """

    def __init__(self, database: Database, cache: CacheFolder, known: Callable[[str], list[Piece]]) -> None:
        self._database = database
        self._known_pieces = known
        self._cache = cache
        self._lock = threading.Lock()
        self._keys: dict[str, RowKeys] = {}
        self._known: dict[tuple[str, str], PartnersOfPiece] = {}
        self._rows = 0

    def of(
        self,
        roots: tuple[str, str],
        base: Sequence[Piece],
        side: Sequence[Piece],
        may_go_on: Callable[[], bool],
    ) -> FoundPartners:
        """The partners of the rows of files, the last files first.

        Args:
            roots: the collection of the rows, and that of their partners.
            base: files of the first one.
            side: files of the other one: all that are near.
            may_go_on: asked before each file that must be read; what it refuses is pending.

        Raises:
            ReaderError: a file cannot be read.
            CacheFullError: there is no room for what is found.
            OSError: what was found cannot be read.
        """
        with self._lock:
            try:
                return self._of(roots, base, side, may_go_on)
            except FileNotFoundError:  # the system has cleaned its temporary files up
                lost = [self._keys_of(root).forget_lost() for root in roots]
                if not any(lost):
                    raise
                return self._of(roots, base, side, may_go_on)

    def _of(
        self, roots: tuple[str, str], base: Sequence[Piece], side: Sequence[Piece], may_go_on: Callable[[], bool]
    ) -> FoundPartners:
        mine, theirs = (self._keys_of(root) for root in roots)
        for keys, root, pieces in ((mine, roots[0], base), (theirs, roots[1], side)):
            there = {one.path for one in self._known_pieces(root)}
            keys.keep(there)
            for piece in reversed(pieces):
                if piece.path not in there:  # another question has read what replaces it
                    return FoundPartners(of={}, pending=sum(one.rows for one in base))
                if not keys.has(piece):
                    if not may_go_on():
                        return FoundPartners(of={}, pending=sum(one.rows for one in base))
                    keys.read(piece)
        if mine.repeat(base) or theirs.repeat(side):
            return FoundPartners(of={}, are_certain=False)
        found: dict[str, PartnersOfPiece] = {}
        pending = 0
        there = {one.path for one in side}
        for piece in reversed(base):
            one = self._kept(roots[1], piece, side, there)
            if one is None and may_go_on():
                one = _matched(piece, _near(piece, side), mine, theirs)
                self._keep(roots[1], piece, one)
            if one is None:
                pending += piece.rows
            else:
                found[piece.path] = one
        return FoundPartners(of=found, pending=pending)

    def places(self, root: str, row_id: str) -> list[tuple[str, int]]:
        """Where a row of a collection with this id may be, as far as its files were looked at.

        Returns:
            The paths of files, and the numbers of rows in them.

        Raises:
            ReaderError: the question is not wanted any more.
        """
        keys = self._keys.get(root)
        return [] if keys is None else keys.places(row_id)

    def numbers_of_ids(
        self, root: str, pieces: Sequence[Piece], row_ids: Sequence[str]
    ) -> dict[str, list[RowNumber]] | None:
        """Where rows of files with some row ids may be, by the ids; None where some files were not looked at.

        Raises:
            ReaderError: the question is not wanted any more.
        """
        keys = self._keys.get(root)
        return None if keys is None else keys.numbers(row_ids, pieces)

    def _keys_of(self, root: str) -> RowKeys:
        if root not in self._keys:
            self._keys[root] = RowKeys(self._database, self._cache)
        return self._keys[root]

    def _kept(self, root: str, piece: Piece, side: Sequence[Piece], there: set[str]) -> PartnersOfPiece | None:
        """What is known, if the files that it was found in are the same ones."""
        one = self._known.get((root, piece.path))
        if one is None or not all(other.path in there for other in one.near):
            return None
        is_whole = bool((one.rows >= 0).all())
        return one if is_whole or [other.path for other in one.near] == [x.path for x in _near(piece, side)] else None

    def _keep(self, root: str, piece: Piece, one: PartnersOfPiece) -> None:
        before = self._known.pop((root, piece.path), None)
        self._rows += len(one.rows) - (0 if before is None else len(before.rows))
        self._known[root, piece.path] = one
        while self._rows > _MOST_ROWS and len(self._known) > 1:
            self._rows -= len(self._known.pop(next(iter(self._known))).rows)


def _near(piece: Piece, side: Sequence[Piece]) -> list[Piece]:
    before, after = NEAR_OUTPUTS
    first, last = piece.first - before, piece.last + after
    return [one for one in side if one.first <= last and one.last >= first]


def _matched(piece: Piece, near: Sequence[Piece], mine: RowKeys, theirs: RowKeys) -> PartnersOfPiece:
    """The rows with the same hash."""
    keys = mine.of(piece)
    rows = np.full(piece.rows, -1, np.int32)
    start = 0
    for other in near:
        others = theirs.of(other)
        if len(keys.hashes) and len(others.hashes):
            places = np.minimum(np.searchsorted(keys.hashes, others.hashes), len(keys.hashes) - 1)
            are_same = keys.hashes[places] == others.hashes
            rows[keys.rows[places[are_same]]] = start + others.rows[are_same]
        start += other.rows
    return PartnersOfPiece(near=tuple(near), rows=rows)
