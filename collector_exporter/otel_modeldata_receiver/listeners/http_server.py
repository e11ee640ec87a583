"""HTTP beside gRPC, in the same process and on the same loop: listening, paths, bounds; what a path means is a route's.

aiohttp's low-level server, because everything that a framework does before a handler is called would be done before
anybody is admitted: bodies are not unpacked, and not read before the service asks for them. Bounded are the lines and
headers of a request (8 KiB each, 128 headers), the time a connection may take until its request has come as far as
its headers, and the number of connections.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web

from .. import telemetry
from ..exceptions import ListenError, ReceiverError
from .http_request import refusal_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from .http_request import HttpRefusal

__all__ = ["MOST_CONNECTIONS", "HttpServer", "Route"]

logger = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 2000
"""Of one listener; each holds up to 64 KiB that was read ahead."""
IDLE_SECONDS: Final = 100.0
"""Until a connection has sent the headers of its first or next request: longer than Go's clients keep an idle one (90),
so that a connection is not closed at the moment in which it is used again."""
_LINGER_SECONDS: Final = 10.0
"""How long a refused body is read and forgotten, so that its sender comes to read the answer."""


class Route(Protocol):
    """What answers `POST` to a path."""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """The answer once everything is durable; any error is given to `refused`."""
        ...

    def refused(self, request: web.BaseRequest, refusal: HttpRefusal) -> web.Response:
        """`refusal` in the form that senders of this route read."""
        ...


class HttpServer:
    """Listens on one address.

    Args:
        setting: the name of the setting that chose the address, for messages.
        listen: `HOST:PORT`.
        routes: what answers, by path.
        tls: serve TLS instead of plain text.
    """

    def __init__(
        self, setting: str, listen: str, routes: Mapping[str, Route], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.setting = setting
        self._listen = listen
        self._routes = routes
        self._tls = tls
        self._log = telemetry.OnceAMinute(logger)
        self._server: asyncio.Server | None = None
        self._connections: _Connections | None = None
        self._port = 0

    @property
    def address(self) -> str:
        """`HOST:PORT`, the port being the one in use since `start`."""
        return f"{self._listen.rpartition(':')[0]}:{self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: the address cannot be listened on.
        """
        host, _, port = self._listen.rpartition(":")
        host = host.strip("[]")
        self._connections = _Connections(
            self._answer,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
            access_log=None,
            logger=_quiet,
        )
        try:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                self._connections, host, int(port), ssl=self._tls, reuse_port=False, backlog=1024
            )
        except OSError:
            raise ListenError(
                f"expected a free address of this machine as {self.setting}, got {self._listen!r}, which is in use, "
                "not of this machine, or not resolvable; choose another"
            ) from None
        self._port = int(self._server.sockets[0].getsockname()[1])
        if not (_is_loopback(host) or (self._tls and self._tls.verify_mode)):
            logger.warning(
                "%s %s takes data from whoever reaches it: nothing there asks who sends; keep it on 127.0.0.1, "
                "or behind a network policy",
                self.setting,
                self._listen,
            )

    async def stop(self, seconds: float) -> None:
        """Stop listening, give answers on their way `seconds`, and close every connection; safe to call twice."""
        server, self._server = self._server, None
        if server is None or self._connections is None:
            return
        server.close()
        self._connections.pre_shutdown()
        await self._connections.shutdown(seconds)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        route = self._routes.get(request.path)
        if route is None:
            paths = " or ".join(self._routes)
            return self._wrong(HTTPStatus.NOT_FOUND, f"expected the path {paths}, got {request.path[:200]!r}")
        if request.method != "POST":
            return self._wrong(HTTPStatus.METHOD_NOT_ALLOWED, f"expected POST, got {request.method[:20]!r}")
        try:
            return await route.answer(request)
        except Exception as error:  # noqa: BLE001 (the edge, as in the gRPC service: the sender keeps its data)
            if not isinstance(error, (ReceiverError, TimeoutError)):
                self._log.note("defect", "a defect of ours refuses requests: %s", type(error).__name__, exc_info=error)
            response = route.refused(request, refusal_of(error))
            if not request.content.is_eof():
                response.force_close()
            return response

    def _wrong(self, status: HTTPStatus, sentence: str) -> web.Response:
        self._log.note(status.phrase, "%s: requests are refused: %s", self.setting, sentence)
        headers = {"Allow": "POST"} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
        return web.Response(status=status, text=f"{sentence}; correct the sender\n", headers=headers)


class _Connections(web.Server):
    """All connections of a listener; one above the bound is cut off at once."""

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > MOST_CONNECTIONS:
            # Not at once: aiohttp has yet to begin with this connection, and cannot begin with one that is lost.
            asyncio.get_running_loop().call_soon(transport.abort)


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp says of requests that are no HTTP; not a traceback for each, or clients could fill disks."""

    def __init__(self) -> None:
        super().__init__(logger)
        self._once = telemetry.OnceAMinute(logger)

    def exception(self, *_: object, exc_info: object = None, **__: object) -> None:
        """Say what kind of fault it is, once a minute."""
        kind = type(exc_info).__name__ if isinstance(exc_info, BaseException) else "error"
        self._once.note(kind, "requests that are no HTTP are refused: %s", kind)


_quiet: Final[Any] = _Quiet()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
