"""The documentation: the site builds without warnings, and generated pages match the code."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from documents import DOCUMENTS, REPOSITORY_URL, ROOT, text_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

DOCS = ROOT / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: dict[str, str] = _generator().pages()


class _Loaded(HTMLParser):
    """Collects the files that a browser loads to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img", "iframe"}:
            self.urls.append(values.get("src") or "")
        elif tag == "link" and values.get("rel") in {"stylesheet", "icon", "preconnect"}:
            self.urls.append(values.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a broken link, a missing anchor or a page without a place in the navigation is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_the_site_has_every_page(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        built = site / name / "index.html" if page.name != "index.md" else site / name.removesuffix("index")
        assert built.exists(), name


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = _Loaded()
        loaded.feed(page.read_text("utf-8"))
        assert [url for url in loaded.urls if "//" in url] == [], page


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_up_to_date(page: str) -> None:
    assert text_of(f"docs/{page}") == PAGES[page], "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES)
def test_every_row_of_a_generated_table_has_a_meaning(page: str) -> None:
    if page == "features.md":
        return
    rows = [line.strip("| ").split(" | ") for line in PAGES[page].splitlines() if line.startswith("| ")]
    assert rows
    assert [row for row in rows if not row[-1].strip(" `|")] == []


def test_every_link_to_the_repository_leads_to_a_file_and_a_heading() -> None:
    raw = REPOSITORY_URL.replace("github.com", "raw.githubusercontent.com")
    linked = re.compile(rf"(?:{REPOSITORY_URL}/(?:blob|tree)|{raw})/main/([^)\s]+)")
    for document in DOCUMENTS:
        for url in linked.findall(text_of(document)):
            path, _, anchor = url.partition("#")
            assert (ROOT / path).exists(), f"{document}: {url}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
                assert anchor in map(_anchor, headings), f"{document}: {url}"


def _anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_pages_of_the_site_link_to_the_repository_by_its_address() -> None:
    for page in DOCS.rglob("*.md"):
        assert "](../../" not in page.read_text("utf-8"), f"{page}: this link leaves the site"


@pytest.mark.parametrize(
    "package",
    [
        "sdk/otel_modeldata",
        "sdk/otel_modeldata_reader",
        "sdk/otel_modeldata_studio",
        "collector_exporter/otel_modeldata_receiver",
    ],
)
def test_the_architecture_names_every_folder(package: str) -> None:
    folders = {path.parent.relative_to(ROOT / package).parts[:1] for path in (ROOT / package).rglob("__init__.py")}
    page = text_of("docs/architecture.md")
    assert [folder for (folder,) in sorted(folders - {()}) if f"`{folder}/`" not in page] == []


def test_figures_of_the_code_are_in_one_place() -> None:
    """How long a record waits is written where it is generated; other pages link there."""
    figure = re.compile(r"\b(0\.[56] s|600 ms|50 ms|500 ms)\b")
    others = [name for name in DOCUMENTS if name not in {"docs/reference/limits.md", "docs/benchmarks.md"}]
    assert [name for name in others if figure.search(text_of(name))] == []
