"""The distribution of the one-sample Kolmogorov-Smirnov statistic, to which that of two samples converges.

Source: R. Simard and P. L'Ecuyer, Computing the two-sided Kolmogorov-Smirnov distribution, Journal of Statistical
Software 39(11), 2011. The choice of the method is that of SciPy's `kstwo`, so that results are equal.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from .stirling import stirling_error

__all__ = ["survival"]

_SMALL_SAMPLE: Final = 140
_PI2: Final = math.pi**2


def survival(statistic: float, number: int) -> float:  # noqa: PLR0911 (one for each method)
    """How likely the statistic of `number` values is as large or larger."""
    scaled = number * statistic
    if statistic >= 1.0:
        return 0.0
    if scaled <= 0.5:
        return 1.0
    if scaled <= 1.0:
        log = math.lgamma(number + 1) - number * math.log(number) + number * math.log(2 * scaled - 1)
        return 1.0 - math.exp(log)
    if scaled >= number - 1:
        return float(2 * (1.0 - statistic) ** number)
    square = scaled * statistic
    one_sided_from = 4.0 if number <= _SMALL_SAMPLE else 2.2
    if statistic >= 0.5 or square > one_sided_from:
        return min(1.0, 2 * _one_sided(number, statistic))
    if number <= _SMALL_SAMPLE or (number <= 100_000 and number * statistic**1.5 <= 1.4):
        return 1.0 - _by_matrix(number, statistic)
    return 1.0 - _pelz_good(number, statistic)


def _one_sided(number: int, statistic: float) -> float:
    """Smirnov's sum for the one-sided statistic; each term is that of a binomial distribution, in Loader's form."""
    if number * statistic**2 > 370.0:  # below the smallest float
        return 0.0
    j = np.arange(1, math.floor(number * (1 - statistic)) + 1, dtype=np.float64)
    j = j[j < number]
    rest = number - j
    shift = number * statistic
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = (shift - j * np.log1p(shift / j)) + (-rest * np.log1p(-np.minimum(shift / rest, 1.0)) - shift)
        logs = stirling_error(np.array([float(number)]))[0] - stirling_error(j) - stirling_error(rest) - deviance
        logs += 0.5 * np.log(number / (2 * math.pi * j * rest))
        terms = np.exp(logs) / (statistic + j / number)
    return float((1 - statistic) ** number + statistic * np.sum(np.sort(terms[np.isfinite(terms)])))


def _by_matrix(number: int, statistic: float) -> float:
    """The cumulative distribution, exactly: Marsaglia, Tsang and Wang, Evaluating Kolmogorov's distribution, 2003."""
    scaled = number * statistic
    k = math.ceil(scaled)
    size, h = 2 * k - 1, k - scaled
    powers = np.power(h, np.arange(1, size + 1))
    offsets = np.arange(size)[:, None] - np.arange(size)[None, :] + 1
    matrix: Any = np.where(offsets >= 0, 1.0, 0.0)
    matrix[:, 0] -= powers
    matrix[-1, :] -= powers[::-1]
    matrix[-1, 0] += (2 * h - 1) ** size if 2 * h > 1 else 0.0
    factorials = np.array([math.lgamma(max(one, 0) + 1) for one in range(-size, size + 2)])
    matrix *= np.exp(-factorials[offsets + size])
    found, exponent = _matrix_power(matrix, number)
    value, of_value = math.frexp(found[k - 1, k - 1])
    exponent += of_value
    for one in range(1, number + 1):  # times number! / number ** number
        value *= one / number
        if value < 1e-140:
            value, more = math.frexp(value)
            exponent += more
    return min(1.0, max(0.0, math.ldexp(value, exponent)))


def _matrix_power(matrix: Any, number: int) -> tuple[Any, int]:
    """A power of a matrix, and the exponent of two by which it is to be multiplied."""
    result, exponent = np.eye(len(matrix)), 0
    square, of_square = matrix, 0
    while number:
        if number & 1:
            result, exponent = result @ square, exponent + of_square
        square, of_square = square @ square, 2 * of_square
        number >>= 1
        largest = math.frexp(float(np.max(np.abs(square))))[1]
        if largest > 400:
            square, of_square = np.ldexp(square, -largest), of_square + largest
        largest = math.frexp(float(np.max(np.abs(result))))[1]
        if largest > 400:
            result, exponent = np.ldexp(result, -largest), exponent + largest
    return result, exponent


def _pelz_good(number: int, statistic: float) -> float:
    """The cumulative distribution, by the first four terms in powers of the root of `number`: Pelz and Good, 1976."""
    z = math.sqrt(number) * statistic
    k = np.arange(1, math.ceil(16 * z / math.pi) + 1, dtype=np.float64)
    odd = (2 * k - 1) ** 2
    decay = np.exp(-_PI2 / (8 * z**2) * odd)
    first = np.sum(decay)
    second = np.sum((_PI2 / 4 * odd - z**2) * decay)
    third = np.sum(
        (6 * z**6 + 2 * z**4 + (2 * z**4 - 5 * z**2) * _PI2 / 4 * odd + _PI2**2 * (1 - 2 * z**2) / 16 * odd**2) * decay
    )
    fourth = np.sum(
        (
            -30 * z**6
            - 90 * z**8
            + _PI2 * (135 * z**4 - 96 * z**6) / 4 * odd
            + _PI2**2 * (-60 * z**2 + 212 * z**4) / 16 * odd**2
            + _PI2**3 * (5 - 30 * z**2) / 64 * odd**3
        )
        * decay
    )
    root = math.sqrt(2 * math.pi)
    whole = k**2 * np.exp(-_PI2 / (2 * z**2) * k**2)
    terms = (
        root * first / z,
        root * second / (6 * z**4),
        root * third / (72 * z**7) - _PI2 * root / (36 * z**3) * np.sum(whole),
        root * fourth / (6480 * z**10) + _PI2 * root / (216 * z**6) * np.sum((3 * z**2 - _PI2 * k**2) * whole),
    )
    total = math.fsum(float(term) / math.sqrt(number) ** power for power, term in enumerate(terms))
    return min(1.0, max(0.0, total))
