"""Ends the work for a request whose browser has gone, or that takes too long."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "InterruptedRequest",
    "Interruptible",
    "Interruption",
    "are_answered",
    "current",
    "holding",
    "leave_to_questions",
    "of_request",
]


class InterruptedRequest(Exception):  # noqa: N818 (it is no error: what it ends is not wanted any more)
    """Raised by `Interruption.check` when the request has been ended."""


class Interruptible(Protocol):
    """A connection to DuckDB."""

    def interrupt(self) -> None:
        """Let the statement that runs end with an error."""


class Interruption:
    """Whether the work for one request is still wanted. Every method may be called by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: list[Interruptible] = []
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the work is not wanted any more."""
        return self._ended

    def end(self) -> None:
        """Interrupt the statements that run, and let `check` raise from now on."""
        with self._lock:
            self._ended = True
            for connection in self._connections:
                connection.interrupt()

    def check(self) -> None:
        """Raise if the work is not wanted any more; loops in Python call this.

        Raises:
            InterruptedRequest: the request has been ended.
        """
        if self._ended:
            raise InterruptedRequest

    @contextmanager
    def interrupting(self, connection: Interruptible) -> Iterator[None]:
        """Let `end` interrupt what runs on a connection meanwhile.

        Raises:
            InterruptedRequest: the request has been ended already.
        """
        with self._lock:
            self.check()
            self._connections.append(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connections.remove(connection)


_LOOK_SECONDS: Final = 0.2
"""How often a thread that waits for another one looks whether its request has been ended."""
_QUESTION_SECONDS: Final = 0.05
"""How often work in the background looks whether questions have been answered."""
_NEVER: Final = Interruption()
_current: ContextVar[Interruption] = ContextVar("interruption", default=_NEVER)
_questions: Final[set[Interruption]] = set()
"""Those of the requests that are being answered."""


def current() -> Interruption:
    """That of the request for which this code runs; outside of a request one that never ends."""
    return _current.get()


@contextmanager
def of_request(interruption: Interruption, *, is_question: bool = True) -> Iterator[None]:
    """Make an interruption the current one, in this context.

    Args:
        interruption: ends the work.
        is_question: whether somebody waits for the answer; else it is work in the background.
    """
    token = _current.set(interruption)
    if is_question:
        _questions.add(interruption)
    try:
        yield
    finally:
        _questions.discard(interruption)
        _current.reset(token)


def are_answered() -> bool:
    """Whether questions are being answered now, for which work in the background waits."""
    return any(not one.ended for one in tuple(_questions))


def leave_to_questions(is_over: Callable[[float], bool], longest: float) -> None:
    """Leave the processors to the questions that are being answered, until there are none.

    Args:
        is_over: waits so many seconds, and returns whether the work in the background ends.
        longest: so many seconds at most: there may always be a question.
    """
    end = time.monotonic() + longest
    while are_answered() and time.monotonic() < end and not is_over(_QUESTION_SECONDS):
        pass


@contextmanager
def holding(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock that another thread may hold while it reads the store, which may hang.

    Only the thread that reads is lost then: those that wait for it end with their requests.

    Raises:
        InterruptedRequest: the request has been ended meanwhile.
    """
    while not lock.acquire(timeout=_LOOK_SECONDS):
        current().check()
    try:
        yield
    finally:
        lock.release()
