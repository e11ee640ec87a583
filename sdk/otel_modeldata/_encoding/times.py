"""ISO 8601 text of times and durations of every unit, equal for equal values.

The text of a time has no fraction, or 6, 9, 12... digits: as few of these as it needs, as in `Timestamp.isoformat`. The
text of a duration is that of `Timedelta.isoformat`. These methods are not used for arrays, because NumPy is faster, and
because they cannot have years above 9999 or digits below a nanosecond.
"""

from __future__ import annotations

import datetime as dt
import sys
import zoneinfo
from typing import Any, Final

import numpy as np
import pandas as pd

Times = np.ndarray[Any, np.dtype[Any]]

_DIGITS: Final = {"ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}
"""Decimal digits of a second, by unit."""
_SECONDS: Final = {"W": 604_800, "D": 86_400, "h": 3_600, "m": 60, "s": 1}
_CALENDAR: Final = {"Y": "Y", "M": "M"}
"""Units of durations that have no fixed length, and their ISO 8601 designator."""
_ZONES: Final = frozenset({zoneinfo.ZoneInfo, dt.timezone})
"""Time zones that do not fail; those of pytz do not, either."""
_DAYS: Final = 172_800
"""Seconds: a local time differs by less."""
_PYTHON: Final = (-62_135_596_800 + _DAYS, 253_402_300_800 - _DAYS)
"""The years 1 to 9999 in seconds since 1970: the zones of Python have no others."""
_NAT: Final = -(2**63)


def _with_local_times(per_second: int) -> tuple[int, int]:
    first, last = _PYTHON
    return max(first * per_second, _NAT + _DAYS * per_second), min(last * per_second, -_NAT - _DAYS * per_second)


_WITH_LOCAL_TIMES: Final = {unit: _with_local_times(10 ** _DIGITS.get(unit, 0)) for unit in ("s", "ms", "us", "ns")}
"""The first and last moments, by unit, that have a local time in each zone."""
_HIGHEST: Final = 7 if sys.byteorder == "little" else 0
"""Which of the eight bytes of a moment is the highest."""
_HIGHEST_BYTES: Final = {
    unit: bytes(byte & 0xFF for byte in range(-128, 128) if first <= byte << 56 and (byte + 1 << 56) - 1 <= last)
    for unit, (first, last) in _WITH_LOCAL_TIMES.items()
}
"""The highest bytes that only moments with a local time have: with nanoseconds all but two, with microseconds those of
the years 1970 to 8820, with larger units none."""


def time_texts(values: Times) -> list[str | None]:
    """The texts of a datetime64 array of one dimension; None for NaT."""
    unit, _ = np.datetime_data(values.dtype)
    digits = _DIGITS.get(unit, 0)
    if unit == "generic":  # only NaT has no unit
        return [None] * len(values)
    if not digits or _are_whole_seconds(values, digits):
        texts = np.datetime_as_string(values, unit="s").tolist()
    else:
        texts = [text if text == "NaT" else _shortened(text, digits) for text in np.datetime_as_string(values).tolist()]
    return [None if text == "NaT" else _year_of_four(text) if text[0] == "-" else text for text in texts]


def _year_of_four(text: str) -> str:
    """A year before Christ with four digits, as ISO 8601 has it: NumPy writes -044 for -44."""
    year, dash, rest = text[1:].partition("-")
    return f"-{year:0>4}{dash}{rest}"


def zoned_time_texts(values: Any) -> list[str | None]:
    """The texts of a `DatetimeArray` with a zone, each with the offset of its moment."""
    unit, utc = values.unit, values.asi8
    if values.tz is dt.timezone.utc:
        return [time and time + "+00:00" for time in time_texts(utc.view(f"M8[{unit}]"))]
    local = values.tz_localize(None).asi8
    offsets = ((local - utc) // 10 ** _DIGITS.get(unit, 0)).tolist()
    texts = {seconds: _offset(seconds) for seconds in set(offsets)}
    times = time_texts(local.view(f"M8[{unit}]"))
    return [time and time + texts[of] for time, of in zip(times, offsets, strict=True)]


def check_zoned(raw: bytes, dtype: pd.DatetimeTZDtype) -> bool:
    """Whether `zoned_time_texts` is certain to have a text for every moment, given as the memory of an array.

    Raises:
        Exception: it has none, because the zone fails.
    """
    zone = dtype.tz
    if zone is dt.timezone.utc:
        return True
    if type(zone) not in _ZONES and type(zone).__module__.partition(".")[0] != "pytz":
        str(dtype)
        zoned_time_texts(pd.DatetimeIndex(np.zeros(1, f"M8[{dtype.unit}]")).tz_localize("UTC").tz_convert(zone).array)
    if not raw[_HIGHEST::8].translate(None, _HIGHEST_BYTES[dtype.unit]):
        return True  # without NumPy, whose code is not in the processor's cache
    counts = np.frombuffer(raw, np.int64)
    first, last = _WITH_LOCAL_TIMES[dtype.unit]
    counts = counts[counts != _NAT]
    return not counts.size or bool(first <= counts.min() and counts.max() <= last)


def duration_texts(values: Times) -> list[str | None]:
    """The texts of a timedelta64 array of one dimension; None for NaT.

    Raises:
        TypeError: a duration has no unit.
    """
    unit, multiple = np.datetime_data(values.dtype)
    gaps = np.isnat(values).tolist()
    if unit == "generic" and not all(gaps):
        raise TypeError("timedelta64 without a unit")
    counts = values.view(np.int64).tolist()
    return [None if gap else duration_text(n * multiple, unit) for n, gap in zip(counts, gaps, strict=True)]


def duration_text(count: int, unit: str) -> str:
    """The text of a duration, given as a number of units of NumPy."""
    if unit in _CALENDAR:
        return f"P{count}{_CALENDAR[unit]}"
    digits = _DIGITS.get(unit, 0)
    seconds, fraction = divmod(count * _SECONDS.get(unit, 1), 10**digits)
    days, seconds = divmod(seconds, 86_400)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    decimals = f".{fraction:0{digits}d}".rstrip("0") if fraction else ""
    return f"P{days}DT{hours}H{minutes}M{seconds}{decimals}S"


def clock_text(count: int, unit: str) -> str:
    """The text of a time of day, given as a number of units since midnight."""
    digits = _DIGITS.get(unit, 0)
    seconds, fraction = divmod(count, 10**digits)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}"
    return _shortened(f"{text}.{fraction:0{digits}d}", digits) if fraction else text


def _are_whole_seconds(values: Times, digits: int) -> bool:
    counts = values.view(np.int64)
    # NaT counts as whole: it is the same in every unit.
    return bool(((counts % 10**digits == 0) | np.isnat(values)).all())


def _shortened(text: str, digits: int) -> str:
    if digits == 3:
        text, digits = text + "000", 6
    while digits > 6 and text.endswith("000"):
        text, digits = text[:-3], digits - 3
    return text.removesuffix(".000000") if digits == 6 else text


def _offset(seconds: int) -> str:
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    minutes, seconds = divmod(seconds, 60)
    text = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text
