"""Who may ask: the middleware in front of every answer, and the headers that all answers have.

Studio only reads, and answers only GET. What must not happen is that a web site which the user visits reads the store
through the user's browser:

- By a request from its own page: the browser does not give it the answer, as no answer allows another origin. It is
  refused too, so that it starts no query.
- By a name of its own that it lets mean 127.0.0.1 (DNS rebinding): without a token only names of this machine are
  answered.
- By a frame, by a form, by script that is in the data: the content security policy forbids each.

The cookie of the token is sent when a link in a message is opened (`SameSite=Lax`), because such a link is how others
get to the page. It leads to the page only: a request of `/api/` that another site begins is refused.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from .answers import failure

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .settings import WebSettings

__all__ = ["HEADERS", "Access"]

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Of every answer."""
_THIS_MACHINE: Final = re.compile(r"(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
_OWN: Final = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site: from the page itself, or typed by the user."""


class Access:
    """Answers who may not ask, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":  # a WebSocket
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        is_api = scope["path"].startswith("/api/")
        if scope["method"] not in {"GET", "HEAD"}:
            return failure(405, f"expected GET, got {scope['method']}: Studio only reads")
        if self._settings.token is None:
            if not _THIS_MACHINE.fullmatch(headers.get("host", "")):
                return failure(
                    403, "expected the address of this machine, such as 127.0.0.1, got another name: open that address"
                )
        else:
            answer = self._introduced(scope, headers, is_api=is_api)
            if answer is not None:
                return answer
        if is_api and headers.get("sec-fetch-site", "none") not in _OWN:
            return failure(403, "expected a request of Studio's own page, got one of another site: open Studio itself")
        return None

    def _is_known(self, headers: Headers) -> bool:
        assert self._settings.token is not None  # noqa: S101 (looked at by the caller)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(given.strip(), self._settings.token):
            return True
        name, value = self._settings.cookie
        return _equal(cookie_parser(headers.get("cookie", "")).get(name, ""), value)

    def _introduced(self, scope: Scope, headers: Headers, *, is_api: bool) -> Response | None:
        """The answer to a request without a cookie, and to one with a token in its address; None for all others.

        The page is opened again without the token, also where it is not needed any more: the address of the page is
        what users send to others.
        """
        is_known = self._is_known(headers)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == "token"), None)
        is_right = given is not None and _equal(given, self._settings.token or "")
        if is_api and given is not None:
            return failure(400 if is_known else 401, _IN_HEADER)
        if not (is_known or is_right):
            return _unknown(is_api=is_api, has_token=given is not None)
        if given is None:
            return None
        # A relative path, because a proxy in front may serve Studio below one of its own.
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        place = "./" + quote(scope["path"].rpartition("/")[2])
        answer = RedirectResponse(f"{place}?{rest}" if rest else place, status_code=303)
        if is_right:
            name, value = self._settings.cookie
            answer.set_cookie(name, value, httponly=True, samesite="lax", secure=scope["scheme"] == "https")
        answer.headers["cache-control"] = "no-store"
        return answer


_IN_HEADER: Final = (
    "expected the token of this Studio in the header Authorization: Bearer TOKEN, got it in the address: send it "
    "in the header"
)


def _unknown(*, is_api: bool, has_token: bool) -> Response:
    sentence = (
        f"expected the token of this Studio, got {'another one' if has_token else 'none'}: open the address that "
        "the command printed, with ?token= and the token"
    )
    return failure(401, sentence) if is_api else PlainTextResponse(f"{sentence}\n", status_code=401)


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
