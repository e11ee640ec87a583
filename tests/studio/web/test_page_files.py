from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

import otel_modeldata_studio
from otel_modeldata_reader.reporting.html.style import STYLE
from otel_modeldata_reader.reporting.html.theme import CHART, DARK, LIGHT, PAPER
from otel_modeldata_studio.vendoring import missing_files
from otel_modeldata_studio.web.page_files import page_routes

PAGE = Path(otel_modeldata_studio.__file__).parent / "page"
IMPORT = re.compile(r"""(?:\bfrom\s*|\bimport\()["']([^"'\s]+)["']""")

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ask() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=page_routes())), base_url="http://studio")


async def test_the_first_page_is_the_index(ask: httpx.AsyncClient) -> None:
    answer = await ask.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.content == (PAGE / "index.html").read_bytes()


async def test_every_file_that_the_page_names_is_there(ask: httpx.AsyncClient) -> None:
    named = {*re.findall(r'(?:src|href)="([^"]+)"', (PAGE / "index.html").read_text())}
    for script in PAGE.rglob("*.js"):
        for module in IMPORT.findall(script.read_text()):
            assert module.startswith("."), f"{script}: a browser knows no package {module}"
            named.add((script.parent / module).resolve().relative_to(PAGE.resolve()).as_posix())
    assert {"main.js", "screens/explore.js", "vendor/uplot.js", "theme.css"} <= named
    for name in sorted(named):
        answer = await ask.get(f"/{name}")
        assert answer.status_code == 200, name


async def test_the_licenses_of_others_are_served_with_their_code(ask: httpx.AsyncClient) -> None:
    for name in ("preact", "htm", "uplot"):
        answer = await ask.get(f"/vendor/{name}.LICENSE.txt")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    "path",
    ["/..%2fvendoring.py", "/../vendoring.py", "//etc/passwd", "/vendored.json", "/vendor/files.json", "/vendor"],
)
async def test_no_other_file_is_served(ask: httpx.AsyncClient, path: str) -> None:
    answer = await ask.get(path)
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "expected a path of Studio, got another: open its first page"},
    )


async def test_a_browser_that_has_a_file_does_not_get_it_again(ask: httpx.AsyncClient) -> None:
    first = await ask.get("/main.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await ask.get("/main.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_report_and_the_page_have_the_same_colors(ask: httpx.AsyncClient) -> None:
    theme = (await ask.get("/theme.css")).text
    for shared in (LIGHT, DARK, PAPER, CHART):
        assert shared in theme
        assert shared in STYLE


def test_nothing_of_others_is_missing() -> None:
    assert missing_files() == []


def test_scripts_make_no_html_of_texts() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|eval\(|new Function"
    )
    found = [
        path.name for path in PAGE.rglob("*.js") if "vendor" not in path.parts and forbidden.search(path.read_text())
    ]
    assert found == []
