"""The interface of a transport, which sends requests for the delivery thread: `Transport`, and its answers.

`_delivery/grpc_transport.py` sends to an endpoint over gRPC. A package may offer another transport as an entry point in
the group `otel_modeldata_transport`, as the receiver does for `OTEL_MODELDATA_STORE` (`_delivery/open_transport.py`).
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import NamedTuple, Protocol

from . import _forking

__all__ = [
    "Answer",
    "ConcurrentTransport",
    "Delivered",
    "ForkAwareTransport",
    "OpenTransports",
    "Refused",
    "Retry",
    "Transport",
    "most_at_once",
]

TOO_LARGE = "larger than max"
"""Part of "Received message larger than max (10827113 vs. 4194304)", the only permanent kind of RESOURCE_EXHAUSTED."""


class Delivered(NamedTuple):
    """The endpoint processed every record; it rejected `rejected` of them permanently (OTLP: partial success)."""

    rejected: int = 0
    message: str = ""


class Retry(NamedTuple):
    """The same request may succeed later; `delay` in seconds when the endpoint named one (RetryInfo).

    `is_about_credentials` if credentials are probably the reason: `on_error` is then called, because a person may have
    to act.
    """

    code: str
    details: str
    delay: float | None = None
    is_about_credentials: bool = False


class Refused(NamedTuple):
    """The same request will be refused again; smaller parts of it may be accepted."""

    code: str
    details: str

    def is_about_size(self) -> bool:
        """Whether the request was larger than the server accepts: every gRPC server uses the text of `TOO_LARGE`."""
        return TOO_LARGE in self.details


Answer = Delivered | Retry | Refused


class Transport(Protocol):
    """Sends requests: gRPC, a store, or a list in a user's test."""

    def send(self, request: bytes) -> Answer:
        """Try once; blocks until answered."""

    def close(self) -> None:
        """Release the transport; cancels a call in progress.

        The call then answers `Retry` with the code CANCELLED; with another one if it knows why it was not done yet.
        """


class ConcurrentTransport(Transport, Protocol):
    """A transport whose `send` several threads may call at the same time."""

    @property
    def most_at_once(self) -> int:
        """How many; asked again for each batch."""


class ForkAwareTransport(Transport, Protocol):
    """A transport with locks or threads that a fork must wait for."""

    def hold_for_fork(self) -> None:
        """Wait until no request is in progress, and block new ones."""

    def go_on_after_fork(self) -> None:
        """Allow requests in the parent again; called a second time if a signal handler raised in the first one."""


def most_at_once(transport: Transport) -> int:
    """How many threads may call `send` at the same time: 1 unless the transport says more."""
    most: int = getattr(transport, "most_at_once", 1)
    return most


class OpenTransports:
    """The open transports of one module: a fork waits for them, and its child has none.

    Make one at module level; its hooks are registered then, in the order that `_forking.py` describes.
    """

    def __init__(self) -> None:
        self._open: weakref.WeakSet[ForkAwareTransport] = weakref.WeakSet()
        self._held: dict[int, list[ForkAwareTransport]] = {}
        """By the thread that forks; one of them may be closed meanwhile."""
        _forking.on_fork(before=self._hold, after_in_parent=self._go_on, after_in_child=self._forget)
        _forking.on_fork(after_in_parent=self._go_on)

    def add(self, transport: ForkAwareTransport) -> None:
        """Register an open transport."""
        self._open.add(transport)

    def discard(self, transport: ForkAwareTransport) -> None:
        """Unregister a closed transport."""
        self._open.discard(transport)

    def _hold(self) -> None:
        held = self._held[threading.get_ident()] = list(self._open)
        for transport in held:
            transport.hold_for_fork()

    def _go_on(self) -> None:
        thread = threading.get_ident()
        with contextlib.ExitStack() as every_one:
            for transport in self._held.get(thread, ()):
                every_one.callback(transport.go_on_after_fork)
        self._held.pop(thread, None)  # not before: the second call does what a signal handler prevented

    def _forget(self) -> None:
        self._open.clear()
        self._held.clear()
