"""Bins that a baseline fixes, and how many values are in each.

The edges are the inner ones: the first bin has everything below the first edge, the last bin everything from the last
edge on, so that `n` edges make `n + 1` bins and every value is in one of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

__all__ = ["azure_edges", "bin_counts", "even_edges", "fixed_edges", "histogram"]

QUANTILE_BINS: Final = 10
SHOWN_BINS: Final = 24
_TAIL: Final = 0.01


def fixed_edges(baseline: Floats, bins: int = QUANTILE_BINS) -> Floats:
    """The inner edges of bins with about equal shares of a baseline, which no later window changes.

    A baseline with few different values has a bin for each of them, and one on either side: a constant that becomes
    another constant is drift, too. So has a value that fills more than a bin alone, such as the 0 of amounts: what is
    above it is in another bin, however few there are.

    Args:
        baseline: finite values, at least one.
        bins: how many.
    """
    different, counts = np.unique(baseline, return_counts=True)
    if len(different) <= bins:
        between = different[:-1] + np.diff(different) / 2
        return np.unique(np.concatenate([different[:1], between, np.nextafter(different[-1:], np.inf)]))
    inner = np.unique(np.quantile(baseline, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    frequent = different[counts * bins >= len(baseline)]
    if not len(frequent):
        return inner
    edges = np.unique(np.concatenate([inner, frequent, np.nextafter(frequent, np.inf)]))
    beyond = np.searchsorted(different, edges)
    is_empty = np.append(np.diff(beyond) == 0, [False])
    return np.asarray(edges[~is_empty])


def even_edges(baseline: Floats, bins: int = SHOWN_BINS) -> Floats:
    """The edges of equally wide bins over the middle 98 % of a baseline, for a chart; what is beyond is in the ends."""
    different = np.unique(baseline)
    if len(different) <= bins // 2:
        return fixed_edges(baseline, bins // 2)
    low, high = np.quantile(baseline, [_TAIL, 1 - _TAIL])
    if not low < high:
        low, high = different[0], different[-1]
    step = (high - low) / (bins - 2)
    if np.array_equal(different, np.floor(different)):  # bins of whole numbers have as many of them each
        low, step = np.floor(low), np.ceil(step)
    if not math.isfinite(step):  # of values near the largest float
        return fixed_edges(baseline, bins)
    return np.unique(low + step * np.arange(bins - 1))


def bin_counts(edges: Floats, values: Floats) -> Counts:
    """How many values are in each bin; NaN is in none."""
    values = values[~np.isnan(values)]
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).astype(np.int64)


def azure_edges(baseline: Floats, current: Floats) -> Floats:
    """All edges of the equally wide bins of Azure ML's monitors: they depend on both samples.

    Sturges' number of bins for the smaller sample, from the least to the largest value of both. Source:
    `get_dual_histogram_bin_edges` in the module `histogram_utils` of github.com/Azure/azureml-assets, commit 4b41f8c
    (`model_monitoring/components/src/shared_utilities`).

    Args:
        baseline: finite values, at least one.
        current: likewise.
    """
    number = math.ceil(math.log2(min(len(baseline), len(current))) + 1)
    low, high = float(min(baseline.min(), current.min())), float(max(baseline.max(), current.max()))
    if low == high:
        delta = 0.005 if low == 0 else abs(low * 0.005)
        return np.array([low - delta, low + delta])
    width = (high - low) / number
    return np.array([low, *(low + at * width for at in range(1, number + 1))])


def histogram(edges: Floats, values: Floats) -> Counts:
    """How many values are in each bin between all `edges`; the last bin has its upper edge, too.

    The largest value is in the last bin, also where rounding made the last edge a little less than it.
    """
    places = np.searchsorted(edges, values, side="right") - 1
    places[(values >= edges[-1]) & (places >= len(edges) - 1)] = len(edges) - 2
    return np.bincount(places[places >= 0], minlength=len(edges) - 1).astype(np.int64)


def shares(counts: Any) -> Floats:
    """Counts divided by their sum."""
    array = np.asarray(counts, dtype=np.float64)
    return np.asarray(array / array.sum())
