"""The newest rows of one collection, of lines and of Parquet files."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from compacted_store import typed_line
from nasty_store import ID
from opened_studio import opened_studio, whole
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import UnknownNameError
from otel_modeldata_studio.screens.newest_rows import NewestAnswer, newest
from otel_modeldata_studio.screens.request import request

if TYPE_CHECKING:
    from pathlib import Path

    from nasty_store import Nasty
    from shop_store import Shop

COLLECTIONS = ("model_inputs", "model_outputs", "ground_truth", "request", "response", "app_spans")


@pytest.mark.parametrize("is_compact", [False, True])
def test_rows_of_every_collection_are_the_newest_and_lead_to_their_requests(
    shop_store: Shop, tmp_path: Path, *, is_compact: bool
) -> None:
    root = shop_store.root
    if is_compact:
        root = tmp_path / "store"
        shutil.copytree(shop_store.root / "shop/blue", root / "shop/blue")
        with reader.open(root) as store:
            store.compact(since=shop_store.until - timedelta(hours=14), older=0, drop_lines=True)
    with opened_studio(root) as studio:
        for name in COLLECTIONS:
            collection = f"shop/blue/{name}"
            found: NewestAnswer = whole(lambda collection=collection: newest(studio, collection=collection, limit=70))
            times = [row.time for row in found.rows]
            assert len(times) == 70
            assert times == sorted(times, reverse=True)
            with reader.open(root) as store:
                last = store.read(collection).to_arrow().column("time").to_pylist()
            assert times[0].rstrip("Z").partition(".")[0] == f"{max(last):%Y-%m-%dT%H:%M:%S}"
            answer = request(studio, id=found.rows[0].id, deployment="shop/blue")
            if name != "ground_truth":
                assert collection in {one.collection for one in answer.lines}
            else:  # of dropped lines a label is found among the rows
                assert [one.name for one in found.columns] == ["label"]
                assert found.rows[0].values == [answer.labels[0].value]


def test_rows_without_names_that_fit_are_whole(nasty_store: Nasty) -> None:
    with opened_studio(nasty_store.root) as studio:
        found = whole(lambda: newest(studio, collection="nasty/blue/model_inputs"))
        assert ID in {row.id.rpartition("_")[0] for row in found.rows}
        wide = whole(lambda: newest(studio, collection=f"{nasty_store.wide}/model_inputs", limit=5))
        assert (len(wide.rows), len(wide.columns), wide.columns_total) == (5, 60, 1000)
        assert {len(row.values) for row in wide.rows} == {60}


def test_a_row_without_a_correlation_id_is_found_by_its_event(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(number, correlationid=None) for number in range(3)])
    with opened_studio(tmp_path) as studio:
        found = whole(lambda: newest(studio, collection=COLLECTION))
    assert [row.id for row in found.rows] == ["event-2", "event-1", "event-0"]


def test_rows_of_one_time_have_one_order_however_they_are_stored(tmp_path: Path) -> None:
    write(tmp_path, [line([{"n": at}], number=at, time="2026-11-22T10:00:00Z", timens=None) for at in range(40)])

    def shown(limit: int) -> list[str]:
        with opened_studio(tmp_path) as studio:
            return [row.id for row in whole(lambda: newest(studio, collection=COLLECTION, limit=limit)).rows]

    first = shown(40)
    assert len(set(first)) == 40
    assert shown(7) == first[:7]
    with reader.open(tmp_path) as store:
        store.compact(older=0)
    assert (shown(40), shown(7)) == (first, first[:7])


def test_a_collection_that_there_is_not_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(0)])
    with opened_studio(tmp_path) as studio, pytest.raises(UnknownNameError) as caught:
        newest(studio, collection="shop/blue/inputs")
    assert str(caught.value).startswith(f"expected a collection of {tmp_path}, got 'shop/blue/inputs': ")
