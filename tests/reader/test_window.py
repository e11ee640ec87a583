"""Windows of event time: half open, with explicit zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.exceptions import WindowError
from otel_modeldata_reader.window import Window, window_of

if TYPE_CHECKING:
    from otel_modeldata_reader.window import Moment

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = 1_000_000_000
NOW_NS = int(NOW.timestamp()) * SECOND


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, None),
        ("-7d", NOW_NS - 7 * 86_400 * SECOND),
        ("-90m", NOW_NS - 5_400 * SECOND),
        ("-1.5h", NOW_NS - 5_400 * SECOND),
        ("-2w", NOW_NS - 14 * 86_400 * SECOND),
        (timedelta(hours=1), NOW_NS - 3_600 * SECOND),
        (timedelta(hours=-1), NOW_NS - 3_600 * SECOND),
        (date(2026, 11, 22), NOW_NS - 12 * 3_600 * SECOND),
        ("2026-11-22", NOW_NS - 12 * 3_600 * SECOND),
        ("2026-11-22T10", NOW_NS - 2 * 3_600 * SECOND),
        ("2026-11-22 10:30", NOW_NS - 5_400 * SECOND),
        ("2026-11-22T11:30:00+01:00", NOW_NS - 5_400 * SECOND),
        ("2026-11-22T10:30:00.5Z", NOW_NS - 5_400 * SECOND + SECOND // 2),
        ("2026-11-22T10:30:00.000000001Z", NOW_NS - 5_400 * SECOND + 1),
        (datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1))), NOW_NS),
        (pd.Timestamp("2026-11-22T12:00:00.000000007Z"), NOW_NS + 7),
        ("-99999999d", -(2**63) + 1),
        (f"-{'9' * 400}d", -(2**63) + 1),
        (timedelta.max, -(2**63) + 1),
        (date.min, -(2**63) + 1),
        ("9999-12-31T23:59:59-14:00", 2**63 - 1),
    ],
)
def test_a_moment_is_read(since: Moment, expected: int | None) -> None:
    assert window_of(since, None, NOW) == Window(since=expected)


@pytest.mark.parametrize(
    ("since", "until", "reason"),
    [
        ("yesterday", None, "expected a time like '-7d', .* got 'yesterday'"),
        (None, "7d", "expected a time like"),
        (datetime(2026, 11, 22), None, "expected a since with a zone, got '2026-11-22T00:00:00'"),  # noqa: DTZ001
        ("2026-11-23", "2026-11-22", "expected since before until, got since '2026-11-23' and until '2026-11-22'"),
        ("2026-11-22", "2026-11-22", "expected since before until"),
        (5, None, "expected a time like .* got 5"),
        ("x" * 10_000, None, "expected a time like .* got 'x{79}: write one of these"),
    ],
)
def test_what_is_no_window_is_refused(since: Any, until: Any, reason: str) -> None:
    with pytest.raises(WindowError, match=reason):
        window_of(since, until, NOW)


TIMES = st.integers(-(10**18), 10**18)


@given(TIMES, TIMES, TIMES, TIMES)
def test_a_window_overlaps_a_folder_exactly_if_they_share_a_moment(a: int, b: int, c: int, d: int) -> None:
    window, folder = Window(since=min(a, b), until=max(a, b)), (min(c, d), max(c, d))
    assert window.overlaps(*folder) == (
        max(min(a, b), folder[0]) < min(max(a, b), folder[1])
        if min(a, b) < max(a, b) and folder[0] < folder[1]
        else window.overlaps(*folder)
    )


def test_an_open_window_overlaps_a_folder_of_any_year() -> None:
    far = (10**21, 10**21 + 1)
    assert [Window().overlaps(*far), Window(since=5).overlaps(*far), Window(until=5).overlaps(*far)] == [
        True,
        True,
        False,
    ]
