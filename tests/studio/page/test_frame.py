"""What is around every screen: the way to others, keys, dark and light, and a server that has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from chromium import DESKTOP, PHONE
from playwright.sync_api import expect
from studio_process import StudioProcess

if TYPE_CHECKING:
    from chromium import OpenPage
    from shop_store import Shop
    from studio_process import StartStudio

COLLECTIONS = "table.collections tbody"


def test_a_deployment_leads_to_its_screens_and_takes_the_window_along(
    shop_studio: StudioProcess, open_page: OpenPage
) -> None:
    watched = open_page(shop_studio.at("explore/shop/blue?since=-7d"))
    watched.settle("table.rows")
    page = watched.page
    expect(page).to_have_title("Explore shop/blue · Studio")
    expect(page.get_by_role("link", name="Explore", exact=True)).to_have_attribute("aria-current", "page")
    page.get_by_label("Deployment").select_option("shop/green")
    expect(page).to_have_title("Explore shop/green · Studio")
    assert page.url.endswith("#/explore/shop/green?since=-7d")
    page.get_by_role("link", name="Performance").click()
    assert page.url.endswith("#/performance/shop/green?since=-7d")
    page.go_back()
    page.go_back()
    expect(page).to_have_title("Explore shop/blue · Studio")
    watched.settle("table.rows")


def test_keys_are_listed_and_lead_to_screens(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("home"))
    watched.settle(COLLECTIONS)
    page = watched.page
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog.locator("kbd").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    for second, title in (("s", "Health · Studio"), ("e", "Explore shop/blue · Studio"), ("h", "Home · Studio")):
        page.keyboard.press("g")
        page.keyboard.press(second)
        expect(page).to_have_title(title)
    watched.settle(COLLECTIONS)


def test_what_is_typed_into_a_field_is_no_key(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("home"))
    watched.settle(COLLECTIONS)
    page = watched.page
    page.get_by_label("Find a collection").fill("")
    page.get_by_label("Find a collection").press_sequentially("j?tgh")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_title("Home · Studio")


def test_dark_or_light_is_chosen_and_kept(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("home"), scheme="light")
    watched.settle(COLLECTIONS)
    page = watched.page

    def has_background(color: str) -> None:
        expect(page.locator("body")).to_have_css("background-color", color)

    has_background("rgb(255, 255, 255)")
    page.keyboard.press("t")
    has_background("rgb(15, 20, 27)")
    assert "theme=dark" in page.url
    page.goto(shop_studio.at("health"))
    page.reload()
    has_background("rgb(15, 20, 27)")
    page.get_by_role("button", name="Dark or light").click()
    has_background("rgb(255, 255, 255)")
    watched.settle("main")


def test_an_address_that_names_no_screen_is_said(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    for place in ("nothing", "%E0%A4%A"):
        watched = open_page(shop_studio.at(place))
        watched.settle(".empty")
        expect(watched.page.locator(".empty")).to_contain_text("No such")


@pytest.mark.parametrize("screen", ["explore", "performance", "feature"])
def test_a_screen_without_a_deployment_lets_one_choose(
    screen: str, shop_studio: StudioProcess, empty_studio: StudioProcess, open_page: OpenPage
) -> None:
    for place in (screen, f"{screen}/shop"):
        watched = open_page(shop_studio.at(place))
        watched.settle(".empty")
        page = watched.page
        expect(page.get_by_role("heading", name="Choose a deployment")).to_be_visible()
        assert page.locator(".empty a").all_inner_texts() == ["shop/blue", "shop/green"]
        assert page.get_by_label("Deployment").input_value() == ""
    page.locator(".empty").get_by_role("link", name="shop/green").click()
    expect(page).to_have_title(f"{screen.title()} shop/green · Studio")
    watched.settle("main :is(article, table.rows)")
    nothing = open_page(empty_studio.at(screen))
    nothing.settle(".empty")
    expect(nothing.page.get_by_role("heading", name="No deployment yet")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_request_is_looked_for_from_every_screen(
    size: tuple[int, int], shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage
) -> None:
    watched = open_page(shop_studio.at("health"), size=size)
    watched.settle("article.health")
    page = watched.page
    names = page.get_by_role("navigation", name="Screens")
    for link in names.get_by_role("link").all():
        expect(link).to_be_in_viewport(ratio=1)
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(names.get_by_role("link", name="Request")).to_have_attribute("aria-current", "page")
    page.keyboard.type(f' "{shop_store.traced}" ')
    page.keyboard.press("Enter")
    watched.settle("article.request")
    expect(page.locator("article.request h1")).to_have_text(f"Request {shop_store.traced}_0")


def test_a_server_that_has_gone_is_said_and_found_again(
    start_studio: StartStudio, shop_store: Shop, open_page: OpenPage, request: pytest.FixtureRequest
) -> None:
    studio = start_studio(shop_store.root)
    watched = open_page(studio.at("home"))
    watched.allowed = ("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
    watched.settle(COLLECTIONS)
    page = watched.page
    page.wait_for_load_state("networkidle")  # the modules of the other screens
    studio.kill()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.locator(".gone")).to_contain_text("Studio does not answer.", timeout=30_000)
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.locator(COLLECTIONS).first).to_be_visible()  # what it had stays
    again = StudioProcess(store=studio.store, listen=studio.listen, log=studio.log)
    request.addfinalizer(again.kill)
    again.start()
    expect(page.locator(".gone")).to_have_count(0, timeout=60_000)
    watched.settle(COLLECTIONS)


def test_the_first_focus_skips_to_the_data(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("home"))
    watched.settle(COLLECTIONS)
    page = watched.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the data")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
