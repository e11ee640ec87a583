from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_studio.web.answers import encoded, failure

LARGEST = 2**53
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


class Row(msgspec.Struct):
    time: dt.datetime
    values: list[Any]
    sizes: tuple[float, ...] = ()


def test_what_a_browser_would_lose_is_text() -> None:
    row = Row(
        time=dt.datetime(2026, 11, 29, 10, 0, tzinfo=dt.UTC),
        values=[1.5, math.nan, math.inf, -math.inf, LARGEST, LARGEST + 1, -LARGEST - 1, None, True, "é", "\ud800"],
        sizes=(math.nan,),
    )
    assert json.loads(encoded(row)) == {
        "time": "2026-11-29T10:00:00Z",
        "values": [
            1.5, "NaN", "Infinity", "-Infinity", LARGEST, "9007199254740993", "-9007199254740993", None, True, "é", "?",
        ],
        "sizes": ["NaN"],
    }  # fmt: skip


def _lossless(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_lossless(name): _lossless(one) for name, one in value.items()}
    return [_lossless(one) for one in value]


@given(VALUES)
def test_every_value_comes_back_from_the_browsers_json(value: Any) -> None:
    def no_constant(name: str) -> None:
        raise AssertionError(name)

    assert json.loads(encoded(value), parse_constant=no_constant) == _lossless(value)


def test_an_error_is_one_sentence_that_is_not_kept() -> None:
    answer = failure(404, "expected a column, got '<b>': choose one")
    assert answer.status_code == 404
    assert json.loads(answer.body) == {"error": "expected a column, got '<b>': choose one"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
