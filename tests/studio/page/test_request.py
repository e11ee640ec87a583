"""The screen of one request: what was stored of it, its place in the baseline, and the way to others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from nasty_store import ID, LONG, NAMES, SCRIPT
from playwright.sync_api import expect

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from chromium import OpenPage, WatchedPage
    from playwright.sync_api import Page
    from shop_store import Shop
    from studio_process import StudioProcess


def shown(studio: StudioProcess, open_page: OpenPage, request: str, more: str = "") -> WatchedPage:
    watched = open_page(studio.at(f"request/{quote(request, safe='')}?deployment=shop%2Fblue{more}"))
    watched.settle("article.request")
    return watched


def cells(page: Page, role: str) -> dict[str, list[str]]:
    """The texts of the table of a role, by the name of the column."""
    rows = page.locator(f"section[aria-labelledby=of-{role}] tbody tr")
    texts = [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in rows.all()]
    return {name: rest for name, *rest in texts}


def test_every_value_is_what_the_store_has(shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage) -> None:
    page = shown(shop_studio, open_page, f"{shop_store.traced}_0").page
    with reader.open(shop_store.root) as store:
        rows = store.read("shop/blue/model_inputs", envelope=["row_id"]).to_pandas()
    (stored,) = rows[rows.row_id == f"{shop_store.traced}_0"].to_dict("records")
    found = cells(page, "inputs")
    assert list(found) == ["age", "income", "country", "plan", "member", "opened", "visits"]
    assert float(found["age"][0]) == stored["age"]
    assert float(found["income"][0]) == stored["income"]
    assert found["country"][0] == stored["country"]
    assert found["member"][0] == str(stored["member"]).lower()
    assert found["opened"][0].startswith(f"{stored['opened']:%Y-%m-%d}")
    assert int(found["visits"][0]) == stored["visits"]
    assert re.search(r"[\d.]+ %", found["age"][1])
    assert set(cells(page, "outputs")) == {"score", "decision"}


def test_a_value_that_the_baseline_lacks_says_so(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    page = shown(shop_studio, open_page, shop_store.new_category).page
    assert cells(page, "inputs")["country"] == ["PT", "new: not in the baseline"]
    assert page.locator(".alarm-text", has_text="new:").count() == 1


def test_a_null_says_so(shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage) -> None:
    page = shown(shop_studio, open_page, shop_store.without_age).page
    assert cells(page, "inputs")["age"] == ["null", "null"]


def test_bodies_spans_and_lines_are_those_of_the_request(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    page = shown(shop_studio, open_page, shop_store.traced).page
    bodies = page.locator("section[aria-labelledby=of-bodies] pre").all_inner_texts()
    assert '"country": ' in bodies[0]
    assert '"score": [' in bodies[1]
    spans = page.locator(".waterfall details summary .name").all_inner_texts()
    assert [name.removesuffix(" error").strip() for name in spans] == [
        "POST /score",
        "features",
        "SELECT customer",
        "predict",
    ]
    page.locator(".waterfall details summary").nth(1).click()
    expect(page.locator(".waterfall details").nth(1).locator("dl")).to_contain_text("feature.count")
    lines = page.locator("section[aria-labelledby=of-lines] details.line")
    assert {text.split()[0] for text in lines.locator("summary").all_inner_texts()} >= {
        "shop/blue/model_inputs", "shop/blue/model_outputs", "shop/blue/request", "shop/blue/response",
    }  # fmt: skip
    lines.first.locator("summary").click()
    expect(lines.first.locator("pre")).to_contain_text(shop_store.traced)


def test_the_trace_is_a_link_by_the_template(shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage) -> None:
    link = shown(shop_studio, open_page, shop_store.traced).page.get_by_role("link", name="Open the trace")
    assert re.fullmatch(r"https://traces\.example\.com/trace/[0-9a-f]{32}", link.get_attribute("href") or "")
    assert link.get_attribute("rel") == "noopener noreferrer"


def test_next_and_previous_are_the_requests_around_it(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = shown(shop_studio, open_page, f"{shop_store.traced}_0")
    heading = watched.page.locator("article.request h1")
    number = int(shop_store.traced.rpartition("-")[2])
    watched.page.keyboard.press("k")
    expect(heading).to_have_text(f"Request blue-{number - 1:05d}_0")
    watched.page.get_by_role("link", name="Next").click()
    expect(heading).to_have_text(f"Request {shop_store.traced}_0")
    watched.page.go_back()
    expect(heading).to_have_text(f"Request blue-{number - 1:05d}_0")
    watched.settle("article.request")


def test_two_requests_side_by_side_show_what_differs(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = shown(shop_studio, open_page, f"{shop_store.new_category}_0")
    page = watched.page
    page.get_by_role("button", name="Pin to compare").click()
    expect(page.locator(".note")).to_contain_text("This request is pinned")
    page.keyboard.press("j")
    watched.settle(".difference table")
    rows = page.locator(".difference tbody tr")
    different = rows.count()
    assert all(
        before != after for _, before, after, _ in (row.locator("th, td").all_inner_texts() for row in rows.all())
    )
    page.get_by_label("Equal values, too").check()
    assert rows.count() >= different
    expect(page.locator(".difference h2")).to_contain_text(f"{different} of {rows.count()} values differ")
    page.get_by_role("button", name="Unpin").click()
    expect(page.locator(".difference")).to_have_count(0)


@pytest.mark.parametrize("wanted", ["no-such-id", "a" * 2000, "../../etc/passwd", "%00", "<script>planted()</script>"])
def test_an_id_that_there_is_not_is_answered_with_a_sentence(
    wanted: str, shop_studio: StudioProcess, open_page: OpenPage
) -> None:
    watched = open_page(shop_studio.at(f"request/{quote(wanted, safe='')}"))
    watched.allowed = ("status of 404", "status of 400")
    watched.settle("main [role=alert]")
    expect(watched.page.locator("main [role=alert]")).to_contain_text("expected a correlation id")
    expect(watched.page.get_by_role("searchbox")).to_have_value(wanted)


def test_a_request_is_found_by_each_of_its_ids(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    page = shown(shop_studio, open_page, shop_store.traced).page
    trace = page.locator("header.title .soft bdi").inner_text()
    page.goto(shop_studio.at("request"))
    page.get_by_role("searchbox").fill(trace)
    page.get_by_role("button", name="Find").click()
    expect(page.locator("article.request h1")).to_have_text(f"Request {shop_store.traced}_0")


def test_the_nastiest_request_is_shown_as_text(nasty_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(nasty_studio.at(f"request/{quote(ID, safe='')}?deployment=nasty%2Fblue"))
    watched.settle("article.request")
    page = watched.page
    assert page.locator(".planted").count() == 0
    headings = page.locator("section[aria-labelledby=of-inputs] tbody th").all_inner_texts()
    assert SCRIPT in headings
    assert len(headings) == len(NAMES) + 8
    body = page.locator("section[aria-labelledby=of-bodies] pre").first.inner_text()
    assert LONG[:1000] in body
    assert len(body) < 70_000
