"""The two-sample Kolmogorov-Smirnov test: the largest difference of two cumulative distributions, and its p-value.

The p-value is exact for samples of up to 10,000 values, as in SciPy, and asymptotic above: `kolmogorov_law.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from .kolmogorov_law import survival

if TYPE_CHECKING:
    from .bins import Floats

__all__ = ["KolmogorovSmirnov", "kolmogorov_smirnov"]

EXACT_VALUES: Final = 10_000
"""The largest sample whose p-value is exact."""
_NEGLIGIBLE: Final = 1e-20
_LEAST, _GOOD, _MOST = 2.0**700, 900, 2.0**1000
"""The largest count of a column is kept large, because the smallest may be 2 ** 1400 times smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KolmogorovSmirnov:
    """The result of the test.

    Attributes:
        statistic: the largest difference, from 0 to 1.
        p_value: how likely as much or more is, if both samples have one distribution. It is Azure's
            `TwoSampleKolmogorovSmirnovTest`.
    """

    statistic: float
    p_value: float


def kolmogorov_smirnov(baseline: Floats, current: Floats) -> KolmogorovSmirnov:
    """The two-sided test of two samples without NaN, of at least one value each."""
    baseline, current = np.sort(baseline), np.sort(current)
    every = np.concatenate([baseline, current])
    of_baseline = np.searchsorted(baseline, every, side="right") / len(baseline)
    of_current = np.searchsorted(current, every, side="right") / len(current)
    statistic = float(np.max(np.abs(of_baseline - of_current)))
    return KolmogorovSmirnov(statistic=statistic, p_value=p_value_of(statistic, len(baseline), len(current)))


def p_value_of(statistic: float, first: int, second: int) -> float:
    """The p-value of a statistic of samples with `first` and `second` values."""
    few, many = sorted((first, second))
    together = float(many) * few / (many + few)
    # Where the bound of both p-values is far below what a float beside 1 holds, they are equal.
    is_negligible = 2 * math.exp(-2 * together * statistic**2) < _NEGLIGIBLE
    if many > EXACT_VALUES or is_negligible:
        return survival(statistic, round(together))
    return min(1.0, max(0.0, 1.0 - _inside(few, many, statistic)))


def _inside(few: int, many: int, statistic: float) -> float:
    """How likely a random lattice path from (0, 0) to (few, many) stays nearer to the diagonal than the statistic.

    Of the paths to each point those inside are counted, column by column; the counts are divided by those of the last
    row as they grow. Source: J. L. Hodges, The significance probability of the Smirnov two-sample test, 1958.
    """
    divisor = math.gcd(few, many)
    across, up = few // divisor, many // divisor
    bound = round(statistic * across * many)  # of `up * i - across * j`
    if bound == 0:
        return 0.0
    columns = np.arange(few + 1, dtype=np.int64)
    lows = np.minimum(np.maximum((up * columns - bound) // across + 1, 0), many).tolist()
    highs = np.minimum(-((-(up * columns + bound)) // across), many + 1).tolist()
    counts = np.full(highs[0], math.ldexp(1.0, _GOOD))
    exponent = -_GOOD
    for column in range(1, few + 1):
        low, high = lows[column], highs[column]
        if high <= low:
            return 0.0
        grown = np.zeros(high - low)
        kept = counts[low - lows[column - 1] :]
        grown[: len(kept)] = kept
        counts = np.cumsum(grown, out=grown)
        counts *= column / (many + column)
        if not _LEAST < counts[-1] < _MOST:  # the last one is the largest
            shift = math.frexp(counts[-1])[1] - _GOOD
            counts = np.ldexp(counts, -shift)
            exponent += shift
    return math.ldexp(float(counts[many - lows[few]]), exponent)
