from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

import otel_modeldata_reader as reader
from otel_modeldata_studio.studio import Studio
from otel_modeldata_studio.web.app import studio_app
from otel_modeldata_studio.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "0123456789abcdef0123"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ask(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """Asks a Studio of an empty store; the parameter is its token."""
    token = getattr(request, "param", None)
    with reader.open(tmp_path) as store:
        studio = Studio(store)
        app = studio_app(studio, WebSettings(token=token))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4390") as client:
            yield client
        app.end_streams()
        studio.close()


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def test_every_answer_forbids_what_a_page_of_data_must_not_do(ask: httpx.AsyncClient) -> None:
    for path in ("/", "/main.js", "/nothing", "/api/nothing", "/api/about"):
        answer = await ask.get(path)
        headers = {name: answer.headers[name] for name in HEADERS}
        assert headers == HEADERS, path
        assert "access-control-allow-origin" not in answer.headers


HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@pytest.mark.parametrize("host", ["127.0.0.1:4390", "localhost:9", "LOCALHOST", "[::1]:4390", "127.8.0.1"])
async def test_names_of_this_machine_are_answered(ask: httpx.AsyncClient, host: str) -> None:
    assert (await ask.get("/", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["rebound.example", "127.0.0.1.rebound.example", "localhost.rebound.example:4390", "10.0.0.1", "", "[::1"]
)
async def test_a_name_that_someone_lets_mean_this_machine_is_refused(ask: httpx.AsyncClient, host: str) -> None:
    assert error_of(await ask.get("/api/about", headers={"host": host})) == (
        403,
        "expected the address of this machine, such as 127.0.0.1, got another name: open that address",
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_studio_only_reads(ask: httpx.AsyncClient, method: str) -> None:
    answer = await ask.request(method, "/api/home")
    assert error_of(answer) == (405, f"expected GET, got {method}: Studio only reads")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_starts_no_query(ask: httpx.AsyncClient, site: str) -> None:
    answer = await ask.get("/api/about", headers={"sec-fetch-site": site})
    assert error_of(answer) == (
        403,
        "expected a request of Studio's own page, got one of another site: open Studio itself",
    )
    assert (await ask.get("/", headers={"sec-fetch-site": site})).status_code == 200  # a link to Studio


@pytest.mark.parametrize("ask", [TOKEN], indirect=True)
class TestWithToken:
    async def test_nothing_is_answered_without_it(self, ask: httpx.AsyncClient) -> None:
        sentence = (
            "expected the token of this Studio, got none: open the address that the command printed, with ?token= and "
            "the token"
        )
        for path in ("/", "/main.js", "/api/about", "/api/live", "/theme.css"):
            answer = await ask.get(path)
            assert answer.status_code == 401
            assert sentence in answer.text

    @pytest.mark.parametrize("given", ["another", "", TOKEN[:-1], f"{TOKEN}x", "é"])
    async def test_another_one_is_refused(self, ask: httpx.AsyncClient, given: str) -> None:
        answer = await ask.get("/", params={"token": given})
        assert answer.status_code == 401
        assert "got another one" in answer.text
        assert (await ask.get("/api/about", headers={"authorization": f"Bearer {given}".encode()})).status_code == 401

    async def test_it_becomes_a_cookie_that_does_not_tell_it(self, ask: httpx.AsyncClient) -> None:
        answer = await ask.get("/", params={"token": TOKEN, "x": "1 2"})
        assert (answer.status_code, answer.headers["location"]) == (303, "./?x=1+2")
        cookie = answer.headers["set-cookie"]
        assert TOKEN not in cookie
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert (await ask.get("/")).status_code == 200  # the client keeps cookies
        ask.cookies.clear()
        assert (await ask.get("/")).status_code == 401

    @pytest.mark.parametrize(("path", "place"), [("/", "./"), ("/main.js", "./main.js"), ("/a/b c:d", "./b%20c%3Ad")])
    async def test_it_does_not_stay_in_the_address(self, ask: httpx.AsyncClient, path: str, place: str) -> None:
        for expected in (True, False):  # the second time the browser has the cookie
            assert ("cookie" not in (await ask.get("/")).request.headers) is expected
            answer = await ask.get(path, params={"token": TOKEN})
            assert (answer.status_code, answer.headers["location"]) == (303, place)
        old = await ask.get(path, params={"token": "of a Studio before"})
        assert (old.status_code, old.headers["location"]) == (303, place)
        assert "set-cookie" not in old.headers

    async def test_a_program_that_gives_it_in_the_address_learns_of_the_header(self, ask: httpx.AsyncClient) -> None:
        sentence = (
            "expected the token of this Studio in the header Authorization: Bearer TOKEN, got it in the address: send "
            "it in the header"
        )
        assert error_of(await ask.get("/api/about", params={"token": TOKEN})) == (401, sentence)
        await ask.get("/", params={"token": TOKEN})
        assert error_of(await ask.get("/api/about", params={"token": TOKEN})) == (400, sentence)

    async def test_with_the_cookie_another_site_still_starts_no_query(self, ask: httpx.AsyncClient) -> None:
        await ask.get("/", params={"token": TOKEN})
        answer = await ask.get("/api/about", headers={"sec-fetch-site": "cross-site"})
        assert error_of(answer) == (
            403,
            "expected a request of Studio's own page, got one of another site: open Studio itself",
        )
        assert (await ask.get("/", headers={"sec-fetch-site": "cross-site"})).status_code == 200

    async def test_a_program_gives_it_in_a_header(self, ask: httpx.AsyncClient) -> None:
        answer = await ask.get("/", headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers

    async def test_names_of_other_machines_are_answered(self, ask: httpx.AsyncClient) -> None:
        headers = {"host": "studio.example", "authorization": f"Bearer {TOKEN}"}
        assert (await ask.get("/", headers=headers)).status_code == 200


def test_the_token_is_in_no_repr() -> None:
    assert TOKEN not in repr(WebSettings(token=TOKEN))
