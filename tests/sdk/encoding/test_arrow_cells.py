"""Arrow types that no column of the property tests has, and text that is not UTF-8."""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest

from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata.exceptions import UnsupportedValueError

pa = pytest.importorskip("pyarrow")
import pyarrow.compute as pc  # type: ignore[import-untyped]  # noqa: E402 - needs pyarrow

from otel_modeldata._encoding.arrow_cells import cells_of_arrow  # noqa: E402 - needs pyarrow

BIG = 2**53 + 1


def _written(column: Any) -> list[Any]:
    rows = json.loads(Rows(pd.DataFrame({"c": column}), ColumnNameCache("test")).text())
    return [row["c"] for row in rows]


def _needs(name: str) -> Any:
    return getattr(pa, name, None) or pytest.skip(f"this pyarrow has no {name}")


@pytest.mark.parametrize("name", ["list_view", "large_list_view"])
def test_list_views_are_lists(name: str) -> None:
    kind = _needs(name)(pa.int64())
    assert cells_of_arrow(pa.array([[BIG, None], None, [], [1]], type=kind)) == [[BIG, None], None, [], [1]]


def test_text_and_binary_views_are_text_and_bytes() -> None:
    assert cells_of_arrow(pa.array(["a", None], type=_needs("string_view")())) == ["a", None]
    assert cells_of_arrow(pa.array([b"a", None], type=_needs("binary_view")())) == [b"a", None]


def test_a_dictionary_with_gaps_and_repeats_has_its_values() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 2, 1]), pa.array([BIG, 7, None]))
    assert cells_of_arrow(array) == [7, None, BIG, None, 7]
    assert cells_of_arrow(array[3:4]) == [None]


def test_runs_are_written_out() -> None:
    _needs("RunEndEncodedArray")
    array = pc.run_end_encode(pa.array([0.1, 0.1, None], type=pa.float32()))
    assert cells_of_arrow(array) == [0.1, 0.1, None]


def test_unions_have_the_value_of_each_row() -> None:
    types, offsets = pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32())
    assert cells_of_arrow(pa.UnionArray.from_dense(types, offsets, [pa.array([BIG, 1]), pa.array(["x"])])) == [
        BIG,
        "x",
        1,
    ]


def test_an_interval_of_months_days_and_nanoseconds_is_a_list_of_these() -> None:
    assert cells_of_arrow(pa.array([(1, 2, 3), None], type=pa.month_day_nano_interval())) == [(1, 2, 3), None]


def test_extension_types_have_their_own_cells_or_those_of_their_storage() -> None:
    number = uuid.UUID(int=7)
    assert _written(pd.Series(pd.arrays.ArrowExtensionArray(_extension(_needs("uuid")(), [number.bytes, None])))) == [
        str(number),
        None,
    ]
    assert cells_of_arrow(_extension(_needs("bool8")(), [1, 0])) == [True, False]
    tensors = _extension(_needs("fixed_shape_tensor")(pa.float32(), [2]), [[0.1, 0.2], None])
    assert cells_of_arrow(tensors) == [[0.1, 0.2], None]


def _extension(kind: Any, values: list[Any]) -> Any:
    return pa.ExtensionArray.from_storage(kind, pa.array(values, type=kind.storage_type))


def test_structs_with_repeated_field_names_keep_every_value() -> None:
    array = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert cells_of_arrow(array) == [{"a": 1, "a_1": 2}]


def test_a_part_of_nested_arrays_is_read_with_its_gaps() -> None:
    kind = pa.map_(pa.string(), pa.list_(pa.float32()))
    array = pa.array([[("z", None)], None, [("a", [0.1, None]), ("b", [])], [], [("c", [0.2])]], type=kind)
    assert cells_of_arrow(array[1:4]) == [None, [["a", [0.1, None]], ["b", []]], []]
    structs = pa.array([None, {"a": [BIG]}, {"a": None}], type=pa.struct([("a", pa.list_(pa.int64()))]))
    assert cells_of_arrow(structs[1:]) == [{"a": [BIG]}, {"a": None}]


def test_empty_arrays_have_no_cells() -> None:
    for kind in (pa.list_(pa.int64()), pa.map_(pa.string(), pa.int64()), pa.struct([]), pa.timestamp("s", "UTC")):
        assert cells_of_arrow(pa.array([], type=kind)) == []
    assert cells_of_arrow(pa.array([{}, None], type=pa.struct([]))) == [{}, None]


def test_arrow_values_in_cells_are_written_by_their_type() -> None:
    column = pd.Series([None] * 3, dtype=object)
    column[:] = [pa.scalar(0.1, pa.float32()), pa.scalar(None, pa.int64()), pa.scalar(BIG)]
    assert _written(column) == [0.1, None, BIG]
    (array,) = _written(pd.Series([pa.array([BIG, None])], dtype=object))
    assert array == [BIG, None]


def test_a_zone_that_this_machine_does_not_know_is_refused_by_collect() -> None:
    array = pa.chunked_array([pa.array([0], type=pa.timestamp("us", "Moon/Crater"))])
    frame = pd.DataFrame({"c": pd.arrays.ArrowExtensionArray(array)})
    with pytest.raises(UnsupportedValueError, match=r"^column 'c', row 0: expected a value .*Moon/Crater"):
        Rows(frame, ColumnNameCache("test"))


def _not_utf8(count: int) -> Any:
    offsets = np.arange(count + 1, dtype=np.int32) * 3
    data = b"ok." * (count - 1) + b"\xed\xa0\xbd"  # half an emoji, as some programs write it
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data)])


@pytest.mark.parametrize("count", [2, 2048])
def test_arrow_text_that_is_not_utf8_is_refused(count: int) -> None:
    array = pa.chunked_array([_not_utf8(count)])
    string = pd.arrays.ArrowStringArray(array) if hasattr(pd.arrays, "ArrowStringArray") else None
    for column in (string, pd.arrays.ArrowExtensionArray(array)):
        if column is None:
            continue
        with pytest.raises(UnsupportedValueError) as raised:
            Rows(pd.DataFrame({"n": range(count), "c": column}), ColumnNameCache("test")).text()
        assert str(raised.value) == (
            f"column 'c', row {count - 1}: expected text, got bytes in it that are not UTF-8: clean the text"
        )
