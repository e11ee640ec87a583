"""Serves the application until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import uvicorn

from .connections import Connection, ConnectionLimits, close_slow_ones

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from .app import StudioApp

__all__ = ["serve"]

_GRACE_SECONDS: Final = 1
"""How long answers that are being sent may take after Ctrl-C."""
_LIMITS: Final = ConnectionLimits()


class _Server(uvicorn.Server):
    """Ends streams at once when it is asked to stop: they would never end by themselves. Closes slow connections."""

    def __init__(self, config: uvicorn.Config, app: StudioApp, limits: ConnectionLimits) -> None:
        super().__init__(config)
        self._app = app
        self._limits = limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by the event loop, before the first request."""
        self._loop = asyncio.get_running_loop()
        self._closing = self._loop.create_task(close_slow_ones(self.server_state.connections, self._limits))
        await super().startup(sockets)

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """Called by the handler of the signal, which is not raised again: what is open must be closed after this."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        # Not here: the handler runs between two instructions of the event loop, which may hold a lock that this needs.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.end_streams)


class _WhileServing(logging.Filter):
    """Leaves out what uvicorn says of answers that it cancels at the end: no one waits for them any more."""

    def __init__(self, server: uvicorn.Server) -> None:
        super().__init__()
        self._server = server

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 (the base class names it)
        """Whether the server has not been asked to end."""
        return not self._server.should_exit


def serve(app: StudioApp, listening: socket.socket, limits: ConnectionLimits = _LIMITS) -> None:
    """Answer requests until Ctrl-C or SIGTERM, then return.

    Args:
        app: of `studio_app`.
        listening: a socket that is bound; it is closed at the end.
        limits: of its connections.
    """
    config = uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(Connection, limits)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=math.ceil(limits.idle_seconds),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=256 << 10,
    )
    server = _Server(config, app, limits)
    while_serving = _WhileServing(server)
    log = logging.getLogger("uvicorn.error")
    log.addFilter(while_serving)
    try:
        server.run(sockets=[listening])
    finally:
        log.removeFilter(while_serving)
        app.end_streams()
        listening.close()
