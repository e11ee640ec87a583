"""What carries requests away, and how it answers: the contract between delivery and whatever is behind it.

Beside gRPC to an endpoint (`_delivery/grpc_transport.py`) a package may offer another transport as an entry point of
the group `otel_modeldata_transport`; the receiver does so for `OTEL_MODELDATA_STORE` (`_delivery/open_transport.py`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

TOO_LARGE = "larger than max"
"""Of "Received message larger than max (10827113 vs. 4194304)", the one permanent meaning of RESOURCE_EXHAUSTED."""


class Delivered(NamedTuple):
    """The endpoint answered for every record; `rejected` of them it will never take (OTLP: partial success)."""

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
        """Whether the request was larger than the server takes: every gRPC says so in these words, with both sizes."""
        return TOO_LARGE in self.details


Answer = Delivered | Retry | Refused


class Transport(Protocol):
    """What carries requests away: gRPC, a store, or a list in a user's test."""

    def send(self, request: bytes) -> Answer:
        """Try once; blocks until answered."""

    def close(self) -> None:
        """Release it; a try under way ends at once."""
