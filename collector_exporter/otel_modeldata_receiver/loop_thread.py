"""An event loop on a thread of its own, for code without one.

The thread starts with the loop, and so do those of its default executor: none is needed for the first time while the
interpreter ends (`daemon_executor.py`). If no thread can be started any more, each coroutine runs in the thread of its
caller, from its begin to its end.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

from .daemon_executor import DaemonExecutor, result_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["LoopThread"]

_T = TypeVar("_T")

_LOOP_THREADS: Final = 2
"""For name resolution and long computations, the only work that coroutines pass to the loop's own threads."""


class LoopThread:
    """An event loop that runs until `close`.

    Args:
        name: of its threads.
    """

    def __init__(self, name: str) -> None:
        self._thread = DaemonExecutor(1, name)
        # On the thread that runs it: gevent's selectors belong to a thread.
        self._loop = result_of(self._thread.submit(asyncio.new_event_loop))
        self._loop.set_default_executor(DaemonExecutor(_LOOP_THREADS, f"{name}-loop"))
        if not self._thread.is_in_place:
            self._thread.submit(self._loop.run_forever)

    def begin(self, work: Coroutine[object, object, _T]) -> concurrent.futures.Future[_T]:
        """Begin a coroutine."""
        if not self._thread.is_in_place:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        if self._loop.is_running():  # a signal handler interrupted it
            work.close()
            nothing: concurrent.futures.Future[_T] = concurrent.futures.Future()
            nothing.cancel()
            return nothing
        return self._thread.submit(self._run_in_place, work)

    def _run_in_place(self, work: Coroutine[object, object, _T]) -> _T:
        """Run a coroutine here, also in one of another loop, as where an exit handler calls `asyncio.run`."""
        other = asyncio._get_running_loop()  # noqa: SLF001 - "only for event loop implementers"
        asyncio._set_running_loop(None)  # noqa: SLF001
        try:
            return self._loop.run_until_complete(work)
        finally:
            asyncio._set_running_loop(other)  # noqa: SLF001

    def run(self, work: Coroutine[object, object, _T], timeout: float | None = None) -> _T:
        """The result of a coroutine, which is cancelled if there is none in time.

        Raises:
            TimeoutError: that of `concurrent.futures` or of `asyncio` before Python 3.11.
            concurrent.futures.CancelledError: a signal handler calls this, and the loop runs in its thread.
        """
        if timeout is not None and self._thread.is_in_place and not self._loop.is_running():
            work = asyncio.wait_for(work, timeout)
        future = self.begin(work)
        try:
            return result_of(future, timeout)
        finally:
            future.cancel()

    def close(self, timeout: float) -> None:
        """End the loop, and wait so long for its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread.is_in_place and self._loop.is_running():  # a signal handler interrupted it
            return
        closed = self._thread.submit(self._loop.close)
        self._thread.shutdown(wait=False)
        with contextlib.suppress(concurrent.futures.TimeoutError):
            result_of(closed, timeout)
