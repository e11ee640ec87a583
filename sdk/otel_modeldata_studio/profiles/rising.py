"""Whether the numbers of a column grow with time, such as counters, ids that are counted, and moments as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from otel_modeldata_reader.reporting.profiles.kinds import numbers_of

if TYPE_CHECKING:
    import pyarrow as pa

    from otel_modeldata_reader.reporting.measures.bins import Floats

__all__ = ["rises"]

_LEAST: Final = 0.8
"""Spearman's rank correlation with time. That of a number that has two values, the later one from the middle of the
window on, such as a day, is 0.87; that of a feature whose mean shifts by a deviation within the window is 0.3."""
_FEW: Final = 10


def rises(times: pa.ChunkedArray, values: pa.ChunkedArray) -> bool:
    """Whether the order of the values is nearly the order of their times.

    Args:
        times: of the events.
        values: numbers, of the same length.
    """
    numbers = numbers_of(values)
    known = np.isfinite(numbers)
    if np.count_nonzero(known) < _FEW:
        return False
    first, second = _ranks(numbers_of(times)[known]), _ranks(numbers[known])
    if not (first.std() and second.std()):
        return False
    return bool(np.corrcoef(first, second)[0, 1] >= _LEAST)


def _ranks(values: Floats) -> Any:
    """The rank of each value; equal ones have the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
