"""Makes answers in threads: a few at a time, each within a time, and none that is not wanted any more."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, TypeVar

from otel_modeldata_reader import ReaderError, StoreUnavailableError
from otel_modeldata_receiver.daemon_executor import DaemonExecutor

from ..interruption import Interruption, of_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from .settings import WebSettings

__all__ = ["GoneError", "Runs", "TooBusyError"]

T = TypeVar("T")


class TooBusyError(StoreUnavailableError):
    """An answer took too long, or too many requests wait."""


class GoneError(ReaderError):
    """The browser has gone, so there is no one to answer."""


class Runs:
    """The threads of a server, and the requests that they work on."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        # A statement ends when it is interrupted, but a store that does not answer must not keep the process alive.
        self._pool = DaemonExecutor(settings.queries, "studio")
        self._running: set[Interruption] = set()

    async def make(self, request: Request, function: Callable[[], T]) -> T:
        """What `function` returns, called in a thread.

        Raises:
            TooBusyError: it takes too long, or too many wait.
            GoneError: the browser has gone meanwhile.
            Exception: what the function raises.
        """
        if len(self._running) >= self._settings.queries + self._settings.waiting:
            raise TooBusyError("expected fewer questions at a time, got too many: wait for the answers, then ask again")
        interruption = Interruption()
        self._running.add(interruption)

        def work() -> T:
            with of_request(interruption):
                interruption.check()
                return function()

        loop = asyncio.get_running_loop()
        made = loop.run_in_executor(self._pool, contextvars.copy_context().run, work)
        made.add_done_callback(lambda _: self._running.discard(interruption))
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            both: set[asyncio.Future[Any]] = {made, gone}
            await asyncio.wait(both, timeout=self._settings.seconds, return_when=asyncio.FIRST_COMPLETED)
            if made.done():
                return made.result()
        finally:
            gone.cancel()
            if not made.done():
                interruption.end()
                made.add_done_callback(_forgotten)
        if gone.done() and not gone.cancelled():
            raise GoneError("expected a browser that waits for the answer, got none: open the page again")
        raise TooBusyError(
            f"expected an answer within {self._settings.seconds:g} s, got none: choose a shorter window, or fewer "
            "columns"
        )

    def close(self) -> None:
        """End what runs; a second call does nothing."""
        for interruption in list(self._running):
            interruption.end()
        self._pool.shutdown(wait=False)


async def _disconnected(request: Request) -> None:
    """Return when the browser has gone; a request has no body that would come before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _forgotten(made: asyncio.Future[T]) -> None:
    """Look at what an ended function raised, so that asyncio does not log it."""
    if not made.cancelled():
        made.exception()
