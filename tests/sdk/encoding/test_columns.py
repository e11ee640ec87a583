"""Every type of column, value by value, in every company: one value is written one way."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from column_kinds import KINDS, Kind
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata.exceptions import UnsupportedValueError

_NAMES = ColumnNameCache("test")


def _written(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(Rows(frame, _NAMES).text(), parse_constant=_refuse)  # type: ignore[no-any-return]


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not strict JSON")


def _exactly(value: Any) -> str:
    """A text that differs for values that Python takes for equal: 1, 1.0 and True; 0.0 and -0.0."""
    return json.dumps(value, sort_keys=True)


def _check_in_small_frames(kind: Kind, values: list[Any]) -> None:
    expected = [_exactly(None if value is None else kind.json(value)) for value in values]
    alone = pd.DataFrame({"c": kind.column(values)})
    beside = alone.assign(f=0.5, i=2**53 + 1, s="text", b=True)
    for frame, texts in (
        (alone, expected),
        (beside, expected),
        (alone.iloc[:1], expected[:1]),
        (alone.iloc[::2], expected[::2]),
    ):
        assert [_exactly(row["c"]) for row in _written(frame)] == texts
    assert [row["i"] for row in _written(beside)] == [2**53 + 1] * len(values)


def _columns(kind: Kind, most: int = 6) -> st.SearchStrategy[list[Any]]:
    return st.lists(kind.values, min_size=1, max_size=most)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=4)
@given(data=st.data())
def test_a_value_is_written_by_its_own_type_whatever_is_beside_it(kind: Kind, data: st.DataObject) -> None:
    _check_in_small_frames(kind, data.draw(_columns(kind)))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=40)
@given(data=st.data())
def test_many_values_are_written_by_their_own_type(kind: Kind, data: st.DataObject) -> None:
    _check_in_small_frames(kind, data.draw(_columns(kind)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=2)
@given(data=st.data())
def test_a_value_is_written_the_same_in_a_frame_that_is_encoded_later(kind: Kind, data: st.DataObject) -> None:
    values = data.draw(_columns(kind))
    expected = [_exactly(None if value is None else kind.json(value)) for value in values]
    repeats = 2048 // len(values) + 1
    many = pd.DataFrame({"c": kind.column(values * repeats)})
    assert [_exactly(row["c"]) for row in _written(many)] == expected * repeats
    assert [_exactly(row["c"]) for row in _written(many.assign(s="text"))] == expected * repeats


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=2)
@given(data=st.data())
def test_frames_that_share_an_event_have_the_rows_that_they_have_alone(kind: Kind, data: st.DataObject) -> None:
    frames = [pd.DataFrame({"c": kind.column(data.draw(_columns(kind, 3)))}) for _ in range(2)]
    merged, later = (Rows(frame, _NAMES) for frame in frames)
    assert merged.may_join(later, merged.nbytes)
    merged.join(later)
    assert _exactly(json.loads(merged.text())) == _exactly([row for frame in frames for row in _written(frame)])


def test_a_complex_column_is_refused() -> None:
    for frame in (pd.DataFrame({"c": [1j]}), pd.DataFrame({"c": [1j], "s": ["x"]})):
        with pytest.raises(UnsupportedValueError) as raised:
            Rows(frame, _NAMES)
        assert (
            str(raised.value)
            == "column 'c', row 0: expected a value that JSON can carry, got complex: convert it first"
        )
