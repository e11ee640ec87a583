"""Explore over two days of a shop: every figure equals that of a reading of the same store."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opened_studio import opened_studio, whole

from otel_modeldata_reader import ReaderError, UnknownNameError
from otel_modeldata_studio.profiles import sample as sampling
from otel_modeldata_studio.screens import explore, row_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from nasty_store import Nasty
    from shop_store import Shop

    from otel_modeldata_studio.studio import Studio

BLUE = "shop/blue"
HOSTILE = "nasty/blue"


@pytest.fixture(scope="module")
def studio(shop_store: Shop) -> Iterator[Studio]:
    with opened_studio(shop_store.root) as opened:
        yield opened


@pytest.fixture(scope="module")
def rows(studio: Studio) -> pd.DataFrame:
    """The joined rows, as a reading has them."""
    return studio.store.join(BLUE, how="left", labels=True).to_pandas()


def filters(*every: dict[str, Any]) -> str:
    return json.dumps(every)


AGES = {"column": "inputs.age", "op": "between", "low": 40, "high": 50}
YES = {"column": "outputs.decision", "op": "in", "values": ["yes"]}
LABELED = {"column": "labels.label", "op": "not_null"}
FAILED = {"column": "status", "op": "between", "low": 500, "high": None}


def test_columns_have_their_roles_and_kinds(studio: Studio) -> None:
    answer = whole(lambda: explore.columns(studio, deployment=BLUE))
    assert {one.name: one.kind for one in answer.columns} == {
        "inputs.age": "number",
        "inputs.income": "number",
        "inputs.country": "text",
        "inputs.plan": "text",
        "inputs.member": "boolean",
        "inputs.opened": "time",
        "inputs.visits": "integer",
        "outputs.score": "number",
        "outputs.decision": "text",
        "labels.label": "text",
    }
    assert answer.has_labels
    assert answer.has_spans


def test_the_volume_has_every_row_once(studio: Studio, rows: pd.DataFrame, shop_store: Shop) -> None:
    answer = whole(lambda: explore.volume(studio, deployment=BLUE, buckets=48))
    assert answer.total == len(rows)
    assert answer.step_seconds == 3600
    hours = Counter(f"{hour:%Y-%m-%dT%H}:00:00Z" for hour in rows["time"])
    assert {start: count for start, count in zip(answer.starts, answer.rows, strict=True) if count} == hours


@pytest.mark.parametrize("given", [[AGES], [YES], [LABELED], [AGES, YES], [AGES, YES, LABELED]])
def test_filters_choose_the_same_rows_everywhere(
    studio: Studio, rows: pd.DataFrame, given: list[dict[str, Any]]
) -> None:
    kept = rows
    for one in given:
        if one is AGES:
            kept = kept[(kept["age"] >= 40) & (kept["age"] < 50)]
        elif one is YES:
            kept = kept[kept["decision"] == "yes"]
        else:
            kept = kept[kept["label"].notna()]
    f = filters(*given)
    assert whole(lambda: explore.volume(studio, deployment=BLUE, f=f)).total == len(kept)
    page = explore.rows(studio, deployment=BLUE, f=f, limit=500)
    newest = kept.sort_values(["time", "row_id"], ascending=False)["row_id"].tolist()
    assert [one.id for one in page.rows] == newest[:500]
    (facet,) = explore.facets(studio, deployment=BLUE, f=f, columns=("inputs.income",)).facets
    assert facet.rows == len(kept)
    assert sum(one.count for one in facet.bins) == kept["income"].notna().sum()


def test_pages_go_through_all_rows_and_back(studio: Studio, rows: pd.DataFrame) -> None:
    whole(lambda: explore.volume(studio, deployment=BLUE))
    for newest in (True, False):
        expected = rows.sort_values(["time", "row_id"], ascending=not newest)["row_id"].tolist()
        pages = [explore.rows(studio, deployment=BLUE, limit=70, newest=newest)]
        while pages[-1].next is not None:
            pages.append(explore.rows(studio, deployment=BLUE, limit=70, newest=newest, after=pages[-1].next))
        assert [one.id for page in pages for one in page.rows] == expected
        assert pages[0].previous is None
        back = pages[-1]
        for page in reversed(pages[:-1]):
            back = explore.rows(studio, deployment=BLUE, limit=70, newest=newest, before=back.previous)
            assert back.rows == page.rows
        assert back.previous is None


def test_a_page_has_the_cells_of_its_rows(studio: Studio, rows: pd.DataFrame) -> None:
    names = ("inputs.age", "outputs.score", "inputs.member", "inputs.opened", "labels.label")
    whole(lambda: explore.volume(studio, deployment=BLUE))
    page = explore.rows(studio, deployment=BLUE, columns=names, newest=False, limit=200)
    assert page.columns == list(names)
    of_id = rows.set_index("row_id")
    for entry in page.rows:
        row = of_id.loc[entry.id]
        age = None if np.isnan(row["age"]) else row["age"]
        opened = row["opened"].isoformat()
        assert entry.values == [age, row["score"], bool(row["member"]), opened, row["label"]]
        assert entry.label == row["label"]


def test_rows_have_the_latency_and_the_status_of_their_requests(studio: Studio, shop_store: Shop) -> None:
    only = filters({"column": "correlationid", "op": "in", "values": [shop_store.traced]})
    found = studio.store.read(f"{BLUE}/response").to_pandas().set_index("correlationid").loc[shop_store.traced]
    (entry,) = whole(lambda: explore.rows(studio, deployment=BLUE, f=only)).rows
    assert (entry.latency_ms, entry.status) == (float(found["latencyms"]), int(found["statuscode"]))


def test_failed_requests_are_found_by_their_status(studio: Studio) -> None:
    responses = studio.store.read(f"{BLUE}/response").to_pandas()
    expected = {f"{one}_0" for one in responses["correlationid"][responses["statuscode"].astype(int) >= 500]}
    assert expected
    page = whole(lambda: explore.rows(studio, deployment=BLUE, f=filters(FAILED), limit=500))
    assert {one.id for one in page.rows} == expected
    assert explore.volume(studio, deployment=BLUE, f=filters(FAILED)).total == len(expected)


def test_facets_are_those_of_a_report(studio: Studio, shop_store: Shop) -> None:
    since = shop_store.baseline.partition("..")[2]
    answer = whole(lambda: explore.facets(studio, deployment=BLUE, since=since, baseline=shop_store.baseline))
    report = studio.store.report(BLUE, since, baseline=shop_store.baseline).figures
    figures = {f"{_role(one.name)}.{column.name}": column for one in report.collections for column in one.columns}
    by_name = {one.column: one for one in answer.facets}
    # A report has outputs without inputs, too, which are no rows here.
    compared = {name: one for name, one in figures.items() if one.drift is not None and name.startswith("inputs.")}
    assert len(compared) > 5
    for name, figure in compared.items():
        assert by_name[name].psi == pytest.approx(figure.drift.psi, rel=1e-9), name
        assert by_name[name].nulls == figure.window.nulls
    indices = [one.psi or -1 for one in answer.facets if one.kind != "time"]
    assert indices == sorted(indices, reverse=True)
    assert answer.facets[0].column == "inputs.country"  # PT is new in the second day


def _role(collection: str) -> str:
    return {"model_inputs": "inputs", "model_outputs": "outputs"}.get(collection.rpartition("/")[2], collection)


def test_the_facet_of_one_column_has_all_rows_where_others_are_a_sample(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, shop_store: Shop
) -> None:
    arguments = {"deployment": BLUE, "baseline": shop_store.baseline}
    names = ("inputs.age", "inputs.country", "inputs.opened", "inputs.visits", "inputs.member")
    exact = {name: whole(lambda name=name: explore.facets(studio, columns=(name,), **arguments)) for name in names}
    monkeypatch.setattr("otel_modeldata_studio.profiles.sample._LEAST", 10)
    monkeypatch.setattr("otel_modeldata_studio.screens.facets.SAMPLE_ROWS", 60)
    monkeypatch.setattr(
        "otel_modeldata_studio.screens.facets.sample_of",
        lambda *given: sampling.sample_of(*given, most=60),
    )
    sampled = explore.facets(studio, columns=names, **arguments).facets
    assert all(0 < one.sample < 0.5 and one.rows < 400 for one in sampled)
    for name in names:
        (one,) = explore.facets(studio, columns=(name,), **arguments).facets
        (expected,) = exact[name].facets
        assert one.sample == 1.0
        assert one == expected


def test_a_bin_of_a_facet_chooses_its_rows(studio: Studio) -> None:
    whole(lambda: explore.volume(studio, deployment=BLUE))
    facets = explore.facets(studio, deployment=BLUE, columns=("inputs.age", "inputs.opened", "inputs.visits")).facets
    for facet in facets:
        for at, one in enumerate(facet.bins):
            closed = {"closed": True} if at == len(facet.bins) - 1 else {}
            f = filters({"column": facet.column, "op": "between", "low": one.low, "high": one.high} | closed)
            assert explore.volume(studio, deployment=BLUE, f=f).total == one.count, (facet.column, one)


def test_an_empty_window_has_empty_facets(studio: Studio) -> None:
    whole(lambda: explore.columns(studio, deployment=BLUE))
    answer = explore.facets(studio, deployment=BLUE, since="1999-01-01", until="1999-01-02", columns=("inputs.age",))
    assert [(one.column, one.rows, one.bins) for one in answer.facets] == [("inputs.age", 0, ())]
    assert explore.rows(studio, deployment=BLUE, since="1999-01-01", until="1999-01-02").rows == []


@pytest.mark.parametrize(
    "given",
    [
        {"after": "x"},
        {"before": "W10"},
        {"columns": ("inputs.nothing",)},
        {"columns": ("age",)},
        {"since": "yesterday"},
        {"f": "{"},
        {"f": filters({"column": "inputs.nothing", "op": "null"})},
        {"f": filters({"column": "inputs.country", "op": "between", "low": 1, "high": 2})},
    ],
)
def test_a_wrong_argument_is_an_error_in_a_sentence(studio: Studio, given: dict[str, Any]) -> None:
    with pytest.raises(ReaderError, match=r"^expected "):
        explore.rows(studio, deployment=BLUE, **given)


def test_a_deployment_that_there_is_not_is_unknown(studio: Studio) -> None:
    with pytest.raises(UnknownNameError, match="expected a deployment"):
        explore.columns(studio, deployment="shop/red")


def test_hostile_names_and_cells_are_values(nasty_store: Nasty) -> None:
    with opened_studio(nasty_store.root) as studio:
        names = [one.name for one in whole(lambda: explore.columns(studio, deployment=HOSTILE)).columns]
        inputs = studio.store.read(f"{HOSTILE}/model_inputs").to_pandas()
        envelope = {"row_id", "correlationid", "time", "endpoint", "deployment", "collection", "traceparent"}
        own = [name for name in inputs.columns if name not in envelope | {"modelversion", "event_id"}]
        assert [name for name in names if name.startswith("inputs.")] == [f"inputs.{name}" for name in own]
        page = whole(lambda: explore.rows(studio, deployment=HOSTILE, limit=500))
        assert len(page.rows) == len(inputs)
        assert all(
            len(cell["cut"]) == 200 < cell["length"]
            for row in page.rows
            for cell in row.values
            if isinstance(cell, dict) and "cut" in cell
        )
        for facet in explore.facets(studio, deployment=HOSTILE).facets:
            for value in facet.values[:2]:
                f = filters({"column": facet.column, "op": "in", "values": [value.value]})
                if len(value.value) < 180:
                    assert explore.volume(studio, deployment=HOSTILE, f=f).total == value.count


def test_a_thousand_columns_are_an_answer_of_bounded_size(nasty_store: Nasty) -> None:
    with opened_studio(nasty_store.root) as studio:
        assert len(whole(lambda: explore.columns(studio, deployment=nasty_store.wide)).columns) >= 1000
        page = explore.rows(studio, deployment=nasty_store.wide)
        assert len(page.columns) == row_pages._MOST_COLUMNS
        assert page.columns_total >= 1000
        assert len(explore.facets(studio, deployment=nasty_store.wide).facets) <= 60
