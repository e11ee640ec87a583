"""The server is killed while a page is open: the page says so in a sentence, keeps what it shows, and recovers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from chromium import OpenPage
    from shop_store import Shop
    from studio_process import StartStudio, StudioProcess

GONE = "Studio does not answer"
REFUSED = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED",
           "ERR_INCOMPLETE_CHUNKED_ENCODING")  # fmt: skip


@pytest.fixture
def studio(start_studio: StartStudio, shop_store: Shop) -> StudioProcess:
    """A Studio that a test may kill."""
    return start_studio(shop_store.root)


def test_the_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back(
    studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = open_page(studio.at(f"request/{shop_store.traced}_0?deployment=shop%2Fblue"))
    watched.allowed = REFUSED
    watched.settle("article.request")
    page = watched.page
    studio.kill()
    page.get_by_role("link", name="Previous").click()
    expect(page.locator(".gone")).to_contain_text(GONE)
    expect(page.locator("main [role=alert]")).to_contain_text(GONE)
    studio.start()
    expect(page.locator(".gone")).to_have_count(0)
    watched.settle("article.request")
    number = int(shop_store.traced.rpartition("-")[2]) - 1
    expect(page.locator("article.request h1")).to_have_text(f"Request blue-{number:05d}_0")


def test_a_live_page_goes_on_when_the_server_is_back(studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(studio.at("explore/shop/blue?live=1"))
    watched.allowed = REFUSED
    watched.settle(".explore table.rows tbody tr")
    shown = watched.page.locator(".explore table.rows tbody tr[data-id], .explore table.rows tbody tr").count()
    assert shown > 10
    studio.kill()
    watched.page.get_by_role("link", name="Health").click()
    expect(watched.page.locator(".gone")).to_contain_text(GONE)
    studio.start()
    expect(watched.page.locator(".gone")).to_have_count(0)
    watched.settle("article.health")
