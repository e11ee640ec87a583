"""Floats of 16 and 32 bits with their own shortest text.

The float32 nearest to 0.1 is 0.100000001490116..., and JSON text of it as a float64 has all these digits. This module
gives the float64 whose shortest text equals that of the narrow float: 0.1. Reading the text and converting it to the
narrow type gives the same value.

The shortest text of x is m / 10^k with the smallest k for which it reads back as x. Such a numerator and powers of ten
up to 10^22 are exact in float64, so that the quotient is the float64 nearest to this decimal, and the shortest text of
a float64 that is nearest to a decimal of at most 15 digits is this decimal. This takes about 20 ns a value; printing
and parsing it takes 1500.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import numpy as np

Floats = np.ndarray[Any, np.dtype[Any]]

_EXACT_POWER = 22
"""The greatest power of ten that is exact in float64."""
_POWERS = np.array([float(10**power) for power in range(_EXACT_POWER + 1)])
_UNEQUAL = {"e": ((0.015625, 0.01563),), "f": ()}
"""Powers of two are nearer to the next smaller value than to the next greater one: for these the nearest decimal of the
fewest digits is not the shortest text that reads back. A test tries all powers of two."""
_SELECTED = 4
"""Values without a text are selected when fewer than one in this many is left: else computing all again is cheaper."""


class _Format(NamedTuple):
    """One type of narrow floats.

    Attributes:
        bits: the unsigned integer of the same size.
        shift: the number of bits of the fraction.
        mask: of the exponent, after the shift.
        decimals: by exponent, the decimal places at which the search begins: enough for `precision` digits.
        scale: by exponent, ten to the power of `decimals`.
        least: the smallest value for which every power of ten of the search is exact.
        large: from here on `decimals` is negative.
        most: from here on powers of ten are not exact.
    """

    bits: str
    shift: int
    mask: int
    decimals: np.ndarray[Any, np.dtype[np.int64]]
    scale: Floats
    least: float
    large: float
    most: float


def shortest(values: Floats) -> Floats:
    """The float64 values whose shortest text is that of float16 or float32 values; of any shape."""
    flat = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("=")).reshape(-1)
    form = _format(flat.dtype.char)
    wide = flat.astype(np.float64)
    size = np.abs(wide)
    is_usual = ((size >= form.least) | (size == 0)) & (size < form.large)
    if is_usual.all():
        result = _search(flat, wide, form.scale[_exponents(flat, form)])
    else:
        result = wide.copy()  # NaN and infinities stay as they are
        is_large = (size >= form.large) & (size < form.most)
        is_rare = ~(is_usual | is_large) & (size < math.inf)
        for chosen, function in ((is_usual, _usual), (is_large, _search_large), (is_rare, _printed)):
            if chosen.any():
                result[chosen] = function(flat[chosen], form)
    for power, text in _UNEQUAL[flat.dtype.char]:
        result[size == power] = np.copysign(text, wide[size == power])
    return result.reshape(values.shape)


def shortest_of(value: np.floating[Any]) -> float:
    """The same of one value."""
    return float(np.format_float_scientific(value))


def _usual(flat: Floats, form: _Format) -> Floats:
    return _search(flat, flat.astype(np.float64), form.scale[_exponents(flat, form)])


def _search(flat: Floats, wide: Floats, scale: Floats) -> Floats:
    """Add decimals until the values read back equal; all powers of ten are at least 1."""
    found = np.rint(wide * scale) / scale
    left = found.astype(flat.dtype) != flat
    while (count := np.count_nonzero(left)) :
        scale = scale * 10
        if count * _SELECTED < len(flat):
            found[left] = _search(flat[left], wide[left], scale[left])
            break
        better = np.rint(wide * scale) / scale
        np.copyto(found, better, where=left)
        left &= better.astype(flat.dtype) != flat
    return found


def _search_large(flat: Floats, form: _Format) -> Floats:
    """The same for values of which trailing digits of the integer may be zeros."""
    wide = flat.astype(np.float64)
    decimals = form.decimals[_exponents(flat, form)]
    found, left = wide.copy(), np.ones(len(flat), dtype=bool)
    while left.any():
        over, under = _POWERS[np.maximum(decimals, 0)], _POWERS[np.maximum(-decimals, 0)]
        better = np.rint(wide * over / under) * under / over
        np.copyto(found, better, where=left)
        left &= better.astype(flat.dtype) != flat
        decimals = decimals + 1
    return found


def _printed(flat: Floats, _: _Format) -> Floats:
    return np.array([shortest_of(value) for value in flat], dtype=np.float64)


def _exponents(flat: Floats, form: _Format) -> np.ndarray[Any, Any]:
    return (flat.view(form.bits) >> form.shift) & form.mask


@cache
def _format(char: str) -> _Format:
    info = np.finfo(char)
    bias = (1 << (info.iexp - 1)) - 1
    lowest = [math.ldexp(1.0, max(exponent, 1) - bias) for exponent in range(1 << info.iexp)]
    # Decimals with `precision` digits survive a conversion to the narrow type and back, hence fewer are never needed.
    decimals = [info.precision - 1 - _log10(Fraction(2 * low) * (1 - Fraction(1, 1 << info.nmant))) for low in lowest]
    return _Format(
        bits=f"u{info.bits // 8}",
        shift=info.nmant,
        mask=(1 << info.iexp) - 1,
        decimals=np.array(decimals, dtype=np.int64),
        scale=np.array([float(f"1e{places}") for places in decimals]),
        least=max(float(f"1e{info.precision + 2 - _EXACT_POWER}"), float(info.smallest_normal)),
        large=next(low for low, places in zip(lowest, decimals, strict=True) if places < 0),
        most=float(f"1e{info.precision + _EXACT_POWER - 2}"),
    )


def _log10(value: Fraction) -> int:
    """The greatest integer whose power of ten is not above a value."""
    result = math.floor(math.log10(value))
    while Fraction(10) ** result > value:
        result -= 1
    while Fraction(10) ** (result + 1) <= value:
        result += 1
    return result
