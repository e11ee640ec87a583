"""Lines that are dropped are no loss for receivers, and events that are sent again are read once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from compacted_store import lines_of_a_receiver, manifests, snapshot, typed_line
from memory_store import INSTANCE
from read_lines import COLLECTION, HOUR, write

import otel_modeldata_reader as reader
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Appended, Sink

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = f"{COLLECTION}/{HOUR}"


def _lines(*numbers: int) -> list[Line]:
    return [Line(f"event-{number}", typed_line(number)) for number in numbers]


def _drop(store: Path) -> list[reader.CompactedFolder]:
    with reader.open(store) as opened:
        return opened.compact(drop_lines=True)


def _ids(store: Path) -> list[str]:
    return [str(one) for one in snapshot(store).table["event_id"].to_pylist()]


@pytest.mark.anyio
async def test_a_receiver_knows_the_events_whose_lines_were_dropped_and_goes_on(tmp_path: Path) -> None:
    sink = Sink(LocalStore(tmp_path), instance=INSTANCE)
    await sink.append(FOLDER, _lines(1, 2, 3))
    (done,) = await asyncio.to_thread(_drop, tmp_path)
    assert done.dropped == 1
    assert await sink.append(FOLDER, _lines(2, 3, 4)) == Appended(stored=1, duplicates=2)
    await sink.close()
    assert not (tmp_path / "_vanished").exists()
    assert _ids(tmp_path) == ["event-1", "event-2", "event-3", "event-4"]


@pytest.mark.anyio
async def test_an_event_that_comes_again_after_a_restart_is_read_once(tmp_path: Path) -> None:
    sink = Sink(LocalStore(tmp_path), instance=INSTANCE)
    await sink.append(FOLDER, _lines(1, 2, 3))
    await sink.close()
    await asyncio.to_thread(_drop, tmp_path)
    again = Sink(LocalStore(tmp_path), instance=INSTANCE)
    assert await again.append(FOLDER, _lines(2, 4)) == Appended(stored=2, duplicates=0)
    await again.close()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [f"{INSTANCE}000001.jsonl"], "no name comes again"
    assert not (tmp_path / "_vanished").exists()
    assert snapshot(tmp_path).report.duplicates == 1
    assert _ids(tmp_path) == ["event-1", "event-2", "event-3", "event-4"]
    await asyncio.to_thread(_drop, tmp_path)
    assert _ids(tmp_path) == ["event-1", "event-2", "event-3", "event-4"]


def test_a_blob_that_grows_while_it_is_dropped_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = write(tmp_path, lines_of_a_receiver(0, 3))
    remove = reader.store.StoreAccess.remove

    def grown(store: reader.store.StoreAccess, name: str, size: int) -> bool:
        if name.endswith(".jsonl") and blob.stat().st_size == size:
            with blob.open("ab") as file:
                file.write(typed_line(9))
        return remove(store, name, size)

    with monkeypatch.context() as patch:
        patch.setattr(reader.store.StoreAccess, "remove", grown)
        (done,) = _drop(tmp_path)
    assert done.dropped == 0
    ids = [f"event-{number}" for number in (0, 0, 1, 1, 2, 2, 9)]
    assert _ids(tmp_path) == ids
    assert snapshot(tmp_path).report.duplicates == 0
    (done,) = _drop(tmp_path)
    assert (done.lines, done.dropped) == (1, 1)
    assert _ids(tmp_path) == ids
    assert [one.size for one in manifests(tmp_path)[0].blobs] == [done.dropped_bytes]


def test_a_blob_with_a_torn_tail_is_kept(tmp_path: Path) -> None:
    blob = write(tmp_path, [*lines_of_a_receiver(0, 3), b"{"])
    (done,) = _drop(tmp_path)
    assert done.dropped == 0
    assert blob.exists()


@pytest.mark.parametrize("damage", ["other bytes", "missing"])
def test_lines_are_not_dropped_before_their_files_are_read_again(tmp_path: Path, damage: str) -> None:
    blob = write(tmp_path, lines_of_a_receiver(0, 3))
    with reader.open(tmp_path) as store:
        store.compact()
    (part,) = tmp_path.rglob("part-*.parquet")
    content = part.read_bytes()
    part.unlink()
    if damage == "other bytes":
        part.write_bytes(content[:-20] + bytes(20))
    (done,) = _drop(tmp_path)
    expected = (
        "as they were written, got others" if damage == "other bytes" else "got 0: nothing of this hour is changed"
    )
    assert f"{part.name}" in done.problem
    assert done.problem.endswith(expected)
    assert (done.dropped, blob.exists()) == (0, True)


@pytest.mark.parametrize("moment", range(3))
@pytest.mark.parametrize("is_compact", [False, True], ids=["new", "compact"])
def test_lines_that_are_dropped_while_a_store_is_listed_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int, *, is_compact: bool
) -> None:
    write(tmp_path, lines_of_a_receiver(0, 3))
    if is_compact:
        _drop(tmp_path)
    write(tmp_path, lines_of_a_receiver(10, 3), replica=1)
    before = _ids(tmp_path)
    walk, calls = reader.store.StoreAccess.walk, iter([False] * moment + [True])

    def dropping(store: reader.store.StoreAccess, folder: str = "") -> object:
        if next(calls, False):
            _drop(tmp_path)
        return walk(store, folder)

    with monkeypatch.context() as patch:
        patch.setattr(reader.store.StoreAccess, "walk", dropping)
        assert sorted(_ids(tmp_path)) == sorted(before)


@pytest.mark.parametrize("is_late", [False, True], ids=["no late lines", "late lines in another blob"])
def test_a_blob_that_has_other_bytes_than_its_files_stays(tmp_path: Path, *, is_late: bool) -> None:
    blob = write(tmp_path, lines_of_a_receiver(0, 3))
    with reader.open(tmp_path) as store:
        store.compact()
    content = b"".join(lines_of_a_receiver(3, 3))
    assert len(content) == blob.stat().st_size
    blob.write_bytes(content)
    if is_late:
        write(tmp_path, lines_of_a_receiver(20, 2), replica=1)
    (done,) = _drop(tmp_path)
    assert "as they were compacted, got others" in done.problem
    assert blob.read_bytes() == content
