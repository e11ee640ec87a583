"""Labels that were collected before their rows, as where rows are scored again, are those that a reading joins."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from collected_store import collecting
from opened_studio import opened_studio, whole
from shop_store import served_as

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_studio.screens import explore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

DEPLOYMENT = "again/blue"
START = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
LABELED = json.dumps([{"column": "labels.label", "op": "not_null"}])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of ten minutes; the label of each is older than the one before, by up to ten hours."""
    root = tmp_path_factory.mktemp("again")
    with served_as(DEPLOYMENT), collecting(root) as flush:
        inputs, outputs, labels = (Collector(name=one) for one in ("model_inputs", "model_outputs", "ground_truth"))
        for number in range(10):
            at = START + dt.timedelta(minutes=number)
            before = at - dt.timedelta(minutes=59 * (number + 1))
            labels.collect(pd.DataFrame({"label": [number]}), context(number, before))
            inputs.collect(pd.DataFrame({"x": [number]}), context(number, at))
            outputs.collect(pd.DataFrame({"y": [number]}), context(number, at))
        flush()
    return root


def context(number: int, at: dt.datetime) -> BasicCorrelationContext:
    return BasicCorrelationContext(id=f"order-{number}", timestamp=int(at.timestamp()))


@pytest.fixture(scope="module")
def studio(store: Path) -> Iterator[Studio]:
    with opened_studio(store) as opened:
        whole(lambda: explore.volume(opened, deployment=DEPLOYMENT))
        yield opened


@pytest.mark.parametrize(
    ("since", "count"),
    [
        (None, 10),
        ("2026-11-22T10:00:00Z", 1),
        ("2026-11-22T09:50:00Z", 1),
        ("2026-11-22T09:00:00Z", 2),
        ("2026-11-22T10:01:30Z", 0),
    ],
)
def test_they_are_those_of_a_reading(store: Path, studio: Studio, since: str | None, count: int) -> None:
    """With a window: those of an hour before it."""
    with reader.open(store) as opened:
        joined = opened.join(DEPLOYMENT, how="left", labels=True, since=since).to_pandas()
    expected = {row.x: row.label for row in joined.itertuples() if pd.notna(getattr(row, "label", None))}
    assert len(expected) == count
    found = explore.rows(
        studio, deployment=DEPLOYMENT, since=since, columns=("inputs.x", "labels.label"), f=LABELED, limit=100
    )
    assert {row.values[0]: row.values[1] for row in found.rows} == expected
    assert explore.volume(studio, deployment=DEPLOYMENT, since=since, f=LABELED).total == count


def test_each_page_has_them(studio: Studio) -> None:
    found, after = {}, None
    for _ in range(10):
        page = explore.rows(studio, deployment=DEPLOYMENT, columns=("inputs.x",), limit=1, after=after)
        (row,) = page.rows
        found[row.values[0]], after = row.label, page.next
    assert found == {number: number for number in range(10)}
