"""Polars, DuckDB and Dask have the rows and the values of the reading, and read only when they are asked."""

from __future__ import annotations

import pickle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata_reader import ReaderError
from otel_modeldata_reader.blobs import store_access
from otel_modeldata_reader.engines import planning

pytest.importorskip("pyarrow")
from typed_columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_reader import Reading

COMPARED = [code for code in COLUMNS if not any(word in code for word in ("list_view", "interval", "fixed_size_list"))]


@pytest.fixture(scope="module")
def typed_store() -> Iterator[Path]:
    """A store with one collection for each code."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
        with collecting(Path(folder)) as flush:
            for number, code in enumerate(COMPARED):
                frame = pd.DataFrame({"c": COLUMNS[code], "n": range(len(COLUMNS[code]))})
                collector = Collector(name=f"code_{number}")
                collector.collect(frame)
                collector.collect(frame)
            flush()
        yield Path(folder)


def typed(store: Path, code: str) -> Reading:
    return reader.open(store).read(f"shop/blue/code_{COMPARED.index(code)}", envelope=False)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is a partition."""
    monkeypatch.setattr(store_access, "_READ_BYTES", 100)
    monkeypatch.setattr(planning.plan_read, "__defaults__", (None, 1))


@pytest.fixture
def mixed(tmp_path: Path, small_parts: None) -> Reading:
    """Rows whose columns have missing values in some partitions, and types that widen."""
    rows = [
        [{"age": 1, "ok": True, "name": "x"}],
        [{"age": None, "ok": None}],
        [{"age": 3, "score": 1}],
        [{"score": 2.5}],
    ]
    write(tmp_path, [line(row, number=number) for number, row in enumerate(rows)])
    write(tmp_path, [line(number=1), line([{"age": 9}], number=9)], replica=1)
    return reader.open(tmp_path).read(COLLECTION)


@pytest.mark.parametrize("code", COMPARED)
def test_polars_has_every_type(typed_store: Path, code: str, small_parts: None) -> None:
    reading = typed(typed_store, code)
    try:
        expected = reading.to_polars()
    except BaseException:  # noqa: BLE001 - a type that Polars does not have; for some it panics
        with pytest.raises(BaseException, match=r"unable to parse|recision|scale|Int256"):
            reading.scan_polars().collect()
    else:
        assert reading.scan_polars().collect().equals(expected)


def test_polars_reads_what_a_query_uses(mixed: Reading) -> None:
    pl = pytest.importorskip("polars")
    frame = mixed.scan_polars()
    assert frame.collect_schema() == mixed.to_polars().schema
    assert frame.select("event_id", "age").filter(pl.col("age") > 2).collect().rows() == [
        ("event-2", 3),
        ("event-9", 9),
    ]
    assert frame.select(pl.len()).collect().item() == 5
    assert frame.head(2).select("age").collect().rows() == [(1,), (None,)]


def test_polars_stops_when_it_has_enough_rows(mixed: Reading, tmp_path: Path) -> None:
    frame = mixed.scan_polars().head(1)
    for blob in tmp_path.rglob(f"*{1:032x}000000.jsonl"):
        blob.unlink()
    assert frame.collect().height == 1


@pytest.mark.parametrize("code", COMPARED)
def test_duckdb_has_every_row(typed_store: Path, code: str, small_parts: None) -> None:
    duckdb = pytest.importorskip("duckdb")
    reading = typed(typed_store, code)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            expected = connection.from_arrow(reading.to_arrow()).fetchall()
        except duckdb.Error as error:
            with pytest.raises(type(error)):
                reading.to_duckdb(connection).fetchall()
        else:
            assert str(reading.to_duckdb(connection).fetchall()) == str(expected)


def test_a_relation_of_duckdb_is_read_again_by_each_query(mixed: Reading) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        rows = mixed.to_duckdb(connection)
        assert rows.count("*").fetchall() == rows.count("*").fetchall() == [(5,)]
        query = "SELECT a.age FROM rows a JOIN rows b USING (row_id) WHERE a.age > 2 ORDER BY 1"
        assert connection.sql(query).fetchall() == [(3,), (9,)]
    assert mixed.to_duckdb().filter("age > 3").fetchall()[0][8] == "event-9"


@pytest.mark.slow
@pytest.mark.parametrize("code", COMPARED)
def test_dask_has_every_type(typed_store: Path, code: str, small_parts: None) -> None:
    dask = pytest.importorskip("dask")
    reading = typed(typed_store, code)
    with dask.config.set({"dataframe.convert-string": False}):
        frame = reading.to_dask()
    found = frame.compute(scheduler="sync").reset_index(drop=True)
    expected = reading.to_pandas()
    if code.startswith(">"):  # pandas gives up the order of bytes when it puts frames together
        expected = expected.astype({"c": expected["c"].dtype.newbyteorder("=")})
    pd.testing.assert_frame_equal(found, expected)
    if not (isinstance(found["c"].dtype, pd.CategoricalDtype) or code.startswith(">")):
        assert frame.dtypes.to_dict() == found.dtypes.to_dict()


def test_partitions_of_dask_have_the_same_dtypes(mixed: Reading) -> None:
    pytest.importorskip("dask.dataframe")
    frame = mixed.to_dask()
    assert frame.npartitions > 3
    own = {"age": "Int64", "ok": "boolean", "name": "str", "score": "float64"}
    parts = [frame.partitions[number].compute(scheduler="sync") for number in range(frame.npartitions)]
    for part in [frame, *parts]:
        assert {name: str(dtype) for name, dtype in part.dtypes.items() if name in own} | {"name": "str"} == own
    assert frame["age"].sum().compute(scheduler="sync") == 13
    assert frame[["event_id"]].compute(scheduler="sync")["event_id"].tolist() == [
        "event-0", "event-1", "event-2", "event-3", "event-9",
    ]  # fmt: skip


@pytest.mark.slow
def test_workers_of_dask_read_in_processes_of_their_own(mixed: Reading) -> None:
    pytest.importorskip("dask.dataframe")
    frame = mixed.to_dask()
    assert frame["age"].compute(scheduler="processes", num_workers=1).sum() == 13


def test_a_window_without_rows_is_a_frame_without_rows(tmp_path: Path) -> None:
    pytest.importorskip("dask.dataframe")
    pytest.importorskip("polars")
    write(tmp_path, [line()])
    reading = reader.open(tmp_path).read(COLLECTION, "2027-01-01", columns=["row_id"])
    assert reading.scan_polars().collect().rows() == []
    assert reading.to_duckdb().fetchall() == []
    assert reading.to_dask().compute(scheduler="sync").to_dict() == {"row_id": {}}
    assert pickle.loads(pickle.dumps(reading.plan())).partitions == ()


@pytest.mark.parametrize(
    ("method", "module", "package"),
    [
        ("scan_polars", "polars.io.plugins", "Polars"),
        ("to_dask", "dask.dataframe", "Dask"),
        ("to_daft", "daft", "Daft"),
        ("to_duckdb", "duckdb", "DuckDB"),
    ],
)
def test_an_engine_that_is_missing_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, module: str, package: str
) -> None:
    write(tmp_path, [line()])
    reading: Any = reader.open(tmp_path).read(COLLECTION)
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ReaderError, match=f"^expected {package}, got no such package: pip install '?[a-z-]+"):
        getattr(reading, method)()
