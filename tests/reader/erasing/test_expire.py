"""`Store.expire`: whole folders go when their time ended long enough ago, with everything that belongs to them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest
from local_blobs import files_below
from planted_person import INPUTS, plant
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError, UnknownNameError
from otel_modeldata_reader.erasing.tombstone import Tombstone

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 22, 12, 30, tzinfo=dt.UTC)
HOUR = 3600.0


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an hour after noon of the day of the lines."""
    monkeypatch.setattr("otel_modeldata_reader.erasing.expire.time.time_ns", lambda: int(NOW.timestamp()) * 10**9)


def test_folders_of_the_time_go_with_payloads_parquet_seals_and_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, monkeypatch)
    monkeypatch.setattr("otel_modeldata_reader.erasing.expire.time.time_ns", lambda: int(NOW.timestamp()) * 10**9)
    before = files_below(tmp_path)
    with reader.open(tmp_path) as store:
        rows = len(store.read(INPUTS).to_pandas())
        planned = store.expire(1.25 * HOUR)
        assert files_below(tmp_path) == before
        receipt = store.expire(1.25 * HOUR, dry_run=False)
        assert planned.hours == receipt.hours
        left = store.read(INPUTS).to_pandas()
    assert 0 < len(left) < rows
    assert set(left["time"].dt.hour) == {11}
    dated = [name for name in files_below(tmp_path) if "2026/11/22/09" in name or "2026/11/22/10" in name]
    assert [name for name in dated if not name.startswith("_parked/")] == []
    with reader.open(tmp_path) as store:
        assert store.expire(1.25 * HOUR, dry_run=False).hours == ()


def test_a_compacted_folder_without_lines_goes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, monkeypatch)
    later = int(NOW.timestamp()) + 86_400
    monkeypatch.setattr("otel_modeldata_reader.erasing.expire.time.time_ns", lambda: later * 10**9)
    with reader.open(tmp_path) as store:
        receipt = store.expire(2 * HOUR, dry_run=False)
        assert store.collections() == []
    names = files_below(tmp_path)
    kept = ("_erased/", "_replaced/", "_maintenance/", "_parked/")
    assert [name for name in names if not name.startswith(kept)] == []
    tombstone = msgspec.json.decode(names[receipt.tombstone], type=Tombstone)
    assert tombstone.kind == "expire"
    found = {(one.root, one.date): one.numbers for one in tombstone.numbers}
    assert found[INPUTS, "2026/11/22/10"] == "0-11"
    assert found["shop/blue/model_outputs", "2026/11/22/11"] == "12-23"


def test_one_collection_may_expire_earlier(tmp_path: Path, at_noon: None) -> None:
    for name in ("model_inputs", "request"):
        write(tmp_path, [line(type=f"azureml.inference.{name}")], collection=f"shop/blue/{name}")
    with reader.open(tmp_path) as store:
        store.expire(HOUR, "shop/blue/request", dry_run=False)
        assert [one.name for one in store.collections()] == [INPUTS]
        with pytest.raises(UnknownNameError, match="shop/blue/request"):
            store.expire(HOUR, "shop/blue/request")
        with pytest.raises(ReaderError, match="at least one hour"):
            store.expire(60)


def test_a_folder_that_is_just_not_old_enough_stays(tmp_path: Path, at_noon: None) -> None:
    write(tmp_path, [line()], hour="2026/11/22/10")
    with reader.open(tmp_path) as store:
        assert store.expire(1.5 * HOUR).hours == ()
        assert len(store.expire(1.49 * HOUR).hours) == 1


@pytest.mark.parametrize("damage", ["manifest", "part", "no part"])
def test_a_damaged_hour_stays_and_all_others_go(tmp_path: Path, at_noon: None, damage: str) -> None:
    other = "shop/blue/zeta"
    for name in (INPUTS, other):
        write(tmp_path, [line([{"a": 1}], datatypes="i8")], collection=name, hour="2026/11/22/09")
    with reader.open(tmp_path) as store:
        store.compact(older=HOUR, drop_lines=True)
        glob = "manifest-*.json" if damage == "manifest" else "part-*.parquet"
        (file,) = (tmp_path / "_parquet" / INPUTS).rglob(glob)
        if damage == "no part":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-9])
        before = {name: content for name, content in files_below(tmp_path).items() if INPUTS in name}
        planned = store.expire(HOUR)
        receipt = store.expire(HOUR, dry_run=False)
        assert planned.problems == receipt.problems
        (problem,) = receipt.problems
        assert problem.startswith(f"{INPUTS}/2026/11/22/09 stays as it is: ")
        assert [one.root for one in receipt.hours] == [other]
        after = files_below(tmp_path)
        assert {name: content for name, content in after.items() if INPUTS in name} == before
        assert not [name for name in after if name.startswith(f"_parquet/{other}")]
