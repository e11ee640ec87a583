"""Manifests and Parquet files that are damaged, missing or forged: the lines are read instead, and it is counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from compacted_store import lines_of_a_receiver, snapshot, typed_line
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import DamagedLineError
from otel_modeldata_reader.compacted import manifest as manifests
from otel_modeldata_reader.compacting import part_writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Damage = Callable[[Path, Path], None]
    """Damages a store, whose manifest has this path."""


def _changed(**keys: Any) -> Damage:
    return lambda _, path: _write(path, json.loads(path.read_bytes()) | keys)


def _changed_part(**keys: Any) -> Damage:
    def change(_: Path, path: Path) -> None:
        found = json.loads(path.read_bytes())
        found["parts"][0] |= keys
        _write(path, found)

    return change


def _changed_group(**keys: Any) -> Damage:
    def change(_: Path, path: Path) -> None:
        found = json.loads(path.read_bytes())
        found["parts"][0]["groups"][0] |= keys
        _write(path, found)

    return change


def _changed_blob(**keys: Any) -> Damage:
    def change(_: Path, path: Path) -> None:
        found = json.loads(path.read_bytes())
        found["blobs"][0] |= keys
        _write(path, found)

    return change


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def _repeated_blob(_: Path, path: Path) -> None:
    found = json.loads(path.read_bytes())
    _write(path, found | {"blobs": found["blobs"] * 2})


def _too_large(_: Path, path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(manifests.MOST_BYTES + 1)


def _nested(_: Path, path: Path) -> None:
    path.write_text('{"parts": ' + "[" * 100_000 + "]" * 100_000 + "}")


def _of_another_collection(_: Path, path: Path) -> None:
    _write(path, json.loads(path.read_bytes()) | {"root": "shop/red/model_inputs"})


def _without_part(_: Path, path: Path) -> None:
    next(path.parent.glob("part-*")).unlink()


def _cut_part(_: Path, path: Path) -> None:
    part = next(path.parent.glob("part-*"))
    part.write_bytes(part.read_bytes()[:-9])


def _no_parquet(_: Path, path: Path) -> None:
    part = next(path.parent.glob("part-*"))
    part.write_bytes(bytes(part.stat().st_size))


def _changed_page(_: Path, path: Path) -> None:
    part = next(path.parent.glob("part-*"))
    content = bytearray(part.read_bytes())
    column = pq.ParquetFile(part).metadata.row_group(0).column(0)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 0xFF
    part.write_bytes(content)


def _other_columns(_: Path, path: Path) -> None:
    part = next(path.parent.glob("part-*"))
    table = pq.ParquetFile(part).read().drop_columns(["event_id"])
    pq.write_table(table, part)
    _changed_part(size=part.stat().st_size)(path, path)


def _other_types(_: Path, path: Path) -> None:
    part = next(path.parent.glob("part-*"))
    table = pq.ParquetFile(part).read()
    place = table.schema.get_field_index("row_id")
    pq.write_table(table.set_column(place, "row_id", [list(range(table.num_rows))]), part)
    _changed_part(size=part.stat().st_size)(path, path)


DAMAGES: dict[str, Damage] = {
    "no JSON": lambda _, path: path.write_bytes(b"{") and None,
    "no UTF-8": lambda _, path: path.write_bytes(b'{"root": "\xff"}') and None,
    "nested too deep": _nested,
    "too large": _too_large,
    "a later version": _changed(version=2),
    "another key": _changed(other=1),
    "a missing key": lambda _, path: _write(path, {"version": 1}),
    "another collection's": _of_another_collection,
    "another number": _changed(number=7),
    "other counts": _changed(counts={"lines": 1, "events": 1}),
    "a part of another folder": _changed_part(name="../hour=11/part-" + "0" * 32 + ".parquet"),
    "an absolute part": _changed_part(name="/etc/passwd"),
    "a negative size": _changed_part(size=-1),
    "a huge size": _changed_part(size=1 << 62),
    "no digest": _changed_part(sha256="x"),
    "types that are none": _changed_part(types="nonsense["),
    "fewer columns": _changed_part(columns=["a"]),
    "columns that are not there": _changed_part(columns=["a", "b", "t", "c", "other"]),
    "other types": _changed_part(types="i1,i1,i1,i1,i1"),
    "another kind": _changed_part(kind="events"),
    "more rows": _changed_group(rows=1000),
    "rows without end": _changed_group(rows=1 << 60),
    "a blob of another folder": _changed_blob(name="shop/red/model_inputs/2026/11/22/10/x.jsonl"),
    "a blob above": _changed_blob(name=f"{COLLECTION}/2026/11/22/10/../../x.jsonl"),
    "a blob twice": _repeated_blob,
    "no part": _without_part,
    "half of a part": _cut_part,
    "no Parquet": _no_parquet,
    "a changed page": _changed_page,
    "a part without a column": _other_columns,
    "a column of another type": _other_types,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_lines_are_read_instead(tmp_path: Path, damage: str) -> None:
    write(tmp_path, lines_of_a_receiver(0, 4))
    write(tmp_path, [typed_line(9, timens=None)], hour="2026/11/22/11")
    before = snapshot(tmp_path)
    with reader.open(tmp_path) as store:
        store.compact()
    path = tmp_path / "_parquet" / COLLECTION / "date=2026-11-22/hour=10/manifest-000001.json"
    DAMAGES[damage](tmp_path, path)
    found = snapshot(tmp_path)
    assert found.table.equals(before.table)
    assert (found.report.distrusted, found.report.duplicates) == (1, 0)
    assert not found.report.is_clean
    with pytest.raises(DamagedLineError, match="date=2026-11-22/hour=10"):
        snapshot(tmp_path, strict=True)


@pytest.mark.parametrize("damage", ["no JSON", "other counts", "a part of another folder", "a huge size"])
def test_the_next_compaction_replaces_a_manifest_that_cannot_be_used(tmp_path: Path, damage: str) -> None:
    write(tmp_path, lines_of_a_receiver(0, 4))
    before = snapshot(tmp_path)
    with reader.open(tmp_path) as store:
        store.compact()
        DAMAGES[damage](tmp_path, next(tmp_path.rglob("manifest-*.json")))
        store.compact()
    after = snapshot(tmp_path)
    assert after.table.equals(before.table)
    assert (after.report.is_clean, damage) == (damage != "a huge size", damage)


def test_a_file_that_is_damaged_in_the_middle_leaves_no_row_out_and_repeats_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [typed_line(number, id=None if number % 2 else f"event-{number}") for number in range(12)]
    write(tmp_path, [*lines, line(number=50)])
    before = snapshot(tmp_path).table
    monkeypatch.setattr(part_writer, "_GROUP_ROWS", 4)
    with monkeypatch.context() as patch, reader.open(tmp_path) as store:
        patch.setattr("otel_modeldata_reader.lines.event_stream._BATCH_BYTES", 1000)
        patch.setattr("otel_modeldata_reader.blobs.store_access._READ_BYTES", 1000)
        store.compact()
    part = next(tmp_path.rglob("part-*.parquet"))
    content = bytearray(part.read_bytes())
    assert pq.ParquetFile(part).metadata.num_row_groups > 1
    column = pq.ParquetFile(part).metadata.row_group(1).column(0)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 0xFF
    part.write_bytes(content)
    found = snapshot(tmp_path)
    assert found.table.sort_by("row_id").to_pylist() == before.sort_by("row_id").to_pylist()
    assert (found.report.distrusted, found.report.duplicates) == (1, 0)


def test_rows_whose_lines_are_dropped_are_missing_and_that_is_counted(tmp_path: Path) -> None:
    write(tmp_path, lines_of_a_receiver(0, 4))
    with reader.open(tmp_path) as store:
        store.compact(drop_lines=True)
    next(tmp_path.rglob("part-*.parquet")).unlink()
    found = snapshot(tmp_path)
    assert (found.table.num_rows, found.report.distrusted) == (0, 1)
