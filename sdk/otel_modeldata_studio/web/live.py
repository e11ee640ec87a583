"""Says which collections grow, as server-sent events, while a page listens.

One thread at a time looks at the newest folders, however many pages listen, and none does while no page listens.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from otel_modeldata_reader import ReaderError
from otel_modeldata_receiver.daemon_executor import DaemonExecutor

from .answers import failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from ..studio import Studio
    from .settings import WebSettings

__all__ = ["Live"]

logger = logging.getLogger(__name__)

_PING_SECONDS: Final = 15.0
"""Proxies close connections on which nothing comes for a minute."""
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
_MOST_NAMES: Final = 200
"""Names in one event."""
_MOST_EVENTS: Final = 32
"""Events that may wait for a page; the stream of one that does not read them ends, and the page begins another."""


class Live:
    """The pages that listen, and the task that looks for them."""

    def __init__(self, studio: Studio, settings: WebSettings) -> None:
        self._studio = studio
        self._settings = settings
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False
        self._thread = DaemonExecutor(1, "studio_live")

    def route(self) -> Route:
        """The route of the events."""
        return Route("/api/live", self._listen, methods=["GET"])

    def close(self) -> None:
        """End the streams, so that the server can stop; from then on there are none."""
        self._closed = True
        for listener in self._listeners:
            _end(listener)
        if self._looking is not None:
            self._looking.cancel()
        self._thread.shutdown(wait=False)

    async def _listen(self, _: Request) -> Response:
        if self._closed or len(self._listeners) >= self._settings.listeners:
            return failure(
                503,
                f"expected at most {self._settings.listeners} live pages, got one more: close another page, or switch "
                "live off there",
            )
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=_HEADERS)

    async def _events(self) -> AsyncIterator[bytes]:
        """What one page gets."""
        listener: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_EVENTS)
        if self._closed:  # since the request was answered
            return
        self._listeners.add(listener)
        try:
            yield _event("ping", {})
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            while True:
                try:
                    event = await asyncio.wait_for(listener.get(), _PING_SECONDS)
                except asyncio.TimeoutError:
                    event = _event("ping", {})
                if event is None:
                    return
                yield event
        finally:
            self._listeners.discard(listener)

    async def _look(self) -> None:
        """Until no page listens."""
        sizes = await self._sizes()
        while self._listeners:
            began = time.monotonic()
            await asyncio.sleep(self._settings.live_seconds)
            found = await self._sizes()
            if found is None or sizes is None:
                sizes = found or sizes
                continue
            grown = sorted(name for name, size in found.items() if sizes.get(name) != size)
            sizes = found
            if grown:
                at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                event = _event("grown", {"collections": grown[:_MOST_NAMES], "at": at})
                for listener in self._listeners:
                    if listener.full():
                        _end(listener)
                    else:
                        listener.put_nowait(event)
            # A store that answers slowly is looked at less often: half of the time at most.
            spent = time.monotonic() - began - self._settings.live_seconds
            if spent > self._settings.live_seconds:
                await asyncio.sleep(spent)

    async def _sizes(self) -> dict[str, int] | None:
        """What the newest folders have, or None if the store does not say it now."""
        try:
            return await self._thread.call(self._studio.catalog.newest_bytes)
        except ReaderError as error:
            logger.debug("live: %s", error)
            return None


def _end(listener: asyncio.Queue[bytes | None]) -> None:
    """End the stream of a page, whether its queue is full or not."""
    while not listener.empty():
        listener.get_nowait()
    listener.put_nowait(None)


def _event(name: str, data: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
