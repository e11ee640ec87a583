"""Filters decode from JSON, and choose in SQL what they say."""

from __future__ import annotations

import json
import math
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader import ReaderError, WindowError
from otel_modeldata_reader.reporting.profiles.kinds import category_counts
from otel_modeldata_studio.queries.filters import Filter, condition, parse_filters

NUMBERS = [None, -2.5, -1.0, 0.0, 1.0, 1.5, 2.0, 40.0, float("inf"), float("nan")]
TEXTS = [None, "", "a", "A", "b'; DROP", "?", '"']


def chosen(one: Filter, kind: Any, values: list[Any], type_: str) -> list[Any]:
    """The values that a filter chooses."""
    text = condition(one, "v", kind)
    duckdb.execute("SET TimeZone = 'UTC'")
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


def test_json_integers_keep_all_their_digits() -> None:
    exact = [2**53 + 1, 2**53 + 2, 2**53, 3, None]
    (one,) = parse_filters('[{"column": "x", "op": "in", "values": [9007199254740993, 3]}]')
    assert chosen(one, "integer", exact, "BIGINT") == [2**53 + 1, 3]
    (one,) = parse_filters('[{"column": "x", "op": "between", "low": 9007199254740993, "high": 9007199254740994}]')
    assert chosen(one, "integer", exact, "BIGINT") == [2**53 + 1]
    (one,) = parse_filters('[{"column": "x", "op": "in", "values": [18446744073709551615, -1]}]')
    assert chosen(one, "integer", [2**64 - 1, 2**64 - 2, 0], "UBIGINT") == [2**64 - 1]
    (one,) = parse_filters(f'[{{"column": "x", "op": "between", "low": 1, "high": 1{"0" * 60}}}]')
    assert chosen(one, "integer", exact, "BIGINT") == [2**53 + 1, 2**53 + 2, 2**53, 3]
    (one,) = parse_filters('[{"column": "x", "op": "in", "values": [1]}]')
    assert chosen(one, "category", [1, 2, 1, None], "BIGINT") == [1, 1]


@given(text=st.text(max_size=4), length=st.integers(150, 260))
def test_in_takes_a_long_text_by_its_short_form_in_a_facet(text: str, length: int) -> None:
    texts = ["é" * length + text, "é" * length + "other", "b"]
    values = [one.replace("\0", "-").encode(errors="replace").decode() for one in texts]
    counts = category_counts(pa.chunked_array([values]))
    assert {
        value: len(chosen(Filter(column="x", op="in", values=(value,)), "text", values, "VARCHAR")) for value in counts
    } == counts


TIMES = ["2026-01-02T00:00:00.000000001", "2026-01-02T00:00:00", "2026-01-01T23:59:59.999999", "2026-01-03", None]
BEYOND = ["9999-12-31", "0001-01-01"]
"""Times that have no nanoseconds."""


@pytest.mark.parametrize(
    "type_", ["DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMPTZ", "TIMESTAMPTZ_NS"]
)
def test_times_of_every_type_are_compared_with_moments(type_: str) -> None:
    digits = {"DATE": 0, "TIMESTAMP_S": 1, "TIMESTAMP_MS": 1, "TIMESTAMP": 2, "TIMESTAMPTZ": 2}.get(type_, 3)
    values = [*(TIMES[1:2] if digits < 2 else TIMES[1:3] if digits < 3 else TIMES[:3]), *TIMES[3:]]
    values += BEYOND if digits < 3 else []
    noon = [one for one in values if one is not None]

    def after(low: str, *, closed: bool) -> list[str]:
        return [one for one in noon if one > low or (closed and one == low)]

    between = Filter(column="x", op="between", low="2026-01-02T00:00:00.000000001Z")
    assert chosen(between, "time", values, type_) == after(TIMES[0] or "", closed=True)
    between = Filter(column="x", op="between", high="2026-01-02T02:00:00+02:00", closed=True)
    assert chosen(between, "time", values, type_) == [one for one in noon if one <= "2026-01-02T00:00:00"]
    between = Filter(column="x", op="between", low=1767312000, high=1767312000.5)
    assert chosen(between, "time", values, type_) == [one for one in noon if one.startswith("2026-01-02")]
    for value in values[: len(noon)]:
        if value is not None and value not in BEYOND:
            one = Filter(column="x", op="in", values=(value,))
            assert chosen(one, "time", values, type_) == [value]
    assert chosen(Filter(column="x", op="in", values=("2026-01-03", None)), "time", values, type_) == [
        "2026-01-03",
        None,
    ]


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
        (Filter(column="x", op="between", low=10**400), "time"),
        (Filter(column="x", op="between", low=10**400), "number"),
        (Filter(column="x", op="in", values=(True,)), "time"),
    ],
)
def test_a_filter_that_does_not_fit_its_column_is_an_error(one: Filter, kind: Any) -> None:
    with pytest.raises(ReaderError, match=r"^expected "):
        condition(one, "v", kind)


def test_a_wrong_time_is_an_error() -> None:
    with pytest.raises(WindowError):
        condition(Filter(column="x", op="between", low="yesterday"), "v", "time")
    with pytest.raises(WindowError):
        condition(Filter(column="x", op="in", values=("yesterday",)), "v", "time")
