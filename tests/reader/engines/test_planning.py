"""The partitions of a plan are the rows of the reading, wherever they are read."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_lines import COLLECTION, HOUR, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError, StoreUnavailableError, UnknownNameError
from otel_modeldata_reader.blobs import store_access
from otel_modeldata_reader.engines import remote_store
from otel_modeldata_reader.engines.planning import plan_read
from otel_modeldata_reader.lines import event_stream

pa = pytest.importorskip("pyarrow")

if TYPE_CHECKING:
    from otel_modeldata_reader.engines.planning import ReadPlan

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    st.lists(st.integers(0, 3), max_size=2),
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "time"]), CELLS, max_size=2), min_size=1, max_size=2)
TYPED = st.lists(st.integers(-5, 5), min_size=1, max_size=3)
EVENTS = st.one_of(
    st.builds(lambda number, rows: line(rows, number=number), st.integers(0, 9), ROWS),
    st.builds(
        lambda number, cells: line([{"a": cell} for cell in cells], number=number, datatypes="i1"),
        st.integers(0, 9),
        TYPED,
    ),
    st.sampled_from([b"not JSON\n", b"\n", line(id=None), line(number=3, raw="null")]),
)
BLOBS = st.lists(st.tuples(st.lists(EVENTS, max_size=6), st.sampled_from([b"", line(number=8)[:-9]])), max_size=4)


def table_of(plan: ReadPlan) -> Any:
    return pa.Table.from_batches(plan.batches(), schema=plan.schema)


def rows(table: Any) -> list[dict[str, Any]]:
    """The rows, without regard to the order of columns."""
    return [dict(sorted(row.items())) for row in table.to_pylist()]


@pytest.mark.slow
@settings(max_examples=60)
@given(BLOBS, st.sampled_from([1, 300, 1 << 25]), st.sampled_from([97, 1 << 22]))
def test_the_partitions_together_are_the_reading(blobs: list[Any], size: int, read_bytes: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_access, "_READ_BYTES", read_bytes)
        patch.setattr(event_stream, "_BATCH_BYTES", read_bytes)
        write(Path(folder), [line(number=10)], hour="2026/11/22/09")
        for replica, (lines, torn) in enumerate(blobs):
            write(Path(folder), [*lines, torn], replica=replica)
        reading = reader.open(folder).read(COLLECTION)
        plan = pickle.loads(pickle.dumps(plan_read(reading._store, reading._request, size=size)))
        assert table_of(plan).schema == pa.Table.from_batches(reading.batches()).schema
        # Where kinds of lines alternate, the order of rows depends on which lines are read at once.
        assert sorted(map(str, rows(table_of(plan)))) == sorted(map(str, rows(reading.to_arrow())))
        assert plan.report == reading.report
        assert sum(one.size for one in plan.partitions) == plan.report.size


def test_a_large_blob_is_several_partitions_and_small_ones_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_access, "_READ_BYTES", 1000)
    for replica in range(3):
        write(tmp_path, [line(number=replica)], replica=replica)
    write(tmp_path, [line(number=number) for number in range(3, 40)], replica=3)
    reading = reader.open(tmp_path).read(COLLECTION)
    plan = plan_read(reading._store, reading._request, size=4000)
    assert [len(one.ranges) for one in plan.partitions] == [3, 1, 1, 1]
    assert [sum(batch.num_rows for batch in one.batches()) for one in plan.partitions] == [3, 15, 13, 9]


def test_rows_that_are_objects_of_their_own_are_read_by_the_partition(tmp_path: Path) -> None:
    blob = write(tmp_path, [line(), line(None, number=1, dataref=f"/elsewhere/{COLLECTION}/{HOUR}/files/x.json")])
    (blob.parent / "files").mkdir()
    (blob.parent / "files" / "x.json").write_text(json.dumps([{"age": 7}, {"age": 8}]))
    plan = reader.open(tmp_path).read(COLLECTION, columns=["row_id", "age"]).plan()
    expected = [("request-0_0", 0), ("request-1_0", 7), ("request-1_1", 8)]
    assert table_of(plan).to_pylist() == [{"row_id": row_id, "age": age} for row_id, age in expected]


def test_columns_a_condition_and_a_window_hold_in_every_partition(tmp_path: Path) -> None:
    write(tmp_path, [line(number=number) for number in range(5)])
    write(tmp_path, [line(number=9)], hour="2026/11/22/08")
    reading = reader.open(tmp_path).read(COLLECTION, "2026-11-22T10", columns=["age"], where="age > 2", envelope=False)
    plan = pickle.loads(pickle.dumps(reading.plan()))
    assert table_of(plan).to_pylist() == [{"age": 3}, {"age": 4}]
    assert [batch.schema.names for batch in plan.partitions[0].batches([])] == [[]]


def test_a_schema_that_is_given_decides_columns_and_types(tmp_path: Path) -> None:
    write(tmp_path, [line([{"age": 1, "city": "Rome"}]), line([{"age": 2.5}], number=1), line(number=1)])
    schema = pa.schema([("age", pa.float32()), ("row_id", pa.string()), ("none", pa.int64())])
    plan = reader.open(tmp_path).read(COLLECTION).plan(schema)
    assert table_of(plan) == pa.table([[1.0, 2.5], ["request-0_0", "request-1_0"], [None, None]], schema=schema)
    with pytest.raises(ReaderError, match=r"got double in 'age', which is int64 in .*begin again"):
        table_of(reader.open(tmp_path).read(COLLECTION).plan(pa.schema([("age", pa.int64())])))
    with pytest.raises(ReaderError, match="got string in 'city', which is int64"):
        table_of(reader.open(tmp_path).read(COLLECTION).plan(pa.schema([("city", pa.int64())])))


def test_a_wrong_column_or_condition_is_an_error_of_planning(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    store = reader.open(tmp_path)
    with pytest.raises(UnknownNameError, match="got 'agee': did you mean 'age'"):
        store.read(COLLECTION, columns=["agee"]).plan()
    with pytest.raises(ReaderError, match="expected a condition in SQL, got 'agee > 1'"):
        store.read(COLLECTION, where="agee > 1").plan()


def test_a_blob_that_was_cut_since_planning_is_an_error(tmp_path: Path) -> None:
    blob = write(tmp_path, [line(), line(number=1)])
    plan = reader.open(tmp_path).read(COLLECTION).plan()
    blob.write_bytes(line())
    with pytest.raises(StoreUnavailableError, match="read the collection again"):
        table_of(plan)


def test_lines_that_came_after_planning_are_not_read(tmp_path: Path) -> None:
    blob = write(tmp_path, [line()])
    plan = reader.open(tmp_path).read(COLLECTION).plan()
    with blob.open("ab") as file:
        file.write(line([{"new": 1}], number=1))
    assert table_of(plan).num_rows == 1


def test_a_partition_of_a_folder_is_read_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "store", [line()])
    monkeypatch.chdir(tmp_path)
    plan = reader.open("store").read(COLLECTION).plan()
    monkeypatch.chdir(tmp_path / "store")
    assert table_of(plan).num_rows == 1


def test_no_secret_of_a_url_is_pickled_or_shown() -> None:
    url = "https://account.blob.core.windows.net/container?sv=2024&sig=SECRET"
    store = remote_store.RemoteStore(url=url)
    assert "SECRET" not in repr(store)
    with pytest.raises(ReaderError, match="set AZURE_STORAGE_SAS_TOKEN where the rows are read") as raised:
        pickle.dumps(store)
    assert "SECRET" not in str(raised.value)
