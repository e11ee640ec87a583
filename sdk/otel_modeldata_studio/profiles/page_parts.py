"""The parts of files that have the rows of a page, and their partners: of large files no others are unpacked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..queries.row_numbers import times_of_bits
from ..tables.deployment_rows import LABELS
from ..tables.slices import NEAR_OUTPUTS, slices_near, spans_of, spans_of_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..tables.deployment_rows import DeploymentRows
    from ..tables.piece import Piece, Slice
    from ..tables.tables import Tables

__all__ = ["parts_of_page"]

_FEW: Final = 200_000
"""So many rows are unpacked sooner than their parts are found."""


def parts_of_page(
    tables: Tables, rows: DeploymentRows, ids: Sequence[str], times: Sequence[int]
) -> tuple[DeploymentRows, Sequence[Piece | Slice]]:
    """The rows with the parts of their sides that can have partners, and the parts that have the rows themselves.

    Where the row ids of all files were looked at, these are some rows; else the row groups that are near in time.

    Args:
        tables: have the rows.
        rows: of a deployment.
        ids: the row ids of the page.
        times: of these rows.

    Raises:
        ReaderError: a file cannot be read.
    """
    base: Sequence[Piece | Slice] = slices_near(rows.base.pieces, spans_of_times(times), (0, 0))
    if sum(one.rows for one in base) <= _FEW:
        return rows, base
    bits = tables.partners.rows_of_ids(rows.base.root, rows.base.pieces, ids)
    for side in rows.sides[1:]:
        of_side = None if side.role == LABELS else tables.partners.rows_of_ids(side.root, side.pieces, ids)
        if of_side is not None:
            parts = of_side.parts(slices_near(side.pieces, spans_of(base), NEAR_OUTPUTS))
            text = times_of_bits(side, parts, of_side)
            found = [time for (time,) in tables.database.rows(text.text, text.parameters)]
            rows = rows.with_slices(side.role, _cut(parts, found))
    return rows, base if bits is None else _cut(bits.parts(base), times)


def _cut(parts: Sequence[Slice], times: Sequence[int]) -> list[Slice]:
    """The parts that have rows of some times, with the first and the last of them: DuckDB finds rows by these."""
    found = []
    for one in parts:
        inside = [time for time in times if one.first <= time <= one.last]
        if inside:
            found.append(replace(one, first=min(inside), last=max(inside), is_cut=True))
    return found
