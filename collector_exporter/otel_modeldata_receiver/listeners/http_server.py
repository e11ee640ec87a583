"""A server for HTTP: it listens on one address, finds the route of a path, and bounds what clients can hold open.

It is aiohttp's `web.Server`, run by its `ServerRunner` and `TCPSite`, and not its `web.Application`, for two reasons:

- `web.AppRunner` makes its own `web.Server`, which has no bound on the number of connections.
- An application answers `Expect: 100-continue` before any handler runs, on unknown paths too; here a body is requested
  when it is read, which is after its size was checked and a read slot is free (`ingest/read_slots.py`).

aiohttp does not decompress bodies (`auto_decompress=False`); `ingest/compression.py` does, within its own limit. The
lines and headers of a request (8 KiB each, 128 headers), the time until a connection has sent the headers of a request,
and the number of connections are bounded.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from aiohttp import web

from otel_modeldata.log_throttle import LogThrottle
from otel_modeldata.validation.loopback import is_loopback

from ..exceptions import ListenError, ReceiverError
from .http_request import refusal_of
from .inherited_sockets import inherited_socket
from .open_files import most_open_files

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from .http_request import HttpRefusal

__all__ = ["MOST_CONNECTIONS", "HttpServer", "Route"]

logger = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 2000
"""Connections of one listener; each holds up to 64 KiB that was read ahead."""
_SHARE: Final = 8
"""A listener has this part of the files that the process may open at most: others, and the store, need theirs."""
IDLE_SECONDS: Final = 100.0
"""Time limit until a connection has sent the headers of its first or next request. Go's clients keep an idle connection
for less (90 s), so a connection is not closed at the moment when it is used again."""
_LINGER_SECONDS: Final = 10.0
"""How long a refused body is read and dropped, so that its sender can read the answer."""
_BACKLOG: Final = 1024
"""Connections that the kernel keeps until they are accepted."""
_HAND_OVER_SECONDS: Final = 1.0
_HAND_OVER_TURN_SECONDS: Final = 0.02
"""How long accepted connections have for their requests before the receiver stops, and how often that is looked at."""
_CLOSE_SECONDS: Final = 1.0
"""How long a stop waits for answers in progress."""


class Route(Protocol):
    """Answers the requests to one path."""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """The answer once everything is durable; any error is passed to `refused`."""
        ...

    def refused(self, request: web.BaseRequest, refusal: HttpRefusal) -> web.Response:
        """`refusal` in the format that senders of this route read."""
        ...


class HttpServer:
    """Listens on one address.

    Args:
        setting: the name of the setting with the address, for messages.
        listen: `HOST:PORT`.
        routes: by path.
        method: the only method that the routes answer; HEAD is GET without a body.
        tls: serve TLS instead of plain text.
    """

    def __init__(
        self,
        setting: str,
        listen: str,
        routes: Mapping[str, Route],
        *,
        method: Literal["GET", "POST"] = "POST",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.setting = setting
        self._method = method
        self._listen = listen
        self._routes = routes
        self._tls = tls
        self._log = LogThrottle(logger)
        self._connections: _BoundedServer | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.BaseSite | None = None
        self._is_inherited = False
        self._port = 0

    @property
    def address(self) -> str:
        """`HOST:PORT`; after `start` the port is the one in use."""
        return f"{self._listen.rpartition(':')[0]}:{self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: the address cannot be listened on.
        """
        host, _, port = self._listen.rpartition(":")
        host = host.strip("[]")
        self._connections = _BoundedServer(
            self._answer,
            closes_oldest=self._method == "GET",
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
            access_log=None,
            logger=_ThrottledLogger(),
        )
        self._runner = web.ServerRunner(self._connections, shutdown_timeout=_CLOSE_SECONDS)
        await self._runner.setup()
        try:
            self._site, self._port = await self._listening_site(self._runner, host, int(port))
        except OSError:
            raise ListenError(
                f"expected a free address of this machine as {self.setting}, got {self._listen!r}, which is in use, "
                "not of this machine, or not resolvable; choose another"
            ) from None
        if self._method == "POST" and not (is_loopback(host) or (self._tls and self._tls.verify_mode)):
            logger.warning(
                "%s %s accepts data from every client that can reach it, without authentication; listen on 127.0.0.1, "
                "or use a network policy",
                self.setting,
                self._listen,
            )

    async def _listening_site(self, runner: web.ServerRunner, host: str, port: int) -> tuple[web.BaseSite, int]:
        """Listen on the socket that this process inherited for the address, else on a new one; return its port."""
        loop = asyncio.get_running_loop()
        held = await loop.run_in_executor(None, inherited_socket, host, port) if port else None
        if held is not None:
            logger.info("%s %s: the socket that another process holds is used", self.setting, self._listen)
            inherited = web.SockSite(runner, held, ssl_context=self._tls, backlog=_BACKLOG)
            await inherited.start()
            self._is_inherited = True
            return inherited, port
        site = web.TCPSite(runner, host, port, ssl_context=self._tls, reuse_port=False, backlog=_BACKLOG)
        await site.start()
        return site, site.port

    async def hand_over(self) -> None:
        """Accept no more connections on a socket that another process holds, and answer those that were accepted.

        The kernel keeps further connections for the next process. On a socket of its own the listener goes on: it
        answers that it stops, which tells senders to try again.
        """
        if not self._is_inherited or self._site is None or self._connections is None:
            return
        site, self._site = self._site, None
        await site.stop()
        for _ in range(round(_HAND_OVER_SECONDS / _HAND_OVER_TURN_SECONDS)):
            if not self._connections.connections:
                break
            await asyncio.sleep(_HAND_OVER_TURN_SECONDS)

    async def stop(self) -> None:
        """Stop listening, wait for answers in progress, and close every connection; safe twice and before `start`."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        route = self._routes.get(request.path)
        if route is None:
            paths = " or ".join(self._routes)
            return self._wrong(HTTPStatus.NOT_FOUND, f"expected the path {paths}, got {request.path[:200]!r}")
        if request.method != self._method and (request.method, self._method) != ("HEAD", "GET"):
            return self._wrong(HTTPStatus.METHOD_NOT_ALLOWED, f"expected {self._method}, got {request.method[:20]!r}")
        try:
            return await route.answer(request)
        except Exception as error:  # noqa: BLE001 (error boundary, as for gRPC: the sender keeps its data)
            if not isinstance(error, (ReceiverError, TimeoutError)):
                message = "internal error (a bug), requests are refused: %s"
                self._log.log(logging.WARNING, "bug", message, type(error).__name__, exc_info=error)
            response = route.refused(request, refusal_of(error))
            if not request.content.is_eof():
                response.force_close()
            return response

    def _wrong(self, status: HTTPStatus, problem: str) -> web.Response:
        message = "%s: requests are refused: %s"
        self._log.log(logging.WARNING, status.phrase, message, self.setting, problem)
        headers = (
            {"Allow": "GET, HEAD" if self._method == "GET" else self._method}
            if status is HTTPStatus.METHOD_NOT_ALLOWED
            else {}
        )
        return web.Response(status=status, text=f"{problem}; correct the sender\n", headers=headers)


class _BoundedServer(web.Server):
    """All connections of a listener; a connection above the bound is closed at once.

    Args:
        handler: answers requests.
        closes_oldest: close the oldest connection in place of the new one. It suits requests that are answered at once:
            whoever holds connections open keeps no probe out. A request for data takes its time, and is not cut off.
        options: of `web.Server`.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        closes_oldest: bool,
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self._closes_oldest = closes_oldest
        limit = most_open_files()
        self._most = MOST_CONNECTIONS if limit is None else min(MOST_CONNECTIONS, max(1, limit // _SHARE))
        self._transports: dict[web.RequestHandler, asyncio.Transport] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._transports[handler] = transport
        if len(self._transports) > self._most:
            closed = next(iter(self._transports)) if self._closes_oldest else handler
            # In the next turn: aiohttp starts the connection after this call, and cannot start a closed one.
            asyncio.get_running_loop().call_soon(self._transports.pop(closed).abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._transports.pop(handler, None)


if TYPE_CHECKING:
    _LoggerAdapter = logging.LoggerAdapter[logging.Logger]
else:
    _LoggerAdapter = logging.LoggerAdapter  # Python 3.10 has no type arguments for it


class _ThrottledLogger(_LoggerAdapter):
    """aiohttp's logger: one line a minute for requests that are not HTTP, so that clients cannot fill disks."""

    def __init__(self) -> None:
        super().__init__(logger)
        self._throttle = LogThrottle(logger)

    def exception(self, *_: object, exc_info: object = None, **__: object) -> None:
        """Log the type of the error without its traceback."""
        kind = type(exc_info).__name__ if isinstance(exc_info, BaseException) else "error"
        self._throttle.log(logging.WARNING, kind, "requests that are not HTTP are refused: %s", kind)
