"""A frame that is collected and read again has the same values and dtypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from column_kinds import KINDS, Kind
from hypothesis import given, settings
from hypothesis import strategies as st
from typed_columns import COLUMNS, UNCOMPARED, objects

from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata_reader.types import parse
from otel_modeldata_reader.types.pandas_columns import to_pandas

NAMES = ColumnNameCache("test")
NOT_CARRIED = {"object of lists of dates"}
"""JSON has text for dates, and the line does not say what lists of several types hold."""
NOT_COMPARED = ("list_view", "month_day_nano_interval", "fixed_size_list", *UNCOMPARED)
"""Types that pandas can hold but, in some releases, not compare."""


def read_again(frame: pd.DataFrame) -> tuple[str, Any, pd.DataFrame]:
    """The text of the types of a frame, its rows as an Arrow table, and the frame that is made of it."""
    rows = Rows(frame, NAMES)
    data = bytes(rows.text())
    types = parse(rows.types)
    names = list(frame)
    table, counts = types.read([data, data], names)
    assert counts == [len(frame)] * 2
    flat = types.read_flat([data, data], names)
    assert flat is None or (flat[0].equals(table), flat[1]) == (True, counts)
    assert table.schema.equals(types.schema(names), check_metadata=True)
    return rows.types, table, to_pandas(table.slice(0, len(frame)))


def check(frame: pd.DataFrame) -> None:
    text, table, again = read_again(frame)
    for name, code in zip(frame, parse(text).codes, strict=True):
        if any(word in code for word in NOT_COMPARED):
            expected = pa.chunked_array(frame[name].array.__arrow_array__())
            assert table[name].slice(0, len(frame)).combine_chunks().equals(expected.combine_chunks())
        else:
            pd.testing.assert_series_equal(again[name], frame[name], check_index_type=False)
    assert list(again.dtypes) == list(frame.dtypes)
    assert list(again) == list(frame)


@pytest.mark.parametrize("code", COLUMNS)
@pytest.mark.parametrize("rows", [0, 1, 2, 200])
def test_a_column_comes_back_with_its_dtype_and_values(code: str, rows: int) -> None:
    column = pd.DataFrame({"c": COLUMNS[code]})
    # pandas cannot choose rows of numbers in another byte order, only slice them.
    places: Any = slice(rows) if code[0] == ">" else [number % 2 for number in range(rows)]
    frame = column.iloc[places].reset_index(drop=True)
    rows = len(frame)
    check(frame)
    check(frame.assign(text=objects(*["a"] * rows), float=0.5))


@pytest.mark.parametrize("code", COLUMNS)
def test_a_line_says_the_code_of_a_column(code: str) -> None:
    frame = pd.DataFrame({"a": COLUMNS[code], "b": COLUMNS[code]})
    rows = Rows(frame, NAMES)
    rows.text()
    assert rows.types == f"{code}*2"


def _carried(kind: Kind, value: Any) -> Any:
    """A value that JSON can carry: strict JSON has no infinity, and null for what is no number."""
    if isinstance(value, np.ndarray):
        return np.array([_carried(kind, one) for one in value], value.dtype)
    if isinstance(value, (list, tuple)):
        return type(value)(_carried(kind, one) for one in value)
    if isinstance(value, (float, np.floating)) and not math.isfinite(value):
        is_gap = kind.name.startswith(("float", "Sparse"))
        return type(value)(math.nan) if is_gap else type(value)(0)
    return value


def _columns(kind: Kind, rows: int) -> st.SearchStrategy[Any]:
    return st.lists(kind.values, min_size=rows, max_size=rows).map(
        lambda values: kind.column([_carried(kind, value) for value in values])
    )


@st.composite
def _frames(draw: st.DrawFn, kinds: list[Kind]) -> pd.DataFrame:
    rows = draw(st.integers(0, 4))
    runs = draw(st.lists(st.tuples(st.sampled_from(kinds), st.integers(1, 3)), min_size=1, max_size=5))
    columns = [draw(_columns(kind, rows)) for kind, count in runs for _ in range(count)]
    frame = pd.DataFrame(dict(enumerate(columns)), index=range(rows))
    return frame.rename(columns=str)


CARRIED = [kind for kind in KINDS if kind.name not in NOT_CARRIED]


@pytest.mark.parametrize("kind", CARRIED, ids=str)
@settings(max_examples=4)
@given(data=st.data())
def test_a_column_of_any_values_comes_back(kind: Kind, data: st.DataObject) -> None:
    check(data.draw(_frames([kind])))


@settings(max_examples=60)
@given(frame=_frames(CARRIED))
def test_a_frame_of_any_columns_comes_back(frame: pd.DataFrame) -> None:
    check(frame)


@pytest.mark.long
@settings(max_examples=500)
@given(frame=_frames(CARRIED))
def test_many_frames_of_any_columns_come_back(frame: pd.DataFrame) -> None:
    check(frame)


def test_what_json_cannot_carry_comes_back_as_a_gap() -> None:
    frame = pd.DataFrame(
        {
            "infinity": [math.inf, 1.0],
            "in objects": objects(math.nan, "a"),
            "in a list": objects([math.inf], [1.0]),
            "nested": objects([b"a", 1], ["a"]),
            "nan in Float64": pd.array([1, 2], "Float64") / np.array([0.0, 1.0]),
        }
    )
    text, _, again = read_again(frame)
    assert text == "f8,O,O[list[f8]],O[list],Float64"
    assert [repr(list(again[name])) for name in again] == [
        "[nan, 1.0]",
        "[None, 'a']",
        "[[None], [1.0]]",
        "[['YQ==', 1], ['a']]",
        repr([pd.NA, np.float64(2)]),
    ]


def test_times_that_arrow_does_not_read_come_back() -> None:
    zoned = pd.DatetimeIndex(["1890-01-01", "2024-01-01"], tz="Europe/Madrid").as_unit("us")
    years = np.array(["-0044-03-15", "19999-01-01"], "M8[s]")
    check(pd.DataFrame({"zoned": zoned, "years": years, "text": objects("a", "b")}))
