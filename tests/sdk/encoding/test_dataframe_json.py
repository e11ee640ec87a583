from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from column_kinds import KINDS, TEXT
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import MAX_DEFERRED_BYTES, Rows
from otel_modeldata.exceptions import UnsupportedValueError


def _rows(frame: pd.DataFrame) -> Rows:
    return Rows(frame, ColumnNameCache("test"))


def _text(frame: pd.DataFrame) -> str:
    return _rows(frame).text().decode()


def _refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not strict JSON")


def _parsed(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(_text(frame), parse_constant=_refuse_constant)


def test_a_frame_becomes_an_array_with_one_object_per_row() -> None:
    assert _text(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})) == '[{"a":1,"b":"x"},{"a":2,"b":"y"}]'


def test_text_is_utf8_and_keeps_every_character() -> None:
    assert _text(pd.DataFrame({"é": ['a"\\/\u2028<>&\x01注']})) == '[{"é":"a\\"\\\\/\u2028<>&\\u0001注"}]'


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_float64_round_trips(values: list[float]) -> None:
    assert [row["a"] for row in _parsed(pd.DataFrame({"a": values}))] == values


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_int64_is_exact(values: list[int]) -> None:
    assert [row["a"] for row in _parsed(pd.DataFrame({"a": np.array(values, dtype=np.int64)}))] == values


def test_uint64_and_greater_python_integers_are_exact() -> None:
    values = [2**63, 2**64 - 1, 10**30, -(10**30)]
    assert [row["a"] for row in _parsed(pd.DataFrame({"a": pd.Series(values, dtype=object)}))] == values
    assert [row["a"] for row in _parsed(pd.DataFrame({"a": np.array([2**63], dtype=np.uint64)}))] == [2**63]


@pytest.mark.parametrize(
    "missing",
    [math.nan, None, pd.NaT, pd.NA, Decimal("NaN"), np.float64("nan"), math.inf, -math.inf, Decimal("-Infinity")],
)
def test_values_without_a_json_number_become_null(missing: object) -> None:
    assert _text(pd.DataFrame({"a": pd.Series([missing], dtype=object)})) == '[{"a":null}]'


def test_missing_values_of_every_column_type_become_null() -> None:
    frame = pd.DataFrame(
        {
            "float": [math.nan],
            "infinite": [-math.inf],
            "Int64": pd.array([None], dtype="Int64"),
            "boolean": pd.array([None], dtype="boolean"),
            "string": pd.array([None], dtype="string"),
            "time": pd.array([None], dtype="datetime64[ns]"),
            "category": pd.Categorical([None], categories=["x"]),
        }
    )
    assert _parsed(frame) == [dict.fromkeys(frame.columns)]


def test_timestamps_keep_their_nanoseconds_and_their_zone() -> None:
    utc = pd.Timestamp("2024-02-29T23:59:59.123456789", tz="UTC")
    frame = pd.DataFrame({"utc": [utc], "madrid": [utc.tz_convert("Europe/Madrid")], "naive": [utc.tz_localize(None)]})
    assert _parsed(frame) == [
        {
            "utc": "2024-02-29T23:59:59.123456789+00:00",
            "madrid": "2024-03-01T00:59:59.123456789+01:00",
            "naive": "2024-02-29T23:59:59.123456789",
        }
    ]
    assert pd.Timestamp(_parsed(frame)[0]["madrid"]) == utc


def test_every_other_kind_of_cell_has_its_documented_text() -> None:
    cells: dict[str, tuple[object, object]] = {
        "decimal": (Decimal("1.10"), 1.1),
        "bytes": (b"\xff\xd8", "/9g="),
        "timedelta": (pd.Timedelta(90, "s"), "P0DT0H1M30S"),
        "date": (dt.date(2024, 2, 29), "2024-02-29"),
        "period": (pd.Period("2024-02", "M"), "2024-02"),
        "interval": (pd.Interval(0, 1), "(0, 1]"),
        "numpy_int": (np.int8(-3), -3),
        "numpy_bool": (np.bool_(True), True),
        "numpy_text": (np.str_("x"), "x"),
        "numpy_time": (np.datetime64("2024-01-01", "ns"), "2024-01-01T00:00:00"),
        "numpy_delta": (np.timedelta64(1, "s"), "P0DT0H0M1S"),
        "numpy_long": (np.longdouble(0.5), 0.5),
        "array": (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        "no_dimension": (np.array(5), 5),
        "times": (np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]"), ["2024-01-01T00:00:00", None]),
        "list": ([1, {"a": (2, math.nan)}], [1, {"a": [2, None]}]),
        "set": ({7}, [7]),
        "dict": ({"k": {1: np.float32(0.5)}}, {"k": {"1": 0.5}}),
        "series": (pd.Series([1, 2]), [1, 2]),
    }
    # One cell at a time: pandas would distribute lists and series over the rows of a frame.
    for name, (cell, expected) in cells.items():
        column = pd.Series([None], dtype=object)
        column.iat[0] = cell
        assert _parsed(pd.DataFrame({name: column})) == [{name: expected}]


def test_a_decimal_keeps_its_own_digits() -> None:
    assert _text(pd.DataFrame({"a": [Decimal("0.10000000000000000000000000001")]})) == (
        '[{"a":0.10000000000000000000000000001}]'
    )


def test_categories_become_their_values() -> None:
    assert _parsed(pd.DataFrame({"a": pd.Categorical(["u", "v"]), "b": pd.Categorical([1, 2])})) == [
        {"a": "u", "b": 1},
        {"a": "v", "b": 2},
    ]


def test_subclasses_of_pythons_own_types_are_written_as_these() -> None:
    class Text(str):
        __slots__ = ()

    class Number(float):
        __slots__ = ()

    assert _parsed(pd.DataFrame({"a": pd.Series([Text("x"), Number(0.5)], dtype=object)})) == [{"a": "x"}, {"a": 0.5}]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (object(), "column 'a', row 1: expected a value that JSON can carry, got object: convert it first"),
        (1 + 2j, "column 'a', row 1: expected a value that JSON can carry, got complex: convert it first"),
        ({(1, 2): 3}, "column 'a', row 1: expected a value that JSON can carry, got dict: convert it first"),
        (
            "secret\ud800",
            "column 'a', row 1: expected text, got a lone surrogate in it, which UTF-8 cannot carry: clean the text",
        ),
    ],
)
def test_the_error_for_an_unsupported_cell_names_its_place_and_not_its_content(cell: object, sentence: str) -> None:
    with pytest.raises(UnsupportedValueError) as raised:
        _rows(pd.DataFrame({"b": [1, 2], "a": pd.Series(["fine", cell], dtype=object)}))
    assert str(raised.value) == sentence


def test_endless_nesting_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(UnsupportedValueError, match="column 'a', row 0: expected values nested at most"):
        _rows(pd.DataFrame({"a": [endless]}))


def test_duplicate_columns_and_a_multiindex_are_collected() -> None:
    assert _text(pd.DataFrame([[1, 2]], columns=["a", "a"])) == '[{"a":1,"a_1":2}]'
    assert _text(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))) == '[{"a_b":1}]'


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (pd.DataFrame(), "[]"),
        (pd.DataFrame({"a": []}), "[]"),
        (pd.DataFrame(index=[1, 2]), "[{},{}]"),
    ],
)
def test_a_frame_without_rows_or_columns_is_defined(frame: pd.DataFrame, text: str) -> None:
    assert _text(frame) == text


def _large(**columns: Any) -> pd.DataFrame:
    count = 2048
    return pd.DataFrame({name: [value] * count for name, value in columns.items()})


def test_a_frame_of_any_size_is_a_snapshot() -> None:
    for count in (1, 2048):
        frame = pd.DataFrame({"a": np.arange(float(count)), "b": ["x"] * count})
        rows = _rows(frame)
        expected = [{"a": float(n), "b": "x"} for n in range(count)]
        frame["a"] = -1.0
        frame.loc[0, "b"] = "changed"
        assert json.loads(rows.text()) == expected


def test_later_changes_of_a_list_in_a_cell_are_not_collected() -> None:
    cell = [1]
    rows = _rows(pd.DataFrame({"a": [cell] * 2048}))
    cell.append(2)
    assert json.loads(rows.text()) == [{"a": [1]}] * 2048


def test_a_large_frame_has_the_same_text_as_its_parts() -> None:
    frame = _large(f=0.1, i=2**62, b=True, s="é", t=pd.Timestamp("2024-01-01", tz="UTC"))
    whole = _parsed(frame.drop(columns="t"))
    assert whole == [{"f": 0.1, "i": 2**62, "b": True, "s": "é"}] * 2048
    assert _parsed(frame[["t"]]) == [{"t": "2024-01-01T00:00:00+00:00"}] * 2048


def test_a_deferred_frame_is_charged_with_the_memory_it_holds() -> None:
    numbers = _rows(pd.DataFrame({"a": [0.5] * 100, "b": [1.5] * 100}))
    assert numbers.nbytes == 2 * 100 * 8
    texts = pd.array(["x" * 50] * 2048, dtype="string")
    mixed = _rows(_large(f=0.5).assign(s=texts))
    assert mixed.nbytes == 2048 * (8 + 8 + 50)
    for rows in (numbers, mixed):
        held = rows.nbytes
        assert held < len(rows.text()) == rows.nbytes


def test_a_frame_above_the_limit_is_encoded_at_once_so_that_its_size_is_known() -> None:
    frame = pd.DataFrame({"a": np.full(MAX_DEFERRED_BYTES // 8 + 1, 0.5)})
    assert _rows(frame).nbytes == len('{"a":0.5},') * len(frame) + 1


def test_columns_keep_their_names_in_any_storage_order_of_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame([[1.0, 2.0, 3.0]], columns=list("abc"))[["c", "a", "b"]]
    grown = frame.assign(z=4.0)
    for _ in range(2):
        assert _text(frame) == '[{"c":3.0,"a":1.0,"b":2.0}]'
        assert _text(frame[["b", "c"]]) == '[{"b":2.0,"c":3.0}]'
        assert _text(grown) == '[{"c":3.0,"a":1.0,"b":2.0,"z":4.0}]'
        monkeypatch.setattr(
            "otel_modeldata._encoding.dataframe_json.snapshot_of", lambda *_: None
        )  # a pandas without this internal


def test_integers_beside_floats_stay_integers_in_frames_of_any_size() -> None:
    for count in (1, 2048):
        frame = pd.DataFrame({"i": np.full(count, 2**53 + 1), "f": np.full(count, 0.5), "b": np.full(count, True)})
        assert _text(frame) == "[" + ",".join(['{"i":9007199254740993,"f":0.5,"b":true}'] * count) + "]"


def test_a_bad_cell_of_a_large_frame_is_refused_at_once() -> None:
    cells: list[object] = ["x"] * 2048
    cells[-1] = object()
    with pytest.raises(UnsupportedValueError, match=f"column 'a', row {2048 - 1}: "):
        _rows(pd.DataFrame({"a": pd.Series(cells, dtype=object)}))


_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), st.booleans(), max_size=3),
)


@given(st.lists(st.tuples(_CELLS, _CELLS), max_size=20))
def test_any_frame_of_json_values_reads_back_equal(cells: list[tuple[object, object]]) -> None:
    frame = pd.DataFrame(index=range(len(cells)), columns=["a", "b"], dtype=object)
    for row, pair in enumerate(cells):
        for column, value in enumerate(pair):
            frame.iat[row, column] = value
    assert _parsed(frame) == [{"a": a, "b": b} for a, b in cells]


_KINDS = [kind for kind in KINDS if "decimal" not in kind.name and "struct" not in kind.name]
"""Not decimals, whose text is not that of a float, and not structs, whose fields have an order of their own."""


def _plainly(names: list[str], columns: list[list[Any]]) -> bytes:
    """The text of a frame as a short program writes it, cell by cell."""
    keys = [msgspec.json.encode(name) for name in names]
    rows = (
        b",".join(key + b":" + msgspec.json.encode(cell) for key, cell in zip(keys, row, strict=True))
        for row in zip(*columns, strict=True)
    )
    return b"[" + b",".join(b"{" + row + b"}" for row in rows) + b"]"


@settings(max_examples=60)
@given(data=st.data())
def test_the_text_of_any_frame_is_that_of_its_cells_one_by_one(data: st.DataObject) -> None:
    names = data.draw(st.lists(TEXT | st.sampled_from(["a", "class", "__init__"]), min_size=1, max_size=5, unique=True))
    repeats = data.draw(st.sampled_from([1, 33, 1100]))
    count = data.draw(st.integers(1, 3))
    columns = {}
    expected = []
    for name in names:
        kind = data.draw(st.sampled_from(_KINDS))
        values = data.draw(st.lists(kind.values, min_size=count, max_size=count))
        columns[name] = kind.column(values * repeats)
        expected.append([None if value is None else kind.json(value) for value in values] * repeats)
    assert _rows(pd.DataFrame(columns)).text() == _plainly(names, expected)


@pytest.mark.parametrize("width", [1, 23, 255, 256, 5000])
@pytest.mark.parametrize("names", ["f{}", "with a blank {}", '"quoted" {}'])
def test_frames_of_any_width_and_with_any_names_are_written_like_others(width: int, names: str) -> None:
    labels = [names.format(number) for number in range(width)]
    numbers = np.arange(3 * width).reshape(3, width)
    for frame in (pd.DataFrame(numbers, columns=labels), pd.DataFrame(numbers, columns=labels).assign(t="é")):
        columns = [frame[label].to_list() for label in frame.columns]
        assert _rows(frame).text() == _plainly(list(frame.columns), columns)


@pytest.mark.parametrize(
    ("frame", "least"),
    [
        (pd.DataFrame(np.zeros((1000, 23))), 7),
        (pd.DataFrame(np.zeros((1000, 23))).assign(t="x"), 7),
        (pd.DataFrame({"prompt": ["x" * 4000] * 64}), 7),
        (pd.DataFrame({"embedding": list(np.zeros((64, 512)))}), 7),
        (pd.DataFrame(np.zeros((3, 5000))), 2),
        (pd.DataFrame(index=range(4000)), 1),
    ],
)
def test_a_copy_is_encoded_in_chunks_with_a_pause_between_them(frame: pd.DataFrame, least: int) -> None:
    pauses: list[None] = []
    assert _rows(frame).text(lambda: pauses.append(None)) == _rows(frame).text()
    assert len(pauses) >= least
