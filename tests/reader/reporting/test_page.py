"""The page of a report: read without network and script, whatever senders wrote."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from deployment_requests import BASELINE, FIRST, WINDOW, Deployment
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.exceptions import ExportError
from otel_modeldata_reader.reporting.html import column_card, text
from otel_modeldata_reader.reporting.html.style import STYLE

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[2J"


class Outline(HTMLParser):
    """The elements of a page; every one that is opened must be closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def outline(page: str) -> Outline:
    found = Outline(page)
    assert found.open == []
    return found


def test_a_page_has_every_section_and_every_figure(shop: Deployment) -> None:
    report = shop.open().report("shop/blue", *WINDOW, baseline=BASELINE, by="country")
    found = outline(report.to_html())
    shown = " ".join(found.texts)
    for heading in ("What needs eyes", "Requests", "Performance", "shop/blue/model_inputs", "shop/blue/model_outputs"):
        assert heading in found.texts
    for finding in report.findings:
        assert finding.text in shown
    for name in ("PopulationStabilityIndex", "country", "PT", "500: 8", "Prediction"):
        assert name in shown
    assert found.tags.count("article") == 4  # a card for each column


def test_a_bar_names_its_rows_and_both_shares_as_studio_does(deployment: Deployment) -> None:
    for number in range(40):
        row = {"x": number % 8}
        deployment.request(FIRST + timedelta(minutes=number), model_inputs=[row])
        deployment.request(FIRST.replace(day=17) + timedelta(minutes=number), model_inputs=[row])
    found = outline(deployment.open().report("shop/blue", *WINDOW, baseline=BASELINE).to_html())
    named = [text for text in found.texts if re.fullmatch(r".*: \d+ rows?, .* %, baseline .* %", text)]
    assert sum(int(text.split(": ")[1].split(" ")[0]) for text in named) == 40
    at = found.texts.index("below 0")
    assert found.texts[at : at + 3] == ["below 0", "3.500", "7.000 and above"]
    assert named[0] == "below 0: 0 rows, 0 %, baseline 0 %"
    assert named[1] == "0 to 0.5000: 5 rows, 12.5 %, baseline 12.5 %"
    assert found.tags.count("path") == 1  # the baseline of the only histogram


def test_the_share_of_labels_is_a_bar(shop: Deployment) -> None:
    report = shop.open().report("shop/blue", *WINDOW)
    assert report.figures.labels is not None
    labeled, scored = report.figures.labels
    label = f"{text.percent(labeled / scored)} of the rows have a label"
    assert ("aria-label", label) in outline(report.to_html()).attributes


@pytest.mark.parametrize(
    ("type_", "shown"),
    [
        ("dictionary<values=string, indices=int8, ordered=0>", "string"),
        ("dictionary<values=timestamp[ns, tz=UTC], indices=int32, ordered=1>", "timestamp[ns, tz=UTC]"),
        ("int64", "int64"),
        ("struct<" + "a: int64, " * 9 + ">", "struct<a: int64, a: int64, a: int64, ..."),
    ],
)
def test_the_type_of_a_categorical_is_that_of_its_values(type_: str, shown: str) -> None:
    assert column_card.short_type(type_) == shown


def test_a_page_of_almost_nothing_is_whole(deployment: Deployment) -> None:
    deployment.request(FIRST, 0.0, model_inputs=[{}])
    shown = " ".join(outline(deployment.open().report("shop/blue").to_html()).texts)
    assert "No figure reaches its threshold." in shown
    assert "none: nothing is compared" in shown
    assert "not known" in shown


def test_what_senders_write_is_text_on_the_page(deployment: Deployment) -> None:
    for moment, value in ((FIRST, "a"), (FIRST.replace(day=17), HOSTILE)):
        row: dict[str, Any] = {HOSTILE: value, "x": 1}
        data = {"model_outputs": [{"prediction": value}], "ground_truth": [{"label": value}]}
        deployment.request(moment, model_inputs=[row], **data)
    report = deployment.open().report("shop/blue", *WINDOW, baseline=BASELINE, by=HOSTILE)
    page = report.to_html()
    found = outline(page)
    assert not {"script", "img", "iframe", "a", "link", "object", "form"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in {"style", "href", "src"}]
    assert not re.search("[\u202e\x1b]", page)
    assert "<script>alert(1)</script>" in "".join(found.texts)


def test_the_policy_allows_the_style_sheet_of_the_page_and_nothing_else(shop: Deployment) -> None:
    page = shop.open().report("shop/blue").to_html()
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    (policy,) = re.findall('<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert page.split("<style>")[1].split("</style>")[0] == STYLE
    assert not re.search(r"https?://", page)
    assert not re.search(r"url\(|@import", page)


@given(st.text())
def test_a_text_is_itself_or_escaped_and_never_markup(value: str) -> None:
    found = text.shown(value)
    assert not set("<>\"'") & set(found)
    assert not {unicodedata.category(one) for one in found} & {"Cc", "Cs", "Zl", "Zp"}
    assert {one for one in found if unicodedata.category(one) == "Cf"} <= {"\u200c", "\u200d"}
    if value.isprintable() and "\u00ad" not in value:
        assert "".join(outline(f"<p>{found}</p>").texts) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "&ndash;"),
        (0.0, "0"),
        (0.26321833, "0.2632"),
        (1234.5, "1,234"),
        (12345678.9, "12,345,679"),
        (7.07e-53, "7.07e-53"),
        (-0.05, "-0.05000"),
        (1e12, "1e+12"),
        (float("inf"), "not finite"),
    ],
)
def test_numbers_have_four_digits_that_matter(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


def test_shares_times_and_durations_have_their_units() -> None:
    assert [text.percent(one) for one in (0.0, 0.0004, 0.1234, 1.0)] == ["0 %", "&lt; 0.1 %", "12.3 %", "100 %"]
    assert [text.moment(one) for one in (86_400.0, 90_000.0, 1e18)] == ["1970-01-02", "1970-01-02 01:00", "1e+18"]
    assert [text.duration(one) for one in (5.25, 1500.0, 90_000.0)] == ["5.250 ms", "1.50 s", "1.5 min"]


def test_a_page_is_written_whole_and_replaces_nothing_unasked(shop: Deployment, tmp_path: Path) -> None:
    report = shop.open().report("shop/blue")
    report.write_html(tmp_path / "x.html")
    assert (tmp_path / "x.html").read_text("utf-8") == report.to_html()
    with pytest.raises(ExportError, match="expected a new file"):
        report.write_html(tmp_path / "x.html")
    report.write_html(tmp_path / "x.html", overwrite=True)
    assert [one.name for one in tmp_path.iterdir() if one.suffix != ""] == ["x.html"]
