"""Answers of model servers as rows, and which of their columns are compared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.replaying.answer_rows import AnswerRows, aligned, answer_rows

NAMED = (("score", "label"), [[0.5, "a"], [0.25, "b"]])
TWO = (None, [[0.5], [0.25]])
RECORDS = [{"score": 0.5, "label": "a"}, {"score": 0.25, "label": "b"}]
V2 = {
    "model_name": "m",
    "id": "1",
    "outputs": [
        {"name": "score", "shape": [2, 1], "datatype": "FP64", "data": [0.5, 0.25]},
        {"name": "label", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
    ],
}
WIDE = {"model_name": "m", "outputs": [{"name": "p", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}]}


@pytest.mark.parametrize(
    ("answer", "count", "expected"),
    [
        (RECORDS, 2, NAMED),
        ({"predictions": RECORDS}, 2, NAMED),
        ({"outputs": {"result": RECORDS}}, 2, NAMED),
        (json.dumps(RECORDS), 2, NAMED),
        ({"score": [0.5, 0.25], "label": ["a", "b"]}, 2, NAMED),
        ({"predictions": {"score": [0.5, 0.25], "label": ["a", "b"]}}, 2, NAMED),
        ({"columns": ["score", "label"], "data": [[0.5, "a"], [0.25, "b"]]}, 2, NAMED),
        ({"score": {"0": 0.5, "1": 0.25}, "label": {"0": "a", "1": "b"}}, 2, NAMED),
        ({"prediction": {"0": 0.5}}, 1, (("prediction",), [[0.5]])),
        (V2, 2, NAMED),
        (WIDE, 2, (("p",), [[[1, 2]], [[3, 4]]])),
        ({"outputs": [{"name": "a", "shape": [], "data": [1, 2]}]}, 2, (("a",), [[1], [2]])),
        ([0.5, 0.25], 2, TWO),
        ({"predictions": [0.5, 0.25], "model": "m-7"}, 2, TWO),
        ([[0.5], [0.25]], 2, TWO),
        ([0.5, 0.25], 1, (None, [[0.5, 0.25]])),
        ([[0.5, 0.25]], 1, (None, [[0.5, 0.25]])),
        ({"score": 0.5, "label": "a"}, 1, (("score", "label"), [[0.5, "a"]])),
        ({"prediction": [0.5]}, 1, (None, [[0.5]])),
        ({"score": [0.5]}, 1, (("score",), [[0.5]])),
        (0.5, 1, (None, [[0.5]])),
        ([{"a": 1}, {"b": 2}], 2, (("a", "b"), [[1, ...], [..., 2]])),
        ([], 2, (None, [])),
    ],
)
def test_the_forms_of_answers(answer: Any, count: int, expected: tuple[Any, Any]) -> None:
    found = answer_rows(json.dumps(answer).encode(), count)
    assert found is not None
    assert (found.names, [list(row) for row in found.rows]) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Internal Server Error",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"message": "no", "code": 7}',
        b"9" * 5_000,
        b'{"outputs": [{"name": "a", "shape": [3], "data": [1, 2]}]}',
        b'{"columns": ["a"], "data": [[1, 2], [3, 4]]}',
        b"0.5",
        json.dumps(json.dumps(json.dumps(json.dumps(json.dumps([1, 2]))))).encode(),
        b"[" + b"0," * 1_000_000 + b"0]",
    ],
)
def test_an_answer_without_rows_has_none(content: bytes) -> None:
    assert answer_rows(content, 2) is None


def test_keys_lead_to_rows_that_are_not_found() -> None:
    content = json.dumps({"a": [{"b": RECORDS}], "time": 7, "code": 200}).encode()
    assert answer_rows(content, 2) is None
    found = answer_rows(content, 2, ("a", "0", "b"))
    assert found is not None
    assert found.names == NAMED[0]
    for wrong in (("a", "1"), ("a", "x"), ("z",), ("time", "x")):
        assert answer_rows(content, 2, wrong) is None


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "outputs", "a"]), inner),
    max_leaves=12,
)


@given(JSON, st.none() | st.integers(1, 3))
def test_any_json_is_rows_of_one_width_or_none(value: Any, count: int | None) -> None:
    found = answer_rows(json.dumps(value).encode(), count)
    if found is not None and found.rows:
        assert len({len(row) for row in found.rows}) == 1
        assert found.names is None or len(found.names) == len(found.rows[0])


def rows(*names: str, width: int = 1) -> AnswerRows:
    return AnswerRows(names=names or None, rows=[[0] * (len(names) or width)])


@pytest.mark.parametrize(
    ("recorded", "answered", "expected"),
    [
        (rows("a", "b"), rows("b", "c", "a"), (["a", "b"], [(0, 2), (1, 0)])),
        (rows("a"), rows("x"), (["a"], [(0, 0)])),
        (rows("a", "b"), rows(width=2), (["a", "b"], [(0, 0), (1, 1)])),
        (rows(width=2), rows("a", "b"), (["a", "b"], [(0, 0), (1, 1)])),
        (rows(width=1), rows(width=1), (["0"], [(0, 0)])),
        (rows("a", "b"), rows("x"), None),
        (rows("a"), rows(width=2), None),
    ],
)
def test_columns_are_equal_by_name_else_by_order(recorded: AnswerRows, answered: AnswerRows, expected: Any) -> None:
    assert aligned(recorded, answered) == expected
