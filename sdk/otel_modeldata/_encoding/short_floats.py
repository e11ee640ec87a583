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

_SMALL = 256
"""Arrays of at most this many values are never split: calls cost more than values."""

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
    """One type of narrow floats. Arrays have an entry for every exponent, as it is in the bits of a value.

    Attributes:
        bits: the unsigned integer of the same size.
        shift: the number of bits of the fraction.
        mask: of the exponent, after the shift.
        decimals: the decimal places at which the search begins.
        scale: ten to the power of `decimals`.
        is_usual: whether every power of ten of the search is exact, and none is below 1.
        is_large: whether every power of ten of the search is exact, and some are below 1.
    """

    bits: str
    shift: int
    mask: int
    decimals: np.ndarray[Any, np.dtype[np.int64]]
    scale: Floats
    is_usual: np.ndarray[Any, np.dtype[np.bool_]]
    is_large: np.ndarray[Any, np.dtype[np.bool_]]


def shortest(values: Floats) -> Floats:
    """The float64 values whose shortest text is that of float16 or float32 values; of any shape."""
    flat = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("=")).reshape(-1)
    # The application may have made errors of casts of NaN. Not a decorator: NumPy 1 shares its state among threads.
    with np.errstate(all="ignore"):
        return _shortest(flat).reshape(values.shape)


def shortest_of(value: np.floating[Any]) -> float:
    """The same of one value."""
    return float(np.format_float_scientific(value))


def _shortest(flat: Floats) -> Floats:
    form = _format(flat.dtype.char)
    exponents = _exponents(flat, form)
    wide = flat.astype(np.float64)
    # Zeros have the exponent of the smallest values, which are rare.
    if form.is_usual[exponents].all() and (exponents.all() or not wide[exponents == 0].any()):
        result = _search(flat, wide, form.scale[exponents])
    else:
        result = wide.copy()  # NaN and infinities stay as they are
        is_usual = form.is_usual[exponents] & ((exponents > 0) | (wide == 0))
        is_large = form.is_large[exponents]
        is_rare = ~(is_usual | is_large) & np.isfinite(wide)
        for chosen, function in ((is_usual, _usual), (is_large, _search_large), (is_rare, _printed)):
            if chosen.any():
                result[chosen] = function(flat[chosen], form)
    for power, text in _UNEQUAL[flat.dtype.char]:
        is_power = np.abs(wide) == power
        result[is_power] = np.copysign(text, wide[is_power])
    return result


def _usual(flat: Floats, form: _Format) -> Floats:
    return _search(flat, flat.astype(np.float64), form.scale[_exponents(flat, form)])


def _search(flat: Floats, wide: Floats, scale: Floats) -> Floats:
    """Add decimals until the values read back equal; all powers of ten are at least 1."""
    found = np.rint(wide * scale) / scale
    left = found.astype(flat.dtype) != flat
    while count := np.count_nonzero(left):
        scale = scale * 10
        if count * _SELECTED < len(flat) > _SMALL:
            found[left] = _search(flat[left], wide[left], scale[left])
            break
        better = np.rint(wide * scale) / scale
        np.copyto(found, better, where=left)
        left &= better.astype(flat.dtype) != flat
    return found  # type: ignore[no-any-return]


def _search_large(flat: Floats, form: _Format) -> Floats:
    """The same for values of which the last digits before the point may be zeros."""
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
    count = 1 << info.iexp
    lowest = [math.ldexp(1.0, max(exponent, 1) - bias) for exponent in range(count)]
    # Decimals with `precision` digits survive a conversion to the narrow type and back: fewer are never needed. In the
    # other direction, `precision` + 3 digits are always enough.
    decimals = [info.precision - 1 - _log10(Fraction(2 * low) * (1 - Fraction(1, 1 << info.nmant))) for low in lowest]
    most = [info.precision + 2 - _log10(Fraction(low)) for low in lowest]
    # The exponent 0 is here that of zeros, and the last one is that of infinities. The bound of the large values is
    # lower than it has to be: there are powers of two above it for which the search is wrong, see `_UNEQUAL`.
    is_exact = [
        number == 0 or (number < count - 1 and last <= _EXACT_POWER and first >= 2 - _EXACT_POWER)
        for number, (first, last) in enumerate(zip(decimals, most, strict=True))
    ]
    return _Format(
        bits=f"u{info.bits // 8}",
        shift=info.nmant,
        mask=count - 1,
        decimals=np.array(decimals, dtype=np.int64),
        scale=np.array([float(f"1e{places}") for places in decimals]),
        is_usual=np.array(is_exact) & (np.array(decimals) >= 0),
        is_large=np.array(is_exact) & (np.array(decimals) < 0),
    )


def _log10(value: Fraction) -> int:
    """The greatest integer whose power of ten is not above a value."""
    result = math.floor(math.log10(value))
    while Fraction(10) ** result > value:
        result -= 1
    while Fraction(10) ** (result + 1) <= value:
        result += 1
    return result
