"""What the page makes of numbers and of texts of the data, called in the browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chromium import OpenPage
    from playwright.sync_api import Browser
    from studio_process import StudioProcess


@pytest.fixture(scope="module")
def call(chromium: Browser, empty_studio: StudioProcess) -> Iterator[Callable[..., Any]]:
    """Calls a function of a module of the page: `call("charts/scale.js", "finite", 1)`."""
    page = chromium.new_page()
    page.goto(empty_studio.origin)

    def called(module: str, function: str, *arguments: Any) -> Any:
        return page.evaluate(
            "([module, name, given]) => import(`/${module}`).then((found) => found[name](...given))",
            [module, function, list(arguments)],
        )

    yield called
    page.close()


@pytest.mark.parametrize(
    ("value", "number"),
    [(1.5, 1.5), (0, 0), ("9007199254740993", 9007199254740992), ("NaN", None), ("Infinity", None), (None, None),
     ("", None), (True, None), ("text", None)],
)  # fmt: skip
def test_a_number_is_finite_or_none(value: object, number: float | None, call: Callable[..., Any]) -> None:
    assert call("charts/scale.js", "finite", value) == number


@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (22, 61, [20, 30, 40, 50, 60, 70]),
        (0.81, 0.91, [0.8, 0.825, 0.85, 0.875, 0.9, 0.925]),
        (-3, 2, [-3, -2, -1, 0, 1, 2]),
        (1e300, 2e300, [1e300, 1.2e300, 1.4e300, 1.6e300, 1.8e300, 2e300]),
        (1, 1 + 1e-9, [1, 1 + 1e-9]),
    ],
)
def test_an_axis_has_levels_that_are_easy_to_read(
    low: float, high: float, levels: list[float], call: Callable[..., Any]
) -> None:
    found = call("charts/scale.js", "levels", low, high)
    assert 2 <= len(found) <= 7
    assert found[0] <= low
    assert found[-1] >= high
    if high - low > 1e-6:
        assert found == levels


def test_what_cannot_be_seen_in_a_text_is_shown_as_its_code(call: Callable[..., Any]) -> None:
    text = "a\x1b[31mb\x00c\x7f\u202ed\u2066e\u200bf\ng\th שלום é"
    shown = "a\\x1b[31mb\\x00c\\x7f[U+202E]d[U+2066]e[U+200B]f\ng\th שלום é"
    assert call("components/value.js", "visible", text) == shown


@pytest.mark.parametrize("text", ["<b>", "", '{"a":', "{'a': 1}", '{"a":1} x'])
def test_a_body_that_is_no_json_stays_as_it_is(text: str, call: Callable[..., Any]) -> None:
    assert call("components/value.js", "indented", text) == text


def test_a_body_of_json_has_line_breaks_and_every_digit(call: Callable[..., Any]) -> None:
    body = r'{"a":[1, 2,{"b":"x, \"y\": {"}],"c":[],"d":{},"n":12345678901234567890,"e":-1.50e+3,"t":true}'
    shown = call("components/value.js", "indented", body)
    assert shown.splitlines()[:4] == ["{", '  "a": [', "    1,", "    2,"]
    assert '"n": 12345678901234567890,' in shown
    assert '"e": -1.50e+3,' in shown
    assert json.loads(shown) == json.loads(body)


def test_deep_json_is_not_indented_without_end(call: Callable[..., Any]) -> None:
    depth = 5000
    shown = call("components/value.js", "indented", "[" * depth + "]" * depth)
    assert len(shown) < 100 * 2 * depth


def test_a_page_that_is_watched_fails_when_it_asks_another_host(
    open_page: OpenPage, empty_studio: StudioProcess
) -> None:
    watched = open_page(empty_studio.origin)
    with watched.page.expect_console_message(lambda message: message.type == "error"):
        watched.page.evaluate("fetch('https://example.com/').catch(() => null)")
    with pytest.raises(AssertionError, match=r"example\.com"):
        watched.check()
    watched.errors.clear()
    watched.requests.clear()
