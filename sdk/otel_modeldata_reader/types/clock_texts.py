"""Times and durations of every unit from their ISO 8601 text, as counts of that unit."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

__all__ = ["clock_count", "date_count", "duration_count", "time_count"]

_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_CLOCK: Final = re.compile(r"(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,18}))?", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_DURATION: Final = re.compile(r"P(-?\d+)DT(\d+)H(\d+)M(\d+)(?:\.(\d{1,18}))?S", re.ASCII)


def date_count(text: str) -> int:
    """Days since 1970."""
    return int(np.datetime64(text, "D").astype(np.int64))


def time_count(text: str, unit: str) -> int:
    """Units since 1970; in UTC if the text has an offset.

    Raises:
        ValueError: it is no time, or has more digits than the unit.
    """
    date, _, rest = text.partition("T")
    clock = _CLOCK.match(rest)
    if clock is None:
        raise ValueError(text)
    return date_count(date) * 86_400 * _PER_SECOND[unit] + _of_day(clock, unit) - _offset(rest[clock.end() :], unit)


def clock_count(text: str, unit: str) -> int:
    """Units since midnight.

    Raises:
        ValueError: it is no time of day, or has more digits than the unit.
    """
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        raise ValueError(text)
    return _of_day(clock, unit)


def duration_count(text: str, unit: str) -> int:
    """Units of a duration.

    Raises:
        ValueError: it is no duration, or has more digits than the unit.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    days, hours, minutes, seconds, fraction = found.groups()
    whole = int(days) * 86_400 + int(hours) * 3_600 + int(minutes) * 60 + int(seconds)
    return whole * _PER_SECOND[unit] + _fraction(fraction, unit)


def _of_day(clock: re.Match[str], unit: str) -> int:
    hours, minutes, seconds, fraction = clock.groups()
    whole = int(hours) * 3_600 + int(minutes) * 60 + int(seconds)
    return whole * _PER_SECOND[unit] + _fraction(fraction, unit)


def _offset(text: str, unit: str) -> int:
    if not text:
        return 0
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise ValueError(text)
    sign, hours, minutes, seconds = found.groups()
    whole = int(hours) * 3_600 + int(minutes) * 60 + int(seconds or 0)
    return (-whole if sign == "-" else whole) * _PER_SECOND[unit]


def _fraction(digits: str | None, unit: str) -> int:
    digits = digits or "0"
    count, rest = divmod(int(digits) * _PER_SECOND[unit], int("1" + "0" * len(digits)))
    if rest:
        raise ValueError(f"expected at most the digits of {unit}, got .{digits}")
    return count
