"""Requests that share a correlation id: joined by trace as a reading does, and all answers of Explore agree."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from opentelemetry import trace
from shop_store import served_as

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_studio.screens.explore import columns, facets, rows, volume
from otel_modeldata_studio.studio import Studio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2026, 11, 22, 6, tzinfo=UTC)
COUNT = 60


def context(name: str, minute: int) -> BasicCorrelationContext:
    return BasicCorrelationContext(id=name, timestamp=int((START + timedelta(minutes=minute)).timestamp()))


def span(number: int) -> Any:
    return trace.use_span(
        trace.NonRecordingSpan(trace.SpanContext(number, 0xA1, is_remote=True, trace_flags=trace.TraceFlags(1)))
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shared")
    for deployment in ("same", "once", "twice", "untraced"):
        with served_as(f"t/{deployment}"), collecting(root) as flush:
            inputs, outputs, labels = (Collector(name=one) for one in ("model_inputs", "model_outputs", "ground_truth"))
            for minute in range(COUNT):
                name = f"{deployment}{minute // 3 if deployment in {'same', 'once', 'untraced'} else minute}"
                number = 0 if deployment == "untraced" else 1000 + minute
                with span(number):
                    given = context(name, minute)
                    inputs.collect(pd.DataFrame({"x": [minute, minute]}), given)
                    if deployment != "once" or minute % 3 == 1:
                        outputs.collect(pd.DataFrame({"y": [minute / COUNT] * 2}), given)
                    if deployment == "twice" and minute % 2:
                        outputs.collect(pd.DataFrame({"y": [0.99] * 2}), given)
                if minute % 3 == 0:
                    labels.collect(pd.DataFrame({"label": [minute, minute]}), context(name, minute + 90))
            flush()
    return root


@pytest.fixture(scope="module")
def studio(store: Path) -> Iterator[Studio]:
    with reader.open(store) as opened:
        studio = Studio(opened)
        yield studio
        studio.close()


def counted(studio: Studio, deployment: str, *filters: dict[str, Any]) -> set[int]:
    """How many rows there are by volume, by a facet and by pages."""
    asked = json.dumps(filters)
    found = volume(studio, deployment=deployment, f=asked)
    (facet,) = facets(studio, deployment=deployment, f=asked, columns=("inputs.x",)).facets
    count, token = 0, None
    while True:
        page = rows(studio, deployment=deployment, f=asked, columns=("inputs.x",), limit=50, after=token)
        count, token = count + len(page.rows), page.next
        if token is None:
            return {found.total, facet.rows, count}


FILTERS = [
    {"op": "not_null"},
    {"op": "null"},
    {"op": "between", "low": 0.5, "high": None},
    {"op": "between", "low": 0.0, "high": 0.5},
]


@pytest.mark.parametrize("deployment", ["t/same", "t/once", "t/twice"])
def test_rows_are_joined_as_a_reading_joins_them(studio: Studio, deployment: str) -> None:
    joined = studio.store.join(deployment, how="left", labels=True).to_pandas()
    outputs, labels = joined["y"], joined["label"]
    expected = [outputs.notna(), outputs.isna(), outputs >= 0.5, outputs < 0.5]
    assert counted(studio, deployment) == {len(joined)}
    for one, mask in zip(FILTERS, expected, strict=True):
        assert counted(studio, deployment, {"column": "outputs.y"} | one) == {int(mask.sum())}, one
    assert counted(studio, deployment, {"column": "labels.label", "op": "not_null"}) == {int(labels.notna().sum())}
    page = rows(studio, deployment=deployment, columns=("inputs.x", "outputs.y"), limit=500)
    shown = sorted((one.id, one.values[0], one.values[1]) for one in page.rows if one.values[1] is not None)
    known = joined[outputs.notna()]
    assert shown == sorted(zip(known["row_id"], known["x"], known["y"], strict=True))


def test_rows_without_a_certain_output_are_said(studio: Studio) -> None:
    notes = {name: volume(studio, deployment=f"t/{name}").note for name in ("same", "once", "twice", "untraced")}
    shared = (
        "{} of 120 rows share their row id with other requests, so it is not known which output is theirs, and they "
        "are shown without one: give each request its own correlation id, or collect in the span of the request"
    )
    assert notes == {
        "same": "",
        "once": shared.format(80),
        "twice": "",
        "untraced": shared.format(120),
    }
    assert counted(studio, "t/untraced", {"column": "outputs.y", "op": "not_null"}) == {0}


def test_columns_are_those_of_the_newest_day_of_each_collection(tmp_path: Path) -> None:
    with served_as("t/late"), collecting(tmp_path) as flush:
        for name, column, minute in (
            ("model_inputs", "x", 0),
            ("model_outputs", "y", 0),
            ("ground_truth", "label", 5000),
        ):
            Collector(name=name).collect(pd.DataFrame({column: [1]}), context("a", minute))
        flush()
    with reader.open(tmp_path) as opened:
        studio = Studio(opened)
        found = columns(studio, deployment="t/late")
        studio.close()
    assert [one.name for one in found.columns] == ["inputs.x", "outputs.y", "labels.label"]
    assert (found.first, found.last) == ("2026-11-22T06:00:00Z", "2026-11-25T18:00:00Z")
