"""What killed commands and receivers leave in a store does not stop `erase` and `expire`, and expires with the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError
from otel_modeldata_reader.blobs.store_access import StoreAccess
from otel_modeldata_reader.erasing.journal import Journal
from otel_modeldata_receiver.storage.folders.replaced_blobs import Replacement

if TYPE_CHECKING:
    from pathlib import Path

ALICE = "who = 'alice'"
HOUR = f"{COLLECTION}/2026/11/22/10"
DAY = 24 * 3600


def two_replicas(folder: Path) -> list[Path]:
    first = write(folder, [line([{"who": "alice"}, {"who": "bob"}], id="A", correlationid="c1")])
    second = write(folder, [line([{"who": "zed"}], id="Z", correlationid="c2")], replica=1)
    return [first, second]


def unfinished(folder: Path, key: str = "00" * 32) -> Path:
    facts = {"scope": COLLECTION, "where": "who = 'nobody'", "ids": [], "since": "", "until": ""}
    request = json.dumps(facts | {"only": False, "every": False, "shared": False})
    info = {"kind": "erase", "id": "x", "time": "2026-11-29T08:00:00Z", "request": request, "key": key}
    place = folder / "_erased/unfinished/x"
    place.mkdir(parents=True)
    (place / "info.json").write_text(json.dumps(info))
    return place


def test_a_note_of_a_killed_compaction_does_not_stop_an_erasure(tmp_path: Path) -> None:
    blob = two_replicas(tmp_path)[0]
    note = Replacement(blob=blob.relative_to(tmp_path).as_posix(), size=blob.stat().st_size)
    path = tmp_path / note.note_name
    path.parent.mkdir(parents=True)
    path.write_bytes(note.note)
    assert reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False).rows == 1
    assert json.loads(path.read_bytes())["copies"] == [f"{HOUR}/{blob.stem}-e1.jsonl"]


def test_a_journal_that_calls_another_blob_a_copy_removes_nothing(tmp_path: Path) -> None:
    first, second = two_replicas(tmp_path)
    names = {"blob": f"{HOUR}/{first.name}", "copy": f"{HOUR}/{second.name}"}
    (unfinished(tmp_path) / "copy-aa.json").write_text(json.dumps(names))
    reader.open(tmp_path).resume_erasures()
    assert reader.open(tmp_path).read(COLLECTION).to_pandas()["who"].tolist() == ["alice", "bob", "zed"]


def test_a_journal_without_a_key_is_completed(tmp_path: Path) -> None:
    two_replicas(tmp_path)
    unfinished(tmp_path, key="zz")
    assert [one.rows for one in reader.open(tmp_path).resume_erasures()] == [0]
    assert not [path for path in (tmp_path / "_erased").rglob("*") if path.is_file()]


def test_the_receipt_of_an_erasure_that_was_killed_behind_its_tombstone_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def killed(_journal: Journal) -> None:
        raise KilledError

    two_replicas(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "end", killed)
        with pytest.raises(KilledError):
            reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    receipt = reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert (receipt.rows, (tmp_path / receipt.tombstone).is_file(), len(receipt.key)) == (1, True, 64)


def test_an_erasure_ends_although_rows_of_the_person_come_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_replicas(tmp_path)
    walk, count = StoreAccess.walk, iter(range(2, 1000))

    def walked(store: StoreAccess, folder: str = "") -> object:
        if not folder:
            number = next(count)
            write(tmp_path, [line([{"who": "alice"}], id=f"n{number}", correlationid=f"n{number}")], replica=number)
        return walk(store, folder)

    with monkeypatch.context() as patch:
        patch.setattr(StoreAccess, "walk", walked)
        receipt = reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert next(count) < 30
    assert receipt.later > 0
    left = reader.open(tmp_path).read(COLLECTION).to_pandas()["who"].tolist()
    assert left.count("alice") >= receipt.later
    reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert reader.open(tmp_path).read(COLLECTION).to_pandas()["who"].tolist() == ["bob", "zed"]


def test_what_has_neither_a_line_nor_a_manifest_expires(tmp_path: Path) -> None:
    two_replicas(tmp_path)
    reader.open(tmp_path).compact(older=3600)
    next(tmp_path.rglob("manifest-*")).unlink()
    strays = [
        f"{COLLECTION}/2026/11/22/09/files/{'a' * 64}",
        "_quarantine/2026/11/22/09/files/x",
        f"_sealed/{COLLECTION}/2026/11/22/08/000001.json",
    ]
    for name in strays:
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"alice")
    planned = reader.open(tmp_path).expire(DAY)
    receipt = reader.open(tmp_path).expire(DAY, dry_run=False)
    assert planned.hours == receipt.hours
    assert {(one.root, one.date): one.rows for one in receipt.hours} == {
        (COLLECTION, "2026/11/22/08"): 0,
        (COLLECTION, "2026/11/22/09"): 0,
        (COLLECTION, "2026/11/22/10"): 3,
        ("_quarantine", "2026/11/22/09"): 0,
    }
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [name for name in left if not name.startswith(("_erased/", "_replaced/", "_maintenance"))]


@pytest.mark.parametrize("date", ["2026/13", "2026/02/31/25", "0000/00"])
def test_a_folder_whose_name_is_no_time_does_not_expire(tmp_path: Path, date: str) -> None:
    path = write(tmp_path, [line([{"who": "bob"}])], hour=date)
    reader.open(tmp_path).expire(DAY, dry_run=False)
    assert path.exists()


@pytest.mark.parametrize("older", [float("nan"), float("inf"), -1.0, 3599.0])
def test_an_age_that_is_none_is_refused(tmp_path: Path, older: float) -> None:
    two_replicas(tmp_path)
    with pytest.raises(ReaderError, match="expected an age of at least one hour"):
        reader.open(tmp_path).expire(older, dry_run=False)
