"""Blobs that have other bytes than those that were compacted: their lines are read, and the report says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from compacted_store import lines_of_a_receiver, snapshot
from read_lines import COLLECTION, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path


def compact(store: Path, **arguments: Any) -> list[reader.CompactedFolder]:
    with reader.open(store) as opened:
        return opened.compact(**arguments)


CHANGES = {
    "other lines of the same size": lines_of_a_receiver(3, 3),
    "more lines": lines_of_a_receiver(3, 9),
    "fewer lines": lines_of_a_receiver(0, 2),
    "other lines, and fewer": lines_of_a_receiver(7, 1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_lines_of_a_blob_that_was_changed_in_place_are_read(tmp_path: Path, change: str) -> None:
    blob, lines = write(tmp_path, lines_of_a_receiver(0, 3)), tmp_path / "lines"
    write(tmp_path, lines_of_a_receiver(20, 2), replica=1)
    compact(tmp_path)
    times = blob.stat()
    blob.write_bytes(b"".join(CHANGES[change]))
    os.utime(blob, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a copy that is restored has it
    write(lines, CHANGES[change])
    write(lines, lines_of_a_receiver(20, 2), replica=1)
    found, expected = snapshot(tmp_path), snapshot(lines)
    assert found.table.sort_by("row_id").equals(expected.table.sort_by("row_id"))
    assert found.report.distrusted == 1
    with (
        pytest.raises(reader.DamagedLineError, match="as they were compacted, got others"),
        reader.open(tmp_path) as one,
    ):
        one.read(COLLECTION, strict=True).to_arrow()
    with reader.open(tmp_path) as store:
        partitions = store.read(COLLECTION).plan().partitions
    batches = [batch for one in partitions for batch in one.batches()]
    assert sum(batch.num_rows for batch in batches) == expected.table.num_rows


def test_a_changed_blob_is_a_problem_of_its_hour_and_nothing_is_written(tmp_path: Path) -> None:
    blob = write(tmp_path, lines_of_a_receiver(0, 3))
    compact(tmp_path)
    blob.write_bytes(b"".join(lines_of_a_receiver(3, 9)))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (done,) = compact(tmp_path)
    (planned,) = compact(tmp_path, dry_run=True)
    assert "as they were compacted, got others" in done.problem
    assert planned == done
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
