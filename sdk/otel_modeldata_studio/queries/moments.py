"""Moments as ISO 8601 texts in UTC."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from datetime import datetime, timezone
from typing import Final

__all__ = ["edge_of_seconds", "iso", "unit_of"]

_NANOSECONDS: Final = 1_000_000_000
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": _NANOSECONDS}
_MOST_MERGED: Final = 4_096
"""More moments than one float stands for."""


def iso(nanoseconds: int) -> str:
    """Nanoseconds since the epoch as text, with as many digits as it needs; the ends of what a text has beyond."""
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    try:
        text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "0001-01-01T00:00:00Z" if nanoseconds < 0 else "9999-12-31T23:59:59Z"
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"


def edge_of_seconds(seconds: float, unit: str, *, is_closed: bool = False) -> str:
    """The edge of a bin as text, so that the moments on either side of it are those that the float has on either side.

    A float of seconds has no nanoseconds: several moments are the same float.

    Args:
        seconds: since the epoch.
        unit: of the moments that became floats: `s`, `ms`, `us` or `ns`.
        is_closed: whether moments that are this float are before the edge, and the edge is the last of them.
    """
    parts = _PER_SECOND[unit]
    first = _first(seconds, parts)
    last = max(first, _first(math.nextafter(seconds, math.inf), parts) - 1)
    return iso((last if is_closed else first) * (_NANOSECONDS // parts))


def unit_of(type_: str) -> str:
    """The unit of an Arrow type of times, which is given as text; dates have whole seconds."""
    found = re.match(r"timestamp\[(\w+)", type_)
    return "s" if found is None else found[1]


def _first(seconds: float, parts: int) -> int:
    """The first moment, in parts of a second, whose seconds are not below some others, as a profile divides them."""
    middle = int(seconds * parts)
    low, high = middle - _MOST_MERGED, middle + _MOST_MERGED
    return low + bisect_left(range(low, high), seconds, key=lambda one: float(one) / parts)
