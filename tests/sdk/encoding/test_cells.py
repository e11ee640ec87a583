# ruff: noqa: DTZ001 - times without a zone are cells, too
from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import enum
import json
import math
import types
import uuid
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pytest

from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata.exceptions import UnsupportedValueError

UTC = dt.timezone.utc
BIG = 2**53 + 1


def _masked_records() -> np.ma.MaskedArray[Any, Any]:
    nested = [("d", "U1"), ("e", "i8")]
    return np.ma.array(
        [(1, 0.1, ("x", 2), [3, 4]), (5, 0.2, ("y", 6), [7, 8])],
        dtype=[("a", "i4"), ("b", "f4"), ("c", nested), ("f", "i2", (2,))],
        mask=[(True, False, (False, True), [True, False]), (False, False, (False, False), [False, True])],
    )


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Mood(str, enum.Enum):
    GOOD = "good"


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not this"


class Number(float):
    __slots__ = ()


class Count(int):
    pass


class Moment(dt.datetime):
    pass


class Pair(NamedTuple):
    a: int
    b: float


@dataclasses.dataclass
class Point:
    x: int
    when: dt.datetime


class Struct(msgspec.Struct):
    x: int
    when: dt.timedelta


def _column(*cells: object) -> pd.Series[Any]:
    column = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        column[row] = cell
    return pd.Series(column, dtype=object)


def _written(*cells: object) -> list[Any]:
    frame = pd.DataFrame({"c": _column(*cells)})
    rows = json.loads(Rows(frame, ColumnNameCache("test")).text(), parse_constant=pytest.fail)
    return [row["c"] for row in rows]


CELLS: dict[str, tuple[object, object]] = {
    "time": (dt.datetime(2024, 2, 29, 1, 2, 3), "2024-02-29T01:02:03"),
    "time with microseconds": (dt.datetime(2024, 2, 29, 1, 2, 3, 5), "2024-02-29T01:02:03.000005"),
    "time with a zone": (dt.datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29T00:00:00+00:00"),
    "time outside of ns": (dt.datetime(9999, 12, 31), "9999-12-31T00:00:00"),
    "subclass of a time": (Moment(2024, 2, 29), "2024-02-29T00:00:00"),
    "Timestamp": (pd.Timestamp("2024-02-29", tz="UTC"), "2024-02-29T00:00:00+00:00"),
    "date": (dt.date(2024, 2, 29), "2024-02-29"),
    "time of day": (dt.time(1, 2, 3, tzinfo=UTC), "01:02:03+00:00"),
    "timedelta": (dt.timedelta(seconds=90), "P0DT0H1M30S"),
    "negative timedelta": (dt.timedelta(microseconds=-1), "P-1DT23H59M59.999999S"),
    "greatest timedelta": (dt.timedelta.max, "P999999999DT23H59M59.999999S"),
    "Timedelta": (pd.Timedelta(90, "s"), "P0DT0H1M30S"),
    "datetime64 month": (np.datetime64("2024-02"), "2024-02-01T00:00:00"),
    "datetime64 ps": (np.datetime64(1, "ps"), "1970-01-01T00:00:00.000000000001"),
    "datetime64 NaT": (np.datetime64("NaT", "ns"), None),
    "timedelta64 day": (np.timedelta64(1, "D"), "P1DT0H0M0S"),
    "timedelta64 year": (np.timedelta64(2, "Y"), "P2Y"),
    "timedelta64 NaT": (np.timedelta64("NaT", "ns"), None),
    "decimal": (Decimal("1.10"), 1.1),
    "negative zero": (Decimal("-0"), 0),
    "signaling NaN": (Decimal("sNaN"), None),
    "enum": (Color.RED, "red"),
    "enum of integers": (Level.HIGH, 3),
    "enum of texts": (Mood.GOOD, "good"),
    "uuid": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "path": (PurePosixPath("/a/b"), "/a/b"),
    "bytearray": (bytearray(b"\xff\xd8"), "/9g="),
    "memoryview": (memoryview(b"\xff\x00\xd8\x00")[::2], "/9g="),
    "np.bytes_": (np.bytes_(b"\xff\xd8"), "/9g="),
    "subclass of str": (Text("x"), "x"),
    "subclass of int": (Count(5), 5),
    "subclass of float": (Number(0.5), 0.5),
    "float32": (np.float32(0.1), 0.1),
    "float16": (np.float16(0.1), 0.1),
    "float64": (np.float64(0.1), 0.1),
    "longdouble": (np.longdouble(0.5), 0.5),
    "np.uint64": (np.uint64(2**64 - 1), 2**64 - 1),
    "integer of 100 bits": (2**100 + 1, 2**100 + 1),
    "masked": (np.ma.masked, None),
    "masked array": (np.ma.array([[1, 2], [BIG, 4]], mask=[[0, 1], [0, 0]]), [[1, None], [BIG, 4]]),
    "masked float32": (np.ma.array(np.array([0.1, 2], dtype="f4"), mask=[False, True]), [0.1, None]),
    "masked without a dimension": (np.ma.array(5, mask=True), None),
    "masked records": (_masked_records(), [[None, 0.1, ["x", None], [None, 4]], [5, 0.2, ["y", 6], [7, None]]]),
    "masked record": (_masked_records()[0], [None, 0.1, ["x", None], [None, 4]]),
    "no masked records": (_masked_records()[:0], []),
    "table of masked records": (np.ma.array(np.zeros((2, 1), [("a", "i4")]), mask=[[1], [0]]), [[[None]], [[0]]]),
    "no dimension": (np.array(BIG), BIG),
    "no dimension, float32": (np.array(0.1, dtype="f4"), 0.1),
    "float32 array": (np.array([[0.1, np.nan]], dtype="f4"), [[0.1, None]]),
    "three dimensions": (np.arange(8).reshape(2, 2, 2), [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]),
    "three dimensions, float32": (np.full((2, 1, 2), 0.1, "f4"), [[[0.1, 0.1]], [[0.1, 0.1]]]),
    "empty array": (np.empty((2, 0), dtype="f4"), [[], []]),
    "transposed": (np.array([[0.1, 0.2], [0.3, 0.4]], dtype="f4").T, [[0.1, 0.3], [0.2, 0.4]]),
    "array of times": (np.array(["2024-01-01", "NaT"], dtype="M8[D]"), ["2024-01-01T00:00:00", None]),
    "array of durations": (np.array([90, "NaT"], dtype="m8[s]"), ["P0DT0H1M30S", None]),
    "array of texts": (np.array(["a", "é"]), ["a", "é"]),
    "array of bytes": (np.array([b"\xff\xd8"]), ["/9g="]),
    "array of objects": (np.array([1, None, np.float32(0.1)], dtype=object), [1, None, 0.1]),
    "big-endian array": (np.array([0.1], dtype=">f4"), [0.1]),
    "structured array": (np.array([(BIG, 0.1)], dtype=[("a", "i8"), ("b", "f4")]), [[BIG, 0.1]]),
    "structured value": (np.array([(BIG, 0.1)], dtype=[("a", "i8"), ("b", "f4")])[0], [BIG, 0.1]),
    "void": (np.void(b"\xff\xd8"), "/9g="),
    "record array": (np.rec.array([(BIG, 0.5)], names="a,b"), [[BIG, 0.5]]),
    "NaN in a list": ([1, math.nan, None, pd.NA, pd.NaT, Decimal("NaN")], [1, None, None, None, None, None]),
    "times in a list": (
        [dt.datetime(2024, 1, 1, tzinfo=UTC), dt.timedelta(1)],
        ["2024-01-01T00:00:00+00:00", "P1DT0H0M0S"],
    ),
    "float32 in a dict": ({"a": [np.float32(0.1)]}, {"a": [0.1]}),
    "set": ({7}, [7]),
    "range": (range(3), [0, 1, 2]),
    "array of Python": (array.array("f", [0.1]), [0.1]),
    "deque": (collections.deque([1, np.int64(BIG)]), [1, BIG]),
    "named tuple": (Pair(1, np.float32(0.1)), [1, 0.1]),  # type: ignore[arg-type] # as applications do it
    "dataclass": (Point(1, dt.datetime(2024, 1, 1, tzinfo=UTC)), {"x": 1, "when": "2024-01-01T00:00:00+00:00"}),
    "msgspec struct": (Struct(1, dt.timedelta(1)), {"x": 1, "when": "P1DT0H0M0S"}),
    "mapping": (types.MappingProxyType({"a": 1}), {"a": 1}),
    "ordered dict": (collections.OrderedDict(b=1, a=[np.float32(0.1)]), {"b": 1, "a": [0.1]}),
    "keys": (
        {1: 1, True + 0.5: 2, np.int64(7): 3, np.str_("n"): 4, Color.RED: 5, None: 6, np.bool_(False): 7},
        {"1": 1, "1.5": 2, "7": 3, "n": 4, "red": 5, "None": 6, "False": 7},
    ),
    "more keys": (
        {Decimal("1.0"): 1, dt.date(2024, 1, 1): 2, b"\xff\xd8": 3, np.float32(0.1): 4},
        {"1.0": 1, "2024-01-01": 2, "/9g=": 3, "0.1": 4},
    ),
    "series": (pd.Series([BIG, None], dtype="Int64"), [BIG, None]),
    "float32 series": (pd.Series([0.1], dtype="f4"), [0.1]),
    "categories": (pd.Categorical([BIG, None]), [BIG, None]),
    "index of times": (pd.DatetimeIndex(["2024-01-01"], tz="UTC"), ["2024-01-01T00:00:00+00:00"]),
    "frame": (pd.DataFrame({"a": [BIG, 2], "b": [0.5, None]}), [{"a": BIG, "b": 0.5}, {"a": 2, "b": None}]),
    "period": (pd.Period("2024-02", "M"), "2024-02"),
    "interval": (pd.Interval(0, 5), "(0, 5]"),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_has_its_documented_value(name: str) -> None:
    cell, expected = CELLS[name]
    for value in (cell, [cell], {"k": cell}):
        expected_here = expected if value is cell else [expected] if isinstance(value, list) else {"k": expected}
        (written,) = _written(value)
        assert json.dumps(written) == json.dumps(expected_here)


def test_one_cell_is_written_the_same_in_a_column_of_its_own_type_and_among_others() -> None:
    moment = dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)
    own = pd.DataFrame({"c": pd.Series([moment])})
    assert json.loads(Rows(own, ColumnNameCache("test")).text()) == [{"c": "2024-02-29T01:02:03+00:00"}]
    assert _written(moment, "text", [moment])[::2] == ["2024-02-29T01:02:03+00:00", ["2024-02-29T01:02:03+00:00"]]


REFUSED: dict[str, tuple[object, str]] = {
    "object": (object(), "object"),
    "complex": (1j, "complex"),
    "np.complex64": (np.complex64(1j), "complex64"),
    "array of complex": (np.array([1j]), "complex"),
    "complex in a list": ([1j], "complex"),
    "fraction": (Fraction(1, 3), "Fraction"),
    "class": (Point, "type"),
    "function": (print, "builtin_function_or_method"),
    "iterator": (iter([1]), "list_iterator"),
    "raw JSON": (msgspec.Raw(b"nonsense"), "Raw"),
    "duration without a unit": (np.array([5]).view("m8")[0], "timedelta64 without a unit"),
    "a tuple as a key": ({(1, 2): 3}, "dict"),
    "keys that are equal as text": ({1: "a", "1": "b"}, "dict with keys that are equal as text"),
    "offset": (pd.DateOffset(1), "DateOffset"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_cell_without_a_json_form_is_refused_by_its_type(name: str) -> None:
    cell, got = REFUSED[name]
    with pytest.raises(UnsupportedValueError) as raised:
        _written("fine", cell)
    assert str(raised.value) == f"column 'c', row 1: expected a value that JSON can carry, got {got}: convert it first"


BAD = "caf\ud83d"
SURROGATE = "expected text, got a lone surrogate in it, which UTF-8 cannot carry: clean the text"


@pytest.mark.parametrize("count", [1, 2048])
@pytest.mark.parametrize("kind", ["object", "python", "python nan", "category", "list", "key", "set"])
def test_a_lone_surrogate_is_refused_by_collect_in_text_of_every_kind(kind: str, count: int) -> None:
    texts = ["ok"] * (count - 1) + [BAD]
    columns: dict[str, Any] = {
        "object": lambda: pd.Series(texts, dtype=object),
        "python": lambda: pd.array(texts, dtype=pd.StringDtype("python")),
        "python nan": lambda: pd.array(texts, dtype=_python_nan()),
        "category": lambda: pd.Categorical.from_codes(
            [0] * (count - 1) + [1], categories=pd.Index(["ok", BAD], dtype=object)
        ),
        "list": lambda: _column(*([text] for text in texts)),
        "key": lambda: _column(*({text: 1} for text in texts)),
        "set": lambda: _column(*({text} for text in texts)),
    }
    frame = pd.DataFrame({"n": range(count), "c": columns[kind]()})
    with pytest.raises(UnsupportedValueError) as raised:
        Rows(frame, ColumnNameCache("test"))
    assert str(raised.value) == f"column 'c', row {count - 1}: {SURROGATE}"


def _python_nan() -> pd.StringDtype:
    try:
        return pd.StringDtype("python", na_value=np.nan)
    except TypeError:
        return pytest.skip("this pandas has one kind of missing text")


def test_an_error_of_a_large_frame_names_its_first_bad_cell_by_row() -> None:
    count = 5000
    first: list[object] = ["x"] * count
    second: list[object] = ["y"] * count
    first[3000], second[2500] = object(), 1j
    frame = pd.DataFrame({"a": pd.Series(first, dtype=object), "b": pd.Series(second, dtype=object)})
    with pytest.raises(UnsupportedValueError) as raised:
        Rows(frame, ColumnNameCache("test"))
    assert (
        str(raised.value) == "column 'b', row 2500: expected a value that JSON can carry, got complex: convert it first"
    )


def test_an_integer_that_python_cannot_print_is_refused() -> None:
    with pytest.raises(
        UnsupportedValueError, match=r"^column 'c', row 0: expected numbers of at most 1.8e308, got a larger one, "
    ):
        _written(10**5000)


def test_nesting_of_some_hundred_levels_is_collected() -> None:
    nested: list[object] = []
    for _ in range(300):
        nested = [nested]
    assert _written(nested) == [nested]
