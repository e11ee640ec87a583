"""A collection as numbers: of manifests and seals where they count it, estimated for what came later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from looked_store import INPUTS, NOW, catalog_of, hour, numbered, wait_until_listed, write_hours, written_at
from read_lines import write

import otel_modeldata_reader as reader
from otel_modeldata_reader.blobs.listing import collections_of
from otel_modeldata_studio.catalog.collection_hours import collection_hours, folders_of
from otel_modeldata_studio.catalog.hour_counts import HourCounts

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_studio.catalog.collection_hours import CollectionHours


def numbers(store: Path) -> CollectionHours:
    with catalog_of(store) as catalog:
        wait_until_listed(catalog)
        return catalog.hours(catalog.listing())[INPUTS]


def hours(counts: dict[int, int]) -> tuple[int, ...]:
    return tuple(counts.get(ago, 0) for ago in range(23, -1, -1))


COUNTS = {30: 5, 23: 4, 3: 10, 2: 7, 1: 3}


def test_hours_that_nothing_counts_are_estimated_by_the_length_of_lines(tmp_path: Path) -> None:
    sizes = write_hours(tmp_path, COUNTS)
    found = numbers(tmp_path)
    assert (found.hours, found.unit, found.is_estimated) == (hours(COUNTS), "events", True)
    assert (found.events, found.rows, found.size) == (sum(COUNTS.values()), None, sum(sizes.values()))
    assert (found.gaps, found.duplicates) == (None, None)


@pytest.mark.parametrize("counted_by", ["seals", "manifests", "manifests of dropped lines"])
def test_hours_that_are_counted_are_exact(tmp_path: Path, counted_by: str) -> None:
    write_hours(tmp_path, COUNTS)
    with reader.open(tmp_path) as store:
        if counted_by == "seals":
            store.seal(lateness=0)
        else:
            store.compact(drop_lines="dropped" in counted_by)
    found = numbers(tmp_path)
    assert (found.hours, found.is_estimated) == (hours(COUNTS), False)
    assert (found.events, found.rows) == (29, 29)
    assert (found.size == 0) == ("dropped" in counted_by)
    assert (found.gaps, found.duplicates) == (0 if counted_by == "seals" else None, 0)


def test_what_came_after_a_seal_is_estimated(tmp_path: Path) -> None:
    write_hours(tmp_path, COUNTS)
    with reader.open(tmp_path) as store:
        store.seal(lateness=0)
    write(tmp_path, numbered(29, 2, 1), hour=hour(1), replica=1)
    write(tmp_path, numbered(31, 6, 0), hour=hour(0))
    found = numbers(tmp_path)
    assert (found.hours, found.is_estimated) == (hours(COUNTS | {1: 5, 0: 6}), True)
    assert (found.events, found.rows) == (37, 37)


def test_numbers_that_are_missing_in_sealed_hours_are_counted(tmp_path: Path) -> None:
    write(tmp_path, [*numbered(0, 4, 3), *numbered(6, 2, 3), *numbered(6, 1, 3)], hour=hour(3))
    write(tmp_path, numbered(9, 3, 2), hour=hour(2))
    with reader.open(tmp_path) as store:
        store.seal(lateness=0)
    write(tmp_path, numbered(20, 3, 1), hour=hour(1))  # not sealed yet: what is before may be under way
    found = numbers(tmp_path)
    assert (found.gaps, found.duplicates) == (3, 1)


def test_the_last_write_is_that_of_any_blob(tmp_path: Path) -> None:
    write_hours(tmp_path, {3: 1, 2: 1})
    written_at(next((tmp_path / INPUTS / hour(3)).iterdir()), 0.5)
    assert numbers(tmp_path).last_write == NOW.timestamp() - 1800


def test_dropped_lines_are_unknown_until_their_manifest_was_read(tmp_path: Path) -> None:
    write_hours(tmp_path, COUNTS)
    with reader.open(tmp_path) as store:
        store.compact(drop_lines=True)
        found, counts = collections_of(store.objects.walk())[INPUTS], HourCounts(store.objects)
        folders, now = folders_of(found, {}), int(NOW.timestamp()) * 10**9

        def known() -> tuple[int | None, int | None, bool]:
            one = collection_hours(found, folders, counts, now_ns=now, line_bytes=None, is_whole=True)
            return one.events, one.rows, one.is_estimated

        assert known() == (None, None, True)
        counts.read(folders[0].summaries)
        assert known() == (None, None, True)
        for folder in folders:
            counts.read(folder.summaries)
        assert known() == (29, 29, False)


@pytest.mark.parametrize("sized", [False, True])
def test_rows_that_the_bytes_cannot_have_are_not_counted(tmp_path: Path, sized: bool) -> None:
    write_hours(tmp_path, COUNTS)
    with reader.open(tmp_path) as store:
        store.compact()
    paths = sorted(tmp_path.glob(f"_parquet/{INPUTS}/**/manifest-*.json"))
    for path in paths[-2:]:
        manifest = json.loads(path.read_bytes())
        manifest["parts"][0]["groups"][0]["rows"] = 4_000_000
        if sized:
            manifest["blobs"][0]["size"] = 10**9
        path.write_text(json.dumps(manifest))
    found = numbers(tmp_path)
    assert (found.hours, found.is_estimated) == (hours(COUNTS), True)
    assert (found.events, found.rows) == (29, 29)
