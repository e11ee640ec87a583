"""Filters decode from JSON, and choose in SQL what they say."""

from __future__ import annotations

import json
import math
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader import ReaderError, WindowError
from otel_modeldata_studio.queries.filters import Filter, condition, parse_filters

NUMBERS = [None, -2.5, -1.0, 0.0, 1.0, 1.5, 2.0, 40.0, float("inf"), float("nan")]
TEXTS = [None, "", "a", "A", "b'; DROP", "?", '"']


def chosen(one: Filter, kind: Any, values: list[Any], type_: str) -> list[Any]:
    """The values that a filter chooses."""
    text = condition(one, "v", kind)
    rows = duckdb.execute(
        f"SELECT place FROM (SELECT unnest(?::{type_}[]) AS v, unnest(range({len(values)})) AS place) "
        f"WHERE {text.text} ORDER BY place",
        [values, *text.parameters],
    ).fetchall()
    return [values[at] for (at,) in rows]


@given(
    low=st.none() | st.sampled_from([-1.0, 0.0, 1.0, 1.5]),
    high=st.none() | st.sampled_from([1.0, 2.0, 40.0]),
    closed=st.booleans(),
)
def test_between_is_half_open_or_closed_and_takes_no_null_and_no_nan(
    low: float | None, high: float | None, closed: bool
) -> None:
    one = Filter(column="inputs.x", op="between", low=low, high=high, closed=closed)

    def is_in(value: float | None) -> bool:
        if value is None or math.isnan(value):
            return False
        below = high is None or (value <= high if closed else value < high)
        return (low is None or value >= low) and below

    assert chosen(one, "number", NUMBERS, "DOUBLE") == [value for value in NUMBERS if is_in(value)]


@given(wanted=st.lists(st.sampled_from(TEXTS), max_size=4))
def test_in_compares_texts_exactly_and_null_is_one_of_them(wanted: list[str | None]) -> None:
    one = Filter(column="inputs.x", op="in", values=tuple(wanted))
    assert chosen(one, "text", TEXTS, "VARCHAR") == [value for value in TEXTS if value in wanted]


def test_in_takes_numbers_booleans_and_large_integers_as_texts() -> None:
    large = 2**63 - 1
    one = Filter(column="inputs.x", op="in", values=(str(large), 3))
    assert chosen(one, "integer", [large, large - 1, 3, None], "BIGINT") == [large, 3]
    one = Filter(column="inputs.x", op="in", values=(True,))
    assert chosen(one, "boolean", [True, False, None], "BOOLEAN") == [True]


def test_null_and_not_null() -> None:
    assert chosen(Filter(column="x", op="null"), "text", TEXTS, "VARCHAR") == [None]
    assert chosen(Filter(column="x", op="not_null"), "text", TEXTS, "VARCHAR") == TEXTS[1:]


def test_no_text_is_no_filter() -> None:
    assert parse_filters("") == ()
    assert parse_filters("[]") == ()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '[{"column": "x"}]',
        '[{"column": "x", "op": "like"}]',
        '[{"column": 1, "op": "null"}]',
        '[{"column": "x", "op": "null", "sql": "1"}]',
        json.dumps([{"column": "x", "op": "null"}] * 65),
        json.dumps([{"column": "x", "op": "in", "values": ["a"] * 1001}]),
        json.dumps([{"column": "x", "op": "in", "values": ["a" * 300_000]}]),
    ],
)
def test_another_text_is_an_error_in_a_sentence(text: str) -> None:
    with pytest.raises(ReaderError, match=r"^expected .*, got .*: "):
        parse_filters(text)


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (Filter(column="x", op="between", low=1), "text"),
        (Filter(column="x", op="between", low="a"), "number"),
        (Filter(column="x", op="in", values=(True,)), "number"),
        (Filter(column="x", op="between", low=float("inf")), "time"),
    ],
)
def test_a_filter_that_does_not_fit_its_column_is_an_error(one: Filter, kind: Any) -> None:
    with pytest.raises(ReaderError, match=r"^expected "):
        condition(one, "v", kind)


def test_a_wrong_time_is_an_error() -> None:
    with pytest.raises(WindowError):
        condition(Filter(column="x", op="between", low="yesterday"), "v", "time")
