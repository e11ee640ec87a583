"""While lines are still being read, the rows that are shown are not said to be all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from chromium import OpenPage
    from playwright.sync_api import Route
    from studio_process import StudioProcess

LEFT = "16.0 MiB of lines still to read"


@pytest.mark.parametrize(
    ("place", "answer", "said", "after"),
    [
        ("explore/shop/blue", "rows", ".left-to-read", None),
        ("collection/shop/blue/ground_truth", "newest", ".heading [role=status]", "the newest 100 rows"),
    ],
)
def test_what_is_still_to_read_is_said_beside_the_rows_until_all_is_read(  # noqa: PLR0917 (a case)
    shop_studio: StudioProcess, open_page: OpenPage, place: str, answer: str, said: str, after: str | None
) -> None:
    pending = [16 << 20]

    def answered(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"pending": pending[0]})

    watched = open_page(shop_studio.at("home"))
    watched.settle("table.collections")
    watched.page.route(f"**/api/{answer}?*", answered)
    watched.page.goto(shop_studio.at(place))
    shown = watched.page.locator(said)
    expect(shown).to_have_text(LEFT if after is None else f"{after}, {LEFT}")
    pending[0] = 0
    if after is None:
        expect(shown).to_have_count(0)
    else:
        expect(shown).to_have_text(after)
    watched.page.unroute_all(behavior="wait")
