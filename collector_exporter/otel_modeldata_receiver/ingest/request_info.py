"""The properties of a request that a listener passes on with its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from ..config.authorization import Client
    from ..mapping.signal import Signal

__all__ = ["RequestInfo", "Transport"]

Transport: TypeAlias = Literal["grpc", "http", "in_process"]
"""The attribute `transport` of the metrics; `grpc` and `http` are the OpenTelemetry Collector's own values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """How a request arrived, what it carries, and who sent it.

    Attributes:
        signal: whether it carries log records or spans.
        transport: how it arrived, for the metrics.
        compressed: whether the body is gzip or zlib data; None: its first bytes decide.
        client: the sender, unless it may send for every deployment.
    """

    signal: Signal
    transport: Transport
    compressed: bool | None = None
    client: Client | None = None
