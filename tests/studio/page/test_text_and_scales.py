"""What the page makes of numbers and of texts of the data, called in the browser."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from itertools import pairwise
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
        (2.0**63 - 1024, 2.0**63, [2.0**63 - 1024, 2.0**63]),
        (-1.7e308, 1.7e308, [-1.7e308, 1.7e308]),
    ],
)
def test_an_axis_has_levels_that_are_easy_to_read(
    low: float, high: float, levels: list[float], call: Callable[..., Any]
) -> None:
    found = [float(one) for one in call("charts/scale.js", "levels", low, high)]
    assert 2 <= len(found) <= 7
    assert found[0] <= low
    assert found[-1] >= high > found[0]
    if high - low > 1e-6:
        assert found == levels


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0003559, "<0.001"), (0.05168, "0.052"), (0.2, "0.2"), (0.22963, "0.23"), (2.445, "2.44"),
     (2.7, "2.70"), (12.345, "12.3"), (1234.5, "1,235")],
)  # fmt: skip
def test_a_population_stability_index_has_at_most_three_digits(
    value: float, text: str, call: Callable[..., Any]
) -> None:
    assert call("format.js", "index", value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0 rows"), (1, "1 row"), (1234, "1,234 rows"), (None, "\u2013 rows")])
def test_a_number_of_rows_is_said_in_words(value: int | None, text: str, call: Callable[..., Any]) -> None:
    assert call("format.js", "rowCount", value) == text


@pytest.mark.parametrize(
    ("baseline", "text"),
    [
        ("2026-11-21T00:00:00Z..2026-11-22T08:00:00Z", "2026-11-21 00:00 \u2013 2026-11-22 08:00"),
        ("2026-11-21..", "2026-11-21 00:00 \u2013 now"),
        ("../train..2.parquet", "../train..2.parquet"),
        ("train.parquet", "train.parquet"),
    ],
)
def test_a_baseline_is_said_in_words(baseline: str, text: str, call: Callable[..., Any]) -> None:
    assert call("time_window.js", "baselineText", baseline) == text


def test_a_relative_baseline_is_said_as_the_times_that_it_is_now(call: Callable[..., Any]) -> None:
    said = call("time_window.js", "baselineText", "-24h..-8h")
    first, last = map(dt.datetime.fromisoformat, said.split(" \u2013 "))
    assert abs(last - first - dt.timedelta(hours=16)) <= dt.timedelta(minutes=1)


@pytest.mark.parametrize(("text", "word"), [("./a b", "'./a b'"), ("it's", "'it'\\''s'")])
def test_a_text_is_one_word_of_a_shell(text: str, word: str, call: Callable[..., Any]) -> None:
    assert call("format.js", "quoted", text) == word
    assert shlex.split(word) == [text]


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


@pytest.mark.parametrize(
    ("iso", "second", "whole"),
    [
        ("2026-11-29T12:39:00Z", "2026-11-29 12:39:00", "2026-11-29 12:39:00"),
        ("2026-11-29T12:39:00+00:00", "2026-11-29 12:39:00", "2026-11-29 12:39:00"),
        ("2026-11-29T12:39:00", "2026-11-29 12:39:00", "2026-11-29 12:39:00"),
        ("2026-11-29T12:39:00.123456789Z", "2026-11-29 12:39:00", "2026-11-29 12:39:00.123456789"),
        ("2026-11-29T12:39:00.500000Z", "2026-11-29 12:39:00", "2026-11-29 12:39:00.5"),
        ("2026-11-29T12:39:00.000+05:30", "2026-11-29 12:39:00 +05:30", "2026-11-29 12:39:00 +05:30"),
        ("2026-11-29", "2026-11-29", "2026-11-29"),
        ("12:39:00", "12:39:00", "12:39:00"),
    ],
)
def test_times_have_one_form(iso: str, second: str, whole: str, call: Callable[..., Any]) -> None:
    assert (call("format.js", "time", iso), call("format.js", "moment", iso)) == (second, whole)
    assert call("format.js", "cell", iso, "time") == whole
    assert call("format.js", "cell", iso, "text") == iso


@pytest.mark.parametrize(
    ("pasted", "wanted"),
    [
        (" shop-1 ", "shop-1"),
        ('"shop-1_0"', "shop-1_0"),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"),
        ("0x0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c"),
        ("0AF7651916CD43DD8448EB211C80319C", "0AF7651916CD43DD8448EB211C80319C"),
        ("it's", "it's"),
        ("  ", ""),
    ],
)
def test_an_id_is_taken_out_of_what_is_pasted(pasted: str, wanted: str, call: Callable[..., Any]) -> None:
    assert call("request_id.js", "requestId", pasted) == wanted


def bins(*edges: Any) -> list[dict[str, Any]]:
    return [{"low": low, "high": high, "count": 1, "baseline": 2} for low, high in pairwise(edges)]


@pytest.mark.parametrize(
    ("edges", "texts"),
    [
        ((0, 10, 20, 30, 40), ["0", "20", "40"]),
        ((-600, -9, 2, 13, 24, 16440), ["below -9", "13", "24 and above"]),
        ((-600, -9, 2, 13, 24, 35, 16440), ["below -9", "13", "35 and above"]),
        ((7.45e-27, 0.25, 0.5, 0.75, 1), ["0", "0.5", "1"]),
        ((0.8881, 0.8882, 0.8883, 0.8884, 0.8885), ["0.8881", "0.8883", "0.8885"]),
        ((5, 6), ["5", "6"]),
        ((2.5, 2601.25, 5200), ["2.5", "5,200"]),
        ((-0.034, 24.9, 49.9, 74.9, 99.86), ["-0.034", "50", "99.9"]),
        (("9007199254740993", "9007199254740995"), ["9007199254740993", "9007199254740995"]),
        (
            ("2026-11-28T16:00:00Z", "2026-11-28T17:00:00Z", "2026-11-28T18:00:00Z", "2026-11-29T12:00:00Z"),
            ["11-28 16:00", "11-28 18:00 and later"],
        ),
        (
            tuple(f"2026-11-{day}T00:00:00Z" for day in (10, 20, 21, 22, 23)),
            ["before 2026-11-20", "2026-11-23"],
        ),
    ],
)
def test_a_bin_that_is_wider_than_the_others_says_so(
    edges: tuple[Any, ...], texts: list[str], call: Callable[..., Any]
) -> None:
    assert [one["text"] for one in call("charts/bins.js", "ticksOf", bins(*edges))] == texts


def test_a_bin_says_its_exact_range(call: Callable[..., Any]) -> None:
    found = bins(-600, -9, 2.5, 16440)
    said = [call("charts/bins.js", "binText", found, at) for at in range(3)]
    assert said == [
        "-600 to -9: 1 row, 33 %, baseline 33 %",
        "-9 to 2.5: 1 row, 33 %, baseline 33 %",
        "2.5 to 16,440: 1 row, 33 %, baseline 33 %",
    ]
    assert call("charts/bins.js", "rangeText", found, 1, 2) == "-9 to 16,440"


def bins_of(*edges: float) -> list[dict[str, float]]:
    return [{"low": low, "high": high, "count": 1} for low, high in pairwise(edges)]


@pytest.mark.parametrize(
    ("first", "last", "limits"),
    [
        (0, 0, {"op": "between", "low": None, "high": 10}),
        (1, 2, {"op": "between", "low": 10, "high": 30}),
        (1, 5, {"op": "between", "low": 10, "high": None}),
        (0, 5, {"op": "not_null"}),
    ],
)
def test_a_bin_that_holds_everything_beyond_it_has_no_limit_there(
    first: int, last: int, limits: dict[str, Any], call: Callable[..., Any]
) -> None:
    bins = bins_of(-500, 10, 20, 30, 40, 50, 9_000)
    assert call("charts/bins.js", "filterOf", "inputs.x", bins, first, last) == {"column": "inputs.x"} | limits


def test_the_last_bin_of_equal_ones_has_its_end(call: Callable[..., Any]) -> None:
    found = call("charts/bins.js", "filterOf", "inputs.x", bins_of(0, 10, 20, 30), 2, 2)
    assert found == {"column": "inputs.x", "op": "between", "low": 20, "high": 30, "closed": True}


DAY = {"since": "2026-11-22T00:00:00Z", "until": "2026-11-23T00:00:00Z"}


@pytest.mark.parametrize(
    ("window", "baseline", "after"),
    [
        (DAY, "2026-11-21T00:00:00Z..2026-11-22T08:00:00Z", "2026-11-22T08:00:00Z"),
        (DAY, "2026-11-21T00:00:00Z..2026-11-22T00:00:00Z", None),
        (DAY, "2026-11-22T00:00:00Z..2026-11-23T00:00:00Z", None),  # nothing comes after it
        ({"since": "-24h", "until": None}, "-24h..-8h", "-8h"),
        ({"since": "-8h", "until": None}, "-24h..-8h", None),
        ({"since": None, "until": None}, "-24h..-8h", "-8h"),
        (DAY, "../train..2.parquet", None),
        (DAY, None, None),
    ],
)
def test_a_baseline_that_reaches_into_the_window_is_known(
    window: dict[str, str | None], baseline: str | None, after: str | None, call: Callable[..., Any]
) -> None:
    assert call("time_window.js", "afterBaseline", window, baseline) == after
