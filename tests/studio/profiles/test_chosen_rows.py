"""Rows that filters of other collections choose are the same by partners as by a join."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from collected_store import collecting
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opened_studio import opened_studio, whole
from shop_store import served_as

from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_reader.window import Window
from otel_modeldata_studio.profiles import page_cells
from otel_modeldata_studio.profiles.chosen_rows import ChosenRows
from otel_modeldata_studio.queries.filters import parse_filters
from otel_modeldata_studio.queries.lookups import moment_of_place
from otel_modeldata_studio.screens import explore, row_pages
from otel_modeldata_studio.screens.explored import explored
from otel_modeldata_studio.screens.request import request
from otel_modeldata_studio.tables.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

ONCE, TWICE = "partners/once", "partners/twice"
START = dt.datetime(2026, 11, 22, 8, tzinfo=dt.UTC)
COUNT = 120
"""Events, one every two minutes."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("partners")
    for deployment in (ONCE, TWICE):
        with served_as(deployment), collecting(root) as flush:
            _collect(deployment)
            flush()
    return root


def _collect(deployment: str) -> None:
    inputs, outputs, labels = (Collector(name=one) for one in ("model_inputs", "model_outputs", "ground_truth"))
    random = np.random.default_rng(7)
    for number in range(COUNT):
        name = f"{deployment}-{0 if deployment == TWICE and number in {3, 90} else number}"
        at = int((START + dt.timedelta(minutes=2 * number)).timestamp())
        rows = number % 3 + 1
        inputs.collect(
            pd.DataFrame({"x": random.random(rows), "kind": random.choice(["a", "b", None], rows)}),
            BasicCorrelationContext(id=name, timestamp=at),
        )
        if number % 5:  # some have no output, and some a late one
            late = 3_000 if number % 7 == 0 else 1
            scores = random.random(rows)
            scores[0] = np.nan if number % 11 == 0 else scores[0]
            outputs.collect(pd.DataFrame({"y": scores}), BasicCorrelationContext(id=name, timestamp=at + late))
        if number % 4 == 0:
            labels.collect(pd.DataFrame({"label": [number] * rows}), BasicCorrelationContext(id=name, timestamp=at + 9))


@pytest.fixture(scope="module", params=["lines", "files", "both"])
def studio(request: pytest.FixtureRequest, store: Path) -> Iterator[Studio]:
    with opened_studio(store) as opened:
        if request.param != "lines":
            for collection in ("model_inputs", "model_outputs"):
                until = None if request.param == "files" else "2026-11-22T10:00:00Z"
                opened.store.compact(f"{ONCE}/{collection}", older=0, until=until)
        for deployment in (ONCE, TWICE):
            whole(lambda one=deployment: explore.volume(opened, deployment=one))
        yield opened


def by_partners(studio: Studio) -> ChosenRows:
    return ChosenRows(studio.tables, least=0)


BOUNDS = st.one_of(st.none(), st.sampled_from([0.0, 0.2, 0.5, 0.9, 2.0]))
FILTERS = st.lists(
    st.one_of(
        st.builds(
            lambda column, low, high: {"column": column, "op": "between", "low": low, "high": high},
            st.sampled_from(["inputs.x", "outputs.y"]),
            BOUNDS,
            BOUNDS,
        ),
        st.builds(
            lambda column, op: {"column": column, "op": op},
            st.sampled_from(["inputs.kind", "outputs.y", "labels.label"]),
            st.sampled_from(["null", "not_null"]),
        ),
        st.builds(
            lambda values: {"column": "inputs.kind", "op": "in", "values": values},
            st.lists(st.sampled_from(["a", "b", None]), max_size=2),
        ),
    ),
    max_size=3,
)
WINDOWS = st.sampled_from(
    [(None, None), ("2026-11-22T09:00:00Z", "2026-11-22T10:30:00Z"), ("2026-11-22T11:05:00Z", None)]
)


def answers(studio: Studio, filters: str, window: tuple[str | None, str | None]) -> list[Any]:
    since, until = window
    of: dict[str, Any] = {"deployment": ONCE, "f": filters, "since": since, "until": until}
    volume = whole(lambda: explore.volume(studio, **of))
    facets = explore.facets(studio, **of).facets
    pages, token = [], None
    while True:
        page = explore.rows(studio, limit=50, after=token, **of)
        pages += page.rows
        if (token := page.next) is None:
            return [volume, sorted(facets, key=lambda one: one.column), pages]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(filters=FILTERS, window=WINDOWS, few=st.sampled_from([0, 2]))
def test_answers_are_those_of_a_join(
    studio: Studio, filters: list[dict[str, Any]], window: tuple[str | None, str | None], few: int
) -> None:
    asked = json.dumps(filters)
    expected = answers(studio, asked, window)
    studio._parts["chosen"] = by_partners(studio)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(page_cells, "_FEW", 0)  # the cells of a page are read by the numbers of its rows, too
            patch.setattr(row_pages, "_FEW", few)  # and its rows by their numbers, or by their times
            assert answers(studio, asked, window) == expected
    finally:
        del studio._parts["chosen"]


def test_rows_of_another_side_alone_are_those_whose_partners_are_chosen(studio: Studio) -> None:
    filters = parse_filters(
        json.dumps(
            [
                {"column": "inputs.x", "op": "between", "low": 0.3, "high": None},
                {"column": "outputs.y", "op": "between", "low": 0.1, "high": None},
            ]
        )
    )
    found, window = explored(studio, ONCE, None, None)
    chosen = by_partners(studio)
    rows, left = chosen.by(ONCE, found, filters, window)
    assert left == ()
    alone = chosen.alone(ONCE, rows, "outputs", left, window)
    assert alone is not None
    assert alone.bits is not None
    count = sum(int(alone.bits.of_piece(piece).sum()) for piece in alone.base.pieces)
    joined = studio.store.join(ONCE).to_pandas()
    assert count == int(((joined["x"] >= 0.3) & (joined["y"] >= 0.1)).sum()) > 0


def test_a_row_without_a_partner_is_no_row_of_the_other_side(studio: Studio) -> None:
    found, window = explored(studio, ONCE, None, None)
    filters = parse_filters('[{"column": "inputs.kind", "op": "not_null"}]')
    assert by_partners(studio).alone(ONCE, found, "outputs", filters, window) is None


@pytest.mark.parametrize("is_compact", [False, True])
def test_partners_are_found_again_after_the_system_has_cleaned_its_temporary_files_up(
    is_compact: bool, store: Path, tmp_path: Path
) -> None:
    root = tmp_path / "store"
    shutil.copytree(store, root)
    filters = json.dumps([{"column": "outputs.y", "op": "between", "low": 0.2}])
    with opened_studio(root, cache=tmp_path / "cache") as studio:
        if is_compact:
            for collection in ("model_inputs", "model_outputs"):
                studio.store.compact(f"{ONCE}/{collection}", older=0, until="2026-11-22T11:00:00Z")
        chosen = by_partners(studio)

        def count() -> int | None:
            whole(lambda: explore.volume(studio, deployment=ONCE))
            rows, window = explored(studio, ONCE, None, None, ["outputs.y"])
            found, left = chosen.by(ONCE, rows, parse_filters(filters), window)
            assert found.pending == 0
            return None if left or found.bits is None else sum(map(found.bits.count, found.base.pieces))

        before = count()
        assert before
        shutil.rmtree(studio.cache.path)
        assert count() == before
        shutil.rmtree(studio.cache.path)
        studio.store.compact(f"{ONCE}/model_outputs", older=0)  # new files among known ones
        studio.catalog.listing()
        assert count() == before


def test_rows_are_joined_where_a_row_id_repeats(studio: Studio) -> None:
    found, window = explored(studio, TWICE, None, None)
    filters = parse_filters('[{"column": "outputs.y", "op": "not_null"}]')
    assert by_partners(studio).by(TWICE, found, filters, window) == (found, filters)


@pytest.mark.parametrize("deployment", [ONCE, TWICE])
def test_pages_of_files_with_known_row_ids_are_those_of_a_join(
    studio: Studio, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = explore.rows(studio, deployment=deployment, limit=300)
    assert any(entry.label is not None for entry in expected.rows)
    found, window = explored(studio, deployment, None, None)
    by_partners(studio).by(deployment, found, parse_filters('[{"column": "outputs.y", "op": "not_null"}]'), window)
    asked: list[set[str]] = []
    joined = page_cells.cells_of_rows
    monkeypatch.setattr(page_cells, "_FEW", 0)
    monkeypatch.setattr(
        page_cells,
        "cells_of_rows",
        lambda rows, columns, *rest: asked.append({one.name for one in columns}) or joined(rows, columns, *rest),
    )
    assert explore.rows(studio, deployment=deployment, limit=300) == expected
    joined_columns = {"labels.label"} if deployment == ONCE else {*expected.columns, "labels.label"}
    assert asked == [joined_columns]  # where ids repeat these are all


def test_rows_are_counted_while_their_partners_are_looked_for(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    found, window = explored(studio, ONCE, None, None)
    filters = parse_filters('[{"column": "outputs.y", "op": "not_null"}]')
    chosen = ChosenRows(studio.tables, least=0)
    monkeypatch.setattr(studio.tables, "deadline", lambda: Deadline.at(0.0))
    rows, left = chosen.by(ONCE, found, filters, window)
    while rows.pending:
        assert {one.path for one in rows.base.pieces} < {one.path for one in found.base.pieces}
        rows, left = chosen.by(ONCE, found, filters, window)
    assert left == ()
    assert rows.bits is not None
    assert window == Window()


def test_a_request_is_found_by_the_hash_of_its_row_id(studio: Studio) -> None:
    found, window = explored(studio, ONCE, None, None)
    filters = parse_filters('[{"column": "outputs.y", "op": "not_null"}]')
    by_partners(studio).by(ONCE, found, filters, window)
    row_id = f"{ONCE}-8_1"
    ((path, row),) = studio.tables.partners.places(f"{ONCE}/model_inputs", row_id)
    assert path in {one.path for one in found.base.pieces}
    text = moment_of_place(path, row, row_id)
    at = int((START + dt.timedelta(minutes=16)).timestamp()) * 1_000_000_000
    assert studio.tables.database.rows(text.text, text.parameters) == [(at,)]
    assert {one.row_id for one in request(studio, id=row_id).rows} == {f"{ONCE}-8_{at}" for at in range(3)}
    assert studio.tables.partners.places(f"{ONCE}/model_inputs", "another") == []
