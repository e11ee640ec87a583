"""Home, and the rail of Explore: what the last day says of columns, as the page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from chromium import OpenPage
    from studio_process import StartStudio, StudioProcess
    from two_days import TwoDays

SECONDS = 60_000


@pytest.fixture(scope="module")
def days_studio(share_studio: StartStudio, two_days: TwoDays) -> StudioProcess:
    return share_studio(two_days.root)


def test_what_was_not_looked_at_yet_is_said_and_then_what_has_changed(
    days_studio: StudioProcess, open_page: OpenPage
) -> None:
    watched = open_page(days_studio.at("home"))
    watched.settle("table.collections")
    page = watched.page
    row = page.locator("table.collections tbody", has=page.get_by_role("link", name="shop/blue/model_inputs"))
    expect(row.locator("[data-name=drift]")).to_have_text("soon")
    expect(row.locator("[data-name=nulls]")).to_have_text("soon")
    expect(row.locator("[data-name=nulls]")).to_have_text("income", timeout=SECONDS)
    expect(row.locator("[data-name=drift]")).to_contain_text("age ")
    title = row.locator("[data-name=drift]").get_attribute("title") or ""
    assert " rows), compared with 20" in title
    expect(row.locator(".reason code")).to_contain_text("otel-modeldata report shop/blue/model_inputs --since 20")
    labels = page.locator("table.collections tbody", has=page.get_by_role("link", name="shop/blue/ground_truth"))
    expect(labels.locator("[data-name=nulls]")).to_contain_text("% labeled")
    row.locator("[data-name=drift] a").click()
    watched.settle("figure.distribution")
    assert "#/feature/shop/blue/inputs.age" in page.url
    assert "since=20" in page.url
    assert "baseline=20" in page.url


def test_free_texts_have_a_number_of_values(days_studio: StudioProcess, open_page: OpenPage, two_days: TwoDays) -> None:
    query = f"since={two_days.at(24)}&baseline={two_days.at(48)}..{two_days.at(24)}"
    watched = open_page(days_studio.at(f"explore/shop/blue?{query}"))
    watched.settle("table.rows tbody tr")
    page = watched.page
    page.get_by_label("Find a column").fill("flight")
    expect(page.get_by_role("region", name="flight")).to_have_text("flightinputs⋯480 different values")
    page.goto(days_studio.at(f"feature/shop/blue/inputs.flight?{query}"))
    expect(page.get_by_text("Free texts: 480 different values. They are not compared.")).to_be_visible(timeout=SECONDS)
