"""A stream over a collection that is compacted: each event once, also where its lines are gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.engines.growing import GrowingCollection

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def event(number: int) -> bytes:
    return line([{"a": number}], number=number, **({"datatypes": "i8"} if number % 2 else {}))


def growth(folder: Path) -> GrowingCollection:
    return GrowingCollection(reader.open(folder).read(COLLECTION).plan().rows)


def polled(collection: GrowingCollection, start: Any) -> Any:
    """The next offset, as a checkpoint gives it back."""
    return json.loads(json.dumps(collection.next_offset(start, collection.sizes())))


def rows_between(collection: GrowingCollection, start: Any, end: Any) -> list[int]:
    batches = [batch for one in collection.partitions(start, end) for batch in one.batches()]
    return sorted(row["a"] for batch in batches for row in batch.to_pylist())


def write_events(store: Path, numbers: Iterable[int], replica: int = 0) -> None:
    write(store, map(event, numbers), replica=replica)


def compact(store: Path) -> None:
    reader.open(store).compact(older=0, drop_lines=True)


def test_a_stream_that_begins_now_has_the_rows_of_parquet(tmp_path: Path) -> None:
    write_events(tmp_path, [0, 1, 2, 1])
    write_events(tmp_path, [2, 3], replica=1)
    compact(tmp_path)
    write_events(tmp_path, [1, 4], replica=2)
    collection = growth(tmp_path)
    first = collection.first_offset()
    end = polled(collection, first)
    assert rows_between(collection, first, end) == [0, 1, 2, 3, 4]
    assert rows_between(growth(tmp_path), first, end) == [0, 1, 2, 3, 4]  # after a restart
    assert polled(collection, end) == end


def test_a_stream_goes_on_when_what_it_has_read_is_compacted(tmp_path: Path) -> None:
    write_events(tmp_path, [0, 1, 2])
    collection = growth(tmp_path)
    before = polled(collection, collection.first_offset())
    compact(tmp_path)
    assert polled(collection, before) == before
    write_events(tmp_path, [1, 5], replica=1)
    for one in (collection, growth(tmp_path)):
        after = polled(one, before)
        assert rows_between(one, before, after) == [5]
    compact(tmp_path)
    restarted = growth(tmp_path)
    assert rows_between(restarted, before, after) == [5]
    assert polled(restarted, after) == after


def test_late_lines_that_are_compacted_before_they_are_read_are_not_lost(tmp_path: Path) -> None:
    write_events(tmp_path, [0, 1])
    collection = growth(tmp_path)
    before = polled(collection, collection.first_offset())
    write_events(tmp_path, [0, 2], replica=1)
    compact(tmp_path)
    after = polled(collection, before)
    assert rows_between(collection, before, after) == [2]


def test_a_stream_in_the_middle_of_removed_lines_must_begin_again(tmp_path: Path) -> None:
    write_events(tmp_path, [0, 1, 2])
    collection = growth(tmp_path)
    name = next(iter(collection.sizes()))
    middle = collection.first_offset() | {"blobs": {name: len(event(0))}}
    compact(tmp_path)
    with pytest.raises(reader.ReaderError, match=r"all or nothing of .+ begin with a new checkpoint"):
        collection.next_offset(middle, collection.sizes())
    with pytest.raises(reader.ReaderError, match="all or nothing"):
        collection.partitions(collection.first_offset(), middle)
