"""The newest folders of collections are found without a listing of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from looked_store import INPUTS, NOW, hour
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.blobs.listing import collections_of
from otel_modeldata_studio.catalog.newest_folders import newest_folders, of_hours, roots_of

if TYPE_CHECKING:
    from pathlib import Path


def test_collections_are_found_by_their_years_at_any_depth(tmp_path: Path) -> None:
    for collection in (INPUTS, "a/b/c/d/e", "flat", "_quarantine", "_parked/shop/blue/model_inputs"):
        write(tmp_path, [line()], collection=collection, hour=hour(0))
    (tmp_path / "empty/folder").mkdir(parents=True)
    (tmp_path / "empty/2026.txt").write_text("no folder")
    with reader.open(tmp_path) as store:
        assert roots_of(store.objects) == {INPUTS: ["2026"], "a/b/c/d/e": ["2026"], "flat": ["2026"]}


def test_a_store_may_be_the_folder_of_one_collection(tmp_path: Path) -> None:
    write(tmp_path, [line()], collection="", hour=hour(0))
    with reader.open(tmp_path) as store:
        assert list(newest_folders(store.objects, NOW)) == [""]


def test_the_last_day_is_found_and_of_quiet_collections_the_newest_one(tmp_path: Path) -> None:
    for ago in (0, 1, 12, 24, 60, 400):
        write(tmp_path, [line(number=ago)], hour=hour(ago))
        write(tmp_path, [line(number=ago)], collection="shop/quiet/model_inputs", hour=hour(100 + ago))
    write(tmp_path, [line()], collection="shop/monthly/model_inputs", hour="2026/10")
    write(tmp_path, [line()], collection="shop/yearly/model_inputs", hour="2025")
    write(tmp_path, [line()], collection="shop/minutes/model_inputs", hour=f"{hour(0)}/07")
    with reader.open(tmp_path) as store:
        found = newest_folders(store.objects, NOW)
        whole = collections_of(store.objects.walk())
    days = {INPUTS: [hour(24), hour(12), hour(1), hour(0)], "shop/quiet/model_inputs": [hour(101), hour(100)]}
    dates = {
        root: [blob.name.removeprefix(f"{root}/").rpartition("/")[0] for blob in one.blobs]
        for root, one in found.items()
    }
    assert dates == {
        INPUTS: sorted(days[INPUTS]),
        "shop/quiet/model_inputs": sorted(
            date for date in (hour(100 + ago) for ago in (0, 1, 12, 24, 60, 400)) if date[:10] == hour(100)[:10]
        ),
        "shop/monthly/model_inputs": ["2026/10"],
        "shop/yearly/model_inputs": ["2025"],
        "shop/minutes/model_inputs": [f"{hour(0)}/07"],
    }
    assert all(set(one.blobs) <= set(whole[root].blobs) for root, one in found.items())


def test_files_of_compacted_folders_are_found_with_their_lines(tmp_path: Path) -> None:
    for ago in (3, 4):
        write(tmp_path, [line([{"a": ago}], number=ago, datatypes="i8")], hour=hour(ago))
    with reader.open(tmp_path) as store:
        store.compact()
        assert newest_folders(store.objects, NOW) == collections_of(store.objects.walk())


def test_the_hours_of_now_are_listed_again(tmp_path: Path) -> None:
    for ago in (-1, 0, 1, 2):
        write(tmp_path, [line(number=ago)], hour=hour(ago))
    with reader.open(tmp_path) as store:
        (found,) = of_hours(store.objects, [INPUTS, "shop/gone/model_inputs"], NOW).values()
    assert [blob.name.split("/")[6] for blob in found.blobs] == ["11", "12", "13"]
