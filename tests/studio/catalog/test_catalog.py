"""A catalog stays up to date while somebody looks, lists little in a large store, and outlives a store that is away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from looked_store import INPUTS, NOW, catalog_of, hour, numbered, wait_until_listed, write_hours
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import StoreUnavailableError
from otel_modeldata_studio.catalog import catalog as module
from otel_modeldata_studio.catalog.catalog import Catalog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at every question."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "_LOOK_SHARE", 0)


@pytest.mark.usefixtures("often")
def test_lines_of_this_hour_are_seen_at_the_next_look(tmp_path: Path) -> None:
    write_hours(tmp_path, {5: 2, 1: 2})
    write_hours(tmp_path, {5: 2}, "shop/blue/model_outputs")
    with catalog_of(tmp_path) as catalog:
        wait_until_listed(catalog)
        before, sizes = catalog.listing(), catalog.newest_bytes()
        write(tmp_path, numbered(4, 3, 0), hour=hour(0))
        after = catalog.listing()
        assert catalog.hours(after)[INPUTS].hours[-2:] == (2, 3)
        grown = {root for root, size in catalog.newest_bytes().items() if sizes[root] != size}
        assert grown == {INPUTS}
    outputs = "shop/blue/model_outputs"
    assert after.collections[outputs] is before.collections[outputs]
    assert len(after.collections[INPUTS].blobs) == 3


@pytest.mark.usefixtures("often")
def test_a_large_store_answers_before_everything_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hours(tmp_path, {100: 2, 2: 3, 1: 2})
    write_hours(tmp_path, {100: 2}, "shop/green/model_inputs")
    monkeypatch.setattr(module, "_SMALL_BLOBS", 0)
    with reader.open(tmp_path) as store:
        catalog = Catalog(store.objects, clock=NOW.timestamp)
        monkeypatch.setattr(catalog, "_list_whole", catalog._is_closed.wait)
        first = catalog.listing()
        assert not first.is_whole
        assert {root: len(one.blobs) for root, one in first.collections.items()} == {
            INPUTS: 2,
            "shop/green/model_inputs": 1,
        }
        found = catalog.hours(first)[INPUTS]
        assert (found.hours[-3:], found.events) == ((3, 2, 0), None)
        write(tmp_path, numbered(7, 1, 0), hour=hour(0))
        assert {root: len(one.blobs) for root, one in catalog.deployment("shop/blue").items()} == {INPUTS: 4}
        assert catalog.deployment("shop/red") == {}
        catalog.close()


def test_a_store_that_cannot_be_listed_is_an_error_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAST_SECONDS", 0.01)
    with catalog_of(tmp_path / "store") as catalog:
        with pytest.raises(StoreUnavailableError, match="expected a folder of blobs, got none"):
            catalog.listing()
        write(tmp_path / "store", [line()], hour=hour(0))
        end = time.monotonic() + 30
        while not catalog._listing.is_whole:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert list(catalog.listing().collections) == [INPUTS]


def test_a_new_collection_is_found_while_somebody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_SECONDS", 0.01)
    with catalog_of(tmp_path) as catalog:
        wait_until_listed(catalog)
        write(tmp_path, [line()], hour=hour(100))
        end = time.monotonic() + 30
        while list(catalog.newest_bytes()) != [INPUTS]:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    with catalog_of(tmp_path) as catalog:
        wait_until_listed(catalog)
        assert (catalog.listing().collections, catalog.newest_bytes()) == ({}, {})
