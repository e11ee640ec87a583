"""Seals and compaction: a seal holds when its lines are in Parquet only, and a sealed reading is still exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from read_lines import COLLECTION, HOUR, line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path


def numbered(number: int, **keys: Any) -> bytes:
    return line(number=number, producer="p", producersequence=str(number), datatypes="i8", **keys)


def ages(store: Path, **options: Any) -> list[int]:
    found: list[int] = reader.open(store).read(COLLECTION, columns=["age"], **options).to_arrow()["age"].to_pylist()
    return sorted(found)


def planned_ages(store: Path) -> list[int]:
    plan = reader.open(store).read(COLLECTION, columns=["age"], sealed=True).plan()
    return sorted(age for batch in plan.batches() for age in batch.to_pydict()["age"])


def sealed(store: Path) -> Any:
    (one,) = reader.open(store).seal(lateness=0)
    return one


LINES = [*map(numbered, range(6)), numbered(2), b"foreign\n", line([{"age": 7, "x": [1]}, {"age": 8}], number=7)]


@pytest.mark.parametrize("drop", [False, True])
def test_a_seal_holds_after_a_compaction(tmp_path: Path, drop: bool) -> None:
    write(tmp_path, LINES)
    first = sealed(tmp_path)
    store = reader.open(tmp_path)
    store.compact(older=0, drop_lines=drop)
    (one,) = store.sealed()
    assert (one.state, one.seal) == ("sealed", first.seal)
    assert (sealed(tmp_path).is_new, ages(tmp_path, sealed=True)) == (False, [0, 1, 2, 3, 4, 5, 7, 8])


def test_an_hour_that_is_compacted_already_gets_the_same_seal(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for store in (before, after):
        write(store, LINES)
        write(store, [numbered(20)], replica=1)
    reader.open(after).compact(older=0, drop_lines=True)
    expected, found = sealed(before).seal, sealed(after).seal
    assert expected.rows == found.rows + 1  # of the line that repeats an event
    for one in (expected, found):
        assert (one.reason, len(one.blobs)) == ("closed", 2)
    assert found.audit is None  # it is of lines, which are gone
    same = {"rows": 0, "sealed_at": "", "audit": None}
    assert msgspec.structs.replace(found, **same) == msgspec.structs.replace(expected, **same)
    assert reader.open(after).sealed()[0].state == "sealed"


def test_a_sealed_reading_leaves_out_late_lines_that_are_in_parquet(tmp_path: Path) -> None:
    blob = write(tmp_path, [*map(numbered, range(4))])
    sealed(tmp_path)
    with blob.open("ab") as file:
        file.write(numbered(4) + line(number=5))
    late = numbered(6)
    write(tmp_path, [late], replica=1)
    store = reader.open(tmp_path)
    for drop in (False, True):
        store.compact(older=0, drop_lines=drop)
        (one,) = store.sealed()
        assert (one.state, one.late_bytes) == ("reopened", len(numbered(4) + line(number=5) + late))
        assert ages(tmp_path, sealed=True) == planned_ages(tmp_path) == [0, 1, 2, 3]
        assert ages(tmp_path) == [0, 1, 2, 3, 4, 5, 6]
    again = sealed(tmp_path)
    assert (again.seal.number, again.seal.reason, again.seal.late_lines) == (2, "late", 3)
    assert ages(tmp_path, sealed=True) == planned_ages(tmp_path) == [0, 1, 2, 3, 4, 5, 6]


def test_lines_that_come_after_a_dropped_hour_reopen_it(tmp_path: Path) -> None:
    write(tmp_path, [*map(numbered, range(4))])
    sealed(tmp_path)
    store = reader.open(tmp_path)
    store.compact(older=0, drop_lines=True)
    write(tmp_path, [numbered(9)], replica=1)
    (one,) = store.sealed()
    assert (one.state, one.late_bytes) == ("reopened", len(numbered(9)))
    assert ages(tmp_path, sealed=True) == planned_ages(tmp_path) == [0, 1, 2, 3]
    again = sealed(tmp_path)
    assert (again.seal.number, again.seal.late_lines, again.seal.events) == (2, 1, 5)
    store.compact(older=0, drop_lines=True)
    assert (store.sealed()[0].state, ages(tmp_path, sealed=True)) == ("sealed", [0, 1, 2, 3, 9])


def test_an_hour_whose_parquet_is_gone_is_changed(tmp_path: Path) -> None:
    write(tmp_path, [*map(numbered, range(4))])
    sealed(tmp_path)
    store = reader.open(tmp_path)
    store.compact(older=0, drop_lines=True)
    write(tmp_path, [numbered(9)], replica=1)
    (manifest,) = (tmp_path / "_parquet" / COLLECTION).rglob("manifest-*.json")
    manifest.write_bytes(b"{")
    assert store.sealed()[0].state == "changed"
    assert store.read(COLLECTION, sealed=True).report.seals == reader.SealCounts(changed=1)
    assert HOUR.replace("/", "-")[:10] in str(manifest)
