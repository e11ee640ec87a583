"""How many rows there are in each step of time: of whole row groups by what is known of them, else by a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..queries.joined_rows import joined_rows, own_column
from ..tables.deployment_rows import LABELS
from ..tables.piece import Slice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata_reader.window import Window

    from ..queries.filters import Filter
    from ..tables.database import Database
    from ..tables.deployment_rows import DeploymentRows
    from ..tables.piece import Piece

__all__ = ["driven", "row_counts"]

_MOST_JOINED: Final = 1_000_000


def row_counts(  # noqa: PLR0913, PLR0917 (what a query takes)
    database: Database,
    rows: DeploymentRows,
    filters: Sequence[Filter],
    window: Window,
    start: int,
    step: int,
    count: int,
) -> list[int]:
    """How many rows each of `count` steps has.

    Where very many rows are filtered by one other side, such as the outputs, the rows of that side are counted, by
    their own times: a join would take long (`is_estimated`).

    Args:
        database: has the rows.
        rows: of the deployment.
        filters: all must hold.
        window: only rows of this window.
        start: of the first step, in nanoseconds since the epoch.
        step: how long it is.
        count: how many.

    Raises:
        ReaderError: a filter does not fit.
    """
    counts = [0] * count
    base: Sequence[Piece | Slice]
    if filters:
        rows = driven(rows, filters) or rows
        base = rows.base.pieces
    else:
        inside, base = _split(rows, window, start, step)
        for at, found in inside:
            if 0 <= at < count:
                counts[at] += found
    if base:
        text = joined_rows(rows, [], filters, window, base=base).counts(start, step)
        for at, found in database.rows(text.text, text.parameters):
            if 0 <= at < count:
                counts[at] += found
    return counts


def driven(rows: DeploymentRows, filters: Sequence[Filter]) -> DeploymentRows | None:
    """The rows of the only other side that filters name, where they are counted instead; else None.

    Raises:
        ReaderError: a filter does not fit.
    """
    if rows.rows <= _MOST_JOINED or not filters:
        return None
    roles = {own_column(rows, one.column).role for one in filters}
    side = rows.side(next(iter(roles))) if len(roles) == 1 else None
    if side is None or side.role in {rows.base.role, LABELS} or any(one.op == "null" for one in filters):
        return None
    return rows.of_side(side)


def _split(rows: DeploymentRows, window: Window, start: int, step: int) -> tuple[list[tuple[int, int]], list[Slice]]:
    """The row groups that are in one step, as its number and their chosen rows; and the others that have some."""
    first, last = window.bounds
    inside, others = [], []
    for piece in rows.base.pieces:
        counts = [one.rows for one in piece.groups] if rows.bits is None else rows.bits.counts(piece)
        for group, count in zip(piece.groups, counts, strict=True):
            at = (group.first - start) // step
            if not count:
                continue
            if first <= group.first and group.last < last and at == (group.last - start) // step:
                inside.append((at, count))
            elif window.overlaps(group.first, group.last + 1):
                others.append(
                    Slice(piece=piece, start=group.start, rows=group.rows, first=group.first, last=group.last)
                )
    return inside, others
