"""`Store.erase` takes no row of another person, and says what it cannot judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError
from otel_modeldata_reader.erasing.rewriting.line_eraser import object_start

if TYPE_CHECKING:
    from pathlib import Path

ALICE = "who = 'alice'"
LABELS = "shop/blue/ground_truth"
FEATURES = "shop/blue/features"


def inputs(correlation_id: str, *whos: str, event_id: str | None = None) -> bytes:
    rows = [{"who": who} for who in whos]
    return bytes(line(rows, id=event_id or f"inputs-{correlation_id}", correlationid=correlation_id))


def of(collection: str, rows: list[dict[str, Any]], correlation_id: str) -> bytes:
    name = collection.rpartition("/")[2]
    keys = {"correlationid": correlation_id, "type": f"azureml.inference.{name}"}
    return bytes(line(rows, id=f"{name}-{correlation_id}", **keys))


def values(folder: Path, collection: str, column: str) -> list[Any]:
    found: list[Any] = reader.open(folder).read(collection).to_pandas()[column].tolist()
    return found


@pytest.mark.parametrize("compacted", ["lines", "compacted", "dropped"])
def test_a_value_that_is_equal_to_an_id_by_chance_is_counted_and_stays(tmp_path: Path, compacted: str) -> None:
    write(tmp_path, [inputs("7", "alice"), inputs("8", "bob"), inputs("9", "carl")])
    features = [of(FEATURES, [{"size": "1"}], "7"), of(FEATURES, [{"size": "7"}], "8")]
    write(tmp_path, features, collection=FEATURES)
    labels = [{"row_id": "8_0", "text": "7"}, {"row_id": "7_0", "text": "x"}, {"row_id": "9_0", "text": "y"}]
    write(tmp_path, [of(LABELS, labels, "labels")], collection=LABELS)
    store = reader.open(tmp_path)
    if compacted != "lines":
        store.compact(older=3600, drop_lines=compacted == "dropped")
    planned = reader.open(tmp_path).erase(COLLECTION, where=ALICE)
    receipt = reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert (planned.rows, planned.mentions) == (receipt.rows, receipt.mentions) == (3, 2)
    assert values(tmp_path, FEATURES, "size") == ["7"]
    assert values(tmp_path, LABELS, "text") == ["7", "y"]


def test_a_label_that_names_a_request_is_not_about_a_row_of_another_one(tmp_path: Path) -> None:
    write(tmp_path, [inputs("a", "zoe", "alice"), inputs("a_1", "bob")])
    labels = [{"correlationid": "a_1", "o": "bob"}, {"correlationid": "a", "o": "zoe"}, {"row_id": "a_1", "o": "alice"}]
    write(tmp_path, [of(LABELS, labels, "labels")], collection=LABELS)
    receipt = reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert receipt.rows == 2
    assert values(tmp_path, LABELS, "o") == ["bob", "zoe"]
    assert values(tmp_path, COLLECTION, "who") == ["zoe", "bob"]


@pytest.mark.parametrize("only", [False, True])
def test_an_id_of_a_request_that_is_a_row_of_another_one_is_refused(tmp_path: Path, only: bool) -> None:
    write(tmp_path, [inputs("a", "zoe", "yan"), inputs("a_1", "alice")])
    store = reader.open(tmp_path)
    with pytest.raises(ReaderError, match="expected ids of one request, event or row each, got 'a_1'"):
        store.erase(COLLECTION, ids=["a_1"], dry_run=False, only=only)
    assert values(tmp_path, COLLECTION, "who") == ["zoe", "yan", "alice"]
    store.erase(COLLECTION, where="correlationid = 'a_1'", dry_run=False, only=only)
    assert values(tmp_path, COLLECTION, "who") == ["zoe", "yan"]


@pytest.mark.parametrize("first", ["alice", "bob"])
def test_another_line_with_the_event_id_and_other_rows_is_refused(tmp_path: Path, first: str) -> None:
    second = "bob" if first == "alice" else "alice"
    write(tmp_path, [inputs("c1", first, event_id="A"), inputs("c2", "zed")])
    write(tmp_path, [inputs("c1", second, event_id="A")], replica=1)
    with pytest.raises(ReaderError, match="expected each event id in lines with the same rows, got 1 rows"):
        reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False, shared=True)
    assert values(tmp_path, COLLECTION, "who") == ["zed"]


def test_a_row_that_comes_back_with_its_event_is_found_behind_the_line_without_it(tmp_path: Path) -> None:
    event = inputs("c1", "alice", "bob", event_id="A")
    write(tmp_path, [event, inputs("c2", "zed")])
    reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    write(tmp_path, [event], replica=1)
    receipt = reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert receipt.rows == 1
    assert not [path for path in tmp_path.rglob("*.jsonl") if b"alice" in path.read_bytes()]
    assert values(tmp_path, COLLECTION, "who") == ["bob", "zed"]


def test_parquet_files_that_a_killed_compaction_left_go(tmp_path: Path) -> None:
    write(tmp_path, [inputs("c1", "alice", "bob")])
    reader.open(tmp_path).compact(older=3600)
    next(tmp_path.rglob("manifest-*")).unlink()
    reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert list(tmp_path.rglob("*.parquet")) == []


def test_objects_that_no_line_names_go_only_if_nobody_else_loses_a_row(tmp_path: Path) -> None:
    write(tmp_path, [inputs("c1", "alice", "bob", event_id="A"), inputs("c2", "zed")])
    files = tmp_path / COLLECTION / "2026/11/22/10/files"
    files.mkdir()
    for number, (event, whos) in enumerate(
        [("A", ["alice", "bob"]), ("gone", ["alice"]), ("coming", ["alice", "eve"]), ("other", ["eve"])]
    ):
        path = files / f"{object_start(event)}-{number:016x}.json"
        path.write_bytes(json.dumps([{"who": who} for who in whos]).encode())
    receipt = reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert (receipt.unread, receipt.undecided) == (0, 1)
    assert sorted(path.name.partition("-")[0] for path in files.iterdir()) == ["coming", "other"]


def test_a_large_event_without_lines_keeps_the_rows_of_others(tmp_path: Path) -> None:
    rows = [{"who": "alice"}, {"who": "bob"}]
    path = tmp_path / COLLECTION / "2026/11/22/10/files" / f"large-{'0' * 16}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(json.dumps(rows).encode())
    write(tmp_path, [line(None, id="large", correlationid="c1", dataref=str(path)), inputs("c2", "zed")])
    reader.open(tmp_path).compact(older=3600, drop_lines=True)
    reader.open(tmp_path).erase(COLLECTION, where=ALICE, dry_run=False)
    assert sorted(values(tmp_path, COLLECTION, "who")) == ["bob", "zed"]
