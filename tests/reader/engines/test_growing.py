"""A collection that grows is read exactly once, between any offsets and after any restart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_lines import COLLECTION, HOUR, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError
from otel_modeldata_reader.blobs import store_access
from otel_modeldata_reader.engines import growing
from otel_modeldata_reader.engines.growing import GrowingCollection
from otel_modeldata_reader.engines.partition import ReadRows
from otel_modeldata_reader.engines.remote_store import RemoteStore

if TYPE_CHECKING:
    from otel_modeldata_reader.window import Moment

ROWS: list[Any] = [
    [{"a": 1}],
    [{"a": 2.5, "b": "x"}, {"a": None}],
    [{"b": "2026-01-01"}],
    [{"c": [1, 2]}],
    [{"a": 3, "c": []}],
]
HOURS = ("2026/11/22/10", "2026/11/22/11")


def contents(hour: int) -> st.SearchStrategy[bytes]:
    """A blob of an hour: an event is in the folder of its hour only."""
    events = st.integers(0, 4).map(lambda number: 2 * number + hour).map(event)
    lines = st.lists(events | st.sampled_from([b"not JSON\n", b"\n"]), max_size=6)
    return st.tuples(lines.map(b"".join), st.sampled_from([b"", event(hour)[:-9]])).map(b"".join)


def event(number: int) -> bytes:
    return line(ROWS[number % len(ROWS)], number=number)


STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 700), st.sampled_from(["", "poll", "restart"])))


def growth(folder: Path, since: Moment = None) -> GrowingCollection:
    """The growing collection whose schema is that of what there is now."""
    return GrowingCollection(reader.open(folder).read(COLLECTION, since).plan().rows)


def rows_between(collection: GrowingCollection, start: Any, end: Any) -> list[dict[str, Any]]:
    return [row for one in collection.partitions(start, end) for batch in one.batches() for row in batch.to_pylist()]


def polled(collection: GrowingCollection, start: Any, most: int | None = None) -> Any:
    """The next offset, as a checkpoint gives it back."""
    return json.loads(json.dumps(collection.next_offset(start, collection.sizes(), most)))


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["event_id"] for row in rows]


@pytest.mark.slow
@settings(max_examples=60)
@given(st.tuples(*map(contents, (0, 1, 0, 1))), STEPS, st.sampled_from([None, 1, 500]))
def test_every_event_is_read_once_however_the_blobs_grow(
    blobs_at_end: tuple[bytes, ...], steps: list[tuple[int, int, str]], most: int | None
) -> None:
    with TemporaryDirectory() as complete, TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing, "_TAIL_BYTES", 50)
        patch.setattr(store_access, "_READ_BYTES", 97)
        blobs = []
        for number, content in enumerate(blobs_at_end):
            write(Path(complete), [content], hour=HOURS[number % 2], replica=number)
            blobs.append(write(Path(folder), [], hour=HOURS[number % 2], replica=number))
        whole = reader.open(complete).read(COLLECTION)
        plan_rows = whole.plan().rows

        def started() -> GrowingCollection:
            return GrowingCollection(replace(plan_rows, store=RemoteStore(url=folder)), size=300)

        collection, read = started(), []
        offset = collection.first_offset()
        written = [0] * len(blobs_at_end)
        for number, size, action in [*steps, *((number, 10**6, "poll") for number in range(4))]:
            with blobs[number].open("ab") as file:
                file.write(blobs_at_end[number][written[number] : written[number] + size])
            written[number] += size
            while action:
                end = polled(collection, offset, most)
                if end == offset:
                    break
                rows = rows_between(collection, offset, end)
                if action == "restart":
                    collection = started()
                    assert rows_between(collection, offset, end) == rows
                read += rows
                offset = end
        expected = whole.to_arrow().to_pylist()
        assert sorted(map(str, read)) == sorted(map(str, expected))


def test_a_torn_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    text = line(number=1)
    blob = write(tmp_path, [line(), text[:-20]])
    collection = growth(tmp_path)
    first = polled(collection, collection.first_offset())
    assert first == {"since": None, "blobs": {f"{COLLECTION}/{HOUR}/{blob.name}": len(line())}}
    assert polled(collection, first) == first
    with blob.open("ab") as file:
        file.write(text[-20:])
    second = polled(collection, first)
    assert ids(rows_between(collection, first, second)) == ["event-1"]


def test_new_blobs_and_new_hours_are_read(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    collection = growth(tmp_path)
    first = polled(collection, collection.first_offset())
    write(tmp_path, [line(number=1)], replica=1)
    write(tmp_path, [line(number=2)], hour="2026/11/22/11")
    second = polled(collection, first)
    assert ids(rows_between(collection, first, second)) == ["event-1", "event-2"]
    assert polled(collection, second) == second


def test_an_event_of_an_earlier_batch_is_not_read_again_from_another_blob(tmp_path: Path) -> None:
    write(tmp_path, [line(), line(number=1)])
    collection = growth(tmp_path)
    first = polled(collection, collection.first_offset())
    assert ids(rows_between(collection, collection.first_offset(), first)) == ["event-0", "event-1"]
    write(tmp_path, [line(number=1), line(number=2), line(number=2)], replica=1)
    second = polled(collection, first)
    for one in (collection, growth(tmp_path)):
        assert ids(rows_between(one, first, second)) == ["event-2"]


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        ([{"age": "x"}], "string in 'age', which is int64"),
        ([{"age": 1.5}], "double in 'age', which is int64"),
        ([{"age": 2**70}], "decimal128(38, 0) in 'age', which is int64"),
        ([{"age": True}], "string in 'age', which is int64"),
        ([{"age": 1}, {"name": None, "new": 1}], "the new column 'new' (int64)"),
    ],
)
def test_a_change_of_the_schema_is_an_error_with_its_blob(tmp_path: Path, rows: Any, got: str) -> None:
    write(tmp_path, [line([{"age": 1, "name": "x"}])])
    collection = growth(tmp_path)
    first = polled(collection, collection.first_offset())
    blob = write(tmp_path, [line(number=1), line(rows, number=2)], replica=1)
    second = polled(collection, first)
    with pytest.raises(ReaderError) as raised:
        rows_between(collection, first, second)
    assert str(raised.value) == (
        f"expected rows of the schema that the reading began with, got {got} in {COLLECTION}/{HOUR}/{blob.name}: begin "
        "again, from the same checkpoint if it is a stream, so that the schema is found again, or give a schema"
    )
    assert len(rows_between(growth(tmp_path), first, second)) == 1 + len(rows)


@pytest.mark.parametrize("datatypes", ["f8", "s", "b", "datetime64[ns]"])
def test_a_change_of_the_types_that_lines_say_is_an_error(tmp_path: Path, datatypes: str) -> None:
    write(tmp_path, [line([{"age": 1}], datatypes="i4")])
    collection = growth(tmp_path)
    first = polled(collection, collection.first_offset())
    cell: Any = {"f8": 1.0, "s": "1", "b": True, "datetime64[ns]": "2026-11-22T00:00:00"}[datatypes]
    write(tmp_path, [line([{"age": cell}], number=2, datatypes=datatypes)], replica=1)
    with pytest.raises(ReaderError, match="in 'age', which is int32 in"):
        rows_between(collection, first, polled(collection, first))


def test_values_that_the_schema_holds_are_no_change(tmp_path: Path) -> None:
    write(tmp_path, [line([{"age": 1.5, "name": "x"}]), line([{"age": 7}], number=1, datatypes="i8")])
    collection = growth(tmp_path)
    first = polled(collection, collection.first_offset())
    new = [line([{"age": 2}], number=2), line([{"name": None}], number=3), line([{"age": 3}], number=4, datatypes="i1")]
    write(tmp_path, new, replica=1)
    rows = rows_between(collection, first, polled(collection, first))
    assert [(row["age"], row["name"]) for row in rows] == [(2.0, None), (None, None), (3.0, None)]


def test_the_window_of_a_stream_stays_where_it_began(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    write(tmp_path, [line(number=1, timens=None, time="2026-11-22T12:00:00Z")], hour="2026/11/22/12")
    collection = growth(tmp_path, "2026-11-22T11")
    first = polled(collection, collection.first_offset())
    assert ids(rows_between(collection, collection.first_offset(), first)) == ["event-1"]
    later = growth(tmp_path, "2026-11-22T10")
    assert polled(later, first) == first


def test_a_batch_has_about_as_many_bytes_as_it_may_and_the_oldest_first(tmp_path: Path) -> None:
    write(tmp_path, [line(number=number) for number in range(10)])
    write(tmp_path, [line(number=10)], hour="2026/11/22/11")
    collection = growth(tmp_path)
    offset, batches = collection.first_offset(), []
    while (end := polled(collection, offset, 3 * len(line()))) != offset:
        batches.append(ids(rows_between(collection, offset, end)))
        offset = end
    assert [len(one) for one in batches] == [3, 3, 3, 2]
    assert [one for batch in batches for one in batch] == [f"event-{number}" for number in range(11)]


def test_a_blob_that_was_rewritten_is_an_error(tmp_path: Path) -> None:
    blob = write(tmp_path, [line(), line(number=1)])
    collection = growth(tmp_path)
    first = polled(collection, collection.first_offset())
    blob.write_bytes(line())
    with pytest.raises(ReaderError, match="it was rewritten after the stream read it; begin with a new checkpoint"):
        polled(collection, first)


def test_a_blob_that_is_gone_for_a_while_is_not_read_twice(tmp_path: Path) -> None:
    blob = write(tmp_path, [line()])
    collection = growth(tmp_path)
    first = polled(collection, collection.first_offset())
    blob.rename(tmp_path / "aside")
    write(tmp_path, [line(number=1)], replica=1)
    second = polled(collection, first)
    (tmp_path / "aside").rename(blob)
    assert polled(collection, second) == second


def test_a_collection_may_begin_after_a_stream_with_a_given_schema(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from otel_modeldata_reader.engines.checked_rows import given_plan
    from otel_modeldata_reader.window import Window

    rows = ReadRows(
        store=RemoteStore(url=str(tmp_path)),
        root=COLLECTION,
        window=Window(),
        where=None,
        envelope=True,
        plan=given_plan(pa.schema([("event_id", pa.string()), ("age", pa.int64())]), envelope=True),
        columns=None,
        is_complete=False,
    )
    collection = GrowingCollection(rows)
    start = collection.first_offset()
    assert polled(collection, start) == start
    write(tmp_path, [line([{"age": 4, "other": "x"}])])
    assert rows_between(collection, start, polled(collection, start)) == [{"event_id": "event-0", "age": 4}]
    write(tmp_path, [line([{"age": "x"}], number=1)], replica=1)
    with pytest.raises(ReaderError, match="got string in 'age', which is int64"):
        rows_between(collection, start, polled(collection, start))
