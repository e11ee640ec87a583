"""Ranges of numbers and times have names that tell them apart."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.reporting.profiles.range_names import range_names


def seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("cuts", "names"),
    [
        ([24.5, 49.0], ["below 24.5", "24.5 to 49", "49 and above"]),
        ([1_000_001.0, 1_000_002.0], ["below 1000001", "1000001 to 1000002", "1000002 and above"]),
        ([0.0], ["below 0", "0 and above"]),
    ],
)
def test_of_numbers(cuts: list[float], names: list[str]) -> None:
    assert range_names(cuts) == names


def test_times_are_times() -> None:
    cuts = [seconds("2026-11-28T19:05:00+00:00"), seconds("2026-11-29T05:00:30+00:00")]
    assert range_names(cuts, is_time=True) == [
        "before 2026-11-28 19:05",
        "2026-11-28 19:05 to 2026-11-29 05:00",
        "2026-11-29 05:00 and later",
    ]
    near = [cuts[0] + 1, cuts[0] + 2.5]
    assert range_names(near, is_time=True)[1] == "2026-11-28 19:05:01 to 2026-11-28 19:05:02"


def test_a_time_that_no_calendar_has_is_its_seconds() -> None:
    assert range_names([1e18], is_time=True) == ["below 1e+18", "1e+18 and above"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5, unique=True))
def test_all_names_are_different(cuts: list[float]) -> None:
    cuts = sorted(cuts)
    if all(low < high for low, high in pairwise(cuts)):  # -0.0 and 0.0 are one
        names = range_names(cuts)
        assert len(set(names)) == len(names) == len(cuts) + 1
