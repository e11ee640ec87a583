"""Refuses numbers out of the range of a double: they are valid JSON, but readers refuse a whole file because of one."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import decimal
    from collections.abc import Sequence

__all__ = ["OUT_OF_RANGE", "are_small", "check_decimal", "check_integers"]

OUT_OF_RANGE: Final = "expected numbers of at most 1.8e308, got a larger one, which readers refuse: send it as text"
_ALL_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG: Final = b"0" * 309
_LARGE: Final = 308
_LARGEST: Final = 2**63


def are_small(integers: Sequence[int]) -> bool:
    """Whether integers have 64 bits at most, so that no limit of JSON or Python refuses one of them."""
    return min(integers) >= -_LARGEST and max(integers) < 2 * _LARGEST


def check_decimal(value: decimal.Decimal) -> None:
    """Check a finite decimal.

    Raises:
        OverflowError: it is out of range.
    """
    if value.adjusted() >= _LARGE and math.isinf(float(value)):
        raise OverflowError(OUT_OF_RANGE)


def check_integers(text: bytes | bytearray) -> None:
    """Check the integers in the JSON of rows.

    Raises:
        OverflowError: one is out of range.
    """
    if _LONG in text.translate(_ALL_ZEROS):  # text may have as many digits
        json.loads(text, parse_int=_check)


def _check(digits: str) -> None:
    if math.isinf(float(digits)):
        raise OverflowError(OUT_OF_RANGE)
