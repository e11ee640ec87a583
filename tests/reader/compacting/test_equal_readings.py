"""A store reads the same before and after it was compacted, with its lines and without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from compacted_store import KINDS, assert_same, lines_of_a_receiver, manifests, snapshot, typed_line, write_kind
from read_lines import COLLECTION, HOUR, line, write
from typed_columns import COLUMNS

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata_reader import DamagedLineError, UnknownNameError
from otel_modeldata_reader.blobs.store_access import StoreAccess
from otel_modeldata_reader.compacting import part_writer
from otel_modeldata_reader.lines import event_stream

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite

WINDOWS: tuple[dict[str, Any], ...] = (
    {},
    {"since": "2026-11-22T10:00:00.000000002Z"},
    {"until": "2026-11-22T10:00:00.000000002Z", "envelope": False},
    {"since": "2026-11-22T11:00"},
)


WHOLE = {"duplicates", "types that alternate"}
"""A manifest counts the duplicates of the whole folder. What alternates is put together before the window is known."""


def compact(store: Path | str, **arguments: Any) -> list[reader.CompactedFolder]:
    with reader.open(store) as opened:
        return opened.compact(**arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_lines_reads_the_same(tmp_path: Path, kind: str) -> None:
    write_kind(tmp_path, kind)
    windows = WINDOWS[:1] if kind in WHOLE else WINDOWS
    before = [snapshot(tmp_path, **window) for window in windows]
    assert not any(one.problem for one in compact(tmp_path))
    for window, one in zip(windows, before, strict=True):
        assert_same(one, snapshot(tmp_path, **window))
    assert not any(one.has_changed for one in compact(tmp_path))
    compact(tmp_path, drop_lines=True)
    for window, one in zip(windows, before, strict=True):
        assert_same(one, snapshot(tmp_path, **window))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_lines_reads_the_same_in_small_parts(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kind(tmp_path, kind)
    before = snapshot(tmp_path).table
    monkeypatch.setattr(event_stream, "_BATCH_BYTES", 1)
    monkeypatch.setattr(part_writer, "_PART_BYTES", 1000)
    monkeypatch.setattr(part_writer, "_GROUP_ROWS", 3)
    monkeypatch.setattr(part_writer, "_MOST_OPEN", 1)
    compact(tmp_path)
    monkeypatch.undo()
    order = [(name, "ascending") for name in ("row_id", "event_id")]
    assert snapshot(tmp_path).table.sort_by(order).to_pylist() == before.sort_by(order).to_pylist()


def test_every_dtype_comes_back_from_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
    with collecting(tmp_path) as flush:
        for number, column in enumerate(COLUMNS.values()):
            Collector(name=f"code_{number}").collect(pd.DataFrame({"c": column, "n": range(len(column))}))
        flush()
    names = [f"shop/blue/code_{number}" for number in range(len(COLUMNS))]
    before = [snapshot(tmp_path, name) for name in names]
    compact(tmp_path, older=-7200, drop_lines=True)
    assert not list((tmp_path / "shop").rglob("*.jsonl"))
    for one, name in zip(before, names, strict=True):
        assert_same(one, snapshot(tmp_path, name))


def test_a_container_reads_the_same(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    url = f"az://{azurite.new_container()}/prefix"
    store = StoreAccess(url)
    store.put(f"{COLLECTION}/{HOUR}/{0:032x}000000.jsonl", b"".join([*lines_of_a_receiver(0, 30), line(number=77)]))
    store.put(f"{COLLECTION}/{HOUR}/{1:032x}000000.jsonl", b"".join(lines_of_a_receiver(25, 30)))
    before = snapshot(url)
    assert [one.events for one in compact(url)] == [56]
    assert_same(before, snapshot(url))
    assert [one.dropped for one in compact(url, drop_lines=True)] == [2]
    assert_same(before, snapshot(url))
    assert [one.name for one in store.walk("shop")] == []
    store.close()


def test_late_lines_are_read_before_they_are_compacted_and_after_that(tmp_path: Path) -> None:
    blob = write(tmp_path, [*lines_of_a_receiver(0, 5), b'{"torn'])
    compact(tmp_path)
    blob.write_bytes(blob.read_bytes().removesuffix(b'{"torn') + b"".join(lines_of_a_receiver(3, 5)))
    write(tmp_path, [typed_line(100)], replica=1)
    ids = [f"event-{number}" for number in [*range(8), 100] for _ in range(1 if number == 100 else 2)]
    late = snapshot(tmp_path)
    assert late.table["event_id"].to_pylist() == ids
    (done,) = compact(tmp_path)
    assert (done.lines, done.events, done.duplicates) == (6, 9, 2)
    assert snapshot(tmp_path).table.equals(late.table)
    (manifest,) = manifests(tmp_path)
    assert manifest.number == 2
    assert manifest.counts.lines == 11
    assert [blob.lines for blob in manifest.blobs] == [10, 1]


def test_a_blob_that_takes_the_name_of_a_dropped_one_is_another_blob(tmp_path: Path) -> None:
    write(tmp_path, lines_of_a_receiver(0, 5))
    compact(tmp_path, drop_lines=True)
    write(tmp_path, lines_of_a_receiver(3, 20))  # a receiver that started again, and an SDK that sent some again
    found = snapshot(tmp_path)
    assert found.table["event_id"].unique().to_pylist() == [f"event-{number}" for number in range(23)]
    assert found.report.duplicates == 2
    compact(tmp_path, drop_lines=True)
    again = snapshot(tmp_path)
    assert again.table.equals(found.table)
    assert again.report == found.report
    assert not list((tmp_path / "shop").rglob("*.jsonl"))


def test_columns_and_conditions_choose_the_same_from_parquet(tmp_path: Path) -> None:
    write(tmp_path, [*lines_of_a_receiver(0, 9), line([{"x": 1, "time": 5}], number=50, datatypes="i8,i8")])
    asked: list[dict[str, Any]] = [
        {"columns": ["a"]},
        {"columns": ["row_id", "data.time", "x"]},
        {"columns": ["t"], "where": "\"B\" > 3 AND time > TIMESTAMPTZ '2026-11-22'"},
        {"columns": ["t"], "where": "coalesce(*COLUMNS('^b$')) > 3"},
        {"columns": ["event_id"], "where": "rows.b = 2"},
        {"where": "c = 'b'"},
        {"columns": ["c"], "envelope": False},
    ]
    before = [snapshot(tmp_path, **one) for one in asked]
    compact(tmp_path, drop_lines=True)
    for one, found in zip(asked, before, strict=True):
        assert snapshot(tmp_path, **one).table.equals(found.table)
    with pytest.raises(UnknownNameError, match=r"got 'tt': did you mean 't'\?"):
        snapshot(tmp_path, columns=["tt"])


def test_a_strict_reading_raises_for_what_was_left_out(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(0), b"garbage\n"])
    compact(tmp_path, drop_lines=True)
    with pytest.raises(DamagedLineError, match=r"expected a JSON object in UTF-8 in .+, line 2"):
        snapshot(tmp_path, strict=True)


def test_batches_and_frames_come_from_parquet(tmp_path: Path) -> None:
    write(tmp_path, lines_of_a_receiver(0, 50))
    with reader.open(tmp_path) as store:
        before = store.read(COLLECTION).to_pandas()
        store.compact(drop_lines=True)
        pd.testing.assert_frame_equal(store.read(COLLECTION).to_pandas(), before)
        assert sum(batch.num_rows for batch in store.read(COLLECTION).batches()) == len(before)
