"""The newest rows of one collection, and the way to them from home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from chromium import OpenPage
    from studio_process import StudioProcess

ROWS = "table.rows tbody tr"


def test_labels_bodies_and_spans_are_seen_from_their_row_of_home(
    shop_studio: StudioProcess, open_page: OpenPage
) -> None:
    watched = open_page(shop_studio.at("home"))
    watched.settle("table.collections")
    page = watched.page
    for name, column in (("ground_truth", "label"), ("request", "path"), ("app_spans", "attributes")):
        page.get_by_role("link", name=f"shop/blue/{name}", exact=True).click()
        watched.settle(ROWS)
        expect(page.get_by_role("heading", name=f"shop/blue/{name}")).to_be_visible()
        expect(page.locator("table.rows thead th", has_text=column).first).to_be_visible()
        page.go_back()
        watched.settle("table.collections")
    page.get_by_role("link", name="shop/blue/model_inputs", exact=True).click()
    watched.settle(ROWS)
    assert "#/explore/shop/blue" in page.url


def test_a_row_leads_to_its_request_and_the_menu_to_another_deployment(
    shop_studio: StudioProcess, open_page: OpenPage
) -> None:
    watched = open_page(shop_studio.at("collection/shop/blue/ground_truth"))
    watched.settle(ROWS)
    page = watched.page
    link = page.locator(f"{ROWS} a").first
    row_id = link.inner_text()
    link.click()
    watched.settle("article.request")
    expect(page.locator("article.request h1")).to_have_text(f"Request {row_id}")
    expect(page.get_by_role("region", name="Label of the request")).to_be_visible()
    page.go_back()
    watched.settle(ROWS)
    page.get_by_label("Deployment").select_option("shop/green")
    expect(page.get_by_role("heading", name="shop/green/ground_truth")).to_be_visible()
    watched.settle(ROWS)
    command = page.locator(".command code").inner_text()
    assert command.startswith("""otel-modeldata query 'SELECT * FROM "shop/green/ground_truth" ORDER BY time DESC' """)


def test_a_collection_that_there_is_not_is_said(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("collection/shop/blue/nothing"))
    watched.allowed = ("status of 404",)
    watched.settle(".failure")
    expect(watched.page.locator(".failure")).to_contain_text("got 'shop/blue/nothing'")
