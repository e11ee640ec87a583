"""What is gone on purpose is no gap: erased events, and lines that a compaction dropped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from audited_lines import BLOB, SOURCE, line
from sealed_store import append, audited, found, seal

import otel_modeldata_reader
from otel_modeldata_reader.auditing.reconciliation import ProducerCounts, reconcile
from otel_modeldata_reader.auditing.records.erased_events import ranges_of

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "credit/blue/model_inputs"
HOUR = "2026/11/22/12"


def lines(*numbers: int, **keys: Any) -> bytes:
    return b"".join(line(number, **keys) + b"\n" for number in numbers)


def tombstone(store: Path, numbers: str, **changes: Any) -> Path:
    content = {
        "kind": "erase",
        "id": "e",
        "time": "2026-11-25T10:00:00Z",
        "tool": "otel-modeldata",
        "hours": [{"root": ROOT, "date": HOUR, "events": 2, "rows": 3}],
        "numbers": [
            {
                "root": ROOT,
                "date": HOUR,
                "source": SOURCE,
                "type": "azureml.inference.model_inputs",
                "producer": "p",
                "numbers": numbers,
            }
            | changes
        ],
        "blobs": [],
        "a key of a later version": True,
    }
    path = store / "_erased/20261125T100000Z-0123456789abcdef.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Events 0, 1, 4 and 5 of eight."""
    append(tmp_path / BLOB, lines(0, 1, 4, 5))
    return tmp_path


def test_an_erased_event_is_no_gap(store: Path) -> None:
    tombstone(store, "2-3")
    result = audited(store, use_seals=True)
    (one,) = result.reconciliations
    assert (one.stored, one.erased, one.gaps, one.missing) == (4, 2, [], 0)
    assert [(erasure.events, erasure.rows) for erasure in result.erasures] == [(2, 3)]


def test_a_tombstone_explains_the_numbers_that_it_has_only(store: Path) -> None:
    tombstone(store, "2,4,-1,x,9-7")
    (one,) = audited(store, use_seals=True).reconciliations
    assert (one.stored, one.erased, one.gaps) == (4, 1, [(3, 3)]), "number 4 came again"


@pytest.mark.parametrize("other", [{"producer": "q"}, {"root": "credit/green/model_inputs"}])
def test_a_tombstone_explains_no_gap_of_another_account(store: Path, other: dict[str, str]) -> None:
    tombstone(store, "2-3", **other)
    found = audited(store, use_seals=True).reconciliations
    assert [one.gaps for one in found if one.stored] == [[(2, 3)]]


def test_a_tombstone_that_cannot_be_read_explains_nothing(store: Path) -> None:
    tombstone(store, "2-3").write_text('{"numbers":')
    result = audited(store, use_seals=True)
    assert (result.reconciliations[0].gaps, result.damaged) == (
        [(2, 3)],
        ["_erased/20261125T100000Z-0123456789abcdef.json"],
    )


@pytest.mark.parametrize("figures", [{"events": -1}, {"rows": -5}, {"lines": -1}, {"size": -1}, {"events": 1}], ids=str)
def test_a_tombstone_whose_figures_cannot_be_true_explains_nothing(store: Path, figures: dict[str, int]) -> None:
    path = tombstone(store, "2-3")
    content = json.loads(path.read_text())
    content["hours"][0] |= figures
    path.write_text(json.dumps(content))
    result = audited(store, use_seals=True)
    assert (result.reconciliations[0].gaps, result.damaged) == ([(2, 3)], [f"_erased/{path.name}"])


def test_a_sealed_blob_that_was_replaced_on_purpose_has_not_vanished(store: Path) -> None:
    seal(store)
    blob = store / BLOB
    size = blob.stat().st_size
    blob.rename(blob.with_name(f"{'0' * 32}000000-e1.jsonl"))
    path = tombstone(store, "2-3")
    assert [one.kind for one in audited(store, use_seals=True).seals] == ["vanished"]
    content = json.loads(path.read_text())
    content["blobs"] = [{"old": {"name": BLOB, "size": size, "sha256": ""}, "new": None}]
    path.write_text(json.dumps(content))
    assert audited(store, use_seals=True).seals == []


def test_accepted_events_are_stored_erased_lost_or_missing() -> None:
    counts = ProducerCounts(producer="p", collection="c")
    counts.stored_numbers.add([0, 1, 5])
    counts.erased_numbers.add([1, 2, 7])
    one = reconcile(counts, None, whole=True)
    assert (one.erased, one.gaps, one.missing) == (2, [(3, 4)], 2)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [("3,7-9", [(3, 3), (7, 9)]), ("", []), ("1-", [(1, 1)]), ("-1", []), ("5-4", []), ("9" * 30, []), ("\u0663", [])],
)
def test_ranges_are_read_as_they_are_written(text: str, ranges: list[tuple[int, int]]) -> None:
    assert ranges_of(text) == ranges


# --- compaction -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [False, True])
def test_lines_that_a_compaction_dropped_are_counted_as_before(store: Path, *, sealed: bool) -> None:
    append(store / BLOB, lines(6, datatypes="i8") + lines(7, datatypes="i8"))
    before = audited(store, use_seals=False)
    if sealed:
        seal(store)
    with otel_modeldata_reader.open(store) as opened:
        opened.compact(drop_lines=True)
    assert not (store / BLOB).exists()
    result = audited(store, use_seals=True)
    assert found(result) == found(before)
    assert (result.dropped, result.remembered[0]) == (6, 1 if sealed else 0)
    append(store / BLOB.replace("000000.", "000001."), lines(8) + lines(0))
    late = audited(store, use_seals=True)
    (one,) = late.reconciliations
    assert (one.stored, one.duplicates, one.gaps) == (7, 1, [(2, 3)])
    assert found(late) == found(audited(store, use_seals=False))


@pytest.mark.slow
def test_dropped_lines_whose_files_are_damaged_are_a_finding(store: Path) -> None:
    with otel_modeldata_reader.open(store) as opened:
        opened.compact(drop_lines=True)
    for part in store.glob("_parquet/**/*.parquet"):
        part.write_bytes(b"PAR1")
    result = audited(store, use_seals=True)
    assert (len(result.unreadable_parts), result.reconciliations) == (1, [])


def test_a_copy_that_an_erasure_is_making_is_no_second_event(store: Path) -> None:
    copy = BLOB.replace(".jsonl", "-e1.jsonl")
    append(store / copy, lines(0, 1, 4))
    note = store / "_erased/unfinished/0123456789abcdef/copy-1.json"
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps({"blob": BLOB, "copy": copy}))
    (one,) = audited(store, use_seals=True).reconciliations
    assert (one.stored, one.duplicates, one.gaps) == (4, 0, [(2, 3)])
    (store / BLOB).unlink()  # the copy has taken its place
    (one,) = audited(store, use_seals=True).reconciliations
    assert (one.stored, one.duplicates, one.gaps) == (3, 0, [(2, 3)])


@pytest.mark.parametrize("damage", ["missing part", "no manifest"])
def test_dropped_lines_whose_files_cannot_be_read_are_a_finding(store: Path, damage: str) -> None:
    with otel_modeldata_reader.open(store) as opened:
        opened.compact(drop_lines=True)
    result = audited(store, use_seals=False)
    assert (result.blobs, result.dropped, result.is_empty) == (0, 4, False)
    (path,) = (store / "_parquet").rglob("*.parquet" if damage == "missing part" else "manifest-*.json")
    if damage == "missing part":
        path.unlink()
    else:
        path.write_bytes(b"{")
    result = audited(store, use_seals=False)
    (problem,) = result.unreadable_parts
    assert problem.startswith("expected ")
    assert not result.is_empty


def test_lines_that_came_after_a_seal_are_counted_when_they_are_dropped_with_the_others(store: Path) -> None:
    seal(store)
    append(store / BLOB, lines(6, 7))
    with otel_modeldata_reader.open(store) as opened:
        opened.compact(drop_lines=True)
    expected = [(6, 0, [(2, 3)])]
    for use_seals in (True, False):
        result = audited(store, use_seals=use_seals)
        assert [(one.stored, one.duplicates, one.gaps) for one in result.reconciliations] == expected
        assert result.dropped == 6
