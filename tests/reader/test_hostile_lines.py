"""One line of any writer costs no other line, and no memory without bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from read_lines import COLLECTION, NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import DamagedLineError, ReadReport
from otel_modeldata_reader.lines import event_stream

if TYPE_CHECKING:
    from pathlib import Path

TEN = pd.Timestamp("2026-11-22T10:00:00Z").as_unit("ns")


def reading(store: Path, *lines: bytes) -> reader.Reading:
    write(store, lines)
    return reader.open(store).read(COLLECTION, envelope=False)


def counts(report: ReadReport) -> dict[str, Any]:
    """What was skipped."""
    names = ("torn", "foreign", "mismatched", "missing_payloads", "misplaced", "unconverted")
    return {name: value for name in names if (value := getattr(report, name))}


@pytest.mark.parametrize("count", ["9" * 5000, "9" * 20, "-5", " 5 ", "1_000", "+5", "\u0665"])
def test_a_number_of_nanoseconds_that_is_none_leaves_the_time_whatever_is_beside_it(tmp_path: Path, count: str) -> None:
    for folder, others in (("alone", []), ("together", [line(number=1, timens=str(NOON_NS))])):
        write(tmp_path / folder, [line(timens=count), *others])
        times = reader.open(tmp_path / folder).read(COLLECTION).to_arrow()["time"].to_pylist()
        assert times[0] == TEN


@pytest.mark.parametrize("types", [None, "i8", "u8"])
def test_an_integer_of_any_length_is_read(tmp_path: Path, types: str | None) -> None:
    digits = "9" * 5000
    rows = reading(tmp_path, line(raw=f'[{{"a":{digits}}}]', datatypes=types), line(raw='[{"a":-7}]', number=1))
    assert rows.to_arrow().to_pylist() == [{"a": digits}, {"a": "-7"}]


def test_a_line_that_is_too_long_is_one_foreign_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "_LONGEST_LINE", 5 << 20)
    long = line([{"age": "x" * (30 << 20)}])
    rows = reading(tmp_path, line(number=1), long, line(number=2))
    assert rows.to_arrow().to_pylist() == [{"age": 1}, {"age": 2}]
    assert counts(rows.report) == {"foreign": 1}
    rows = reading(tmp_path, line(number=1), long[:-1])
    assert rows.to_arrow().to_pylist() == [{"age": 1}]
    assert counts(rows.report) == {"foreign": 1}


@pytest.mark.parametrize(
    "code",
    [
        "arrow[fixed_size_list[f4, 2000000000]]",
        "arrow[fixed_size_list[fixed_size_list[f8, 50000], 50000]]",
        "arrow[struct[x:binary[2000000000]]]",
        "arrow[binary[2000000000]]",
    ],
)
def test_a_null_takes_no_memory_that_its_line_does_not_have(tmp_path: Path, code: str) -> None:
    rows = reading(tmp_path, line([{"a": None, "b": 1}], datatypes=f"{code},i4"), line([{"a": None, "b": 2}], number=1))
    assert rows.to_arrow().to_pylist() == [{"a": None, "b": 1}, {"a": None, "b": 2}]
    assert counts(rows.report) == {"mismatched": 1}


def test_rows_without_a_column_of_a_large_fixed_size_take_no_memory_for_it(tmp_path: Path) -> None:
    wide = line([{"a": None}], datatypes="arrow[fixed_size_list[f4, 4000000]]")
    rows = reading(tmp_path, wide, line([{"b": number} for number in range(1000)], number=1))
    assert rows.to_arrow()["b"].to_pylist() == [None, *range(1000)]
    assert sum(batch.num_rows for batch in rows.batches()) == 1001


@pytest.mark.parametrize("code", ["O[array[f4, 1000000000]]", "O[array[f4, 0]]", ",".join(["i8"] * 5000)])
def test_types_without_an_end_are_no_types(tmp_path: Path, code: str) -> None:
    rows = reading(tmp_path, line([{"a": [1]}], datatypes=code))
    assert rows.to_arrow().to_pylist() == [{"a": [1]}]
    assert counts(rows.report) == {"mismatched": 1}


@pytest.mark.parametrize(
    ("code", "cell"),
    [
        ("period[M]", "soon"),
        ("period[ZZZ]", "2026"),
        ("interval[f8, right]", "wide"),
        ("interval[f8, right]", "(2.0, 1.0]"),
        ("O[uuid]", "zz"),
        ("O[time]", "zz"),
        ("O[datetime]", "zz"),
        ("O[timedelta]", "zz"),
        ("O[Timestamp]", "zz"),
        ("O[Timedelta]", "zz"),
        ("O[decimal]", "zz"),
        ("O[tuple]", 5),
        ("O[array[f4, 2]]", [[1], [1, 2]]),
    ],
)
def test_a_cell_that_is_no_value_of_its_type_costs_its_column_the_type_only(
    tmp_path: Path, code: str, cell: Any
) -> None:
    rows = reading(tmp_path, line([{"a": cell, "b": 1}], datatypes=f"{code},i1"))
    frame = rows.to_pandas()
    assert str(frame["b"].dtype) == "int8"
    assert counts(rows.report) == {"unconverted": ("a",)}
    assert not rows.report.is_clean
    assert str(rows.report).endswith("; column 'a' has values of another type than its lines say")
    expected = rows.to_arrow()["a"].to_pandas().tolist()
    assert pa.array(frame["a"].tolist()).to_pylist() == pa.array(expected).to_pylist()
    strict = reader.open(tmp_path).read(COLLECTION, envelope=False, strict=True)
    with pytest.raises(DamagedLineError, match="got others in the column 'a': read with"):
        strict.to_pandas()


@pytest.mark.parametrize("hour", ["9999/12/31/23", "9999/12", "9999", "1600/01/01", "0001/01/01/00"])
def test_a_folder_of_a_far_year_is_read(tmp_path: Path, hour: str) -> None:
    write(tmp_path, [line(), line(number=1, time=None, timens=None)], hour=hour)
    rows = reader.open(tmp_path).read(COLLECTION, envelope=False)
    assert rows.to_arrow().to_pylist() == [{"age": 0}, {"age": 1}]
    assert counts(rows.report)["misplaced"] >= 1
    (one,) = reader.open(tmp_path).collections()
    assert f"{one.first.year:04}" == hour[:4]
