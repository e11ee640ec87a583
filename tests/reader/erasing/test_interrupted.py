"""An erasure that ends at any moment leaves every other row once, and the same call completes it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd
import pytest
from local_blobs import files_below
from planted_person import CONDITION, INPUTS, OUTPUTS, PERSON, plant, traces_of

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError
from otel_modeldata_reader.blobs.store_access import StoreAccess
from otel_modeldata_reader.erasing.tombstone import Tombstone

if TYPE_CHECKING:
    from pathlib import Path

CHANGES = ("put", "create", "append", "remove")
POINTS = 12
"""Moments of an erasure at which it ends. A full run changes the store about 110 times."""


class KilledError(BaseException):
    """What ends the process."""


class Mortal:
    """Counts the changes of stores, and ends the process before or after one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0
        self.last: float = float("inf")
        for name in CHANGES:
            monkeypatch.setattr(StoreAccess, name, self._mortal(getattr(StoreAccess, name)))

    def _mortal(self, change: Any) -> Any:
        def changed(store: StoreAccess, *arguments: Any) -> Any:
            self.done += 1
            if self.done - 0.5 > self.last:
                raise KilledError
            result = change(store, *arguments)
            if self.done > self.last:
                raise KilledError
            return result

        return changed


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        plant(folder, patch)
    return folder


def tombstones(folder: Path) -> list[Tombstone]:
    return [msgspec.json.decode(one.read_bytes(), type=Tombstone) for one in sorted(folder.glob("_erased/*.json"))]


def others(frame: pd.DataFrame) -> pd.DataFrame:
    kept = frame[frame["who"] != PERSON]
    return kept.sort_values(["time", "row_id"]).reset_index(drop=True)


@pytest.mark.parametrize(
    "points", [pytest.param(POINTS, marks=pytest.mark.slow), pytest.param(220, marks=pytest.mark.long)]
)
def test_every_other_row_is_there_once_at_each_moment(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: int
) -> None:
    moved = shutil.copytree(planted, tmp_path / "whole")
    with reader.open(moved) as store:
        before = {name: store.read(name).to_pandas() for name in (INPUTS, OUTPUTS)}
        mortal = Mortal(monkeypatch)
        whole = store.erase(INPUTS, where=CONDITION, dry_run=False)
    total = mortal.done
    expected = tombstones(moved)
    for point in range(points):
        folder = shutil.copytree(planted, tmp_path / f"{point:05}")  # as long as the other name, which a line has
        mortal.done, mortal.last = 0, (point + 0.5 * (point % 2)) * total // points + 0.5 * (point % 2)
        with reader.open(folder) as store:
            with pytest.raises(KilledError):
                store.erase(INPUTS, where=CONDITION, dry_run=False)
            mortal.last = float("inf")
            for name, frame in before.items():
                found = store.read(name).to_pandas()
                pd.testing.assert_frame_equal(others(found), others(frame))
            receipt = store.erase(INPUTS, where=CONDITION, dry_run=False)
            for name, frame in before.items():
                pd.testing.assert_frame_equal(others(store.read(name).to_pandas()), others(frame))
        assert traces_of(files_below(folder)) == []
        assert list(folder.glob("_erased/unfinished/**/*.json")) == []
        assert [one.hours for one in tombstones(folder)] == [one.hours for one in expected]
        assert [one.numbers for one in tombstones(folder)] == [one.numbers for one in expected]
        assert receipt.hours in {whole.hours, ()}
        shutil.rmtree(folder)


def test_a_journal_that_was_forged_removes_nothing_else(planted: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(planted, tmp_path / "forged")
    journal = folder / "_erased/unfinished/0123456789abcdef"
    journal.mkdir(parents=True)
    info = {"kind": "erase", "id": "0123456789abcdef", "time": "", "request": "{}", "key": ""}
    (journal / "info.json").write_text(json.dumps(info))
    (blob,) = (path for path in (folder / INPUTS).glob("2026/11/22/10/*.jsonl"))
    other = next((folder / OUTPUTS).glob("2026/11/22/10/*.jsonl"))
    names = [path.relative_to(folder).as_posix() for path in (blob, other)]
    (journal / "copy-1.json").write_text(json.dumps({"blob": names[0], "copy": names[1]}))
    (journal / "copy-2.json").write_text(json.dumps({"blob": names[0], "copy": "../outside.jsonl"}))
    (tmp_path / "outside.jsonl").write_text("stays")
    with reader.open(folder) as store:
        store.erase(OUTPUTS, ids=["nothing has this id"], dry_run=False)
        with pytest.raises(ReaderError, match="expected a request in the journal"):
            store.resume_erasures()
    assert blob.exists()
    assert other.exists()
    assert (tmp_path / "outside.jsonl").exists()
