"""Rows as files: values and dtypes come back, notes say what does not, and no file is half-written or replaced."""

from __future__ import annotations

import csv
import resource
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from read_lines import line, write
from typed_columns import COLUMNS

import otel_modeldata_reader as reader
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata_reader.exceptions import ExportError
from otel_modeldata_reader.exporting import parquet, to_csv, to_delta, to_parquet
from otel_modeldata_reader.rows.frames import to_pandas
from otel_modeldata_reader.types import parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata_reader.exporting import Exported

NAMES = ColumnNameCache("test")
COLLECTION = "shop/blue/model_inputs"
TEXTS = (
    "O",
    "c[",
    "s[python]",
    "string[python]",
    "interval[i",
    "Sparse",
    ">",
    "f16",
    "M8[s]",
    "datetime64[s",
    "arrow[",
)
"""Codes of dtypes that `DataFrame.to_parquet` does not bring back either, or brings back as objects only."""
OLDER = ("string[pyarrow]", "s", "interval[datetime64[ns, UTC], right]")
"""The same with pandas 2."""
TEXT_NOTES = (" and text when pandas reads the file", " and category of texts when pandas reads the file")


class Batches:
    """Rows that come in these batches."""

    def __init__(self, *batches: pa.RecordBatch) -> None:
        self._batches = batches

    def batches(self) -> Iterator[pa.RecordBatch]:
        return iter(self._batches)

    def to_arrow(self) -> pa.Table:
        return pa.Table.from_batches(self._batches)


def read_again(frame: pd.DataFrame) -> pa.Table:
    """The table of a frame that was collected."""
    rows = Rows(frame, NAMES)
    data = bytes(rows.text())
    return parse(rows.types).read([data], list(frame))[0]


@pytest.mark.parametrize("code", COLUMNS)
def test_pandas_reads_each_dtype_from_parquet_or_a_note_says_which_it_reads(tmp_path: Path, code: str) -> None:
    table = read_again(pd.DataFrame({"c": COLUMNS[code]}))
    expected = to_pandas(read_again(pd.DataFrame({"c": COLUMNS[code]})))
    exported = to_parquet(Batches(*table.to_batches()), tmp_path / "x.parquet")
    found = pd.read_parquet(tmp_path / "x.parquet")
    assert (exported.rows, len(found)) == (len(expected), len(expected))
    is_text = exported.notes and exported.notes[0].endswith(TEXT_NOTES)  # for pandas 2 texts are objects, too
    if found.dtypes["c"] == expected.dtypes["c"] and not is_text and not (code.startswith("c[O") and exported.notes):
        if "list" not in code and "array" not in code:
            assert exported.notes == () or expected.dtypes["c"].kind == "O"
            pd.testing.assert_frame_equal(found, expected)
        return
    assert code.startswith(TEXTS) or (code in OLDER and pd.Index(["text"]).dtype == object)
    if code not in {"M8[s]", "datetime64[s, +05:30]"}:  # Parquet has no seconds
        assert exported.notes[0].startswith("column 'c' is ")


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "str": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "boolean": st.none() | st.booleans(),
    "a or b": st.sampled_from(["a", "b", None]),
    "datetime64[ns, Europe/Madrid]": st.integers(-(2**60), 2**60).map(lambda ns: pd.Timestamp(ns, tz="Europe/Madrid")),
    "timedelta64[ns]": st.integers(-(2**62), 2**62).map(pd.Timedelta),
    "period[D]": st.integers(0, 9999).map(lambda day: pd.Period(ordinal=day, freq="D")),
}


def _dtype(name: str) -> Any:
    return pd.CategoricalDtype(["a", "b"]) if name == "a or b" else name


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_frame_is_the_same_from_parquet_whatever_the_batches(tmp_path: Path, data: st.DataObject) -> None:
    dtypes = data.draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    rows = data.draw(st.integers(1, 6))
    columns = {
        f"c{number}": pd.Series(data.draw(st.lists(CELLS[dtype], min_size=rows, max_size=rows)), dtype=_dtype(dtype))
        for number, dtype in enumerate(dtypes)
    }
    table = read_again(pd.DataFrame(columns))
    batches = [*table.slice(0, rows // 2).to_batches(), *table.slice(rows // 2).to_batches()]
    to_parquet(Batches(*batches), tmp_path / "x.parquet", overwrite=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), to_pandas(table))


def test_integers_that_miss_in_later_batches_are_nullable_in_the_file_too(tmp_path: Path) -> None:
    field = pa.field("n", pa.int64(), metadata={b"modeldata.type": b"i8"})
    batches = [pa.record_batch([pa.array(values, pa.int64())], schema=pa.schema([field])) for values in ([1], [None])]
    large = pa.table({"m": [2**60, None]}).to_batches()
    for rows, name in ((Batches(*batches), "n"), (Batches(*large), "m")):
        to_parquet(rows, tmp_path / "x.parquet", overwrite=True)
        found = pd.read_parquet(tmp_path / "x.parquet")
        assert found.dtypes[name] == "Int64"
        pd.testing.assert_frame_equal(found, to_pandas(rows.to_arrow()))


def test_categories_are_sorted_whatever_the_order_of_the_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = read_again(pd.DataFrame({"c": pd.Series(["b", None, "a", "c", "b"], dtype="category")}))
    for rows in (1, 100):
        monkeypatch.setattr(parquet, "_GROUP_ROWS", rows)
        to_parquet(Batches(*(table.slice(place, 1).to_batches()[0] for place in range(5))), tmp_path / f"{rows}")
        assert pq.ParquetFile(tmp_path / f"{rows}").num_row_groups == (5 if rows == 1 else 1)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"{rows}"), to_pandas(table.take(list(range(5)))))


def test_a_reading_a_query_and_joined_rows_are_exported(tmp_path: Path) -> None:
    write(tmp_path, [line([{"age": 7, "country": "ES"}]), line([{"age": 8, "country": None}], number=1)])
    write(tmp_path, [line([{"score": 0.5}])], collection="shop/blue/model_outputs")
    store = reader.open(tmp_path)
    sources: list[Any] = [store.read(COLLECTION), store.query("FROM model_inputs"), store.join("shop/blue")]
    sources.append(store.read(COLLECTION, since="2030-01-01"))
    for number, rows in enumerate(sources):
        path = tmp_path / f"{number}.parquet"
        exported = to_parquet(rows, path)
        expected = rows.to_pandas()
        assert (exported.path, exported.rows, exported.size) == (path, len(expected), path.stat().st_size)
        pd.testing.assert_frame_equal(pd.read_parquet(path), expected)
        to_csv(rows, tmp_path / f"{number}.csv")
        assert len(pd.read_csv(tmp_path / f"{number}.csv")) == len(expected)
    assert pq.ParquetFile(tmp_path / "0.parquet").metadata.row_group(0).column(0).compression == "ZSTD"


def test_csv_has_every_digit_and_formulas_as_they_are(tmp_path: Path) -> None:
    rows = [{"f": "=1+1", "n": [1, {"a": None}], "s": 'a "b",\n'}, {"f": "-1", "n": None, "s": ""}, {"f": None}]
    write(tmp_path, [line(rows)])
    exported = to_csv(reader.open(tmp_path).read(COLLECTION, columns=["time", "f", "n", "s"]), tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["time", "f", "n", "s"],
            ["2026-11-22T10:00:00.000000000Z", "=1+1", '[1, {"a": null}]', 'a "b",\n'],
            ["2026-11-22T10:00:00.000000000Z", "-1", "", ""],
            ["2026-11-22T10:00:00.000000000Z", "", "", ""],
        ]
    (note,) = exported.notes
    assert note.startswith("2 texts with =, +, -, @ or a tab at the beginning: a spreadsheet may run")


FORMATS = [to_parquet, to_csv]


@pytest.mark.parametrize("export", FORMATS)
def test_a_file_is_never_replaced_unless_that_is_asked_for(tmp_path: Path, export: Any) -> None:
    rows = Batches(pa.record_batch({"a": [1]}))
    path = tmp_path / "x"
    path.write_text("mine", "utf-8")
    with pytest.raises(ExportError, match="one that is there"):
        export(rows, path)
    assert path.read_text("utf-8") == "mine"
    export(rows, path, overwrite=True)
    assert path.read_bytes() != b"mine"
    with pytest.raises(ExportError, match="got none at"):
        export(rows, tmp_path / "missing/x")
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


class Failing(Batches):
    """Rows that end with an error, or take the name of the file."""

    def __init__(self, error: BaseException | None, taken: Path | None = None) -> None:
        super().__init__(pa.record_batch({"a": [1]}))
        self._error = error
        self._taken = taken

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield from super().batches()
        if self._taken is not None:
            self._taken.write_text("theirs", "utf-8")
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("export", FORMATS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), reader.ReaderError("damaged"), OSError(28, "No space left")])
def test_nothing_is_left_after_an_error(tmp_path: Path, export: Any, error: BaseException) -> None:
    with pytest.raises(ExportError if isinstance(error, OSError) else type(error)):
        export(Failing(error), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", FORMATS)
def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, export: Any) -> None:
    with pytest.raises(ExportError, match="one that is there"):
        export(Failing(None, tmp_path / "x"), tmp_path / "x")
    assert {one.name: one.read_text("utf-8") for one in tmp_path.iterdir()} == {"x": "theirs"}


def test_without_deltalake_one_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "deltalake", None)
    with pytest.raises(ExportError, match="pip install deltalake"):
        to_delta(Batches(pa.record_batch({"a": [1]})), tmp_path / "x")


def test_delta_has_the_values_and_says_which_types_change(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    times = pa.array([1_001, None], pa.timestamp("ns", "UTC"))
    batch = pa.record_batch({"t": times, "u": pa.array([2**63 - 1, None], pa.uint64()), "s": ["a", "b"]})
    reported: list[tuple[str, bool]] = []
    path = tmp_path / "x"
    exported: Exported = to_delta(
        Batches(batch), path, report=lambda note: reported.append((note, not list(tmp_path.iterdir())))
    )
    notes = (
        "column 't' is timestamp[ns, tz=UTC] here, and timestamp[us, tz=UTC] in Delta",
        "column 'u' is uint64 here, and int64 in Delta",
    )
    assert (exported.notes, reported, exported.rows) == (notes, [(note, True) for note in notes], 2)
    found = pa.table(deltalake.DeltaTable(str(path)).to_pyarrow_table())
    assert found["t"].cast(pa.int64()).to_pylist() == [1, None]
    assert found.select(["u", "s"]).to_pydict() == {"u": [2**63 - 1, None], "s": ["a", "b"]}
    with pytest.raises(ExportError, match="one that is there"):
        to_delta(Batches(batch), path)
    to_delta(Batches(batch), path, overwrite=True)
    with pytest.raises(
        ExportError, match="below 2\\*\\*63 in column 'u', which Delta can hold, got 9223372036854775808"
    ):
        to_delta(Batches(pa.record_batch({"u": pa.array([2**63], pa.uint64())})), tmp_path / "y")
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_every_dtype_can_be_written_as_delta(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    for number, code in enumerate(COLUMNS):
        table = read_again(pd.DataFrame({"c": COLUMNS[code]}))
        if pa.types.is_uint64(table.schema.field("c").type):
            continue  # their values are above 2**63
        path = tmp_path / str(number)
        to_delta(Batches(*table.to_batches()), path)
        assert deltalake.DeltaTable(str(path)).to_pyarrow_table().num_rows == table.num_rows, code


def test_a_full_disk_is_no_fault_of_the_rows_of_a_table(tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ExportError, match=r"^expected a file that can be written, got File too large: .*/table$"):
            to_delta(Batches(pa.record_batch({"a": [1]})), tmp_path / "table")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
