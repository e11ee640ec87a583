"""Text of Arrow is shared with its frame, and lost and reported if it is not UTF-8."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import otel_modeldata
from otel_modeldata import Collector
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata._encoding.kept.arrow_text import first_damaged
from otel_modeldata._encoding.kept.part import CHECKED_BYTES
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata.exceptions import DeliveryError, UnsupportedValueError

if TYPE_CHECKING:
    from recording_backend import RecordingBackend

WIDTH = 30
MANY = CHECKED_BYTES // WIDTH + 1000
"""Rows with so many texts join no others."""
NOT_UTF8 = "expected text, got bytes in it that are not UTF-8: clean the text"


def _allocated(data: bytes) -> Any:
    """Memory of pyarrow's own."""
    pa = pytest.importorskip("pyarrow")
    buffer = pa.allocate_buffer(len(data))
    np.frombuffer(buffer, "u1")[:] = np.frombuffer(data, "u1")
    return buffer


def _frame(count: int, damaged: int | None = None, *, pieces: int = 1) -> pd.DataFrame:
    """Text in Arrow's memory, with half an emoji in one row, as some programs write it."""
    pa = pytest.importorskip("pyarrow")
    data = bytearray(b"order \xc3\xa9".ljust(WIDTH, b".") * count)
    if damaged is not None:
        data[damaged * WIDTH : damaged * WIDTH + 3] = b"\xed\xa0\xbd"
    offsets = np.arange(count + 1) * WIDTH
    buffers = [None, _allocated(offsets.tobytes()), _allocated(bytes(data))]
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


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize(
    ("count", "damaged"),
    [(1, 0), (2, 0), (64, 63), (65, 64), (5000, 4999), *((MANY, row) for row in (0, 1023, 1024, MANY - 1))],
)
def test_texts_that_are_not_utf8_are_refused_when_they_are_encoded(count: int, damaged: int, pieces: int) -> None:
    rows = _rows(_frame(count, damaged, pieces=pieces))
    for _ in range(2):
        with pytest.raises(UnsupportedValueError) as raised:
            rows.text()
        assert str(raised.value) == f"column 't', row {damaged}: {NOT_UTF8}"


@pytest.mark.parametrize("pieces", [1, 3])
def test_much_text_has_the_rows_that_it_was_made_of(pieces: int) -> None:
    text = "order é".ljust(WIDTH - 1, ".")
    assert json.loads(_rows(_frame(MANY, pieces=pieces)).text()) == [{"n": row, "t": text} for row in range(MANY)]


@pytest.mark.parametrize("count", [2, 64, 2000])
def test_rows_that_share_text_have_its_size_and_its_cells_and_may_join(count: int) -> None:
    names = ColumnNameCache("test")
    rows, other = (Rows(_frame(count), names) for _ in range(2))
    assert rows.nbytes == count * (8 + 8 + WIDTH)
    assert rows.may_join(other, 0)
    assert json.loads(rows.text()) == [{"n": n, "t": "order é".ljust(WIDTH - 1, ".")} for n in range(count)]


def test_a_refusal_names_the_first_column_of_text_that_is_not_utf8() -> None:
    first, *others = (_frame(100, damaged)["t"] for damaged in (None, 5, 3))
    rows = _rows(pd.DataFrame({"first": first, "second": first, "third": others[0], "fourth": others[1]}))
    with pytest.raises(UnsupportedValueError) as raised:
        rows.text()
    assert str(raised.value) == f"column 'third', row 5: {NOT_UTF8}"


def test_rows_that_may_be_refused_later_join_no_others() -> None:
    names = ColumnNameCache("test")
    frames = {"much": _frame(MANY), "damaged": _frame(3, 1), "little": _frame(3), "one": _frame(1)}
    rows = {name: Rows(frame, names) for name, frame in frames.items()}
    joined = {(a, b) for a in rows for b in rows if rows[a].may_join(rows[b], 0)}
    assert joined == {(a, b) for a in ("little", "one") for b in ("little", "one")}


@pytest.mark.parametrize("unusual", [False, True])
def test_a_part_of_a_large_array_has_its_size_and_its_cell(unusual: bool) -> None:
    pytest.importorskip("pyarrow")
    column: Any = pd.array(["before", "é" * 10, None, "ok", "", "x" * 2000], dtype="string[pyarrow]")
    if unusual:
        column = pd.concat([pd.Series(column[:1]), pd.Series(column[1:])]).array
    for row, (cell, size) in enumerate([("before", 6), ("é" * 10, 20), (None, 0), ("ok", 2), ("", 0)]):
        rows = _rows(pd.DataFrame({"t": column[row : row + 1]}))
        assert json.loads(rows.text()) == [{"t": cell}]
        if not unusual:
            assert _rows(pd.DataFrame({"t": column[row : row + 1]})).nbytes == size + 8


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
