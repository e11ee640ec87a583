"""Every screen, of a shop, of an empty store, and of the nastiest one: nothing breaks, leaks, or runs.

`open_page` also fails a test whose page reported an error or asked another host than loopback.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote

import pytest
from axe import barriers
from chromium import DESKTOP, PHONE, is_within, picture
from nasty_store import ID, IMAGE

if TYPE_CHECKING:
    from chromium import OpenPage, Scheme, WatchedPage
    from nasty_store import Nasty
    from shop_store import Shop
    from studio_process import StudioProcess

Look: TypeAlias = "tuple[tuple[int, int], Scheme]"
LOOKS: Final = [pytest.param((DESKTOP, "light"), id="desktop"), pytest.param((PHONE, "dark"), id="phone")]
OTHERS: Final = quote(json.dumps(["shop/green"]))
SHOP_PLACES: Final = {
    "home": ("home", "main table"),
    "explore": ("explore/shop/blue", "main table"),
    "request": ("request/{traced}_0?deployment=shop%2Fblue", "article.request"),
    "difference": ("request/{traced}_0?deployment=shop%2Fblue&pin={new_category}_0", ".difference table"),
    "feature": (f"feature/shop/blue/inputs.age?others={OTHERS}", "article.feature .distribution"),
    "category": ("feature/shop/blue/inputs.country", "article.feature .values"),
    "performance": ("performance/shop/blue", "article.performance .tiles"),
    "health": ("health", "article.health"),
    "collection": ("collection/shop/blue/app_spans", "table.rows"),
}
NASTY_PLACES: Final = {
    "home": ("home", "main table"),
    "explore": ("explore/nasty/blue", "main table"),
    "wide": ("explore/nasty/wide", "main table"),
    "request": (f"request/{quote(ID, safe='')}?deployment=nasty%2Fblue", "article.request"),
    "wide-request": ("request/wide-0_0?deployment=nasty%2Fwide", "article.request"),
    "feature": (f"feature/nasty/blue/{quote('inputs.' + IMAGE, safe='')}", "article.feature .tiles"),
    "performance": ("performance/nasty/blue", "article.performance"),
    "health": ("health", "article.health"),
    "collection": ("collection/nasty/blue/model_inputs", "table.rows"),
}
EMPTY_PLACES: Final = [
    "home",
    "explore/shop/blue",
    "request/x",
    "feature/shop/blue/inputs.age",
    "performance/shop/blue",
    "performance",
    "health",
    "collection/shop/blue/request",
]


def check(watched: WatchedPage, name: str) -> None:
    """Nothing sticks out sideways; the page is kept as a picture."""
    picture(watched.page, name)
    assert is_within(watched.page)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", SHOP_PLACES)
def test_of_a_shop(name: str, look: Look, shop_studio: StudioProcess, shop_store: Shop, open_page: OpenPage) -> None:
    place, shown = SHOP_PLACES[name]
    place = place.format(traced=shop_store.traced, new_category=shop_store.new_category)
    watched = open_page(shop_studio.at(place), size=look[0], scheme=look[1])
    watched.settle(shown)
    check(watched, f"shop-{name}-{look[1]}")
    assert barriers(watched.page) == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", NASTY_PLACES)
def test_of_the_nastiest_data(name: str, look: Look, nasty_studio: StudioProcess, open_page: OpenPage) -> None:
    place, shown = NASTY_PLACES[name]
    watched = open_page(nasty_studio.at(place), size=look[0], scheme=look[1])
    watched.settle(shown)
    assert (
        watched.page.locator(".planted, main script, main img, main iframe, main [onerror], main [onload]").count() == 0
    )
    assert watched.page.locator("a[href^='javascript' i]").count() == 0
    check(watched, f"nasty-{name}-{look[1]}")
    if look[0] == DESKTOP:  # of the shop both looks are searched for barriers; here the names and values are others
        assert barriers(watched.page) == []


def test_of_a_deployment_with_names_that_are_html(
    nasty_studio: StudioProcess, nasty_store: Nasty, open_page: OpenPage
) -> None:
    endpoint, _, deployment = nasty_store.hostile.partition("/")
    parts = f"{quote(endpoint, safe='')}/{quote(deployment, safe='')}"
    for screen in ("explore", "performance"):
        watched = open_page(nasty_studio.at(f"{screen}/{parts}"))
        watched.allowed = ("status of 404", "status of 400")
        watched.settle("main :is(article, table, [role=alert], .empty)")
        assert watched.page.locator(".planted").count() == 0


@pytest.mark.parametrize("place", EMPTY_PLACES)
def test_of_an_empty_store(place: str, empty_studio: StudioProcess, open_page: OpenPage) -> None:
    watched = open_page(empty_studio.at(place))
    watched.allowed = ("status of 404", "status of 400")  # the browser says it of a deployment that there is not
    watched.settle("main :is(article, .empty, .failure, form)")
    assert watched.page.locator("main").inner_text().strip() != ""
    check(watched, f"empty-{place.partition('/')[0]}")
    assert barriers(watched.page) == []
