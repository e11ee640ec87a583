"""Explore: what clicks and keys do, against what the reader says about the same rows."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode

import pandas as pd
import pytest
from axe import barriers
from chromium import DESKTOP, PHONE
from collected_store import collecting
from playwright.sync_api import expect

import otel_modeldata_reader as reader
from otel_modeldata import Collector

if TYPE_CHECKING:
    from pathlib import Path

    from chromium import OpenPage, WatchedPage
    from playwright.sync_api import Page
    from shop_store import Shop
    from studio_process import StartStudio, StudioProcess

ROWS = "table.rows tbody tr:not(.space)"
TOTAL = ".over-time .total"


@pytest.fixture(scope="module")
def rows(shop_store: Shop) -> pd.DataFrame:
    """The rows of shop/blue, newest first, as the reader joins them."""
    joined = reader.open(shop_store.root).join("shop/blue", labels=True).to_pandas()
    return joined.sort_values(["time", "row_id"], ascending=False, ignore_index=True)


@pytest.fixture
def explore(shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage) -> Any:
    """Opens Explore with both days of the shop; further values of the query are arguments."""

    def opened(**query: Any) -> WatchedPage:
        window = {"since": f"{shop_store.since:%Y-%m-%dT%H:%M:%SZ}", "until": f"{shop_store.until:%Y-%m-%dT%H:%M:%SZ}"}
        size = query.pop("size", (1280, 800))
        place = f"explore/shop/blue?{urlencode(window | query)}"
        watched = open_page(shop_studio.at(place), size=size)
        watched.settle(ROWS)
        return watched

    return opened


def query_of(page: Page) -> dict[str, str]:
    """The query of the page's state."""
    return {name: values[0] for name, values in parse_qs(page.url.partition("#")[2].partition("?")[2]).items()}


def filters_of(page: Page) -> Any:
    return json.loads(query_of(page).get("f", "[]"))


def ids_of(page: Page) -> list[str]:
    """The ids of the rows that are drawn, by their links."""
    links = page.locator(f"{ROWS} a").evaluate_all("all => all.map((one) => one.href)")
    return [parse_qs(link.partition("?")[2])["row"][0] for link in links]


def titles(page: Page) -> list[str]:
    return page.locator("table.rows thead th").all_inner_texts()


def facet(page: Page, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def test_the_page_shows_the_newest_rows_of_the_window(explore: Any, rows: pd.DataFrame) -> None:
    page = explore().page
    expect(page.locator(TOTAL)).to_contain_text(f"{len(rows):,} rows")
    assert ids_of(page)[:10] == list(rows["row_id"][:10])
    # What was predicted is beside the label.
    assert titles(page)[:7] == ["Time (UTC)", "Latency", "Status", "Label", "score", "decision", "age"]
    age = page.locator(f"{ROWS}").first.locator("td").nth(6).inner_text()
    expected = rows["age"][0]
    assert age == ("null" if pd.isna(expected) else f"{expected:g}")


def test_to_scroll_asks_for_every_row_once_and_for_those_before(explore: Any, rows: pd.DataFrame) -> None:
    watched = explore()
    page = watched.page
    seen: dict[str, None] = {}
    box = page.locator(".table-box")
    for _ in range(200):
        seen |= dict.fromkeys(ids_of(page))
        if len(seen) == len(rows):
            break
        box.evaluate("box => { box.scrollTop += box.clientHeight; }")
        watched.settle(ROWS)
    assert list(seen) == list(rows["row_id"])
    box.evaluate("box => { box.scrollTop = 0; }")
    watched.settle(ROWS)
    expect(page.locator(f"{ROWS} a").first).to_contain_text(f"{rows['time'][0]:%Y-%m-%d %H:%M:%S}")
    asked = [url for url in watched.requests if "/api/rows?" in url]
    assert len(asked) == -(-len(rows) // 100)


def test_a_drag_over_the_volume_is_the_window_and_the_back_button_undoes_it(
    explore: Any, rows: pd.DataFrame, shop_store: Shop
) -> None:
    watched = explore()
    page = watched.page
    box = page.locator(".volume .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30, steps=4)
    page.mouse.up()
    watched.settle(ROWS)
    since, until = (pd.Timestamp(query_of(page)[name]) for name in ("since", "until"))
    span = shop_store.until - shop_store.since
    assert abs(since - (shop_store.since + span / 4)) < dt.timedelta(hours=1)
    assert abs(until - (shop_store.since + span / 2)) < dt.timedelta(hours=1)
    inside = rows[(rows["time"] >= since) & (rows["time"] < until)]
    expect(page.locator(TOTAL)).to_contain_text(f"{len(inside):,} rows")
    page.go_back()
    expect(page.locator(TOTAL)).to_contain_text(f"{len(rows):,} rows")


def test_clicks_on_values_filter(explore: Any, rows: pd.DataFrame) -> None:
    watched = explore()
    page = watched.page
    facet(page, "country").get_by_role("button", name="ES").click()
    expect(page.locator(TOTAL)).to_contain_text(f"{(rows['country'] == 'ES').sum():,} rows")
    assert filters_of(page) == [{"column": "inputs.country", "op": "in", "values": ["ES"]}]
    expect(page.locator(".rail-head")).to_contain_text("Filters choose rows of the window. The baseline is whole.")
    facet(page, "country").get_by_role("button", name="FR").click()
    expect(page.locator(TOTAL)).to_contain_text(f"{rows['country'].isin(['ES', 'FR']).sum():,} rows")
    assert page.locator(".chips bdi").all_inner_texts() == ["country is ES or FR"]
    page.get_by_role("button", name="Remove: country is ES or FR").click()
    expect(page.locator(TOTAL)).to_contain_text(f"{len(rows):,} rows")
    assert filters_of(page) == []


def test_all_filters_are_removed_at_once(explore: Any, rows: pd.DataFrame) -> None:
    two = [{"column": "inputs.age", "op": "not_null"}, {"column": "inputs.country", "op": "in", "values": ["ES"]}]
    page = explore(f=json.dumps(two)).page
    assert page.locator(".chips bdi").all_inner_texts() == ["age is not null", "country is ES"]
    page.get_by_role("button", name="Remove all filters").click()
    expect(page.locator(TOTAL)).to_contain_text(f"{len(rows):,} rows")
    assert "f" not in query_of(page)
    expect(page.locator(".chips")).to_have_count(0)


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_what_is_said_of_a_column_is_never_cut(size: tuple[int, int], explore: Any, shop_store: Shop) -> None:
    watched = explore(since=f"{shop_store.until - dt.timedelta(hours=24):%Y-%m-%dT%H:%M:%SZ}", size=size)
    page = watched.page
    if size == PHONE:
        page.get_by_role("button", name="Columns (").click()
    page.locator(".facet .psi").first.wait_for()
    cut = page.locator(".facet header").evaluate_all(
        """all => all.flatMap((header) => {
          const parts = [...header.querySelectorAll("button, .psi, .who a")];
          const boxes = parts.map((one) => one.getBoundingClientRect());
          const areOver = (a, b) => a.left + 1 < b.right && b.left + 1 < a.right;
          const isOver = boxes.some((one, n) => boxes.slice(n + 1).some((other) => areOver(one, other)));
          const isCut = parts.some((one) => one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1);
          return isCut || isOver ? [header.innerText] : [];
        })"""
    )
    assert cut == []
    assert page.locator(".facet .tiny", has_text="null").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_the_times_of_a_column_are_written_as_those_of_the_row(explore: Any, rows: pd.DataFrame) -> None:
    row = rows["row_id"][0]
    page = explore(row=row, columns=json.dumps(["inputs.opened"])).page
    opened = f"{rows['opened'][0]:%Y-%m-%d %H:%M:%S}"
    cell = page.locator(ROWS).first.locator("td").nth(4).inner_text()
    drawer = page.get_by_role("complementary", name="Row").locator("tr", has_text="opened").locator("td").first
    assert (cell, drawer.inner_text()) == (opened, opened)


def test_a_drag_over_a_histogram_filters_by_its_bins(explore: Any, rows: pd.DataFrame) -> None:
    watched = explore()
    page = watched.page
    histogram = facet(page, "age").locator("svg.histogram")
    histogram.scroll_into_view_if_needed()
    box = histogram.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 25, steps=4)
    page.mouse.up()
    watched.settle(ROWS)
    (chosen,) = filters_of(page)
    assert (chosen["column"], chosen["op"]) == ("inputs.age", "between")
    passing = rows[(rows["age"] >= chosen["low"]) & (rows["age"] < chosen["high"])]
    assert 0 < len(passing) < len(rows)
    expect(page.locator(TOTAL)).to_contain_text(f"{len(passing):,} rows")
    assert ids_of(page)[:5] == list(passing["row_id"][:5])


def test_nulls_are_a_filter(explore: Any, rows: pd.DataFrame) -> None:
    page = explore().page
    facet(page, "age").get_by_role("button", name="null").click()
    expect(page.locator(TOTAL)).to_contain_text(f"{rows['age'].isna().sum():,} rows")
    assert filters_of(page) == [{"column": "inputs.age", "op": "null"}]


def test_exact_ends_are_typed(explore: Any, rows: pd.DataFrame) -> None:
    page = explore().page
    page.get_by_role("button", name="Filter age", exact=True).click()
    page.get_by_role("textbox", name="from").fill("40")
    page.get_by_role("textbox", name="below").fill("fifty")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Expected a number, got a text: write 12.5, for example.")
    page.get_by_role("textbox", name="below").fill("50")
    page.keyboard.press("Enter")
    expect(page.locator(TOTAL)).to_contain_text(f"{rows['age'].between(40, 50, inclusive='left').sum():,} rows")


def test_a_row_is_opened_walked_and_closed_with_keys(explore: Any, rows: pd.DataFrame) -> None:
    watched = explore()
    page = watched.page
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    assert query_of(page)["row"] == rows["row_id"][1]
    drawer = page.get_by_role("complementary", name="Row")
    expect(drawer.get_by_role("heading", name=rows["row_id"][1])).to_be_visible()
    expect(drawer.locator("tr", has_text="country").locator("td").first).to_have_text(rows["country"][1])
    page.keyboard.press("j")
    expect(drawer.get_by_role("heading", name=rows["row_id"][2])).to_be_visible()
    page.reload()
    expect(drawer.get_by_role("heading", name=rows["row_id"][2])).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    assert "row" not in query_of(page)


def test_a_click_opens_a_row_and_another_closes_it(explore: Any, rows: pd.DataFrame) -> None:
    page = explore().page
    row = page.locator(ROWS).nth(3)
    row.locator("td").nth(5).click()
    assert query_of(page)["row"] == rows["row_id"][3]
    drawer = page.get_by_role("complementary", name="Row")
    link = drawer.get_by_role("link", name="Everything about it").get_attribute("href")
    assert link is not None
    assert link.startswith(f"#/request/{quote(rows['row_id'][3])}?")
    row.locator("td").nth(5).click()
    expect(drawer).to_have_count(0)


def test_the_columns_of_the_table_are_chosen(explore: Any, rows: pd.DataFrame) -> None:
    page = explore().page
    page.get_by_role("button", name="Table columns").click()
    expect(page.get_by_role("checkbox", name="visits")).to_be_checked()
    for box in page.get_by_role("checkbox").all():
        box.set_checked(False)
    page.get_by_role("checkbox", name="visits").set_checked(True)
    page.get_by_role("checkbox", name="score").set_checked(True)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("table.rows thead th")).to_have_text(
        ["Time (UTC)", "Latency", "Status", "Label", "visits", "score"]
    )
    assert json.loads(query_of(page)["columns"]) == ["inputs.visits", "outputs.score"]
    first = page.locator(ROWS).first.locator("td")
    expect(first.nth(4)).to_have_text(f"{rows['visits'][0]:g}")


def test_a_column_is_brought_to_the_front_of_the_table(explore: Any) -> None:
    page = explore().page
    before = titles(page)
    page.get_by_role("button", name="Table columns").click()
    dialog = page.get_by_role("dialog")
    listed = dialog.locator("label bdi").all_inner_texts()
    assert listed[: len(before) - 4] == before[4:]
    dialog.get_by_role("button", name="To the front: visits").click()
    assert dialog.locator("label bdi").all_inner_texts()[0] == "visits"
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("table.rows thead th").nth(4)).to_have_text("visits")
    others = [one for one in before[4:] if one != "visits"]
    assert titles(page) == [*before[:4], "visits", *others]


def test_a_count_that_is_estimated_says_so(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("health"))
    watched.page.route(
        "**/api/volume?*", lambda route: route.fulfill(json=route.fetch().json() | {"is_estimated": True})
    )
    watched.page.goto(shop_studio.at("explore/shop/blue?since=all"))
    watched.settle(ROWS)
    expect(watched.page.locator(TOTAL)).to_contain_text("\u2248 765 rows")


def test_the_count_of_rows_is_above_the_bars(explore: Any) -> None:
    page = explore().page
    total, chart = page.locator(TOTAL).bounding_box(), page.locator(".volume .u-over").bounding_box()
    assert total["y"] + total["height"] <= chart["y"] + 1


def test_a_column_is_found_with_the_slash(explore: Any) -> None:
    page = explore().page
    page.keyboard.press("/")
    page.keyboard.type("inc")
    expect(page.locator(".facet header a")).to_have_text(["income"])
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_the_one_that_has_drifted_most_comes_first(explore: Any, shop_store: Shop) -> None:
    day = shop_store.since + dt.timedelta(hours=24)
    page = explore(since=f"{day:%Y-%m-%dT%H:%M:%SZ}").page
    values = [float(one) for one in page.locator(".facet .psi").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert values[0] >= 0.2
    expect(page.locator(".facet").first.locator(".psi")).to_have_class("psi alarm-text")
    assert page.locator(".facet polygon.outline").count() > 0


@pytest.mark.parametrize("query", [{}, {"baseline": "-48h..-24h"}])
def test_what_is_shown_is_copied_as_lines_that_get_it(query: dict[str, str], explore: Any, shop_store: Shop) -> None:
    text = json.dumps([{"column": "inputs.country", "op": "in", "values": ["ES"]}])
    page = explore(f=text, **query).page
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="Copy what is shown")
    expect(dialog.locator("pre")).to_have_count(3)
    lines = dialog.locator("pre").all_inner_texts()
    assert str(shop_store.root) in lines[0]
    assert lines[2].startswith("otel-modeldata query ")
    dialog.get_by_role("button", name="Copy Command", exact=True).click()
    assert page.evaluate("navigator.clipboard.readText()") == lines[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_row_that_is_open_beside_the_table_has_no_barrier(theme: str, explore: Any) -> None:
    page = explore(theme=theme).page
    page.locator(f"{ROWS} a").first.press("Enter")
    expect(page.locator(".drawer table").first).to_be_visible()
    expect(page.locator("table.rows tr.is-open a")).to_have_count(1)
    assert barriers(page) == []


def test_a_window_without_rows_says_what_to_do(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("explore/shop/blue?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z"))
    watched.settle(".empty")
    page = watched.page
    expect(page.locator(".empty h2")).to_have_text("No rows in this window")
    expect(page.get_by_role("button", name="2020-01-01 00:00 \u2013 2020-01-02 00:00 UTC")).to_be_visible()
    expect(page.locator(".empty code")).to_contain_text("otel-modeldata why shop/blue --store ")
    page.get_by_role("button", name="Show all rows").click()
    expect(page.locator(ROWS).first).to_be_visible()


def test_on_a_phone_the_columns_are_a_sheet_and_the_row_fills_the_screen(explore: Any, rows: pd.DataFrame) -> None:
    page = explore(size=PHONE).page
    expect(page.locator(".rail")).to_be_hidden()
    page.get_by_role("button", name="Columns (").click()
    facet(page, "country").get_by_role("button", name="ES").click()
    page.get_by_role("button", name="Back to the rows").click()
    expect(page.locator(TOTAL)).to_contain_text(f"{(rows['country'] == 'ES').sum():,} rows")
    page.locator(ROWS).first.click()
    drawer = page.get_by_role("complementary", name="Row")
    expect(drawer).to_be_visible()
    assert drawer.bounding_box()["width"] == PHONE[0]


def test_rows_that_come_are_shown_at_the_top(
    start_studio: StartStudio, open_page: OpenPage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store: Path = tmp_path_factory.mktemp("live")
    with collecting(store) as flush:
        collector = Collector(name="model_inputs")
        for number in range(150):
            collector.collect(pd.DataFrame({"age": [number]}))
        flush()
        watched = open_page(start_studio(store).at("explore/local/default?live=1"))
        watched.settle(ROWS)
        page = watched.page
        expect(page.locator(".dot")).to_have_class("dot is-on")
        collector.collect(pd.DataFrame({"age": [1000]}))
        flush()
        expect(page.locator(ROWS).first.locator("td").nth(4)).to_have_text("1000")
        expect(page.locator(f"{ROWS}.is-fresh")).to_have_count(1)
        # Who reads further down is not disturbed.
        page.locator(".table-box").evaluate("box => { box.scrollTop = 900; }")
        collector.collect(pd.DataFrame({"age": [2000]}))
        flush()
        button = page.get_by_role("button", name="New rows: go to the top")
        expect(button).to_be_visible()
        button.click()
        expect(page.locator(ROWS).first.locator("td").nth(4)).to_have_text("2000")
        # The charts are drawn less often, and have the last rows all the same.
        expect(page.locator(TOTAL)).to_contain_text("152 rows")
