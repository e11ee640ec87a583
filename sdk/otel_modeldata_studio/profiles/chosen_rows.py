"""The rows that filters of other collections choose, in a deployment with very many rows: found by their partners.

Such rows are a bit each, so that what follows reads one collection and joins nothing.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from otel_modeldata_reader.types.plain_arrays import numbers_of

from ..queries.joined_rows import OUTCOME, own_column
from ..queries.row_numbers import numbers_of_rows, numbers_of_side
from ..tables.deployment_rows import LABELS, OUTPUTS
from ..tables.row_bits import RowBits
from .uncertain_rows import uncertain_note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_modeldata_reader.window import Window

    from ..queries.filters import Filter
    from ..queries.sql import Sql
    from ..tables.deployment_rows import DeploymentRows, Side
    from ..tables.partners import FoundPartners
    from ..tables.piece import Piece
    from ..tables.tables import Tables

__all__ = ["LEAST_ROWS", "ChosenRows"]

LEAST_ROWS: Final = 200_000
"""Fewer rows are joined in less time than partners are found."""
_FIRST_ROWS: Final = 400_000
"""So many of the newest rows are joined while the partners of all are not known yet."""
_MOST_KEPT: Final = 8
_ID_BYTES: Final = 80
"""Of the two row ids of a row and its partner, about."""


class ChosenRows:
    """See above.

    Args:
        tables: have the rows.
        least: how many rows a deployment has in a window at least.
    """

    def __init__(self, tables: Tables, least: int = LEAST_ROWS) -> None:
        self._tables = tables
        self._least = least
        self._lock = threading.Lock()
        self._kept: dict[object, RowBits] = {}
        self._notes: dict[object, str] = {}

    def by(
        self, deployment: str, rows: DeploymentRows, filters: Sequence[Filter], window: Window
    ) -> tuple[DeploymentRows, tuple[Filter, ...]]:
        """The rows that the filters of other sides choose, with those of the first side, and the filters that are left.

        While the partners of some files are not known, these files are left out, and pending. All filters are left
        where no partners are looked for: of few rows, of labels, and where row ids repeat.

        Args:
            deployment: `endpoint/deployment`.
            rows: of it.
            filters: all must hold.
            window: of the question.

        Raises:
            ReaderError: a filter does not fit, or a file cannot be read.
        """
        if rows.rows < self._least:
            return rows, tuple(filters)
        of_sides: dict[str, list[Filter]] = {}
        for one in filters:
            of_sides.setdefault(own_column(rows, one.column).role, []).append(one)
        left = [one for one in filters if not _is_of_other(rows, own_column(rows, one.column).role)]
        deadline = self._tables.deadline().soon
        for role, own in of_sides.items():
            side = rows.side(role)
            if side is None or not _is_of_other(rows, role):
                continue
            found = self._tables.found_partners(deployment, rows, side, window, deadline)
            if not found.are_certain:
                left += own
            elif found.pending and not found.of:
                rows, left = _newest(rows), [*left, *own]
            else:
                rows = _of_known(rows, found)
                rows = replace(rows, bits=self._bits(rows, side, own, found))
        of_base = of_sides.get(rows.base.role, [])
        if rows.bits is not None and of_base:
            rows = replace(rows, bits=rows.bits.both(self._bits_of_base(rows, of_base)))
            left = [one for one in left if one not in of_base]
        return rows, tuple(left)

    def note(self, deployment: str, rows: DeploymentRows, window: Window) -> str:
        """What `uncertain_note` says; of very many rows it is asked once, and not where no row id repeats.

        Raises:
            ReaderError: a file cannot be read.
        """
        side = rows.side(OUTPUTS)
        if rows.rows < self._least or side is None or rows.base.role == OUTPUTS:
            return uncertain_note(self._tables.database, rows, window)
        found = self._tables.found_partners(deployment, rows, side, window, deadline=0.0)
        if found.are_certain and not found.pending:
            return ""
        key = (_paths(rows.base.pieces), _paths(side.pieces), window)
        with self._lock:
            if key not in self._notes:
                self._notes[key] = uncertain_note(self._tables.database, rows, window)
                while len(self._notes) > _MOST_KEPT:
                    del self._notes[next(iter(self._notes))]
            return self._notes[key]

    def alone(
        self, deployment: str, rows: DeploymentRows, role: str, filters: Sequence[Filter], window: Window
    ) -> DeploymentRows | None:
        """The rows of another side alone whose partners are chosen; None where these have to be joined.

        Args:
            deployment: `endpoint/deployment`.
            rows: as `by` returns them.
            role: of the other side.
            filters: those that are left.
            window: of the question.

        Raises:
            ReaderError: a filter does not fit, or a file cannot be read.
        """
        side = rows.side(role)
        roles = {own_column(rows, one.column).role for one in filters}
        if rows.rows < self._least or side is None or not _is_of_other(rows, role):
            return None
        if not roles <= {"", rows.base.role}:
            return None
        found = self._tables.found_partners(deployment, rows, side, window, deadline=0.0)
        if not found.are_certain or any(one.path not in found.of for one in rows.base.pieces):
            return None
        of_base, total = _starts(rows.base.pieces)
        if rows.bits is not None and not filters and all(_is_inside(one, window) for one in rows.base.pieces):
            are_chosen = np.concatenate([rows.bits.of_piece(one) for one in rows.base.pieces])
        else:
            are_chosen = self._numbers(numbers_of_rows(rows, filters, window, of_base), total)
        starts, total = _starts(side.pieces)
        chosen = np.zeros(total, dtype=bool)
        for piece in rows.base.pieces:
            partners = found.of[piece.path]
            numbers = partners.rows[are_chosen[of_base[piece.path] : of_base[piece.path] + piece.rows]]
            if not len(numbers):
                continue
            if (numbers < 0).any():  # its row counts, with a null
                return None
            near = np.concatenate([np.arange(starts[one.path], starts[one.path] + one.rows) for one in partners.near])
            chosen[near[numbers]] = True
        bits = RowBits.of({one.path: chosen[starts[one.path] : starts[one.path] + one.rows] for one in side.pieces})
        return rows.of_side(side, bits)

    def _bits(self, rows: DeploymentRows, side: Side, filters: Sequence[Filter], found: FoundPartners) -> RowBits:
        key = (tuple(filters), _paths(rows.base.pieces), _paths(side.pieces))
        bits = self._remembered(key, lambda: self._chosen(rows, side, filters, found))
        return bits if rows.bits is None else bits.both(rows.bits)

    def _bits_of_base(self, rows: DeploymentRows, filters: Sequence[Filter]) -> RowBits:
        """The rows of the first side that filters of their own columns choose."""

        def make() -> RowBits:
            starts, total = _starts(rows.base.pieces)
            chosen = self._numbers(numbers_of_side(rows, rows.base, filters, starts), total)
            return RowBits.of(
                {one.path: chosen[starts[one.path] : starts[one.path] + one.rows] for one in rows.base.pieces}
            )

        return self._remembered((tuple(filters), _paths(rows.base.pieces)), make)

    def _remembered(self, key: object, make: Callable[[], RowBits]) -> RowBits:
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is None:
                kept = make()
            self._kept[key] = kept
            while len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            return kept

    def _chosen(self, rows: DeploymentRows, side: Side, filters: Sequence[Filter], found: FoundPartners) -> RowBits:
        """The rows of the first side whose partners all filters choose."""
        starts, total = _starts(side.pieces)
        are_chosen = self._numbers(numbers_of_side(rows, side, filters, starts), total)
        without = all(one.op == "null" or None in one.values for one in filters)
        chosen: dict[str, Any] = {}
        for piece in rows.base.pieces:
            partners = found.of[piece.path]
            near = [are_chosen[starts[one.path] : starts[one.path] + one.rows] for one in partners.near]
            mask = np.full(piece.rows, without)
            if near:
                known = partners.rows >= 0
                mask = np.where(known, np.concatenate(near)[partners.rows], mask)
            chosen[piece.path] = mask
        return RowBits.of(chosen)

    def _numbers(self, text: Sql, total: int) -> Any:
        """An array of booleans, true at the numbers that a query has."""
        found = np.zeros(total, dtype=bool)
        for chunk in self._tables.database.table(text.text, text.parameters).column(0).chunks:
            found[numbers_of(chunk)] = True
        return found


def _is_of_other(rows: DeploymentRows, role: str) -> bool:
    """Whether a role is a side that has partners of the rows; a label may be that of several rows."""
    return role not in {"", rows.base.role, LABELS, OUTCOME}


def _of_known(rows: DeploymentRows, found: FoundPartners) -> DeploymentRows:
    """The files whose partners are known; the others are pending."""
    known = tuple(one for one in rows.base.pieces if one.path in found.of)
    return _of_pieces(rows, known)


def _newest(rows: DeploymentRows) -> DeploymentRows:
    """The newest files: the last ones, which have some hundred thousand rows."""
    kept: list[Piece] = []
    for piece in reversed(rows.base.pieces):
        if kept and sum(one.rows for one in kept) + piece.rows > _FIRST_ROWS:
            break
        kept.append(piece)
    return _of_pieces(rows, tuple(reversed(kept)))


def _of_pieces(rows: DeploymentRows, pieces: tuple[Piece, ...]) -> DeploymentRows:
    base = replace(rows.base, pieces=pieces)
    left = rows.rows - sum(one.rows for one in pieces)
    return replace(rows, sides=(base, *rows.sides[1:]), pending=rows.pending + left * _ID_BYTES)


def _is_inside(piece: Piece, window: Window) -> bool:
    first, last = window.bounds
    return first <= piece.first and piece.last < last


def _starts(pieces: Sequence[Piece]) -> tuple[dict[str, int], int]:
    """The number of the first row of each file, and how many rows there are."""
    starts, count = {}, 0
    for one in pieces:
        starts[one.path] = count
        count += one.rows
    return starts, count


def _paths(pieces: Sequence[Piece]) -> tuple[str, ...]:
    return tuple(one.path for one in pieces)
