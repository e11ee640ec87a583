"""Pages of rows that a filter of another side chooses have each row once: in batches, and where outputs come later."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from collected_store import collecting
from opened_studio import opened_studio, whole
from shop_store import served_as

from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_studio.queries.matches import MOST
from otel_modeldata_studio.screens import explore, row_pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

BATCH = "batch/blue"
ROWS = 2 * MOST + 700
"""Of each event: all of them have its time."""
START = dt.datetime(2026, 11, 22, 10, 20, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    root = tmp_path_factory.mktemp("batches")
    _collect(root)
    with opened_studio(root) as opened:
        whole(lambda: explore.volume(opened, deployment=BATCH))
        yield opened


def _collect(root: Path) -> None:
    with served_as(BATCH), collecting(root) as flush:
        inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
        for number in range(2):
            at = int((START + dt.timedelta(hours=number)).timestamp())
            context = BasicCorrelationContext(id=f"batch{number}", timestamp=at)
            inputs.collect(pd.DataFrame({"x": np.arange(ROWS)}), context)
            outputs.collect(pd.DataFrame({"y": np.arange(ROWS) / ROWS}), context)
            flush()


def pages(studio: Studio, **given: Any) -> list[str]:
    """The ids of all pages."""
    given = {"deployment": BATCH, "limit": 500} | given
    found = [explore.rows(studio, **given)]
    while found[-1].next is not None:
        found.append(explore.rows(studio, after=found[-1].next, **given))
    return [one.id for page in found for one in page.rows]


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("low", [0.0, 0.4])
def test_a_filter_of_outputs_has_all_rows_of_a_batch(studio: Studio, newest: bool, low: float) -> None:
    given = {"f": json.dumps([{"column": "outputs.y", "op": "between", "low": low, "high": 2}])}
    frame = studio.store.join(BATCH).to_pandas()
    kept = frame[frame["y"] >= low].sort_values(["time", "row_id"], ascending=not newest)
    assert explore.volume(studio, deployment=BATCH, **given).total == len(kept)
    assert pages(studio, newest=newest, columns=("inputs.x",), **given) == kept["row_id"].tolist()


def test_a_rare_output_of_a_batch_is_found(studio: Studio) -> None:
    """The other filter leaves one row, behind thousands of matches of the same time."""
    f = [
        {"column": "outputs.y", "op": "between", "low": 0, "high": 2},
        {"column": "inputs.x", "op": "between", "low": 3, "high": 4},
    ]
    assert pages(studio, f=json.dumps(f)) == ["batch1_3", "batch0_3"]


SLOW = "slow/blue"
DELAYS = (0, 30, 300, 1_800, 3_500)
"""Seconds from an input to its output, one after the other."""


def collect_slow(root: Path) -> None:
    """Three hours with an input a minute; each hour is a file."""
    with served_as(SLOW), collecting(root) as flush:
        inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
        for minute in range(180):
            at = int((START + dt.timedelta(minutes=minute)).timestamp())
            inputs.collect(pd.DataFrame({"x": [minute]}), BasicCorrelationContext(id=f"s{minute}", timestamp=at))
            later = BasicCorrelationContext(id=f"s{minute}", timestamp=at + DELAYS[minute % len(DELAYS)])
            outputs.collect(pd.DataFrame({"y": [minute / 180]}), later)
        flush()


@pytest.mark.parametrize("is_compact", [False, True])
@pytest.mark.parametrize(
    "window",
    [{}, {"since": "2026-11-22T10:20:00Z", "until": "2026-11-22T11:00:00Z"}, {"since": "2026-11-22T12:00:00Z"}],
)
def test_an_output_up_to_an_hour_later_belongs_to_its_row(
    tmp_path: Path, window: dict[str, str], is_compact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect_slow(tmp_path)
    monkeypatch.setattr("otel_modeldata_studio.tables.piece_writer._GROUP_ROWS", 7)
    monkeypatch.setattr(row_pages, "MOST", 20)  # several rounds
    with opened_studio(tmp_path) as studio:
        if is_compact:
            for name in ("model_inputs", "model_outputs"):
                studio.store.compact(f"{SLOW}/{name}", older=0)
        given: dict[str, Any] = {"deployment": SLOW, **window}
        frame = studio.store.join(SLOW, **window).to_pandas().sort_values("time", ascending=False)
        assert whole(lambda: explore.volume(studio, **given)).total == len(frame)
        for low in (0.0, 0.3):
            kept = frame[frame["y"] >= low]
            f = json.dumps([{"column": "outputs.y", "op": "between", "low": low, "high": 1}])
            assert whole(lambda f=f: explore.volume(studio, f=f, **given)).total == len(kept)
            assert pages(studio, f=f, limit=11, **given) == kept["row_id"].tolist()
            assert pages(studio, f=f, limit=11, newest=False, **given) == kept["row_id"].tolist()[::-1]
        null = json.dumps([{"column": "outputs.y", "op": "null"}])
        assert explore.volume(studio, f=null, **given).total == 0
        assert pages(studio, f=null, **given) == []
        page = explore.rows(studio, columns=("inputs.x", "outputs.y"), limit=500, **given)
        assert [row.values for row in page.rows] == frame[["x", "y"]].to_numpy().tolist()
        (facet,) = explore.facets(studio, columns=("outputs.y",), **given).facets
        assert (facet.rows, facet.nulls) == (len(frame), 0)
