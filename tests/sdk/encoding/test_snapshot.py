"""A frame that is encoded later is not reached by later changes, and its size is known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import DEFERRED_CELLS, MAX_DEFERRED_BYTES, Rows
from otel_modeldata._encoding.snapshot import snapshot_of

COUNT = DEFERRED_CELLS


def _rows(frame: pd.DataFrame) -> Rows:
    return Rows(frame, ColumnNameCache("test"))


def _is_deferred(frame: pd.DataFrame) -> bool:
    return snapshot_of(frame, MAX_DEFERRED_BYTES) is not None


COLUMNS: dict[str, tuple[Any, Any]] = {
    "integers": (np.arange(COUNT), -1),
    "float32": (np.linspace(0, 1, COUNT, dtype="f4"), np.float32(-1)),
    "text": (pd.Series(["a"] * COUNT, dtype=object), "changed"),
    "text with gaps": (pd.Series(["a", None] * (COUNT // 2), dtype=object), "changed"),
    "default text": (pd.Series(["a"] * COUNT), "changed"),
    "string": (pd.array(["a", None] * (COUNT // 2), dtype=pd.StringDtype("python")), "changed"),
    "times": (pd.date_range("2024-01-01", periods=COUNT, freq="s"), pd.Timestamp("2030-01-01")),
    "zoned times": (pd.date_range("2024-01-01", periods=COUNT, tz="UTC"), pd.Timestamp("2030-01-01", tz="UTC")),
    "durations": (pd.timedelta_range("1s", periods=COUNT), pd.Timedelta(5, "D")),
    "periods": (pd.period_range("2024-01-01", periods=COUNT, freq="D"), pd.Period("2030-01-01", freq="D")),
    "Int64": (pd.array([1, None] * (COUNT // 2), dtype="Int64"), 9),
    "Float32": (pd.array([0.1, None] * (COUNT // 2), dtype="Float32"), 0.5),
    "boolean": (pd.array([True, None] * (COUNT // 2), dtype="boolean"), False),
    "categories": (pd.Categorical(["a", None] * (COUNT // 2), categories=["a", "b"]), "b"),
    "categories of integers": (pd.Categorical([1, None] * (COUNT // 2), categories=[1, 2]), 2),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("is_alone", [True, False])
def test_later_changes_of_a_column_are_not_collected(name: str, is_alone: bool) -> None:
    column, other = COLUMNS[name]
    frame = pd.DataFrame({"c": column, **({} if is_alone else {"n": 0.5, "s": "text"})})
    expected = json.loads(_rows(frame.copy(deep=True)).text())
    rows = _rows(frame)
    assert _is_deferred(frame)
    frame.loc[:, "c"] = other
    frame.iat[0, 0] = other
    assert json.loads(rows.text()) == expected
    assert json.loads(_rows(frame).text()) != expected


def test_later_changes_of_an_array_behind_a_frame_are_not_collected() -> None:
    array = np.zeros((COUNT, 2))
    frame = pd.DataFrame(array, copy=False).assign(s="text")
    codes = np.zeros(COUNT, dtype="i1")
    categories = pd.DataFrame({"c": pd.Categorical.from_codes(codes, categories=["a", "b"])})
    held = [(rows, rows.count) for rows in (_rows(frame), _rows(categories))]
    array[:] = 1
    codes[:] = 1
    for rows, count in held:
        first = json.loads(rows.text())[0]
        assert first in ({"0": 0.0, "1": 0.0, "s": "text"}, {"c": "a"})
        assert count == COUNT


def test_cells_that_may_change_or_be_refused_are_encoded_at_once() -> None:
    for cell in ([1], {"a": 1}, np.array([1.0]), b"x", 10**5000, pd.Timestamp("2024-01-01")):
        column = np.empty(COUNT, dtype=object)
        for row in range(COUNT):
            column[row] = cell
        assert not _is_deferred(pd.DataFrame({"c": pd.Series(column, dtype=object)}))


def test_the_size_of_a_copy_counts_the_text_of_every_row() -> None:
    for column in (
        pd.Series(["é" * 10] * COUNT, dtype=object),
        pd.Series(["é" * 10] * COUNT),
        pd.array(["é" * 10] * COUNT, dtype=pd.StringDtype("python")),
        pd.Categorical(["é" * 10] * COUNT),
    ):
        assert _rows(pd.DataFrame({"c": column})).nbytes == COUNT * (8 + 20)


def test_a_few_long_categories_of_many_rows_are_not_taken_for_small() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["x" * 5000] * COUNT)})
    assert not _is_deferred(frame)
    assert _rows(frame).nbytes == COUNT * len('{"c":"",}' + "x" * 5000) + 1


def test_many_small_numbers_are_encoded_at_once_because_their_text_is_large() -> None:
    frame = pd.DataFrame({"c": np.zeros(MAX_DEFERRED_BYTES // 8 + 1, dtype=bool)})
    assert _rows(frame).nbytes == len('{"c":false},') * len(frame) + 1
