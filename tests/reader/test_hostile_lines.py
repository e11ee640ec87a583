"""One line of any writer costs no other line, and no memory without bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from read_lines import COLLECTION, NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import DamagedLineError, ReadReport
from otel_modeldata_reader.lines import event_stream, payloads
from otel_modeldata_reader.rows import json_table

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


def test_folders_of_far_years_have_gaps_between_them(tmp_path: Path) -> None:
    for number, hour in enumerate(("0001", "2026/13/45", "9999/01", "9999")):
        write(tmp_path, [line(number=number)], hour=hour)
    (one,) = reader.open(tmp_path).collections()
    assert (one.first.year, one.last.year, one.folders) == (1, 9999, 4)


def test_an_id_is_not_multiplied_by_the_rows_of_its_event_without_bound(tmp_path: Path) -> None:
    rows = "[" + ",".join(['{"a":1}'] * 5000) + "]"
    lines = [
        line(raw=rows, correlationid="x" * 256),
        line(raw=rows, correlationid="x" * 100_000, number=1),
        line(raw="[{},{}]", correlationid="x" * 100_000, number=2),
        line(raw="[" + ",".join(["{}"] * 5000) + "]", id="x" * 100_000, number=3),
    ]
    write(tmp_path, lines)
    found = reader.open(tmp_path).read(COLLECTION)
    assert sum(map(len, found.batches())) == 5002
    assert counts(found.report) == {"foreign": 2}
    (place, reason), _ = found.report.first
    assert (place.line, reason) == (2, "expected at most 1024 bytes of ids beside each of 5,000 rows, got 200,014")
    assert reader.open(tmp_path).read(COLLECTION, envelope=False).to_arrow().num_rows == 15_002


def with_object(store: Path, content: bytes, **keys: Any) -> reader.Reading:
    """A reading of a line whose payload is an object of its own, and of a line after it."""
    blob = write(store, [line(None, dataref="files/rows.json", **keys), line(number=1)])
    (blob.parent / "files").mkdir()
    (blob.parent / "files" / "rows.json").write_bytes(content)
    return reader.open(store).read(COLLECTION, envelope=False)


@pytest.mark.parametrize(
    ("content", "size", "keys"),
    [
        (b'[{"age":4}', 20, {}),
        (b"", 20, {}),
        (b"PNG", 20, {"datainblob": "true"}),
        (b"PNGG", 2, {"datainblob": "true"}),
    ],
)
def test_an_object_of_another_size_than_its_line_says_is_missing(
    tmp_path: Path, content: bytes, size: int, keys: dict[str, Any]
) -> None:
    rows = with_object(tmp_path, content, contentrange=f"bytes 0-{size - 1}/{size}", **keys)
    assert rows.to_arrow()["age"].to_pylist() == [1]
    assert counts(rows.report) == {"missing_payloads": 1}
    ((_, reason),) = rows.report.first
    assert reason == (
        f"expected the object of 'files/rows.json' in the store, got one of {len(content)} bytes, "
        f"not of the contentrange 'bytes 0-{size - 1}/{size}'"
    )


@pytest.mark.parametrize(
    ("size", "total", "keys"),
    [
        (12, "12", {}),
        (10, "10", {}),  # a lone row was put in brackets
        (12, "*", {}),
        (12, "99", {}),
        (99, "99", {"timens": None}),  # of another writer, which may count escaped text
        (99, "99", {"contentrange": "bytes_0-98/99"}),
    ],
)
def test_an_object_of_the_size_that_its_line_says_is_read(
    tmp_path: Path, size: int, total: str, keys: dict[str, Any]
) -> None:
    rows = with_object(tmp_path, b'[{"age":42}]', **{"contentrange": f"bytes 0-{size - 1}/{total}"} | keys)
    assert rows.to_arrow()["age"].to_pylist() == [42, 1]
    assert counts(rows.report) == {}


def test_an_object_that_is_too_large_for_memory_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "_MOST_BYTES", 2 << 20)
    rows = with_object(tmp_path, b'[{"age":"' + b"x" * (2 << 20) + b'"}]')
    assert rows.to_arrow()["age"].to_pylist() == [1]
    ((_, reason),) = rows.report.first
    assert reason.endswith("in the store, got one of 2,097,164 bytes, which is more than 2 MiB")


def test_rows_with_a_column_each_take_no_memory_that_grows_with_their_square(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_table, "_MOST_CELLS", 10_000)
    many = [line([{f"own-{number}": number}], number=number) for number in range(200)]
    rows = reading(tmp_path, *many, line([{f"x-{number}": 1} for number in range(300)], number=200))
    table = rows.to_arrow()
    assert (table.num_rows, table.num_columns) == (200, 200)
    assert [table[f"own-{number}"][number].as_py() for number in range(200)] == list(range(200))
    assert sum(column.null_count for column in table.columns) == 200 * 199
    assert counts(rows.report) == {"foreign": 1}
    ((place, _),) = rows.report.first
    assert place.line == 201
    assert sum(map(len, rows.batches())) == 200


@pytest.mark.parametrize("rows", [5000, 20_000])
def test_many_rows_of_the_same_columns_are_not_too_wide(rows: int) -> None:
    row = (
        b'{"when":"2026-11-22T10:00:00Z","nested":{"a":[1,2]},' + b",".join(b'"c%d":1' % at for at in range(40)) + b"}"
    )
    assert not json_table.is_too_wide(b'{"data":[' + b",".join([row] * rows) + b"]}\n")
    assert not json_table.is_too_wide((b'{"data":[' + row + b"]}\n") * rows)
    own = b",".join(b'{"c%d" :1}' % at for at in range(rows * 2))
    assert json_table.is_too_wide(b'{"data":[' + own + b"]}\n")


@pytest.mark.parametrize(
    "condition",
    [
        "(SELECT count(*) FROM read_text('{file}')) > 0",
        "(SELECT count(*) FROM '{file}') > 0",
        "true) FROM rows; COPY (SELECT 1) TO '{file}'; SELECT (true",
        "true) FROM (SELECT * FROM rows ORDER BY age DESC) --",
        "(SELECT count(*) FROM frame) > 0",
        "",
    ],
)
def test_a_condition_is_an_expression_and_touches_no_file(tmp_path: Path, condition: str) -> None:
    frame, file = pd.DataFrame({"x": [1]}), tmp_path / "secret.csv"
    file.write_text("x\n1\n", "utf-8")
    write(tmp_path / "store", [line(), line(number=1)])
    rows = reader.open(tmp_path / "store").read(COLLECTION, where=condition.format(file=file))
    with pytest.raises(reader.ReaderError, match="expected a condition in SQL"):
        rows.to_arrow()
    assert (file.read_text("utf-8"), len(frame)) == ("x\n1\n", 1)
