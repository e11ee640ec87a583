"""Exports of values that a format does not have, and to places that must not be replaced."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from otel_modeldata_reader.exceptions import ExportError, ReaderError
from otel_modeldata_reader.exporting import json_rows, to_csv, to_delta, to_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Batch:
    """The rows of one batch."""

    def __init__(self, columns: Any, names: list[str] | None = None) -> None:
        self._batch = pa.record_batch(columns, names=names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        return iter([self._batch])

    def to_arrow(self) -> pa.Table:
        return pa.Table.from_batches([self._batch])


def test_no_folder_but_a_table_is_replaced_by_a_table(tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    store = tmp_path / "modeldata"
    (store / "shop").mkdir(parents=True)
    file, link, table = tmp_path / "file", tmp_path / "link", tmp_path / "table"
    file.write_text("theirs", "utf-8")
    to_delta(Batch({"a": [1]}), table)
    link.symlink_to(table)
    for path in (store, file, link):
        with pytest.raises(ExportError, match=r"expected a table of Delta Lake to overwrite, got .*, which is none"):
            to_delta(Batch({"a": [2]}), path, overwrite=True)
    assert (store / "shop").is_dir()
    assert file.read_text("utf-8") == "theirs"
    assert to_delta(Batch({"a": [2, 3]}), table, overwrite=True).rows == 2


def test_names_that_differ_in_case_only_are_none_of_delta(tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    with pytest.raises(ExportError, match="got 'a' and 'A': leave one out"):
        to_delta(Batch({"a": [1], "A": [2]}), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (Batch([pa.array([1]), pa.array([2])], ["a", "a"]), "got 'a' twice: leave one out"),
        (Batch([], []), "expected a column for Parquet, got none"),
    ],
)
def test_columns_that_pandas_could_not_read_are_not_written(tmp_path: Path, rows: Batch, reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        to_parquet(rows, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", [to_parquet, to_csv, to_delta])
@pytest.mark.parametrize("path", ["", "/", ".", "a\0b", "\ud800"])
def test_what_names_no_file_is_one_sentence(export: Any, path: str) -> None:
    if export is to_delta:
        pytest.importorskip("deltalake")
    with pytest.raises(ExportError, match="expected the name of a file, got "):
        export(Batch({"a": [1]}), path)


FAR = pa.record_batch(
    {
        "us": pa.array([2**62, None], pa.timestamp("us")),
        "zone": pa.array([2**62, -(2**62)], pa.timestamp("us", "Europe/Madrid")),
        "s": pa.array([10**12, 0], pa.timestamp("s")),
        "day": pa.array([35_804_357, -(10**7)], pa.date32()),
        "ms": pa.array([35_804_357 * 86_400_000, None], pa.date64()),
    }
)
"""Times of years that Arrow's texts do not have, or have as another year."""
FAR_ROWS = [
    {
        "us": "148108-07-06T14:00:27.387904",
        "zone": "148108-07-06T14:00:27.387904Z",
        "s": "33658-09-27T01:46:40",
        "day": "99999-01-01",
        "ms": "99999-01-01",
    },
    {
        "us": None,
        "zone": "-144169-06-28T09:59:32.612096Z",
        "s": "1970-01-01T00:00:00",
        "day": "-25410-12-06",
        "ms": None,
    },
]


def test_years_of_more_than_four_digits_are_not_changed(tmp_path: Path) -> None:
    assert [json.loads(line) for line in json_rows(FAR).splitlines()] == FAR_ROWS
    to_csv(Batch(FAR.columns, FAR.schema.names), tmp_path / "x")
    with (tmp_path / "x").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{name: text or "" for name, text in row.items()} for row in FAR_ROWS]


def test_nested_times_that_python_does_not_have_are_one_sentence(tmp_path: Path) -> None:
    rows = Batch({"a": pa.array([[2**62]], pa.list_(pa.timestamp("us")))})
    with pytest.raises(ReaderError, match="years 1 to 9999 in lists and structures"):
        to_csv(rows, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_unions_and_nested_intervals_are_texts_in_files(tmp_path: Path) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])])
    spans = pa.array([[pa.MonthDayNano([1, 0, 0])], None])
    to_parquet(Batch({"union": union, "spans": spans}), tmp_path / "x")
    assert pq.read_table(tmp_path / "x").to_pydict() == {
        "union": ["1", "y"],
        "spans": [["MonthDayNano(months=1, days=0, nanoseconds=0)"], None],
    }


def test_whole_decimals_are_numbers_where_64_bits_hold_them() -> None:
    whole, far = pa.array([7, None, -(2**63)], pa.decimal128(38, 0)), pa.array([1, 2**63, 3], pa.decimal128(38, 0))
    cents = pa.array([Decimal("1.50"), None, Decimal("-0.01")], pa.decimal128(9, 2))
    batch = pa.RecordBatch.from_arrays([whole, far, cents], names=["whole", "far", "cents"])
    assert [json.loads(line) for line in json_rows(batch).splitlines()] == [
        {"whole": 7, "far": "1", "cents": "1.50"},
        {"whole": None, "far": "9223372036854775808", "cents": None},
        {"whole": -(2**63), "far": "3", "cents": "-0.01"},
    ]
