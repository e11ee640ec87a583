"""How values differ, and what columns of them add up to."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.replaying.quantile_sketch import Quantiles, QuantileSketch
from otel_modeldata_reader.replaying.value_differences import (
    ColumnDifferences,
    ColumnResult,
    Tolerance,
    as_text,
    compared,
)

DEEP = json.loads("[" * 400 + "]" * 400)
EXACT = Tolerance(absolute=0.0, relative=0.0)


@pytest.mark.parametrize(
    ("recorded", "answered", "expected"),
    [
        (1, 1.0, (True, 0.0)),
        (0.5, 0.5 + 5e-10, (True, 5e-10)),
        (0.5, 0.51, (False, 0.01)),
        (1e12, 1e12 + 1, (True, 1.0)),
        (2**60, 2**60 + 1, (True, 1.0)),
        (10**400, 10**400, (True, 0.0)),
        (10**400, 10**400 + 1, (False, None)),
        (math.nan, math.nan, (True, None)),
        (math.nan, 1.0, (False, None)),
        (math.inf, math.inf, (True, 0.0)),
        (math.inf, 1.0, (False, math.inf)),
        (None, None, (True, None)),
        (None, 0, (False, None)),
        (True, 1, (False, None)),
        ("a", "a", (True, None)),
        ("1", 1, (False, None)),
        ([0.5, 1], [0.5, 3], (False, 2.0)),
        ([0.5], [0.5, 1], (False, None)),
        ([], [], (True, None)),
        ({"a": 1, "b": "x"}, {"b": "x", "a": 2}, (False, 1.0)),
        ({"a": 1}, {"b": 1}, (False, None)),
        (..., 1, (False, None)),
    ],
)
def test_a_pair_of_values(recorded: Any, answered: Any, expected: tuple[bool, float | None]) -> None:
    is_equal, apart = compared(recorded, answered, Tolerance())
    assert (is_equal, apart if apart is None else pytest.approx(apart, rel=1e-6)) == (expected[0], expected[1])


def test_an_integer_that_no_float_holds_is_compared_exactly() -> None:
    assert compared(2**60, 2**60 + 1, EXACT) == (False, 1.0)


def test_values_that_nest_too_deep_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(DEEP, DEEP, Tolerance()) in {(True, None), (False, None)}
    assert as_text(DEEP).startswith(("[", "(nested"))


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_equal_as_math_isclose_has_it(one: float, other: float) -> None:
    tolerance = Tolerance(absolute=0.25, relative=0.125)
    assert compared(one, other, tolerance)[0] == math.isclose(one, other, rel_tol=0.125, abs_tol=0.25)


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_within_one_percent(values: list[float], share: float) -> None:
    sketch = QuantileSketch()
    for value in values:
        sketch.add(value)
    low, high = (np.quantile(values, share, method=method) for method in ("lower", "higher"))
    assert low * 0.9899 - 1e-290 <= sketch.quantile(share) <= high * 1.0101 + 1e-290


def test_a_sketch_of_nothing_and_of_zeros() -> None:
    sketch = QuantileSketch()
    sketch.add(math.inf)
    sketch.add(math.nan)
    assert sketch.summary() is None
    sketch.add(0.0)
    assert sketch.summary() == Quantiles(mean=0.0, p50=0.0, p90=0.0, p99=0.0, maximum=0.0)


def column(*pairs: tuple[Any, Any]) -> ColumnResult:
    differences = ColumnDifferences("c")
    for pair in pairs:
        is_equal, apart = compared(*pair, Tolerance())
        differences.add(*pair, is_equal=is_equal, difference=apart)
    return differences.result()


def test_a_column_of_classes_has_its_confusion() -> None:
    found = column(("a", "a"), ("a", "b"), ("a", "a"), (None, "b"), (1, 1), ("1", True))
    assert (found.compared, found.different) == (6, 3)
    assert found.confusion == (("a", "a", 2), ("1", "1", 1), ("1", "true", 1), ("a", "b", 1), ("null", "b", 1))


def test_a_column_of_floats_or_of_very_many_values_has_none() -> None:
    assert column((0.5, 0.5), ("a", "a")).confusion == ()
    assert column(*((str(number), "a") for number in range(401))).confusion == ()
    assert len(column(*((str(number), "a") for number in range(400))).confusion) == 400
