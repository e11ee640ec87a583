"""Lookups in lines that are in Parquet files only: by the index, without it, and where a file is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import lookup

if TYPE_CHECKING:
    from pathlib import Path

LABELS = "shop/blue/ground_truth"


def fill(store: Path) -> None:
    for hour in (10, 11):
        rows = [{"age": hour}, {"age": 2 * hour}]
        lines = [line(rows, number=100 * hour + number, datatypes="i8") for number in range(20)]
        write(store, [*lines, line(number=100 * hour + 50)], hour=f"2026/11/22/{hour}")
    labels = [line([{"row_id": f"request-{1000 + number}_0"}], number=number, id=f"l-{number}") for number in range(9)]
    write(store, labels, collection=LABELS)


def compact(store: Path) -> None:
    reader.open(store).compact(older=0, drop_lines=True)


def events(found: reader.FoundId) -> list[tuple[str, str | None, Any]]:
    return [(one.collection.rpartition("/")[2], one.event_id, one.rows) for one in found.events]


WANTED = {
    "request-1003": [("model_inputs", "event-1003", [{"age": 10}, {"age": 20}]), ("ground_truth", "l-3", ...)],
    "request-1003_1": [("model_inputs", "event-1003", [{"age": 20}])],
    "request-1150": [("model_inputs", "event-1150", [{"age": 1150}])],
    "event-1107": [("model_inputs", "event-1107", [{"age": 11}, {"age": 22}])],
}


def assert_found(store: Path, *, scanned: bool, index: bool = True) -> None:
    for wanted, expected in WANTED.items():
        found = reader.open(store).show(wanted, index=index)
        rows = [{"row_id": "request-1003_0"}]
        assert sorted(events(found)) == sorted(
            (name, one, rows if value is ... else value) for name, one, value in expected
        )
        assert (found.scanned > 0, found.notes) == (scanned, ())


def test_the_index_of_lines_leads_to_their_rows_in_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_WORTH_BYTES", 1)
    fill(tmp_path)
    reader.open(tmp_path).show("request-1003")
    compact(tmp_path)
    assert_found(tmp_path, scanned=False)


def test_a_lookup_writes_the_index_of_lines_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    compact(tmp_path)
    assert_found(tmp_path, scanned=True)
    assert not (tmp_path / "_index").exists()
    monkeypatch.setattr(lookup, "_WORTH_BYTES", 1)
    reader.open(tmp_path).show("request-1150")
    assert len(list((tmp_path / "_index").iterdir())) == 1
    assert_found(tmp_path, scanned=False)
    assert_found(tmp_path, scanned=True, index=False)
    with pytest.raises(reader.UnknownNameError, match="no event has it; correct the id"):
        reader.open(tmp_path).show("request-1999")


def test_only_what_is_new_is_scanned_after_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_WORTH_BYTES", 1)
    fill(tmp_path)
    compact(tmp_path)
    reader.open(tmp_path).show("request-1150")
    late = line(number=7000)
    write(tmp_path, [late], replica=1)
    assert reader.open(tmp_path).show("request-7000").scanned == len(late)
    compact(tmp_path)
    assert reader.open(tmp_path).show("request-7000").scanned == 0
    assert_found(tmp_path, scanned=False)


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_damaged_file_is_a_note_and_the_others_are_searched(tmp_path: Path, damage: str) -> None:
    fill(tmp_path)
    compact(tmp_path)
    for file in (tmp_path / "_parquet" / COLLECTION / "date=2026-11-22" / "hour=11").glob("*.parquet"):
        content = file.read_bytes()
        file.unlink()
        if damage != "gone":
            file.write_bytes(content[:-20] if damage == "cut" else bytes(len(content)))
    found = reader.open(tmp_path).show("request-1003_1")
    assert [one.event_id for one in found.events] == ["event-1003"]
    assert len(found.notes) == 1
    assert "hour=11" in found.notes[0]


def test_a_manifest_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    fill(tmp_path)
    compact(tmp_path)
    (manifest,) = (tmp_path / "_parquet" / COLLECTION / "date=2026-11-22" / "hour=11").glob("manifest-*")
    manifest.write_bytes(b"{}")
    found = reader.open(tmp_path).show("request-1003")
    assert (sorted(str(one.event_id) for one in found.events), len(found.notes)) == (["event-1003", "l-3"], 1)
