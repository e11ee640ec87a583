"""Makes answers in threads: a few at a time, each within a time, and none that is not wanted any more."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from otel_modeldata_reader import ReaderError, StoreUnavailableError
from otel_modeldata_receiver.daemon_executor import DaemonExecutor

from ..interruption import Interruption, of_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from .settings import WebSettings

__all__ = ["GoneError", "Runs", "TooBusyError"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class TooBusyError(StoreUnavailableError):
    """An answer took too long, or too many requests wait."""


class GoneError(ReaderError):
    """The browser or the server has gone, so there is no one to answer."""


class Runs:
    """The threads of a server, and the requests that they work on; used by the thread of its event loop only.

    A statement ends when it is interrupted. A thread that waits for the operating system does not, such as for a file
    of a network drive that has gone. It is given up after a while, and another thread takes its place: the questions
    that do not need that file are answered.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._idle = [_new_thread() for _ in range(settings.queries)]
        self._waiting: deque[_Question] = deque()
        self._running: dict[_Question, DaemonExecutor] = {}
        self._lost: set[_Question] = set()
        self._is_closed = False

    async def make(self, request: Request, function: Callable[[], T]) -> T:
        """What `function` returns, called in a thread.

        Raises:
            TooBusyError: it takes too long, too many wait, or too many threads were given up.
            GoneError: the browser has gone meanwhile, or the server ends.
            Exception: what the function raises.
        """
        self._check()
        question = _Question(function)
        self._waiting.append(question)
        self._begin()
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            both: set[asyncio.Future[Any]] = {question.answer, gone}
            await asyncio.wait(both, timeout=self._settings.seconds, return_when=asyncio.FIRST_COMPLETED)
            if question.answer.done():
                return cast("T", question.answer.result())
        finally:
            gone.cancel()
            if not question.answer.done():
                self._end(question)
        if gone.done() and not gone.cancelled():
            raise GoneError("expected a browser that waits for the answer, got none: open the page again")
        raise TooBusyError(
            f"expected an answer within {self._settings.seconds:g} s, got none: choose a shorter window, or fewer "
            "columns"
        )

    def close(self) -> None:
        """End what runs; a second call does nothing."""
        self._is_closed = True
        for question in [*self._running, *self._waiting]:
            question.interruption.end()
            if not question.answer.done():  # its request ends now: the server waits for it
                question.answer.set_exception(_closed())
        self._waiting.clear()
        for thread in [*self._idle, *self._running.values()]:
            thread.shutdown(wait=False)
        self._idle.clear()

    def _check(self) -> None:
        if self._is_closed:
            raise _closed()
        if len(self._running) + len(self._waiting) >= self._settings.queries + self._settings.waiting:
            raise TooBusyError("expected fewer questions at a time, got too many: wait for the answers, then ask again")
        if len(self._lost) >= self._settings.lost:
            raise TooBusyError(
                f"expected a store that can be read, got {len(self._lost)} questions that wait for it since long: look "
                "at its disk or network, then ask again, or start Studio again"
            )

    def _begin(self) -> None:
        """Begin the questions that wait, in their order, while a thread is idle."""
        while self._idle and self._waiting:
            question, thread = self._waiting.popleft(), self._idle.pop()
            self._running[question] = thread
            thread.call(question.work).add_done_callback(partial(self._ended, question))

    def _end(self, question: _Question) -> None:
        """End the work on a question: nothing waits for its answer any more."""
        question.interruption.end()
        if question in self._running:
            asyncio.get_running_loop().call_later(self._settings.lost_seconds, self._give_up, question)
        elif question in self._waiting:
            self._waiting.remove(question)

    def _give_up(self, question: _Question) -> None:
        """Let another thread take the place of one that still works on a question."""
        thread = self._running.pop(question, None)
        if thread is None or self._is_closed:
            return
        logger.warning("a question still waits for the store after its time; another thread takes its place")
        thread.shutdown(wait=False)  # it ends after this question
        self._lost.add(question)
        self._idle.append(_new_thread())
        self._begin()

    def _ended(self, question: _Question, made: asyncio.Future[Any]) -> None:
        """Give the answer of a thread, which is idle now."""
        self._lost.discard(question)
        thread = self._running.pop(question, None)
        if thread is not None and not self._is_closed:
            self._idle.append(thread)
            self._begin()
        error = made.exception()  # looked at in any case, so that asyncio does not log it
        if not question.answer.done():
            if error is None:
                question.answer.set_result(made.result())
            else:
                question.answer.set_exception(error)


class _Question:
    """A function that is called in a thread, and the future of its answer."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.interruption = Interruption()
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.answer.add_done_callback(_looked_at)
        self._function = function
        self._context = contextvars.copy_context()

    def work(self) -> object:
        """What the thread runs."""
        return self._context.run(self._made)

    def _made(self) -> object:
        with of_request(self.interruption):
            self.interruption.check()
            return self._function()


def _new_thread() -> DaemonExecutor:
    # A store that does not answer must not keep the process alive.
    return DaemonExecutor(1, "studio")


def _closed() -> GoneError:
    return GoneError("expected a Studio that runs, got one that ends: start it again")


async def _disconnected(request: Request) -> None:
    """Return when the browser has gone; a request has no body that would come before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _looked_at(answer: asyncio.Future[Any]) -> None:
    """Look at the error of an answer that is not wanted any more, so that asyncio does not log it."""
    if not answer.cancelled():
        answer.exception()
