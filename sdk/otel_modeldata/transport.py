"""The contract between delivery and what sends requests: `Transport`, and its answers.

Beside gRPC to an endpoint (`_delivery/grpc_transport.py`) a package may offer another transport as an entry point of
the group `otel_modeldata_transport`; the receiver does so for `OTEL_MODELDATA_STORE` (`_delivery/open_transport.py`).
"""

from __future__ import annotations

import weakref
from typing import NamedTuple, Protocol

from . import _forking

__all__ = ["Answer", "Delivered", "ForkAwareTransport", "OpenTransports", "Refused", "Retry", "Transport"]

TOO_LARGE = "larger than max"
"""Of "Received message larger than max (10827113 vs. 4194304)", the one permanent meaning of RESOURCE_EXHAUSTED."""


class Delivered(NamedTuple):
    """The endpoint processed every record; it rejected `rejected` of them permanently (OTLP: partial success)."""

    rejected: int = 0
    message: str = ""


class Retry(NamedTuple):
    """The same request may succeed later; `delay` in seconds when the endpoint named one (RetryInfo)."""

    code: str
    details: str
    delay: float | None = None


class Refused(NamedTuple):
    """The same request will be refused again; a part of it may not be."""

    code: str
    details: str

    def is_about_size(self) -> bool:
        """Whether the request was larger than the server accepts: every gRPC server uses the words of `TOO_LARGE`."""
        return TOO_LARGE in self.details


Answer = Delivered | Retry | Refused


class Transport(Protocol):
    """Sends requests: gRPC, a store, or a list in a user's test."""

    def send(self, request: bytes) -> Answer:
        """Try once; blocks until answered."""

    def close(self) -> None:
        """Release it; a try in progress ends at once."""


class ForkAwareTransport(Transport, Protocol):
    """A transport with locks or threads that a fork must wait for."""

    def hold_for_fork(self) -> None:
        """Return when no request is in progress, and let none begin."""

    def go_on_after_fork(self) -> None:
        """Let the parent's requests go on."""


class OpenTransports:
    """The open transports of one module: a fork waits for them, and its child has none.

    Make one at module level; its hooks are registered then, in the order that `_forking.py` describes.
    """

    def __init__(self) -> None:
        self._open: weakref.WeakSet[ForkAwareTransport] = weakref.WeakSet()
        _forking.on_fork(before=self._hold, after_in_parent=self._go_on, after_in_child=self._open.clear)

    def add(self, transport: ForkAwareTransport) -> None:
        """A transport was opened."""
        self._open.add(transport)

    def discard(self, transport: ForkAwareTransport) -> None:
        """A transport was closed."""
        self._open.discard(transport)

    def _hold(self) -> None:
        for transport in list(self._open):
            transport.hold_for_fork()

    def _go_on(self) -> None:
        for transport in list(self._open):
            transport.go_on_after_fork()
