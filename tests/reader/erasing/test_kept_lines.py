"""Lines that a compaction was about to remove are still there while rows are erased: nothing is stored twice then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from audited_store import audited
from read_lines import COLLECTION, line, write
from receiver_process import lines_below

import otel_modeldata_reader as reader
from otel_modeldata_reader.blobs.store_access import StoreAccess

if TYPE_CHECKING:
    from pathlib import Path

WHOS = ("person", "other", "another")


def event(number: int, who: str) -> bytes:
    return line([{"who": who}, {"who": "else"}], number=number, producer="p", sequence=str(number + 1))


def compacted(folder: Path, monkeypatch: pytest.MonkeyPatch, whos: tuple[str, ...] = WHOS) -> Path:
    """A store whose lines a compaction has not removed, as if their blob had grown at this moment; returns the blob."""
    blob = write(folder, [event(number, who) for number, who in enumerate(whos)])
    with monkeypatch.context() as patched, reader.open(folder) as store:
        patched.setattr(time, "time_ns", lambda: 1_795_500_000_000_000_000)
        patched.setattr(StoreAccess, "remove", lambda _, name, __: not name.endswith(".jsonl"))
        assert [one.problem for one in store.compact(COLLECTION, drop_lines=True)] == [""]
    assert blob.exists()
    return blob


@pytest.mark.parametrize("late", [None, "person", "other"])
@pytest.mark.parametrize("whos", [WHOS, ("other", "another")])
def test_each_event_is_there_once_after_an_erasure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    whos: tuple[str, ...],
    late: str | None,
) -> None:
    blob = compacted(tmp_path, monkeypatch, whos)
    if late is not None:
        with blob.open("ab") as file:
            file.write(event(len(whos), late))
    everyone: list[Any] = [*whos, *([late] if late else [])]
    with reader.open(tmp_path) as store:
        would = store.erase(COLLECTION, where="who = 'person'")
        receipt = store.erase(COLLECTION, where="who = 'person'", dry_run=False)
        assert would.rows == receipt.rows == everyone.count("person")
        expected = [one for who in everyone for one in (who, "else") if one != "person"]
        reading = store.read(COLLECTION)
        assert reading.to_pandas()["who"].tolist() == expected
        assert reading.report.duplicates == 0
    _, facts = audited(capsys, tmp_path, "--running")
    assert facts["faults"]["duplicated"]["count"] == 0
    assert sum(one["stored"] for one in facts["reconciliations"]) == len(everyone)


@pytest.mark.parametrize("is_compacted", [False, True])
def test_rows_of_dropped_lines_stay_if_another_blob_has_the_name_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_compacted: bool
) -> None:
    """A receiver never takes a name again; who writes beside it, or restores a blob, may."""
    blob = write(tmp_path, [event(number, who) for number, who in enumerate(WHOS)])
    with reader.open(tmp_path) as store:
        monkeypatch.setattr(time, "time_ns", lambda: 1_795_500_000_000_000_000)
        list(store.compact(COLLECTION, drop_lines=True))
        assert not blob.exists()
        write(tmp_path, [event(number, "late") for number in (10, 11)])
        if is_compacted:
            list(store.compact(COLLECTION))
        receipt = store.erase(COLLECTION, where="who = 'person'", dry_run=False)
        assert (receipt.rows, receipt.later) == (1, 0)
        kept = store.read(COLLECTION).to_pandas()
    assert sorted(kept["who"]) == sorted(["else", "other", "else", "another", "else", *["late", "else"] * 2])
    assert len(lines_below(tmp_path)) == 2
