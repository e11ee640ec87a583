"""Home: the collections of a store, which of them need eyes, and the way on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pandas as pd
from chromium import PHONE
from collected_store import collecting
from playwright.sync_api import expect

from otel_modeldata import Collector

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from chromium import OpenPage, WatchedPage
    from playwright.sync_api import Route
    from shop_store import Shop
    from studio_process import StartStudio, StudioProcess

COLLECTIONS = ["app_spans", "ground_truth", "model_inputs", "model_outputs", "request", "response"]
NAMES = [f"shop/{deployment}/{name}" for deployment in ("blue", "green") for name in COLLECTIONS]


def home(studio: StudioProcess, open_page: OpenPage, query: str = "") -> WatchedPage:
    watched = open_page(studio.at(f"home{query}"))
    watched.settle("table.collections")
    return watched


def test_every_collection_has_a_row_and_those_that_need_eyes_come_first(
    shop_studio: StudioProcess, open_page: OpenPage
) -> None:
    page = home(shop_studio, open_page).page
    assert sorted(page.locator("table.collections tbody th a").all_inner_texts()) == NAMES
    states = page.locator("table.collections tbody").evaluate_all(
        "all => all.map((one) => one.className.split(' ')[0])"
    )
    assert states == sorted(states, key=["bad", "warn", "ok"].index)
    assert "ok" in states
    assert len(set(states)) > 1


def test_a_row_says_why_it_needs_eyes_and_the_command_is_copied(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    page = home(shop_studio, open_page).page
    row = page.locator("table.collections tbody", has=page.get_by_role("link", name="shop/blue/model_inputs"))
    reason = row.locator(".reason")
    expect(reason).to_contain_text("shop/blue/model_inputs")
    command = reason.locator("code").inner_text()
    assert command.startswith("otel-modeldata ")
    assert str(shop_store.root) in command
    reason.get_by_role("button").click()
    expect(reason.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == command
    expect(row.locator("[data-name=quarantined]")).to_have_text("1")
    expect(row.locator("svg.sparkline")).to_have_count(1)


def test_every_count_that_is_estimated_says_so(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    def estimated(route: Route) -> None:
        answer = route.fetch().json()
        for row in answer["collections"]:
            row |= {"events": 614, "rows": 12_345, "is_estimated": row["collection"] == "request"}
            if row["day"]:
                row["day"] |= {"rows": 172_500, "baseline_rows": 128_000, "is_estimated": True}
        route.fulfill(json=answer)

    watched = open_page(shop_studio.at("health"))
    watched.page.route("**/api/home", estimated)
    watched.page.goto(shop_studio.at("home"))
    watched.settle("table.collections")
    page = watched.page
    row = page.locator("table.collections tbody", has=page.get_by_role("link", name="shop/blue/request")).locator("td")
    assert row.nth(2).inner_text() == "\u2248 614"
    assert row.nth(3).inner_text() == "\u2248 12.3K"
    titles = [row.nth(at).get_attribute("title") for at in (2, 3)]
    assert [str(one).partition(":")[0] for one in titles] == ["About 614", "About 12,345"]
    other = page.locator("table.collections tbody", has=page.get_by_role("link", name="shop/blue/response"))
    assert other.locator("td").nth(2).inner_text() == "614"
    compared = page.locator("[data-name=drift][title*='compared with']").first.get_attribute("title")
    assert compared is not None
    assert "(\u2248 172,500 rows), compared with " in compared
    assert compared.endswith("(\u2248 128,000 rows)")


def test_a_command_has_its_button_after_its_last_word(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    page = home(shop_studio, open_page).page
    ends = page.locator(".reason .command").evaluate_all(
        """all => all.map((one) => {
          const last = [...one.querySelector("code").getClientRects()].at(-1);
          const button = one.querySelector("button").getBoundingClientRect();
          return button.top < last.bottom ? button.left - last.right : button.left - one.getBoundingClientRect().left;
        })"""
    )
    assert ends
    assert all(0 <= one < 20 for one in ends), ends


def test_on_a_phone_all_that_is_said_of_a_collection_begins_below_its_name(
    shop_studio: StudioProcess, open_page: OpenPage
) -> None:
    watched = open_page(shop_studio.at("home"), size=PHONE)
    watched.settle("table.collections")
    expect(watched.page.locator(".not-yet")).to_have_count(0)
    lefts = watched.page.locator("table.collections tbody").evaluate_all(
        """all => all.map((row) => {
          const name = row.querySelector("th a").getBoundingClientRect().left;
          const cells = [...row.querySelectorAll("td")].filter((one) => one.offsetParent && !one.matches(".graph"));
          return Math.min(...cells.map((one) => {
            const range = document.createRange();
            range.selectNodeContents(one);
            return range.getBoundingClientRect().left;
          })) - name;
        })"""
    )
    assert all(abs(one) < 8 for one in lefts), lefts


def test_a_collection_is_found_and_opened_with_keys(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = home(shop_studio, open_page)
    page = watched.page
    page.keyboard.press("/")
    page.keyboard.type("green/model")
    expect(page.locator("table.collections tbody")).to_have_count(2)
    assert "find=green" in page.url
    page.get_by_label("Find a collection").blur()
    page.keyboard.press("j")
    expect(page.locator("tbody.cursor")).to_have_count(1)
    page.keyboard.press("Enter")
    watched.settle("table.rows tbody tr")
    assert "#/explore/shop/green" in page.url
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.locator("table.collections tbody")).to_have_count(len(NAMES))


def test_an_id_in_the_field_leads_to_its_request(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = home(shop_studio, open_page)
    page = watched.page
    page.keyboard.press("/")
    page.keyboard.type(shop_store.traced)
    expect(page.get_by_role("link", name="Find a request with this id")).to_be_visible()
    page.keyboard.press("Enter")
    watched.settle("article.request")
    expect(page.locator("article.request h1")).to_have_text(f"Request {shop_store.traced}_0")


def test_a_name_that_is_nowhere_is_said(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    page = home(shop_studio, open_page, "?find=" + quote("<b>no</b>")).page
    expect(page.get_by_text("No collection has “<b>no</b>” in its name.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("table.collections tbody")).to_have_count(len(NAMES))


def test_an_empty_store_says_how_to_begin_and_then_shows_the_first_rows(
    start_studio: StartStudio, open_page: OpenPage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store: Path = tmp_path_factory.mktemp("first")
    watched = open_page(start_studio(store).at("home"))
    watched.settle(".empty")
    page = watched.page
    lines = page.locator(".empty pre").all_inner_texts()
    assert lines[1] == f"export OTEL_MODELDATA_STORE='{store}'"
    assert [line.split()[:2] for line in lines[3:]] == [["otel-modeldata", one] for one in ("receive", "demo", "why")]
    words = page.locator(".empty > *").evaluate_all("all => all.map((one) => one.tagName)")
    assert words == ["H2", "P", "P", *["DIV"] * 3, *["P", "DIV"] * 3]  # each line is explained
    with collecting(store) as flush:
        example = next(line for line in lines if "Collector(" in line)
        exec(example, {"frame": pd.DataFrame({"age": [7]}), "Collector": Collector})
        flush()
        expect(page.get_by_role("link", name="local/default/model_inputs")).to_be_visible(timeout=60_000)
