"""Text of Arrow that is not UTF-8 is refused while `collect` runs, or, if there is much of it, lost and reported."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import otel_modeldata
from otel_modeldata import Collector
from otel_modeldata._encoding.arrow_text import first_damaged
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata._encoding.kept import CHECKED_BYTES, COPIED_BYTES
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata.exceptions import DeliveryError, UnsupportedValueError

if TYPE_CHECKING:
    from recording_backend import RecordingBackend

WIDTH = 30
MANY = CHECKED_BYTES // WIDTH + 1000
"""So many texts are shared, and checked later."""
NOT_UTF8 = "expected text, got bytes in it that are not UTF-8: clean the text"


def _frame(count: int, damaged: int | None = None, *, pieces: int = 1) -> pd.DataFrame:
    """Text in Arrow's memory, with half an emoji in one row, as some programs write it."""
    pa = pytest.importorskip("pyarrow")
    data = bytearray(b"order \xc3\xa9".ljust(WIDTH, b".") * count)
    if damaged is not None:
        data[damaged * WIDTH : damaged * WIDTH + 3] = b"\xed\xa0\xbd"
    offsets = np.arange(count + 1) * WIDTH
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(bytes(data))]
    array = pa.Array.from_buffers(pa.large_string(), count, buffers)
    ends = np.linspace(0, count, pieces + 1).astype(int).tolist()
    parts = pa.chunked_array([array[start:end] for start, end in pairwise(ends)])
    try:
        column = pd.arrays.ArrowStringArray(parts)
    except ValueError:
        pytest.skip("this pandas has no large text of Arrow")
    return pd.DataFrame({"n": range(count), "t": column})


def _rows(frame: pd.DataFrame) -> Rows:
    return Rows(frame, ColumnNameCache("test"))


@pytest.mark.parametrize("count", [1, 2, 64, 65, 5000])
def test_text_that_is_not_utf8_is_refused_at_once(count: int) -> None:
    frame = _frame(count, count - 1)
    with pytest.raises(UnsupportedValueError) as raised:
        _rows(frame)
    assert str(raised.value) == f"column 't', row {count - 1}: {NOT_UTF8}"


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("damaged", [0, 1023, 1024, MANY - 1])
def test_much_text_that_is_not_utf8_is_refused_when_it_is_encoded(damaged: int, pieces: int) -> None:
    rows = _rows(_frame(MANY, damaged, pieces=pieces))
    for _ in range(2):
        with pytest.raises(UnsupportedValueError) as raised:
            rows.text()
        assert str(raised.value) == f"column 't', row {damaged}: {NOT_UTF8}"


@pytest.mark.parametrize("pieces", [1, 3])
def test_much_text_has_the_rows_that_it_was_made_of(pieces: int) -> None:
    text = "order é".ljust(WIDTH - 1, ".")
    assert json.loads(_rows(_frame(MANY, pieces=pieces)).text()) == [{"n": row, "t": text} for row in range(MANY)]


@pytest.mark.parametrize("size", [COPIED_BYTES - 1000, COPIED_BYTES + 1000, CHECKED_BYTES - 1000])
def test_text_that_is_checked_at_once_has_its_cells_and_may_join_whether_it_is_copied_or_not(size: int) -> None:
    count, names = size // WIDTH, ColumnNameCache("test")
    rows, other = (Rows(_frame(count), names) for _ in range(2))
    assert rows.nbytes == count * (8 + 8 + WIDTH)
    assert not rows.is_unchecked()
    assert rows.may_join(other, 0)
    assert json.loads(rows.text()) == [{"n": n, "t": "order é".ljust(WIDTH - 1, ".")} for n in range(count)]


def test_the_columns_of_a_frame_that_have_much_text_together_are_shared_from_the_limit_on() -> None:
    count = MANY // 2
    (first, *others) = (_frame(count, damaged)["t"] for damaged in (None, 5, 3))
    assert not _rows(first.to_frame()).is_unchecked()
    rows = _rows(pd.DataFrame({"first": first, "second": first, "third": others[0], "fourth": others[1]}))
    with pytest.raises(UnsupportedValueError) as raised:
        rows.text()
    assert (rows.is_unchecked(), str(raised.value)) == (True, f"column 'third', row 5: {NOT_UTF8}")
    with pytest.raises(UnsupportedValueError, match="column 'first', row 5"):
        _rows(pd.DataFrame({"first": others[0], "second": first}))


def test_rows_that_may_be_refused_later_join_no_others() -> None:
    names = ColumnNameCache("test")
    much, little = (Rows(frame, names) for frame in (_frame(MANY), _frame(3)))
    assert [much.may_join(little, 0), little.may_join(much, 0), little.may_join(little, 0)] == [False, False, True]


@pytest.mark.parametrize("unusual", [False, True])
def test_a_single_text_of_arrow_has_its_size_and_its_cell(unusual: bool) -> None:
    pytest.importorskip("pyarrow")
    column: Any = pd.array(["before", "é" * 10, None, "ok", ""], dtype="string")
    if unusual:
        column = pd.concat([pd.Series(column[:1]), pd.Series(column[1:])]).array
    for row, (cell, size) in enumerate([("before", 6), ("é" * 10, 20), (None, 0), ("ok", 2), ("", 0)]):
        rows = _rows(pd.DataFrame({"t": column[row : row + 1]}))
        assert (rows.nbytes, json.loads(rows.text())) == (size + 8, [{"t": cell}])


def test_an_array_whose_offsets_are_wrong_is_damaged() -> None:
    pa = pytest.importorskip("pyarrow")
    buffers = [None, pa.py_buffer(np.array([0, 5, 3, 6])), pa.py_buffer(b"abcdef")]
    assert first_damaged(pa.Array.from_buffers(pa.large_string(), 3, buffers)) == 1


def test_a_frame_that_is_refused_by_the_delivery_thread_is_a_loss_and_its_neighbors_arrive(
    backend: RecordingBackend,
) -> None:
    errors: list[Exception] = []
    collector = Collector(name="prompts", on_error=errors.append)
    context = BasicCorrelationContext(id="r-1")
    for frame in (_frame(2), _frame(MANY, 7), _frame(3)):
        collector.collect(frame, context)
    report = otel_modeldata.flush(30)
    assert (report.accepted, report.delivered, report.lost) == (3, 2, {"unencodable": 1})
    (error,) = errors
    assert isinstance(error, DeliveryError)
    assert str(error) == f"1 event(s) lost, unencodable: UnsupportedValueError: column 't', row 7: {NOT_UTF8}"
    rows = [json.loads(record.body.string_value) for record in backend.records()]
    assert [len(one) for one in rows] == [2, 3]
