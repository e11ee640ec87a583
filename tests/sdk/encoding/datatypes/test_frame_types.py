"""The text of the types of a frame: the same for a copy that is encoded later and for one that is encoded at once."""

from __future__ import annotations

import datetime as dt
import decimal
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from otel_modeldata import semconv
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata._encoding.datatypes.frame_types import types_of_frame


def rows_of(frame: pd.DataFrame) -> Rows:
    return Rows(frame, ColumnNameCache("test"))


def types_of(frame: pd.DataFrame) -> str:
    rows = rows_of(frame)
    rows.text()
    assert rows.types == types_of_frame(frame)
    return rows.types


def objects(*cells: Any) -> pd.Series[Any]:
    column = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        column[row] = cell
    return pd.Series(column, dtype=object)


def test_equal_types_in_a_row_are_counted_in_the_order_of_the_columns() -> None:
    frame = pd.DataFrame({f"i{n}": [n] for n in range(3)})
    frame["f"] = 0.5
    frame["o"] = objects("a")
    frame["j"] = 1
    assert types_of(frame) == "i8*3,f8,O,i8"
    assert types_of(frame[["f", "i0", "o", "i1", "j"]]) == "f8,i8,O,i8*2"
    assert types_of(frame.iloc[:0]) == "i8*3,f8,O,i8"
    assert types_of(pd.DataFrame(index=range(2))) == ""


@pytest.mark.parametrize(
    ("column", "code"),
    [
        (np.array([1], "u1"), "u1"),
        (np.array([1], ">f4"), ">f4"),
        (np.array([True]), "b"),
        (np.array(["2024"], "M8[s]"), "M8[s]"),
        (np.array([1], "m8[ns]"), "m8[ns]"),
        (pd.array([1, None], "Int16"), "Int16"),
        (pd.array([True, None], "boolean"), "boolean"),
        (pd.array(["a"], pd.StringDtype("python")), "string[python]"),
        (pd.DatetimeIndex(["2024"], tz="Europe/Madrid").as_unit("ns"), "datetime64[ns, Europe/Madrid]"),
        (
            pd.DatetimeIndex(["2024"], tz=dt.timezone(dt.timedelta(hours=-3))).as_unit("us"),
            "datetime64[us, -03:00]",
        ),
        (pd.PeriodIndex(["2024"], freq="M"), "period[M]"),
        (pd.arrays.IntervalArray.from_breaks([0, 1]), "interval[i8, right]"),
        (pd.arrays.SparseArray([0, 1]), "Sparse[i8, 0]"),
        (pd.Categorical([1, 2]), "c[i8]"),
        (pd.Categorical([1], categories=[1, 2]), "c[i8|1|2]"),
        (pd.Categorical([2, 1], categories=[2, 1]), "c[i8|2|1]"),
        (pd.Categorical([1, 2], ordered=True), "c[i8<1<2]"),
        (pd.Categorical([None], categories=pd.Index([], dtype=object)), "c[O]"),
        (pd.Categorical(["a"], pd.Index(["a", "b c,|<]é"], dtype=object)), "c[O|a|b%20c%2C%7C%3C%5D%C3%A9]"),
        (pd.Categorical([0], range(1000)), "c[i8]"),
        (pd.Categorical(["1"], pd.Index([str(number) for number in range(1000)], dtype=object)), "c[O]"),
        (pd.Categorical([1], pd.Index([1, *"abc", *range(2, 1000)], dtype=object)), "c[O[mixed]]"),
        (pd.Categorical.from_codes([0, 1], pd.Index([1, "1"], dtype=object)), "c[O[mixed]|1|%221%22]"),
        (pd.Categorical([0], range(1000), ordered=True), "c[i8<*]"),
        (objects("a", None, pd.NA, np.nan, pd.NaT), "O"),
        (objects(None, np.nan), "O"),
        (objects(True, None), "O[bool]"),
        (objects(1, -(2**63)), "O[int]"),
        (objects(1, 2**63), "O[bigint]"),
        (objects(0.5, np.nan), "O[float]"),
        (objects(np.float32(0.5), None), "O[f4]"),
        (objects(b"a"), "O[bytes]"),
        (objects(decimal.Decimal("1.5"), np.nan), "O[decimal]"),
        (objects(dt.date(2024, 1, 1)), "O[date]"),
        (objects(dt.datetime(2024, 1, 1)), "O[datetime]"),  # noqa: DTZ001
        (objects(dt.time(1)), "O[time]"),
        (objects(dt.timedelta(1)), "O[timedelta]"),
        (objects(pd.Timestamp("2024")), "O[Timestamp]"),
        (objects(pd.Timedelta(1)), "O[Timedelta]"),
        (objects([0.5, None], []), "O[list[f8]]"),
        (objects([1]), "O[list[i8]]"),
        (objects([2**63]), "O[list]"),
        (objects([True]), "O[list[b]]"),
        (objects(["a"], None), "O[list[s]]"),
        (objects([1, "a"]), "O[list]"),
        (objects([[1]]), "O[list]"),
        (objects((1,)), "O[tuple]"),
        (objects({"a": 1}), "O[dict]"),
        (objects(np.zeros(2, "f4"), np.zeros(2, "f4")), "O[array[f4]]"),
        (objects(np.zeros(2, "f4"), np.zeros(3, "f4")), "O[array[f4]]"),
        (objects(np.zeros((2, 2), "i8")), "O[array[i8, 2]]"),
        (objects(np.zeros(2, "f4"), np.zeros(2, "f8")), "O[mixed]"),
        (objects(1, "a"), "O[mixed]"),
        (objects({1}), "O[mixed]"),
    ],
    ids=str,
)
def test_each_type_has_its_code(column: Any, code: str) -> None:
    frame = pd.DataFrame({"c": column})
    assert types_of(frame) == code
    assert types_of(pd.concat([frame] * 40, ignore_index=True)) == code.lstrip(">")
    assert semconv.is_data_types(code)


def test_columns_of_objects_in_one_block_have_a_code_each() -> None:
    cells = {"text": "a", "day": dt.date(2024, 1, 1), "number": 1, "gap": None}
    frame = pd.DataFrame([list(cells.values())] * 3, columns=list(cells), dtype=object)
    assert types_of(frame) == "O,O[date],O[int],O"


def test_types_of_arrow_have_their_own_codes() -> None:
    pa = pytest.importorskip("pyarrow")
    kinds = {
        "arrow[timestamp[ns, UTC]]": pa.timestamp("ns", "UTC"),
        "arrow[list[i8]]": pa.list_(pa.int64()),
        "arrow[struct[a%3A:string!, b:fixed_size_list[element:f4, 2]]]": pa.struct(
            [
                pa.field("a:", pa.string(), nullable=False),
                pa.field("b", pa.list_(pa.field("element", pa.float32()), 2)),
            ]
        ),
        "arrow[map[string, decimal128[5, 2], sorted]]": pa.map_(pa.string(), pa.decimal128(5, 2), keys_sorted=True),
        "arrow[dictionary[i1, binary[3], ordered]]": pa.dictionary(pa.int8(), pa.binary(3), ordered=True),
        "arrow[other[dense_union%3C%3E]]": pa.dense_union([]),
    }
    for code, kind in kinds.items():
        column = pd.arrays.ArrowExtensionArray(pa.chunked_array([], type=kind))
        assert types_of_frame(pd.DataFrame({"c": pd.Series(column)})) == code


def test_usual_text_has_a_short_code() -> None:
    column = pd.Series(["a"])
    expected = "O" if column.dtype == object else "s" if column.dtype.storage == "pyarrow" else "s[python]"  # type: ignore[union-attr]
    assert types_of(pd.DataFrame({"a": column, "b": column})) == f"{expected}*2"


def test_a_text_that_is_too_long_is_left_out() -> None:
    one, two = np.array([1], "i1"), np.array([1], "i2")
    assert types_of(pd.DataFrame({str(n): one for n in range(10_000)})) == "i1*10000"
    assert types_of(pd.DataFrame({str(n): [one, two][n % 2] for n in range(2730)})) == ",".join(["i1", "i2"] * 1365)
    assert types_of(pd.DataFrame({str(n): [one, two][n % 2] for n in range(2732)})) == ""


def test_frames_that_share_an_event_have_types_only_if_they_are_the_same() -> None:
    for second, expected in (([2], "i8"), ([0.5], "")):
        rows, later = rows_of(pd.DataFrame({"c": [1]})), rows_of(pd.DataFrame({"c": second}))
        assert rows.may_join(later, rows.nbytes)
        rows.join(later)
        assert (bytes(rows.text()), rows.types) == (f'[{{"c":1}},{{"c":{second[0]}}}]'.encode(), expected)


def test_a_type_that_cannot_be_named_leaves_the_frame_without_types() -> None:
    frame = pd.DataFrame({"c": pd.Categorical([1])})
    frame["c"].array.dtype._categories = None  # type: ignore[attr-defined]
    assert types_of_frame(frame) == ""


def test_all_codes_are_plain_in_json() -> None:
    text = types_of(pd.DataFrame({"c": pd.Categorical(["x"], pd.Index(["x", '"\\\n\x7f\ud7ff'], dtype=object))}))
    assert re.fullmatch(r"[!#-\[\]-~]+", text)
    assert text == "c[O|x|%22%5C%0A%7F%ED%9F%BF]"
