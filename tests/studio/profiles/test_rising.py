"""Columns whose numbers grow with time are told from those that drift."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata_studio.profiles.chance import is_by_chance
from otel_modeldata_studio.profiles.rising import rises

RANDOM = np.random.default_rng(3)
TIMES = np.sort(RANDOM.integers(1_795_000_000, 1_795_086_400, 400))
SPAN = (TIMES - TIMES[0]) / (TIMES[-1] - TIMES[0])


def column(values: object, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


MOMENTS = column(TIMES, pa.timestamp("s", "UTC"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (range(400), True),
        (TIMES + RANDOM.normal(0, 3600, 400), True),
        ((SPAN > 0.5).astype(int) + 20_261_128, True),
        (1e6 + np.cumsum(RANDOM.integers(0, 3, 400)), True),
        (RANDOM.normal(0, 1, 400), False),
        (RANDOM.normal(0, 1, 400) + SPAN, False),
        (-SPAN, False),
        ([7.0] * 400, False),
        ([None] * 395 + [1, 2, 3, 4, 5], False),
        ([float(one) if one % 3 else None for one in range(400)], True),
    ],
    ids=["counter", "moment", "day", "total", "noise", "drift", "falling", "constant", "few", "with nulls"],
)
def test_numbers_that_grow_with_time(values: object, expected: bool) -> None:
    kind = pa.float64() if isinstance(values, list) else None
    assert rises(MOMENTS, column(values, kind)) is expected


@settings(max_examples=30)
@given(values=st.lists(st.integers(-5, 5), min_size=10, max_size=60), factor=st.sampled_from([1, 3, 1000]))
def test_only_the_order_of_values_counts(values: list[int], factor: int) -> None:
    moments = column(list(range(len(values))), pa.timestamp("s"))
    first = rises(moments, column(values))
    assert rises(moments, column([one * factor + 7 for one in values])) is first
    assert not (first and rises(moments, column([-one for one in values])))


def test_counts_differ_by_chance_or_not() -> None:
    assert is_by_chance((40, 0), (28, 3)) is True
    assert is_by_chance((400, 0), (560, 60)) is False
    assert is_by_chance((0, 0), (1, 1)) is True
