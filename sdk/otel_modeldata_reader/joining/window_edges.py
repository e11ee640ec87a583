"""The rows of a window of time, where a request may begin in it and end after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from .columns import CORRELATION_ID, ROW_ID, TIME

if TYPE_CHECKING:
    from ..window import Window

EDGE_NS: Final = 3_600 * 10**9
"""How long after the window an output is looked for, and how long before it an input: far longer than requests take."""


def rows_of_window(inputs: pa.Table, outputs: pa.Table, window: Window) -> tuple[pa.Table, pa.Table]:
    """The rows of the requests whose inputs are in a window.

    The output of a request that begins in the window belongs to it, also if it is later. The output of a request that
    began before the window does not. Ids that repeat have the rows with times in the window.

    Args:
        inputs: of the window, and of a time before it.
        outputs: of the window, and of a time after it.
        window: of event time.

    Returns:
        Inputs and outputs.
    """
    if window.is_open:
        return inputs, outputs
    inside = _inside(inputs, window)
    mine, earlier = inputs.filter(inside), inputs.filter(pc.invert(inside))
    inside = _inside(outputs, window)
    theirs, later = outputs.filter(inside), outputs.filter(pc.invert(inside))
    ids = _unique(mine, CORRELATION_ID)
    began_before = pc.and_not(
        pc.is_in(theirs[CORRELATION_ID], value_set=_unique(earlier, CORRELATION_ID), skip_nulls=True),
        pc.is_in(theirs[CORRELATION_ID], value_set=ids, skip_nulls=True),
    )
    ends_after = pc.and_not(
        pc.is_in(later[CORRELATION_ID], value_set=ids, skip_nulls=True),
        pc.is_in(later[ROW_ID], value_set=_unique(theirs, ROW_ID), skip_nulls=True),
    )
    return mine, pa.concat_tables([theirs.filter(pc.invert(began_before)), later.filter(ends_after)])


def _inside(table: pa.Table, window: Window) -> Any:
    times = table[TIME].cast(pa.int64())
    first, last = window.bounds
    return pc.fill_null(pc.and_(pc.greater_equal(times, first), pc.less(times, last)), window.is_open)


def _unique(table: pa.Table, column: str) -> pa.Array:
    return pc.unique(table[column])
