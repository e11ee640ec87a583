"""The screen of one column: the window against the baseline, over time, and other deployments beside it."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote

import numpy as np
import pandas as pd
import pytest
from nasty_store import NAMES
from playwright.sync_api import expect

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from chromium import OpenPage, WatchedPage
    from shop_store import Shop
    from studio_process import StudioProcess


def shown(studio: StudioProcess, open_page: OpenPage, column: str, **query: str) -> WatchedPage:
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    watched = open_page(studio.at(f"feature/shop/blue/{quote(column, safe='')}?{text}"))
    watched.settle("article.feature .tiles")
    return watched


def inputs(shop: Shop, deployment: str = "shop/blue") -> pd.DataFrame:
    """The second day's inputs, as the reader has them."""
    with reader.open(shop.root) as store:
        return store.read(f"{deployment}/model_inputs", since=shop.until - pd.Timedelta(hours=24)).to_pandas()


def second_day(shop: Shop) -> str:
    return f"{shop.until - pd.Timedelta(hours=24):%Y-%m-%dT%H:%M:%SZ}"


def tiles(watched: WatchedPage) -> dict[str, str]:
    names, values = (watched.page.locator(f".tiles .tile {one}").all_inner_texts() for one in ("dt", "dd"))
    return dict(zip(names, values, strict=True))


def filter_of(link: str) -> dict[str, Any]:
    """The filter that a link to explore has."""
    (found,) = json.loads(parse_qs(unquote(link.partition("?")[2]))["f"][0])
    return dict(found)


def test_the_figures_are_those_of_the_rows(shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage) -> None:
    found = tiles(shown(shop_studio, open_page, "inputs.age", since=second_day(shop_store)))
    ages = inputs(shop_store)["age"]
    assert found["rows"] == str(len(ages))
    assert float(found["null"].removesuffix(" %")) == pytest.approx(ages.isna().mean() * 100, abs=0.5)
    assert float(found["drift (PSI)"]) > 0.2


ENDS = (("low", -1), ("high", 1))
"""A bar at an end that holds everything beyond it has no limit there."""


def test_each_bar_leads_to_as_many_rows_as_it_says(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = shown(shop_studio, open_page, "inputs.age", since=second_day(shop_store))
    bars = watched.page.locator(".distribution a.bin")
    ages = inputs(shop_store)["age"].dropna()
    total = 0
    for bar in bars.all():
        (count,) = re.findall(r": ([\d,]+) rows?,", bar.get_attribute("aria-label") or "")
        said = int(count.replace(",", ""))
        wanted = filter_of(bar.get_attribute("href") or "")
        low, high = (wanted[name] if wanted[name] is not None else limit * np.inf for name, limit in ENDS)
        below = ages <= high if wanted.get("closed") else ages < high
        assert int(((ages >= low) & below).sum()) == said
        total += said
    assert total == len(ages)
    bars.nth(bars.count() // 2).press("Enter")
    watched.settle(".explore table")
    assert "/explore/shop/blue?" in watched.page.url


def test_a_category_that_is_new_is_marked_and_leads_to_its_rows(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = shown(shop_studio, open_page, "inputs.country", since=second_day(shop_store))
    rows = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts()
        for row in watched.page.locator(".values tbody tr").all()
    }
    countries = inputs(shop_store)["country"].value_counts(normalize=True)
    assert set(rows) == {"ES", "FR", "DE", "PT new"}
    assert rows["PT new"][2] == "0 %"
    assert float(rows["ES"][1].removesuffix(" %")) == pytest.approx(countries["ES"] * 100, abs=0.51)
    link = watched.page.locator(".values a", has_text="PT").get_attribute("href") or ""
    assert filter_of(link) == {"column": "inputs.country", "op": "in", "values": ["PT"]}


def test_another_deployment_is_laid_over_it(shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage) -> None:
    watched = shown(shop_studio, open_page, "inputs.age", since=second_day(shop_store))
    before = watched.page.locator(".bands path.line").count()
    watched.page.get_by_role("checkbox", name="shop/green").check()
    watched.settle(".key .of-other-1")
    assert watched.page.locator(".distribution").count() == 2
    # The median and the null rate; its hours have too few rows for a drift.
    assert watched.page.locator("path.line.other-1").count() == 2
    assert watched.page.locator(".bands path.line").count() == before + 2
    assert "shop%2Fgreen" in watched.page.url
    watched.page.get_by_role("checkbox", name="shop/green").uncheck()
    expect(watched.page.locator("path.line.other-1")).to_have_count(0)


def test_the_median_over_time_is_that_of_each_hour(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = shown(shop_studio, open_page, "inputs.age", since=second_day(shop_store))
    frame = inputs(shop_store)
    medians = frame.groupby(frame["time"].dt.floor("h"))["age"].median()
    chart = watched.page.locator("section[aria-labelledby=quantiles] svg")
    label = chart.get_attribute("aria-label") or ""
    assert f"median from {medians.iloc[0]:g} to {medians.iloc[-1]:g}" in label
    box = chart.bounding_box()
    assert box is not None
    watched.page.mouse.move(box["x"] + 1, box["y"] + 20)
    expect(watched.page.locator("section[aria-labelledby=quantiles] .readout")).to_contain_text(
        f"median {medians.iloc[0]:g}"
    )


def test_another_column_is_chosen_by_its_name(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = shown(shop_studio, open_page, "inputs.age")
    watched.page.get_by_label("Column", exact=True).select_option("outputs.score")
    expect(watched.page.get_by_role("heading", level=1)).to_have_text("outputs.score")
    watched.settle("article.feature .tiles")
    assert watched.page.url.partition("?")[0].endswith("/feature/shop/blue/outputs.score")


def test_a_column_of_any_name_is_shown(nasty_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(nasty_studio.at("feature/nasty/blue/inputs.number"))
    with urllib.request.urlopen(f"{nasty_studio.origin}/api/columns?deployment=nasty%2Fblue") as answer:
        columns = [one["name"] for one in json.load(answer)["columns"] if one["role"] == "inputs"]
    assert len(set(columns) & {f"inputs.{name}" for name in NAMES}) == len(NAMES) - 1  # `time` is `data.time`
    for column in columns:
        watched.page.goto(nasty_studio.at(f"feature/nasty/blue/{quote(column, safe='')}"))
        expect(watched.page.locator(".tools select").first).to_have_value(column)
        watched.settle("article.feature .tiles")
        assert tiles(watched)["rows"] == "12"
        assert watched.page.locator(".planted").count() == 0


def test_a_column_that_there_is_not_is_answered_with_a_sentence(
    shop_studio: StudioProcess, open_page: OpenPage
) -> None:
    watched = open_page(shop_studio.at("feature/shop/blue/inputs.no"))
    watched.allowed = ("status of 404", "status of 400")
    watched.settle("main [role=alert]")
    expect(watched.page.locator("main [role=alert]")).to_contain_text("expected")
