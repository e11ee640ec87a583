"""The screen that says whether everything that was collected is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chromium import PHONE
from playwright.sync_api import expect

if TYPE_CHECKING:
    from chromium import OpenPage, WatchedPage
    from shop_store import Shop
    from studio_process import StudioProcess


def shown(studio: StudioProcess, open_page: OpenPage, query: str = "") -> WatchedPage:
    watched = open_page(studio.at(f"health{query}"))
    watched.settle("article.health")
    return watched


def ledger(watched: WatchedPage) -> list[list[str]]:
    rows = watched.page.locator("section[aria-labelledby=ledger] tbody tr")
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def test_the_events_that_are_missing_are_named_first(
    shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = shown(shop_studio, open_page)
    collection, producer, missing, gaps, stored, quarantined, duplicates = ledger(watched)[0][:7]
    assert (collection, missing, stored, quarantined, duplicates) == ("shop/blue/model_inputs", "3", "765", "0", "0")
    assert len(producer) == 32
    first, last = map(int, gaps.split("-"))
    assert (first, last) == (shop_store.lost[0], shop_store.lost[-1])
    assert watched.page.locator(".findings li").count() > 0


def test_a_deployment_is_chosen(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = shown(shop_studio, open_page)
    watched.page.locator("article.health").get_by_label("Deployment", exact=True).select_option("shop/green")
    watched.settle("article.health")
    expect(watched.page.locator("section[aria-labelledby=ledger] .alarm-text")).to_have_count(0)
    assert {row[0].rpartition("/")[0] for row in ledger(watched)} == {"shop/green"}


def test_the_quarantine_has_reasons_and_records(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = shown(shop_studio, open_page)
    groups = watched.page.locator("section[aria-labelledby=quarantine] details")
    assert groups.count() == 2
    for group in groups.all():
        group.locator("summary").click()
    expect(watched.page.locator("section[aria-labelledby=quarantine]")).to_contain_text("../inputs")
    assert 'string_value: "[1, 2]"' in "".join(groups.locator("pre").all_inner_texts())


def test_a_record_in_quarantine_that_is_html_is_text(nasty_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = shown(nasty_studio, open_page)
    groups = watched.page.locator("section[aria-labelledby=quarantine] details")
    for group in groups.all():
        group.locator("summary").click()
    assert "<script>planted()</script>" in "".join(groups.all_inner_texts())
    assert watched.page.locator(".planted").count() == 0


def test_nothing_is_called_well_where_nothing_is_stored(empty_studio: StudioProcess, open_page: OpenPage) -> None:
    page = shown(empty_studio, open_page).page
    expect(page.locator("article.health h2")).to_have_text(["No data yet"])
    expect(page.locator("article.health .none")).to_have_count(0)
    page.locator("article.health").get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="No data yet")).to_be_visible()


def test_what_is_missing_is_seen_on_a_phone(shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("health"), size=PHONE)
    watched.settle("article.health")
    row = watched.page.locator("section[aria-labelledby=ledger] tbody tr").first
    row.scroll_into_view_if_needed()
    for name in ("Missing", "Numbers that are missing", "Producer"):
        expect(row.locator(f"td[data-name='{name}']")).to_be_in_viewport(ratio=1)
    expect(row.locator("td[data-name=Missing]")).to_have_text("3")
    expect(row.locator("td[data-name='Numbers that are missing']")).to_have_text(
        f"{shop_store.lost[0]}-{shop_store.lost[-1]}"
    )
