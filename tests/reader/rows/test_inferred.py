"""Types of rows that say none: inferred over all of a reading, with every value kept and every change reported."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import DamagedLineError, Place, TypeChange
from otel_modeldata_reader.lines import event_stream

HOURS = [f"2026/11/22/{hour:02d}" for hour in range(24)]
EXACT = 2**53


def column(store: Path, name: str = "v", **arguments: Any) -> pa.ChunkedArray:
    return reader.open(store).read(COLLECTION, **arguments).to_arrow().column(name)


def write_values(store: Path, *blobs: list[str]) -> None:
    """One blob for each list of JSON values, with one line for each value."""
    number = 0
    for hour, values in zip(HOURS, blobs, strict=False):
        lines = [line(number=number + index, raw=f'[{{"v":{value}}}]') for index, value in enumerate(values)]
        number += len(values)
        write(store, lines, hour=hour)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "2"], pa.int64(), [1, 2]),
        (["1", "null"], pa.int64(), [1, None]),
        (["null", "null"], pa.null(), [None, None]),
        (["1", "2.5"], pa.float64(), [1.0, 2.5]),
        (["9007199254740993", "2.5"], pa.string(), ["9007199254740993", "2.5"]),
        (["9223372036854775808", "1"], pa.uint64(), [2**63, 1]),
        (["9223372036854775808", "-1"], pa.decimal128(38, 0), [2**63, -1]),
        (["1", str(10**38)], pa.string(), ["1", str(10**38)]),
        (["1", '"x"'], pa.string(), ["1", "x"]),
        (["true", "null", "false"], pa.bool_(), [True, None, False]),
        (["true", "1"], pa.string(), ["true", "1"]),
        (['"2026-11-22"', '"2026-11-22T10:00:00Z"'], pa.string(), ["2026-11-22", "2026-11-22T10:00:00Z"]),
        (['"2026-11-22"', '"noon"'], pa.string(), ["2026-11-22", "noon"]),
        (['["2026-11-22"]', "[]"], pa.list_(pa.string()), [["2026-11-22"], []]),
        (["[1]", "[2.5]"], pa.list_(pa.float64()), [[1.0], [2.5]]),
        (["[1]", '["x"]'], pa.string(), ["[1]", '["x"]']),
        (["[null,null]", "[null,1]"], pa.list_(pa.int64()), [[None, None], [None, 1]]),
        (["[null,null]", '{"a":[null]}'], pa.string(), ["[null,null]", '{"a":[null]}']),
        (["[null]"], pa.list_(pa.string()), [[None]]),
        (['[1,"x"]', "[2]"], pa.string(), ['[1,"x"]', "[2]"]),
        (["[9007199254740993]", "[0.5]"], pa.string(), ["[9007199254740993]", "[0.5]"]),
        (['{"a":9007199254740993,"b":0.5}'], None, [{"a": EXACT + 1, "b": 0.5}]),
        (["[9007199254740993,0.5]"], pa.string(), ["[9007199254740993,0.5]"]),
        (['{"a":1}', '{"b":"x"}'], None, [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
        (['{"a":1}', "[1]"], pa.string(), ['{"a":1}', "[1]"]),
        (["1e300", "1"], pa.float64(), [1e300, 1.0]),
        (["-0.0", "1E5"], pa.float64(), [-0.0, 1e5]),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["one blob", "two blobs"])
def test_a_column_has_the_type_that_holds_every_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[str], kind: Any, expected: list[Any], *, apart: bool
) -> None:
    monkeypatch.setattr(event_stream, "_BATCH_BYTES", 1)
    write_values(tmp_path, *([[value] for value in values] if apart else [values]))
    found = column(tmp_path)
    assert found.to_pylist() == expected
    assert kind is None or found.type == kind
    batches = list(reader.open(tmp_path).read(COLLECTION, columns=["v"]).batches())
    assert pa.Table.from_batches(batches).column("v").to_pylist() == expected


def test_columns_keep_the_order_of_their_first_rows(tmp_path: Path) -> None:
    row = {"number": 1, "day": "2026-11-22", "list": [1], "late": None}
    write_lines = [line([row]), line([row | {"late": True, "new": 1}], number=1), line([row | {"list": 5}], number=2)]
    for hour, one in zip(HOURS, write_lines, strict=False):
        write(tmp_path, [one], hour=hour)
    reading = reader.open(tmp_path).read(COLLECTION, envelope=False)
    expected = ["number", "day", "list", "late", "new"]
    assert reading.to_arrow().column_names == expected
    assert next(reading.batches()).schema.names == expected


def test_a_column_that_appears_late_is_null_before(tmp_path: Path) -> None:
    write(tmp_path, [line([{"a": 1}]), line([{"a": 2, "b": "x"}], number=1)])
    write(tmp_path, [line([{"c": 2.5}], number=2)], replica=1)
    table = reader.open(tmp_path).read(COLLECTION, envelope=False).to_arrow()
    assert table.to_pydict() == {"a": [1, 2, None], "b": [None, "x", None], "c": [None, None, 2.5]}


def place(hour: str, number: int) -> Place:
    return Place(blob=f"{COLLECTION}/{hour}/{0:032x}000000.jsonl", line=number)


@pytest.mark.parametrize("together", [True, False], ids=["one part", "many parts"])
def test_a_change_of_type_is_reported_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    monkeypatch.setattr(event_stream, "_BATCH_BYTES", 1 << 20 if together else 1)
    write_values(tmp_path, ["1", "2"], ["3", "4.0", "5"], ["6", '"x"'], ["7.5"])
    reading = reader.open(tmp_path).read(COLLECTION)
    assert reading.to_arrow().column("v").to_pylist() == ["1", "2", "3", "4.0", "5", "6", "x", "7.5"]
    assert reading.report.type_changes == (
        TypeChange(column="v", before="integer", after="float", place=place(HOURS[1], 2), became="string"),
        TypeChange(column="v", before="float", after="text", place=place(HOURS[2], 2), became="string"),
    )
    assert str(reading.report.type_changes[0]) == (
        f"column 'v' changed from integer to float in {COLLECTION}/{HOURS[1]}/{0:032x}000000.jsonl, line 2; "
        "read as string"
    )
    with pytest.raises(DamagedLineError, match=r"got integer and then float in .*line 2"):
        column(tmp_path, strict=True)


def test_integers_in_a_column_of_floats_are_reported(tmp_path: Path) -> None:
    write_values(tmp_path, ["1.5", "2.0"], ["3"])
    reading = reader.open(tmp_path).read(COLLECTION)
    assert reading.to_arrow().column("v").to_pylist() == [1.5, 2.0, 3.0]
    (change,) = reading.report.type_changes
    assert change == TypeChange(column="v", before="float", after="integer", place=place(HOURS[1], 1), became="double")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-10, 10)
    | st.sampled_from([EXACT, EXACT + 1, -EXACT - 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**38, 10**40])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, 1.0, -0.0, 1e16, 1e300])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
    | st.sampled_from(["2026-11-22", "2026-11-22T10:00:00", "1", "null"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=3,
)
NAMES = st.sampled_from(["a", "b", "c", 'q"\\', "é", "a.b", "", "time"])
ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=3)


def kinds(values: list[Any]) -> set[type]:
    return {type(value) for value in values if value is not None}


def is_equal(found: Any, value: Any) -> bool:
    """Whether a value is the one that was written; a struct has a null for a key that an object does not have."""
    if isinstance(value, dict) and isinstance(found, dict):
        return set(value) <= set(found) and all(is_equal(found[name], value.get(name)) for name in found)
    if isinstance(value, list) and isinstance(found, list):
        return len(found) == len(value) and all(map(is_equal, found, value))
    if isinstance(value, float) and isinstance(found, float):
        return found == value and math.copysign(1, found) == math.copysign(1, value)
    return bool(found == value and (isinstance(found, bool) == isinstance(value, bool)))


def is_kept(found: Any, value: Any, *, text: bool) -> bool:
    """Whether a value is what was written, or its JSON text in a column of texts."""
    if text and not isinstance(value, str) and value is not None:
        return isinstance(found, str) and is_equal(json.loads(found), value)
    return is_equal(found, value)


@pytest.mark.slow
@given(st.lists(st.lists(ROWS, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from([1, 1 << 20]))
def test_every_value_that_was_written_is_read(blobs: list[list[list[dict[str, Any]]]], batch_bytes: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_stream, "_BATCH_BYTES", batch_bytes)
        number = 0
        for hour, payloads in zip(HOURS, blobs, strict=False):
            lines = [line(rows, number=number + index) for index, rows in enumerate(payloads)]
            number += len(lines)
            write(Path(folder), lines, hour=hour)
        rows = [row for payloads in blobs for payload in payloads for row in payload]
        with reader.open(folder) as store:
            reading = store.read(COLLECTION)
            table = reading.to_arrow()
            batches = list(reading.batches())
            report = reading.report
    assert table.num_rows == len(rows) == report.kept == report.rows
    assert report.foreign == 0
    names = {name: {"time": "data.time"}.get(name, name) for row in rows for name in row}
    assert set(table.column_names[9:]) == set(names.values())
    assert pa.Table.from_batches(batches, table.schema if not batches else None).equals(table)
    for name, new in names.items():
        values = [row.get(name) for row in rows]
        is_text = pa.types.is_string(table.schema.field(new).type)
        pairs = list(zip(table.column(new).to_pylist(), values, strict=True))
        assert [pair for pair in pairs if not is_kept(*pair, text=is_text)] == []
        if kinds(values) == {str}:
            assert is_text
        if kinds(values) in ({int}, {float}, {bool}):
            assert not is_text or (kinds(values) == {int} and any(abs(value or 0) >= 10**38 for value in values))
