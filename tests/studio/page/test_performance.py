"""The screen of predictions against labels."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from chromium import OpenPage, WatchedPage
    from shop_store import Shop
    from studio_process import StudioProcess


def shown(studio: StudioProcess, open_page: OpenPage, query: str = "") -> WatchedPage:
    watched = open_page(studio.at(f"performance/shop/blue{query}"))
    watched.settle("article.performance .tiles")
    return watched


def test_the_share_of_labels_comes_first_and_the_measures_are_those_of_a_report(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    page = shown(shop_studio, open_page).page
    with reader.open(shop_store.root) as store:
        figures = store.report("shop/blue", prediction="decision", score="score").figures
    assert figures.labels is not None
    assert figures.performance is not None
    labeled, scored = figures.labels
    assert page.locator("article.performance section h2").first.inner_text() == "Labels"
    coverage = page.locator(".coverage p").first
    expect(coverage).to_contain_text(f"{labeled / scored * 100:.0f} % of {scored} scored rows have a label ({labeled})")
    names, values = (page.locator(f".tile {part}").all_inner_texts() for part in ("dt", "dd"))
    tiles = dict(zip(names, values, strict=True))
    measures = figures.performance.every.measures
    assert tiles["accuracy"].split("\n") == [
        f"{measures['accuracy'].value:.3f}",
        f"{measures['accuracy'].low:.3f} to {measures['accuracy'].high:.3f}",
    ]
    assert list(tiles) == ["accuracy", "precision", "recall", "F1", "AUC"]


def test_the_window_that_is_named_is_the_one_that_is_measured(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    since = shop_store.since + dt.timedelta(hours=20)
    watched = shown(shop_studio, open_page, f"?since={since:%Y-%m-%dT%H:%M:%SZ}")
    with reader.open(shop_store.root) as store:
        whole = store.report("shop/blue", prediction="decision", score="score").figures.labels
        figures = store.report("shop/blue", since, prediction="decision", score="score").figures
    assert figures.labels is not None
    assert figures.labels != whole
    button = watched.page.locator(".window-picker .range")
    expect(button).to_have_text(f"{since:%Y-%m-%d %H:%M} \u2013 now UTC")
    expect(watched.page.locator(".coverage p").first).to_contain_text(f"({figures.labels[0]})")
    watched.page.get_by_role("button", name="all", exact=True).click()
    watched.settle("article.performance .tiles")
    expect(button).to_have_text("beginning \u2013 now UTC")
    assert whole is not None
    expect(watched.page.locator(".coverage p").first).to_contain_text(f"({whole[0]})")


def test_slices_are_of_the_column_that_is_chosen(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = shown(shop_studio, open_page)
    watched.page.get_by_label("By", exact=True).select_option("inputs.plan")
    watched.settle("section[aria-labelledby=slices] tbody")
    rows = watched.page.locator("section[aria-labelledby=slices] tbody tr")
    texts = {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows.all()}
    assert set(texts) == {"all rows", "basic", "plus", "pro"}
    counts = {name: int(values[0].replace(",", "")) for name, values in texts.items()}
    assert counts["all rows"] == counts["basic"] + counts["plus"] + counts["pro"]
    assert "by=inputs.plan" in watched.page.url
    with reader.open(shop_store.root) as store:
        plans = store.join("shop/blue").to_pandas()["plan"].value_counts()
    assert counts["pro"] == plans["pro"]


def test_a_bad_prediction_leads_to_its_request(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = shown(shop_studio, open_page)
    rows = watched.page.locator("section[aria-labelledby=worst] tbody tr")
    scores, errors = ([float(row.locator("td.figure").nth(at).inner_text()) for row in rows.all()] for at in (0, 1))
    assert [abs(one) for one in errors] == sorted(map(abs, errors), reverse=True)
    assert all(
        error == pytest.approx(score - round(score - error), abs=1e-3)
        for score, error in zip(scores, errors, strict=True)
    )
    first = rows.first.get_by_role("link")
    row_id = first.inner_text()
    first.click()
    watched.settle("article.request")
    expect(watched.page.locator("article.request h1")).to_have_text(f"Request {row_id}")
    label = watched.page.locator("section[aria-labelledby=of-labels] tbody td").first.inner_text()
    outputs = watched.page.locator("section[aria-labelledby=of-outputs] tbody tr")
    assert outputs.filter(has_text="decision").locator("td").first.inner_text() != label


def test_without_labels_it_says_how_to_add_them(nasty_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(nasty_studio.at("performance/nasty/wide"))
    watched.allowed = ("status of 404", "status of 400")
    watched.settle("main article")
    expect(watched.page.locator("main")).to_contain_text("otel-modeldata label nasty/wide")
