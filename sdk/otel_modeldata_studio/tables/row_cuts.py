"""The parts of files in which the rows of a page are: no others are unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from otel_modeldata_reader.types.plain_arrays import numbers_of

from .piece import Slice

if TYPE_CHECKING:
    import pyarrow as pa

    from .piece import Piece

__all__ = ["cut_slices", "first_rows"]


def first_rows(found: pa.Table, start: int | None, count: int, *, is_descending: bool) -> tuple[Any, Any]:
    """The numbers and the times of the rows of a page, and of all that have the same times as its first or last one.

    Args:
        found: numbers of rows, and their times.
        start: the time at which the page begins; rows of this time may be before it. None is the beginning.
        count: rows of the page.
        is_descending: whether the latest row is first.
    """
    numbers, times = (numbers_of(found.column(at)) for at in range(2))
    if start is not None:
        is_there = times <= start if is_descending else times >= start
        numbers, times = numbers[is_there], times[is_there]
    behind = times if start is None else times[times != start]
    if len(behind) > count:
        at = len(behind) - count if is_descending else count - 1
        last = np.partition(behind, at)[at]
        is_there = times >= last if is_descending else times <= last
        numbers, times = numbers[is_there], times[is_there]
    return numbers, times


def cut_slices(piece: Piece, numbers: Any, times: Any) -> list[Slice]:
    """For each row group of a file with some rows the part from the first to the last of them, in number and time.

    Args:
        piece: the file.
        numbers: of rows, from its first row on; those of other files are below 0 or above its rows.
        times: of these rows, in nanoseconds since the epoch.
    """
    found = []
    for group in piece.groups:
        is_inside = (numbers >= group.start) & (numbers < group.start + group.rows)
        if not is_inside.any():
            continue
        rows, moments = numbers[is_inside], times[is_inside]
        first = int(rows.min())
        found.append(
            Slice(
                piece=piece,
                start=first,
                rows=int(rows.max()) - first + 1,
                first=int(moments.min()),
                last=int(moments.max()),
                is_cut=True,
            )
        )
    return found
