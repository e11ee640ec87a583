"""The receipt of an erasure is not lost: it is given again until it was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from read_lines import COLLECTION, NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.erasing.choosing.request import predicate_of
from otel_modeldata_reader.erasing.tombstone import Tombstone

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_reader.erasing import Receipt

ALICE = "who = 'alice'"


class KilledError(Exception):
    """What ends the process."""


def killed(*_: object) -> None:
    raise KilledError


@pytest.fixture
def store(tmp_path: Path) -> reader.Store:
    write(tmp_path, [line([{"who": "alice"}, {"who": "bob"}], id="A", correlationid="c1")])
    return reader.open(tmp_path)


def tombstone_of(folder: Path, receipt: Receipt) -> Tombstone:
    return msgspec.json.decode((folder / receipt.tombstone).read_bytes(), type=Tombstone)


def unfinished(folder: Path) -> list[Path]:
    return [path for path in (folder / "_erased/unfinished").rglob("*") if path.is_file()]


def test_a_receipt_that_was_not_kept_is_given_again(store: reader.Store, tmp_path: Path) -> None:
    for by in ("first", "second"):
        with pytest.raises(KilledError):
            store.erase(COLLECTION, where=ALICE, dry_run=False, by=by, keep=killed)
        assert unfinished(tmp_path)
    kept: list[Receipt] = []
    receipt = store.erase(COLLECTION, where=ALICE, dry_run=False, by="third", keep=kept.append)
    tombstone = tombstone_of(tmp_path, receipt)
    assert kept == [receipt]
    assert (receipt.rows, receipt.by, tombstone.by) == (1, "first", "first")  # it was complete then
    assert predicate_of(receipt.request, receipt.key) == tombstone.predicate
    assert unfinished(tmp_path) == []


def test_resuming_gives_a_receipt_that_was_not_kept(store: reader.Store, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        store.erase(COLLECTION, where=ALICE, dry_run=False, keep=killed)
    kept: list[Receipt] = []
    assert store.resume_erasures(kept.append) == kept
    assert [(one.rows, tombstone_of(tmp_path, one).rows) for one in kept] == [(1, 1)]


def test_who_completes_an_interrupted_erasure_is_in_the_tombstone(
    store: reader.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("otel_modeldata_reader.erasing.erase.remove_leftovers", killed)
        with pytest.raises(KilledError):
            store.erase(COLLECTION, where=ALICE, dry_run=False, by="first", reason="4711")
    receipt = store.erase(COLLECTION, where=ALICE, dry_run=False, by="second")
    tombstone = tombstone_of(tmp_path, receipt)
    assert (tombstone.by, tombstone.reason, receipt.by, receipt.reason) == ("second", "4711", "second", "4711")


def test_a_receipt_of_what_expired_that_was_not_kept_is_given_again(
    store: reader.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_modeldata_reader.erasing.expire.time.time_ns", lambda: NOON_NS + 86_400 * 10**9)
    with pytest.raises(KilledError):
        store.expire(7_200, dry_run=False, keep=killed)
    receipt = store.expire(7_200, dry_run=False)
    assert (receipt.rows, tombstone_of(tmp_path, receipt).rows) == (2, 2)
    assert unfinished(tmp_path) == []
