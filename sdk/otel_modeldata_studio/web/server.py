"""Serves the application until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from .app import StudioApp

__all__ = ["serve"]

_GRACE_SECONDS: Final = 1
"""How long answers that are being sent may take after Ctrl-C."""
_IDLE_SECONDS: Final = 30
"""How long a connection stays open without a request."""
_MOST_CONNECTIONS: Final = 200


class _Server(uvicorn.Server):
    """Ends streams at once when it is asked to stop: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, app: StudioApp) -> None:
        super().__init__(config)
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by the event loop, before the first request."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """Called by the handler of the signal, which is not raised again: what is open must be closed after this."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        # Not here: the handler runs between two instructions of the event loop, which may hold a lock that this needs.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.end_streams)


def serve(app: StudioApp, listening: socket.socket) -> None:
    """Answer requests until Ctrl-C or SIGTERM, then return.

    Args:
        app: of `studio_app`.
        listening: a socket that is bound; it is closed at the end.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        limit_concurrency=_MOST_CONNECTIONS,
        h11_max_incomplete_event_size=256 << 10,
    )
    try:
        _Server(config, app).run(sockets=[listening])
    finally:
        app.end_streams()
        listening.close()
