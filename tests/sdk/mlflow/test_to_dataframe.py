from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata import Collector
from otel_modeldata._mlflow.to_dataframe import MAX_DENSE_CELLS, SignatureColumns, frame_of
from otel_modeldata.exceptions import UnsupportedValueError
from otel_modeldata.testing import capture


def rows_of(value: object, columns: SignatureColumns | None = None) -> list[dict[str, Any]]:
    """The collected rows of a value."""
    with capture() as captured:
        Collector(name="model_inputs").collect(frame_of(value, columns or SignatureColumns()))
        return captured.events[0].rows


@dataclasses.dataclass
class Answer:
    text: str
    tokens: list[int]


class Model:
    """Has the only method of pydantic models that the code uses."""

    def model_dump(self) -> dict[str, Any]:
        return {"text": "a", "tokens": [1, 2]}

    def __repr__(self) -> str:
        return "Model()"


CUBE = np.arange(8).reshape(2, 2, 2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pd.DataFrame({"x": [1, 2]}), [{"x": 1}, {"x": 2}]),
        (pd.Series([1, 2], name="x", index=[7, 9]), [{"x": 1}, {"x": 2}]),
        (pd.Series([1, 2]), [{"0": 1}, {"0": 2}]),
        ({"x": [1, 2], "y": np.array([3, 4])}, [{"x": 1, "y": 3}, {"x": 2, "y": 4}]),
        ({"x": pd.Series([1, 2], index=[5, 6]), "y": (3, 4)}, [{"x": 1, "y": 3}, {"x": 2, "y": 4}]),
        ({"x": np.array([[1, 2], [3, 4]]), "y": [5, 6]}, [{"x": [1, 2], "y": 5}, {"x": [3, 4], "y": 6}]),
        ({"x": 1, "y": "b"}, [{"x": 1, "y": "b"}]),
        ({"x": np.array(1.5), "y": np.float32(2)}, [{"x": 1.5, "y": 2.0}]),
        ({"messages": [{"role": "user"}, {"role": "system"}], "temperature": 0.5},
         [{"messages": [{"role": "user"}, {"role": "system"}], "temperature": 0.5}]),
        ({"x": [1, 2], "y": [3]}, [{"x": [1, 2], "y": [3]}]),
        ({"x": {"nested": 1}}, [{"x": {"nested": 1}}]),
        (Answer("a", [1, 2]), [{"text": "a", "tokens": [1, 2]}]),
        (Model(), [{"text": "a", "tokens": [1, 2]}]),
        ([{"x": 1, "y": [1]}, {"x": 2, "y": [2, 3]}], [{"x": 1, "y": [1]}, {"x": 2, "y": [2, 3]}]),
        ([Model(), Model()], [{"text": "a", "tokens": [1, 2]}] * 2),
        (["a", "b"], [{"0": "a"}, {"0": "b"}]),
        ([1, 2, 3], [{"0": 1}, {"0": 2}, {"0": 3}]),
        ([[1, "a"], [2, "b"]], [{"0": 1, "1": "a"}, {"0": 2, "1": "b"}]),
        ([(1, 2), np.array([3, 4])], [{"0": 1, "1": 2}, {"0": 3, "1": 4}]),
        ([[1, 2], [3]], [{"0": [1, 2]}, {"0": [3]}]),
        ([[{"role": "user"}], [{"role": "system"}]], [{"0": [{"role": "user"}]}, {"0": [{"role": "system"}]}]),
        (["a", {"b": 1}], [{"0": "a"}, {"0": {"b": 1}}]),
        (np.array([1, 2]), [{"0": 1}, {"0": 2}]),
        (np.array([[1, 2], [3, 4]]), [{"0": 1, "1": 2}, {"0": 3, "1": 4}]),
        (CUBE, [{"0": [[0, 1], [2, 3]]}, {"0": [[4, 5], [6, 7]]}]),
        ([CUBE[0], CUBE[1]], [{"0": [0, 1], "1": [4, 5]}, {"0": [2, 3], "1": [6, 7]}]),
        (np.array(3), [{"0": 3}]),
        (np.array([(1, 2.5)], dtype=[("x", "i8"), ("y", "f8")]), [{"x": 1, "y": 2.5}]),
        ("text", [{"0": "text"}]),
        (b"\xff", [{"0": "/w=="}]),
        (1.5, [{"0": 1.5}]),
        (True, [{"0": True}]),
        (np.int64(2**62), [{"0": 2**62}]),
        (dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc), [{"0": "2026-01-02T00:00:00+00:00"}]),
        ([], []),
        ({}, [{}]),
    ],
    ids=repr,
)  # fmt: skip
def test_every_value_a_model_takes_or_gives_becomes_rows(value: object, expected: list[dict[str, Any]]) -> None:
    """S78: Azure's script for MLflow models collects only `pandas.DataFrame(result)`."""
    assert rows_of(value) == expected


def test_a_dataframe_is_collected_unchanged() -> None:
    frame = pd.DataFrame({"x": [1]})
    assert frame_of(frame, SignatureColumns(names=("other",))) is frame


@pytest.mark.parametrize(
    "value", [np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]], [np.array([1, 2]), np.array([3, 4])]], ids=repr
)
def test_columns_without_names_get_those_of_the_signature(value: object) -> None:
    assert rows_of(value, SignatureColumns(names=("a", "b"))) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_names_are_ignored_if_their_number_differs_from_the_columns() -> None:
    assert rows_of(np.array([[1, 2]]), SignatureColumns(names=("a", "b", "c"))) == [{"0": 1, "1": 2}]


def test_columns_with_names_keep_them() -> None:
    assert rows_of([{"x": 1}], SignatureColumns(names=("a",))) == [{"x": 1}]


def test_text_gets_the_one_name_of_the_signature() -> None:
    assert rows_of(["a", "b"], SignatureColumns(names=("question",))) == [{"question": "a"}, {"question": "b"}]


def test_a_dict_is_one_record_if_the_signature_has_columns_of_lists() -> None:
    messages = [{"role": "user"}, {"role": "system"}]
    assert rows_of({"messages": messages}) == [{"messages": message} for message in messages]
    assert rows_of({"messages": messages}, SignatureColumns(names=("messages",), hold_lists=True)) == [
        {"messages": messages}
    ]


def test_a_scalar_is_repeated_in_every_row_if_the_signature_has_scalars() -> None:
    known = SignatureColumns(names=("x", "y"), are_scalar=True)
    assert rows_of({"x": [1, 2], "y": 3}, known) == [{"x": 1, "y": 3}, {"x": 2, "y": 3}]


def test_a_tensor_with_one_name_is_one_column() -> None:
    known = SignatureColumns(names=("image",), are_tensors=True)
    assert rows_of(np.array([[1, 2], [3, 4]]), known) == [{"image": [1, 2]}, {"image": [3, 4]}]
    assert rows_of([CUBE, CUBE], SignatureColumns(names=("a", "b"), are_tensors=True)) == [
        {"a": item, "b": item} for item in CUBE.tolist()
    ]


def test_a_sparse_matrix_is_a_table_with_its_zeros() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    assert rows_of(sparse.csr_matrix([[0, 1], [2, 0]])) == [{"0": 0, "1": 1}, {"0": 2, "1": 0}]


def test_a_sparse_matrix_that_would_fill_the_memory_is_refused_with_its_size() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(UnsupportedValueError) as refusal:
        frame_of(sparse.csr_matrix((1000, 10**9)))
    assert str(refusal.value) == (
        f"expected a sparse matrix of at most {MAX_DENSE_CELLS} cells, got 1000 x 1000000000: "
        "collect the features it was made from"
    )


@pytest.mark.parametrize(
    "value", [pytest.param(object(), id="object()"), None, 1j, {1, 2}, Answer, Model, len], ids=repr
)
def test_a_value_without_rows_is_refused_with_its_type(value: object) -> None:
    with pytest.raises(UnsupportedValueError) as refusal:
        frame_of(value)
    assert str(refusal.value) == (
        "expected a DataFrame, Series, array, matrix, dict, list, text or number, "
        f"got {type(value).__name__}: it has no rows to collect"
    )


def test_an_iterator_is_refused_and_not_consumed() -> None:
    chunks = iter(["a", "b"])
    with pytest.raises(UnsupportedValueError):
        frame_of(chunks)
    assert list(chunks) == ["a", "b"]


SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@given(shape=SHAPES)
def test_an_array_of_any_shape_has_a_row_for_each_item(shape: list[int]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    frame = frame_of(array)
    assert len(frame) == len(frame_of({"x": array, "y": array})) == shape[0]
    held = frame.to_numpy().reshape(shape) if array.ndim <= 2 else np.stack(frame[0].tolist())
    assert np.array_equal(held, array)


SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)


@given(value=st.lists(SCALARS) | st.lists(st.fixed_dictionaries({"a": SCALARS, "b": SCALARS}), min_size=1))
def test_values_that_azures_script_can_collect_give_the_same_frame(value: list[Any]) -> None:
    pd.testing.assert_frame_equal(frame_of(value), pd.DataFrame(value))


ANYTHING = st.recursive(
    SCALARS | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(value=ANYTHING)
def test_any_json_becomes_a_frame_or_is_refused(value: object) -> None:
    if value is None:
        with pytest.raises(UnsupportedValueError):
            frame_of(value)
    else:
        assert isinstance(frame_of(value), pd.DataFrame)
