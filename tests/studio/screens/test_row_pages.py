"""Pages of rows that a filter of another side chooses have each row once, also where many rows have one time."""

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
from otel_modeldata_studio.screens import explore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

BATCH = "batch/blue"
ROWS = 3 * MOST + 700
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
    found = [explore.rows(studio, deployment=BATCH, limit=500, **given)]
    while found[-1].next is not None:
        found.append(explore.rows(studio, deployment=BATCH, limit=500, after=found[-1].next, **given))
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
