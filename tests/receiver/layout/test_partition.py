"""Partitions: the UTC time of the event at the rolling rate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.layout.partition import RollingRate, folder, quarantine_folder, warn_unless_hour

LAST_NANOSECOND = 1_709_225_999_999_999_999
"""2024-02-29T16:59:59.999999999Z: a leap day, just before the hour."""


@pytest.mark.parametrize(
    ("rate", "dated"),
    [
        (RollingRate.MINUTE, "2024/02/29/16/59"),
        (RollingRate.HOUR, "2024/02/29/16"),
        (RollingRate.DAY, "2024/02/29"),
        (RollingRate.MONTH, "2024/02"),
        (RollingRate.YEAR, "2024"),
    ],
)
# S25
def test_each_rate_has_its_own_path_depth(rate: RollingRate, dated: str) -> None:
    assert folder("e/d/model_inputs", LAST_NANOSECOND, rate) == f"e/d/model_inputs/{dated}"


def test_the_next_nanosecond_belongs_to_the_next_hour() -> None:
    assert folder("e/d/c", LAST_NANOSECOND + 1, RollingRate.HOUR) == "e/d/c/2024/02/29/17"


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_every_unsigned_64_bit_time_has_an_hour_folder(time_ns: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)
    expected = f"e/d/c/{moment.year:04d}/{moment.month:02d}/{moment.day:02d}/{moment.hour:02d}"
    assert folder("e/d/c", time_ns, RollingRate.HOUR) == expected


@pytest.mark.parametrize("text", ["Hour", "hour", "HOUR", " hour "])
def test_rates_are_read_in_any_case(text: str) -> None:
    assert RollingRate.parse(text) is RollingRate.HOUR
    assert RollingRate(text) is RollingRate.HOUR


def test_an_unknown_rate_is_none() -> None:
    assert RollingRate.parse("fortnight") is None
    with pytest.raises(ValueError, match="fortnight"):
        RollingRate("fortnight")


def test_quarantine_is_outside_every_endpoint() -> None:
    assert quarantine_folder(LAST_NANOSECOND) == "_quarantine/2024/02/29/16"


def test_a_rate_other_than_hour_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    warn_unless_hour.cache_clear()
    for _ in range(3):
        warn_unless_hour(RollingRate.DAY)
        warn_unless_hour(RollingRate.HOUR)
    assert caplog.messages == [
        "Rolling rate Day: Azure ML model monitoring reads hour folders only and will not find these blobs."
    ]
