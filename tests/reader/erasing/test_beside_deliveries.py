"""Parked lines are delivered while rows are erased: their blob is gone when the erasure is about to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from planted_person import INSTANCE
from read_lines import COLLECTION, HOUR, line, write
from receiver_process import lines_below

import otel_modeldata_reader as reader
from otel_modeldata_reader.blobs.store_access import StoreAccess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from otel_modeldata_receiver.storage.store import StoredObject

PARKED = f"_parked/{COLLECTION}/{HOUR}/{INSTANCE}000000.jsonl"


class Deliveries:
    """Parks a line before each of the first listings of the whole store, and delivers it right after it.

    Args:
        store: its folder.
        count: how many lines; each is of the person and of another one.
    """

    def __init__(self, store: Path, count: int) -> None:
        self._store = store
        self._left = count
        self._walk = StoreAccess.walk

    def walk(self, access: StoreAccess, folder: str = "") -> Sequence[StoredObject]:
        if folder:
            return self._walk(access, folder)
        parked, number = self._store / PARKED, self._left
        if number:
            parked.parent.mkdir(parents=True, exist_ok=True)
            parked.write_bytes(line([{"who": "person"}, {"who": "other"}], number=number))
        found = self._walk(access, folder)
        if number:
            self._left -= 1
            delivered = self._store / COLLECTION / HOUR / f"{INSTANCE}{number:06d}.jsonl"
            parked.rename(delivered)
        return found


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("asked", [{"where": "who = 'person'"}, {"ids": [f"request-{n}_0" for n in range(6)]}])
def test_rows_that_are_delivered_meanwhile_are_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, asked: dict[str, object]
) -> None:
    write(tmp_path, [line([{"who": "person"}, {"who": "other"}])])
    deliveries = Deliveries(tmp_path, count)
    monkeypatch.setattr(StoreAccess, "walk", lambda access, folder="": deliveries.walk(access, folder))
    with reader.open(tmp_path) as store:
        receipt = store.erase(COLLECTION, dry_run=False, **asked)  # type: ignore[arg-type]
        assert receipt.rows == count + 1
        assert store.read(COLLECTION).to_pandas()["who"].tolist() == ["other"] * (count + 1)
    data = [one["data"] for one in lines_below(tmp_path) if "data" in one]
    assert data == [[{}, {"who": "other"}]] * (count + 1)


def test_so_is_what_would_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, [line([{"who": "person"}, {"who": "other"}])])
    deliveries = Deliveries(tmp_path, 2)
    monkeypatch.setattr(StoreAccess, "walk", lambda access, folder="": deliveries.walk(access, folder))
    with reader.open(tmp_path) as store:
        assert store.erase(COLLECTION, where="who = 'person'").rows == 3


def test_a_store_that_fails_while_nothing_is_delivered_is_an_error_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [line([{"who": "person"}])])
    tries = []

    def fail(*_: object) -> None:
        tries.append(1)
        raise reader.StoreUnavailableError("down")

    monkeypatch.setattr("otel_modeldata_reader.erasing.erase._would_erase", fail)
    with reader.open(tmp_path) as store, pytest.raises(reader.StoreUnavailableError, match="down"):
        store.erase(COLLECTION, where="who = 'person'")
    assert tries == [1]
