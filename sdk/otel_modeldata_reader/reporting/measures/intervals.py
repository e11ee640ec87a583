"""Intervals of 95 %: how far a measure of a sample may be from that of all rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .bins import Counts, Floats

__all__ = ["block_bootstrap", "cell_bootstrap", "wilson"]

Z95: Final = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
_TURNS: Final = 1000
_BLOCKS: Final = 2000
_SEED: Final = 20_260_101


def wilson(successes: int, trials: int) -> tuple[float, float] | None:
    """Wilson's interval of a share; None without trials. Source: E. B. Wilson, JASA 22, 1927."""
    if trials == 0:
        return None
    share, square = successes / trials, Z95**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z95 / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == trials else min(1.0, middle + half)
    return low, high


def cell_bootstrap(cells: Counts, measure: Callable[[Any], Any]) -> tuple[float, float] | None:
    """The interval of a function of the counts of a table, by bootstrap with a fixed seed.

    Args:
        cells: the counts, one after the other.
        measure: from counts in the rows of an array to one value for each row.
    """
    total = int(cells.sum())
    if total == 0:
        return None
    drawn = np.random.default_rng(_SEED).multinomial(total, cells / total, size=_TURNS)
    return _middle(measure(drawn))


def block_bootstrap(
    sums: Floats, measures: Mapping[str, Callable[[Any], Any]]
) -> dict[str, tuple[float, float] | None]:
    """The intervals of functions of sums over rows, by bootstrap with a fixed seed.

    More than 2,000 rows are put into 2,000 random blocks, which are drawn in place of rows. The order of the rows is no
    matter: the same rows have the same intervals.

    Args:
        sums: one row for each row: what is to be added up.
        measures: each from sums in the rows of an array to one value for each row.
    """
    if len(sums) < 2:
        return dict.fromkeys(measures)
    random = np.random.default_rng(_SEED)
    sums = sums[np.lexsort(sums.T)]
    blocks = sums
    if len(sums) > _BLOCKS:
        places = random.permutation(len(sums)) % _BLOCKS
        blocks = np.stack([np.bincount(places, weights=one, minlength=_BLOCKS) for one in sums.T], axis=1)
    drawn = random.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=_TURNS) @ blocks
    return {name: _middle(measure(drawn)) for name, measure in measures.items()}


def _middle(values: Any) -> tuple[float, float] | None:
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
