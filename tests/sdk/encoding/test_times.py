from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata._encoding.times import (
    _WITH_LOCAL_TIMES,
    check_zoned,
    clock_text,
    duration_text,
    duration_texts,
    time_texts,
    zoned_time_texts,
)

if TYPE_CHECKING:
    import datetime as dt

UNITS = ["s", "ms", "us", "ns"]
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS = st.integers(-9 * 10**9, 9 * 10**9)
"""Within the range of ns."""


def _counts(unit: str) -> st.SearchStrategy[list[int]]:
    per_second = _PER_SECOND[unit]
    count = st.builds(
        lambda whole, part: whole * per_second + part, _SECONDS, st.sampled_from([0, 0, 1, per_second // 2])
    )
    return st.lists(count | st.just(-(2**63)), max_size=8)


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=20)
@given(data=st.data())
def test_times_have_the_text_of_pandas(unit: str, data: st.DataObject) -> None:
    values = np.array(data.draw(_counts(unit)), dtype=np.int64).view(f"M8[{unit}]")
    expected = [None if np.isnat(value) else pd.Timestamp(value).isoformat() for value in values]
    assert time_texts(values) == expected


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "Asia/Kolkata", "+05:30", "-00:30"])
@settings(max_examples=20)
@given(data=st.data())
def test_times_with_a_zone_have_the_text_of_pandas(unit: str, zone: str, data: st.DataObject) -> None:
    values = np.array(data.draw(_counts(unit)), dtype=np.int64).view(f"M8[{unit}]")
    index = pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone)
    expected = [None if value is pd.NaT else value.isoformat() for value in index]
    assert zoned_time_texts(index.array) == expected


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=20)
@given(data=st.data())
def test_durations_have_the_text_of_pandas(unit: str, data: st.DataObject) -> None:
    values = np.array(data.draw(_counts(unit)), dtype=np.int64).view(f"m8[{unit}]")
    expected = [None if np.isnat(value) else pd.Timedelta(value).isoformat() for value in values]
    assert duration_texts(values) == expected


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2024", "Y", "2024-01-01T00:00:00"),
        ("2024-02", "M", "2024-02-01T00:00:00"),
        ("2024-02-29", "W", "2024-02-29T00:00:00"),
        ("2024-02-29", "D", "2024-02-29T00:00:00"),
        ("2024-02-29T05", "h", "2024-02-29T05:00:00"),
        ("2024-02-29T05:06", "m", "2024-02-29T05:06:00"),
        ("2024-02-29T05:06:07", "25s", "2024-02-29T05:05:50"),
        ("2024-02-29T05:06:07.120", "ms", "2024-02-29T05:06:07.120000"),
        ("1970-01-01T00:00:00.000000000001", "ps", "1970-01-01T00:00:00.000000000001"),
        ("1970-01-01T00:00:00.5", "ps", "1970-01-01T00:00:00.500000"),
        ("1970-01-01T00:00:00.000000000000001", "fs", "1970-01-01T00:00:00.000000000000001"),
        ("1970-01-01T00:00:00.000000000000000001", "as", "1970-01-01T00:00:00.000000000000000001"),
        ("1970-01-01", "as", "1970-01-01T00:00:00"),
        ("0001-01-01", "s", "0001-01-01T00:00:00"),
        ("20000-01-01", "s", "20000-01-01T00:00:00"),
        ("-0044-03-15", "D", "-0044-03-15T00:00:00"),
        ("-0044-03-15T00:00:00.5", "ms", "-0044-03-15T00:00:00.500000"),
        ("-12000-03-15", "s", "-12000-03-15T00:00:00"),
    ],
)
def test_times_of_every_unit_of_numpy_keep_their_digits(text: str, unit: str, expected: str) -> None:
    assert time_texts(np.array([text, "NaT"], dtype=f"M8[{unit}]")) == [expected, None]


@pytest.mark.parametrize(
    ("count", "unit", "expected"),
    [
        (5, "Y", "P5Y"),
        (-3, "M", "P-3M"),
        (5, "W", "P35DT0H0M0S"),
        (5, "D", "P5DT0H0M0S"),
        (25, "h", "P1DT1H0M0S"),
        (61, "m", "P0DT1H1M0S"),
        (90, "s", "P0DT0H1M30S"),
        (1_500, "ms", "P0DT0H0M1.5S"),
        (-1, "ns", "P-1DT23H59M59.999999999S"),
        (1, "ps", "P0DT0H0M0.000000000001S"),
        (1, "fs", "P0DT0H0M0.000000000000001S"),
        (10, "as", "P0DT0H0M0.00000000000000001S"),
    ],
)
def test_durations_of_every_unit_of_numpy_keep_their_digits(count: int, unit: str, expected: str) -> None:
    assert duration_text(count, unit) == expected
    assert duration_texts(np.array([count, "NaT"], dtype=f"m8[{unit}]")) == [expected, None]


def test_a_duration_of_a_multiple_of_a_unit_is_multiplied() -> None:
    assert duration_texts(np.array([3], dtype="m8[10s]")) == ["P0DT0H0M30S"]


def test_without_a_unit_only_a_gap_can_be_written() -> None:
    gap = np.array([-(2**63)])  # by views: NumPy 2.5 warns about other ways
    assert time_texts(gap.view("M8")) == [None]
    assert duration_texts(gap.view("m8")) == [None]
    with pytest.raises(TypeError, match="timedelta64 without a unit"):
        duration_texts(np.array([5]).view("m8"))


@given(st.times())
def test_a_time_of_day_has_the_text_of_python(time: dt.time) -> None:
    count = ((time.hour * 60 + time.minute) * 60 + time.second) * 10**6 + time.microsecond
    assert clock_text(count, "us") == time.isoformat()
    assert clock_text(count * 1000, "ns") == time.isoformat()
    assert clock_text(count * 1000 + 1, "ns") == f"{time.isoformat(timespec='microseconds')}001"


_AROUND = st.builds(lambda high, low: (high << 56) + low, st.integers(-128, 127), st.sampled_from([0, 1, 2**56 - 1]))
"""Moments whose highest byte is about to change."""


@given(st.sampled_from(UNITS), st.lists(_AROUND | st.integers(-(2**63), 2**63 - 1), max_size=4))
def test_times_of_a_zone_are_accepted_if_each_has_a_local_time(unit: str, counts: list[int]) -> None:
    first, last = _WITH_LOCAL_TIMES[unit]
    dtype = pd.DatetimeTZDtype(unit, "America/New_York")  # type: ignore[arg-type]
    expected = all(count == -(2**63) or first <= count <= last for count in counts)
    assert check_zoned(np.array(counts, dtype="i8").tobytes(), dtype) is expected
