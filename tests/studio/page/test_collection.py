"""The newest rows of one collection, and the way to them from home."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

from playwright.sync_api import expect
from read_lines import line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

    from chromium import OpenPage
    from studio_process import StartStudio, StudioProcess

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


def test_the_query_of_a_collection_finds_it_whatever_its_name(
    start_studio: StartStudio, open_page: OpenPage, tmp_path: Path
) -> None:
    name = 'shop/blue/"inputs"'
    write(tmp_path, [line([{"age": 42}])], collection=name)
    watched = open_page(start_studio(tmp_path).at(f"collection/shop/blue/{quote(name.rpartition('/')[2])}"))
    watched.settle(ROWS)
    command = shlex.split(watched.page.locator("p.command code").inner_text())
    assert command[2] == 'SELECT * FROM "shop/blue/""inputs""" ORDER BY time DESC'
    with reader.open(tmp_path) as store:
        assert store.query(command[2]).to_arrow()["age"].to_pylist() == [42]
