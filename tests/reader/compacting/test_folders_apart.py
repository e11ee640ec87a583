"""A folder that cannot be compacted is no problem of the others, and nothing is left of what was tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from compacted_store import assert_same, lines_of_a_receiver, manifests, snapshot, typed_line
from read_lines import COLLECTION, HOUR, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.compacted import folder_sources, manifest
from otel_modeldata_reader.compacting import part_writer

EVIL, LAST = "evil/blue/model_inputs", "zeta/blue/model_inputs"
PARTS = f"_parquet/{COLLECTION}/date=2026-11-22/hour=10"


def compact(store: Path, collection: str | None = None, **arguments: Any) -> dict[str, str]:
    """What was said of each collection: what is wrong, or nothing."""
    with reader.open(store) as opened:
        found = opened.compact(collection, **arguments)
    return {one.collection: one.problem for one in found}


def files(store: Path, folder: str = "_parquet") -> list[str]:
    return sorted(path.name for path in (store / folder).rglob("*") if path.is_file())


def too_many_blobs(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for replica in range(9):
        write(store, [typed_line(replica)], collection=EVIL, replica=replica)
    for module in (manifest, folder_sources):
        monkeypatch.setattr(module, "MOST_BYTES", 3000)


def test_the_folders_after_one_that_cannot_be_compacted_are_compacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, lines_of_a_receiver(0, 3), collection=LAST)
    too_many_blobs(tmp_path, monkeypatch)
    before = snapshot(tmp_path, EVIL)
    for _ in range(2):
        found = compact(tmp_path)
        assert found[EVIL].startswith("expected a manifest of at most ")
        assert found[LAST] == ""
        assert files(tmp_path, f"_parquet/{EVIL}") == []
        assert len(files(tmp_path, f"_parquet/{LAST}")) == 2
    assert_same(before, snapshot(tmp_path, EVIL))


def test_a_file_that_has_other_rows_than_the_lines_is_a_problem_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [line([{"odd": 1}], datatypes="i8")], collection=EVIL)
    write(tmp_path, lines_of_a_receiver(0, 3), collection=LAST)
    logical = part_writer.logical_table

    def changed(table: Any, part: Any, name: str) -> Any:
        is_file = name.endswith(".parquet") and EVIL in name
        return logical(table.slice(1) if is_file else table, part, name)

    monkeypatch.setattr(part_writer, "logical_table", changed)
    found = compact(tmp_path)
    assert found[EVIL].startswith("expected the rows of the lines in ")
    assert found[LAST] == ""
    assert files(tmp_path, f"_parquet/{EVIL}") == []


@pytest.mark.parametrize("drop", [False, True], ids=["late lines", "drop lines"])
@pytest.mark.parametrize("damage", ["removed", "cut", "a folder", "other bytes"])
def test_a_damaged_file_stops_its_folder_and_no_other(tmp_path: Path, damage: str, *, drop: bool) -> None:
    for collection in (EVIL, LAST):
        write(tmp_path, lines_of_a_receiver(0, 3), collection=collection)
    compact(tmp_path)
    (path,) = (tmp_path / "_parquet" / EVIL).rglob("*.parquet")
    content = path.read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "removed":
        path.write_bytes(content[:-20] if damage == "cut" else b"x" * len(content))
    for collection in () if drop else (EVIL, LAST):
        write(tmp_path, lines_of_a_receiver(20, 2), collection=collection, replica=1)
    found = compact(tmp_path, drop_lines=drop)
    assert found[EVIL].startswith("expected ")
    assert found[LAST] == ""
    assert list((tmp_path / "evil").rglob("*.jsonl"))
    assert bool(list((tmp_path / "zeta").rglob("*.jsonl"))) is not drop
    (manifest_file,) = (tmp_path / "_parquet" / LAST).rglob("manifest-*")
    assert manifest_file.name == "manifest-000002.json"


def test_more_schemas_than_a_manifest_has_room_for_stay_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line([{f"{n}": n, "x" * 300: 1}], number=n, datatypes="i8,i8") for n in range(40)]
    monkeypatch.setattr(part_writer, "_MOST_NOTED", 6000)
    for module in (manifest, folder_sources):
        monkeypatch.setattr(module, "MOST_BYTES", 12_000)
    write(tmp_path, [*lines, *lines_of_a_receiver(100, 2)])
    before = snapshot(tmp_path)
    assert compact(tmp_path) == {COLLECTION: ""}
    (found,) = manifests(tmp_path)
    assert {part.kind for part in found.parts} == {"rows", "events"}
    assert sum(part.events for part in found.parts if part.kind == "events") > len(lines) / 2
    assert_same(before, snapshot(tmp_path))
    write(tmp_path, lines_of_a_receiver(200, 2), replica=1)
    before = snapshot(tmp_path)
    assert compact(tmp_path) == {COLLECTION: ""}
    assert_same(before, snapshot(tmp_path))


def test_column_names_of_megabytes_stay_json(tmp_path: Path) -> None:
    write(tmp_path, [line([{f"{n}" + "n" * 3_900_000: 1}], number=n, datatypes="i8") for n in range(6)])
    assert compact(tmp_path) == {COLLECTION: ""}
    (found,) = manifests(tmp_path)
    assert [(part.kind, part.events) for part in found.parts] == [("events", 6)]


@pytest.mark.parametrize("lines", ["there", "gone"])
def test_files_without_a_manifest_are_removed(tmp_path: Path, lines: str) -> None:
    blob = write(tmp_path, lines_of_a_receiver(0, 3))
    compact(tmp_path)
    next((tmp_path / PARTS).glob("manifest-*")).unlink()
    if lines == "gone":
        blob.unlink()
    elif lines == "there":
        write(tmp_path, lines_of_a_receiver(50, 1))
    compact(tmp_path, dry_run=True)
    (old,) = (tmp_path / PARTS).glob("*.parquet")
    compact(tmp_path)
    assert not old.exists()
    assert len(files(tmp_path)) == (0 if lines == "gone" else 2)


def test_files_that_may_be_all_that_is_left_of_dropped_lines_are_kept(tmp_path: Path) -> None:
    write(tmp_path, lines_of_a_receiver(0, 3))
    compact(tmp_path, drop_lines=True)
    next((tmp_path / PARTS).glob("manifest-*")).unlink()
    left = files(tmp_path)
    for _ in range(2):
        problem = compact(tmp_path)[COLLECTION]
        assert problem.startswith(f"expected a manifest in {PARTS}, got none, and lines of the folder were removed")
        assert files(tmp_path) == left


def test_a_collection_that_is_compacted_alone_leaves_the_files_of_others(tmp_path: Path) -> None:
    for collection in (COLLECTION, LAST):
        write(tmp_path, lines_of_a_receiver(0, 3), collection=collection)
    compact(tmp_path)
    for path in (tmp_path / "_parquet" / LAST).rglob("manifest-*"):
        path.unlink()
    left = files(tmp_path, f"_parquet/{LAST}")
    write(tmp_path, lines_of_a_receiver(50, 2), hour=HOUR, replica=3)
    compact(tmp_path, COLLECTION)
    assert files(tmp_path, f"_parquet/{LAST}") == left


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x80
    path.write_bytes(content)


def _of_a_later_release(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"version": 2, "more": 1}))


@pytest.mark.parametrize("damage", [_emptied, _one_bit, _of_a_later_release, Path.unlink])
def test_a_folder_whose_lines_were_dropped_keeps_everything_when_its_manifest_cannot_be_used(
    tmp_path: Path, damage: Any
) -> None:
    write(tmp_path, lines_of_a_receiver(0, 5))
    compact(tmp_path, drop_lines=True)
    (path,) = (tmp_path / PARTS).glob("manifest-*")
    content = path.read_bytes()
    before = snapshot(tmp_path)
    damage(path)
    left = files(tmp_path)
    write(tmp_path, lines_of_a_receiver(20, 3), replica=1)
    for drop in (False, True):
        problem = compact(tmp_path, drop_lines=drop)[COLLECTION]
        assert problem.startswith("expected a manifest")
        assert (files(tmp_path), len(list((tmp_path / "shop").rglob("*.jsonl")))) == (left, 1)
    path.write_bytes(content)
    assert compact(tmp_path) == {COLLECTION: ""}
    found = snapshot(tmp_path).table
    assert found.slice(0, 10).equals(before.table)
    assert found.num_rows == 16


def test_the_manifest_of_a_later_release_stays_also_where_the_lines_are(tmp_path: Path) -> None:
    write(tmp_path, lines_of_a_receiver(0, 5))
    compact(tmp_path)
    (path,) = (tmp_path / PARTS).glob("manifest-*")
    _of_a_later_release(path)
    left = files(tmp_path)
    assert compact(tmp_path)[COLLECTION] == "expected a manifest of version 1, got 2: use a later release"
    assert files(tmp_path) == left
