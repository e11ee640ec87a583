"""A column whose type changes from one file to the next keeps its values: in facets, volume, filters, and pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from opened_studio import opened_studio, whole
from read_lines import COLLECTION, line, write
from shop_store import served_as

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_studio.screens import explore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

BLUE = "shop/blue"
HALVES = [number + (0.5 if number >= 60 else 0) for number in range(120)]
"""Whole numbers first, then halves."""
MIXED = [number if number < 40 else number + 0.5 if number < 80 else f"v{number % 4}" for number in range(120)]
"""Whole numbers, halves, then texts."""


@pytest.fixture(params=["lines", "compacted", "half"])
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Studio]:
    """Six hours with 20 rows each: as lines, as Parquet files, or both."""
    for hour in range(6):
        some = range(hour * 20, hour * 20 + 20)
        write(
            tmp_path,
            [
                line(
                    [{"n": HALVES[at], "x": MIXED[at], "half": 0.5}],
                    number=at,
                    time=f"2026-11-22T{hour:02}:{at % 20:02}:00Z",
                    timens=None,
                )
                for at in some
            ],
            hour=f"2026/11/22/{hour:02}",
        )
    with opened_studio(tmp_path) as opened:
        if request.param != "lines":
            until = {"until": "2026-11-22T03:00:00Z"} if request.param == "half" else {}
            opened.store.compact(COLLECTION, older=0, **until)
    with opened_studio(tmp_path) as opened:
        yield opened


def found(studio: Studio, *filters: dict[str, Any]) -> tuple[int, list[str]]:
    """The rows that filters choose: how many the volume has, and the ids of those in the table."""
    f = json.dumps(filters)
    page = whole(lambda: explore.rows(studio, deployment=BLUE, f=f, limit=500, newest=False))
    return explore.volume(studio, deployment=BLUE, f=f).total, [one.id for one in page.rows]


def ids(chosen: list[bool]) -> tuple[int, list[str]]:
    """The same of the rows that are meant."""
    return sum(chosen), [f"request-{at}_0" for at, is_chosen in enumerate(chosen) if is_chosen]


def between(column: str, low: float | None, high: float | None) -> dict[str, Any]:
    return {"column": column, "op": "between", "low": low, "high": high}


def test_floats_after_integers_are_not_rounded(studio: Studio) -> None:
    for low, high in ((60.4, 60.6), (100.2, None), (None, 60.5), (59, 60.5001)):
        expected = [(low is None or low <= one) and (high is None or one < high) for one in HALVES]
        assert found(studio, between("inputs.n", low, high)) == ids(expected)
    (facet,) = whole(lambda: explore.facets(studio, deployment=BLUE, columns=("inputs.n",))).facets
    assert (facet.bins[0].low, facet.bins[-1].high) == (0.0, 119.5)
    for at, one in enumerate(facet.bins):
        is_last = at == len(facet.bins) - 1
        expected = [one.low <= value and (value < one.high or (is_last and value == one.high)) for value in HALVES]
        assert one.count == sum(expected)
        assert found(studio, between("inputs.n", one.low, one.high) | {"closed": is_last})[0] == one.count


def test_texts_after_numbers_are_texts_and_no_error(studio: Studio) -> None:
    assert found(studio, {"column": "inputs.x", "op": "in", "values": ["v0"]}) == ids([one == "v0" for one in MIXED])
    facets = {one.column: one for one in whole(lambda: explore.facets(studio, deployment=BLUE)).facets}
    counts = {one.value: one.count for one in facets["inputs.x"].values if one.value.startswith("v")}
    assert counts == {f"v{number}": 10 for number in range(4)}
    page = whole(lambda: explore.rows(studio, deployment=BLUE, columns=("inputs.x",), limit=500, newest=False))
    cells = [one.values[0] for one in page.rows]
    assert cells[80:] == MIXED[80:]
    assert [float(one) for one in cells[:80]] == MIXED[:80]
    assert found(studio, between("inputs.half", 0.4, 0.6), {"column": "inputs.x", "op": "not_null"})[0] == 120


def test_each_value_of_a_facet_chooses_its_rows(tmp_path: Path) -> None:
    long = "x" * 300
    frame = pd.DataFrame(
        {
            "code": pd.Categorical([number % 3 for number in range(30)]),
            "text": [f"{long}{number % 2}" for number in range(30)],
            "when": pd.to_datetime([1_700_000_000_000_000_123 + number * 987_654_321 for number in range(30)]),
        }
    )
    with served_as(BLUE), collecting(tmp_path) as flush:
        Collector(name="model_inputs").collect(frame, BasicCorrelationContext(id="a"))
        flush()
    with opened_studio(tmp_path) as studio:
        answer = whole(lambda: explore.facets(studio, deployment=BLUE))
        facets = {one.column: one for one in answer.facets}
        assert {one.value: one.count for one in facets["inputs.code"].values} == {"0": 10, "1": 10, "2": 10}
        assert [one.count for one in facets["inputs.text"].values] == [15, 15]
        for name in ("inputs.code", "inputs.text"):
            for one in facets[name].values:
                assert found(studio, {"column": name, "op": "in", "values": [one.value]})[0] == one.count
        assert found(studio, {"column": "inputs.code", "op": "in", "values": [1]})[0] == 10
        bins = facets["inputs.when"].bins
        for at, one in enumerate(bins):
            by = {"column": "inputs.when", "op": "between", "low": one.low, "high": one.high}
            assert found(studio, by | {"closed": at == len(bins) - 1})[0] == one.count
        page = explore.rows(studio, deployment=BLUE, columns=("inputs.when",))
        for entry in page.rows[:3]:  # the text of a cell
            by = {"column": "inputs.when", "op": "in", "values": entry.values}
            assert found(studio, by) == (1, [entry.id])


def test_a_value_that_is_missing_in_its_own_frame_changes_no_type_when_its_line_is_compacted(tmp_path: Path) -> None:
    """A server collects each row alone: there a missing value is an object, beside numbers, truths, times and texts."""
    rows: list[dict[str, Any]] = [
        {"age": 32.5, "n": 4, "ok": True, "when": pd.Timestamp("2026-11-22T10:00Z"), "city": "Graz"},
        {"age": None, "n": None, "ok": None, "when": None, "city": None},
        {"age": 38.0, "n": 5, "ok": False, "when": pd.Timestamp("2026-11-22T11:00Z"), "city": "Linz"},
    ]
    with served_as(BLUE), collecting(tmp_path) as flush:
        for at, row in enumerate(rows):
            frame = pd.DataFrame([row], dtype=object if row["age"] is None else None)
            Collector(name="model_inputs").collect(frame, BasicCorrelationContext(id=f"request-{at}"))
        flush()

    def shown() -> tuple[Any, Any]:
        with opened_studio(tmp_path) as studio:
            answer = whole(lambda: explore.facets(studio, deployment=BLUE))
            known = {one.name: (one.kind, one.type) for one in explore.columns(studio, deployment=BLUE).columns}
        return known, [(one.column, one.kind, one.nulls, one.bins, one.values) for one in answer.facets]

    as_lines = shown()
    assert as_lines[0]["inputs.age"] == ("number", "double")
    for drops in (False, True):
        with reader.open(tmp_path) as store:
            store.compact(f"{BLUE}/model_inputs", older=-7200, drop_lines=drops)
        assert shown() == as_lines
