"""Payload logging around an ASGI application (ASGI 3.0, the HTTP part).

Messages are passed on unchanged and immediately. WebSockets are ignored. At the end of the lifespan, pending records
are delivered before the server is notified, because a signal may then end the server (uvicorn raises SIGTERM again).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._delivery.ending.last_delivery import deliver_only
from .exchange import BAGGAGE_HEADER, CLIENT_CLOSED_REQUEST, FAILED, RequestHead
from .logger import MARK, PayloadLogger, safely

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from .captured_headers import Header
    from .exchange import Exchange

    Scope = MutableMapping[str, Any]
    ASGIMessage = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[ASGIMessage]]
    Send = Callable[[ASGIMessage], Awaitable[None]]
    ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_FILES: Final = ("http.response.pathsend", "http.response.zerocopysend")
"""Extensions with which a server sends a file itself, so that its bytes do not pass the middleware."""


class ASGIMiddleware:
    """Collects the requests and responses of an ASGI application.

    ```python
    app = ASGIMiddleware(app)
    ```

    Args:
        app: any ASGI 3 application; it gets the same messages as without this middleware.

    Raises:
        ConfigError: the configuration, the endpoint or a variable is wrong.
    """

    def __init__(self, app: ASGIApplication) -> None:
        self.app = app
        self._log = PayloadLogger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, _flushing(send))
        elif scope["type"] != "http" or MARK in scope:
            await self.app(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = safely(self._open, scope)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        scope[MARK] = True
        if exchange.sends_on:
            others = [pair for pair in scope["headers"] if pair[0].lower() != BAGGAGE_HEADER.encode()]
            scope["headers"] = [*others, (BAGGAGE_HEADER.encode(), exchange.sends_on.encode("latin-1"))]
        with exchange.current():
            if exchange.is_observed:
                await _ObservedMessages(self.app, exchange, receive, send).run(scope)
            else:
                await self.app(scope, receive, send)

    def _open(self, scope: Scope) -> Exchange | None:
        return self._log.open(_head(scope))


def _flushing(send: Send) -> Send:
    async def flushing(message: ASGIMessage) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            deliver_only()  # no connection is left, so blocking the loop is fine
        await send(message)

    return flushing


class _ObservedMessages:
    """The messages of one exchange."""

    def __init__(self, app: ASGIApplication, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._app = app
        self._exchange = exchange
        self._receive = receive
        self._send = send
        self._is_visible = True
        self._has_client = True

    async def run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self.receive, self.send)
        finally:
            status = FAILED if self._has_client else CLIENT_CLOSED_REQUEST
            safely(self._exchange.end, is_whole=False, status=status)

    async def receive(self) -> ASGIMessage:
        message = await self._receive()
        if message["type"] == "http.request":
            safely(self._exchange.take_request, message.get("body", b""))
        elif message["type"] == "http.disconnect":
            self._has_client = False
        return message

    async def send(self, message: ASGIMessage) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            safely(self._begin, message)
        elif kind == "http.response.body":
            safely(self._exchange.take_response, message.get("body", b""))
        elif kind in _FILES:
            self._is_visible = False
        await self._send(message)
        if kind in ("http.response.body", *_FILES) and not message.get("more_body", False):
            safely(self._exchange.end, is_whole=self._is_visible)

    def _begin(self, message: ASGIMessage) -> None:
        self._exchange.begin_response(message["status"], _header(message.get("headers", ())))


def _head(scope: Scope) -> RequestHead:
    query: bytes = scope.get("query_string", b"")
    return RequestHead(scope["method"].upper(), scope["path"], query.decode("latin-1"), _header(scope["headers"]))


def _header(pairs: Iterable[tuple[bytes, bytes]]) -> Header:
    """Headers by name; one that was sent more than once is joined (RFC 9110 section 5.3)."""
    values: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values.get
