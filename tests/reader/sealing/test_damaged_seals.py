"""A damaged seal counts as none: the next one takes another number, and no other folder waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from compacted_store import typed_line
from read_lines import COLLECTION, HOUR, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.sealing import sealing

if TYPE_CHECKING:
    from pathlib import Path

LAST = "zeta/blue/model_inputs"


def seal(store: Path) -> dict[str, Any]:
    with reader.open(store) as opened:
        return {one.collection: one.seal and (one.seal.number, one.seal.events) for one in opened.seal(lateness=0)}


@pytest.mark.parametrize("damaged", ["000001.json", "000001.json/x", "000002.json"])
def test_a_seal_takes_the_next_free_number(tmp_path: Path, damaged: str) -> None:
    for collection in (COLLECTION, LAST):
        write(tmp_path, [typed_line(1), typed_line(2)], collection=collection)
    path = tmp_path / "_sealed" / COLLECTION / HOUR / damaged
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no seal")
    first = 1 if damaged.startswith("000002") else 2
    assert seal(tmp_path) == {COLLECTION: (first, 2), LAST: (1, 2)}
    write(tmp_path, [typed_line(3)], replica=1)
    assert seal(tmp_path) == {COLLECTION: (3, 3), LAST: (1, 2)}
    assert path.read_bytes() == b"no seal"


def test_what_a_killed_run_left_of_a_seal_is_removed(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(0)])
    folder = tmp_path / "_sealed" / COLLECTION / HOUR
    folder.mkdir(parents=True)
    drafts = [f".000001.json.{'0a' * 16}", f".000001-{'b1' * 8}.audit.{'0c' * 16}"]
    others = [".000001.json", ".000001.json.x", "notes.txt"]
    for name in (*drafts, *others):
        (folder / name).write_bytes(b"half")
    seal(tmp_path)
    left = {path.name for path in folder.iterdir() if path.suffix != ".audit"}
    assert left == {*others, "000001.json"}


def test_a_folder_that_cannot_be_sealed_is_told_after_the_others_are_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for replica in range(40):
        write(tmp_path, [typed_line(replica)], replica=replica)
    write(tmp_path, [typed_line(1)], collection=LAST)
    monkeypatch.setattr(sealing, "LONGEST_SEAL", 4000)
    with pytest.raises(ReaderError, match="expected a folder with fewer blobs than 40"):
        seal(tmp_path)
    assert [path.name for path in (tmp_path / "_sealed").rglob("*.json")] == ["000001.json"]
    with reader.open(tmp_path) as opened:
        assert opened.read(LAST, sealed=True).to_arrow().num_rows == 1
