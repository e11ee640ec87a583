"""From the list of collections to a request and back, without a mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from chromium import OpenPage
    from playwright.sync_api import Page
    from studio_process import StudioProcess

MOST_TABS = 60


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element with this text or label has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "[document.activeElement.getAttribute('aria-label') ?? '', document.activeElement.innerText ?? '']"
        )
        if name in focused:
            return
    raise AssertionError(f"no element {name!r} within {MOST_TABS} tabs")


def test_a_request_is_reached_and_compared_by_keys_only(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(shop_studio.at("home"))
    watched.settle("main table")
    page = watched.page
    tab_to(page, "shop/blue/model_inputs")
    page.keyboard.press("Enter")
    watched.settle(".explore table.rows tbody tr")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    watched.settle(".drawer")
    page.keyboard.press("o")
    watched.settle("article.request")
    first = page.locator("article.request h1").inner_text()
    page.keyboard.press("p")
    page.keyboard.press("k")
    watched.settle(".difference table")
    assert page.locator("article.request h1").inner_text() != first
    page.keyboard.press("g")
    page.keyboard.press("h")
    watched.settle("main table")
    assert page.url.partition("#")[2].startswith("/home")


def test_every_focus_is_seen(shop_studio: StudioProcess, open_page: OpenPage) -> None:
    """Each element that Tab reaches has an outline, or its picture changes."""
    watched = open_page(shop_studio.at("feature/shop/blue/inputs.age"))
    watched.settle("article.feature .distribution")
    seen = set()
    for _ in range(MOST_TABS):
        watched.page.keyboard.press("Tab")
        name, outline = watched.page.evaluate(
            """() => {
              const one = document.activeElement;
              const style = getComputedStyle(one.matches("a.bin") ? one.querySelector(".hit") : one);
              const shown = style.outlineStyle !== "none" || (style.stroke !== "none" && style.strokeWidth !== "0px");
              return [`${one.tagName} ${one.className.baseVal ?? one.className}`, shown];
            }"""
        )
        if name.startswith("BODY"):
            break
        seen.add(name)
        assert outline, name
    assert any("bin" in name for name in seen)
    expect(watched.page.locator("a.bin").first).to_be_attached()
