"""Terms of discrete distributions without the loss of digits that logarithms of large factorials have.

Source: C. Loader, Fast and accurate computation of binomial probabilities, 2000.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from .bins import Floats

__all__ = ["poisson_terms", "stirling_error"]

_SERIES_FROM: Final = 16
_FACTORS: Final = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


def stirling_error(values: Floats) -> Floats:
    """`ln(gamma(n + 1))` less Stirling's approximation of it, for numbers above 0."""
    inverse = 1 / np.maximum(values, _SERIES_FROM)
    series = np.zeros_like(values)
    for factor in reversed(_FACTORS):
        series = series * inverse**2 + factor
    found = series * inverse
    small = values < _SERIES_FROM
    found[small] = [_exact(one) for one in values[small].tolist()]
    return found


def poisson_terms(mean: float, values: Floats) -> Floats:
    """`exp(-mean) * mean ** n / gamma(n + 1)` for numbers of 0 and above."""
    found = np.full(len(values), math.exp(-mean))
    n = values[values > 0]
    away = n - mean
    with np.errstate(divide="ignore"):
        deviance = n * np.log1p(away / mean) - away
    found[values > 0] = np.exp(-stirling_error(n) - deviance) / np.sqrt(2 * math.pi * n)
    return found


def _exact(number: float) -> float:
    return math.lgamma(number + 1) - (0.5 * math.log(2 * math.pi * number) + number * math.log(number) - number)
