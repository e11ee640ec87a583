"""One try: an encoded request goes to the endpoint, and what came back is read as the OTLP specification says.

Whether and when to try again is decided in `_delivery.py`; here a gRPC status only becomes an `Answer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._endpoint import Endpoint

TOO_LARGE = "larger than max"
"""Of "Received message larger than max (10827113 vs. 4194304)", the one permanent meaning of RESOURCE_EXHAUSTED."""

EXPORT_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


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

_RETRYABLE = frozenset(
    {
        # OTLP 1.x, "Failures", table of retryable gRPC codes
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        # Not in the table, but an operator's slip that heals: an expired token, a server that is being replaced.
        # Dropping here would empty the queue into nothing.
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


class Transport(Protocol):
    """What carries requests away: gRPC, or a list in a user's test."""

    def send(self, request: bytes) -> Answer:
        """Try once; blocks until answered."""

    def close(self) -> None:
        """Release it; a try under way ends at once."""


class GrpcTransport:
    """OTLP/gRPC over one channel.

    The channel is opened by the thread that collects first, not by the delivery thread: gRPC imports some of itself
    only then, and a process that forks in the middle of an import leaves its child with half a module.

    Raises:
        ConfigError: a certificate file cannot be read.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._channel = endpoint.open_channel()
        self._export = self._channel.unary_unary(EXPORT_METHOD)

    def send(self, request: bytes) -> Answer:
        """Try once, for at most the endpoint's timeout."""
        try:
            response = self._export(request, timeout=self._endpoint.timeout, metadata=self._endpoint.headers)
        except ValueError:  # gRPC's way to say that the channel was closed, between two tries
            return Retry("CANCELLED", "the channel is closed")
        except grpc.RpcError as error:
            return answer_of(error.code(), error.details() or "", error.trailing_metadata() or ())
        partial = ExportLogsServiceResponse.FromString(response).partial_success
        return Delivered(partial.rejected_log_records, partial.error_message)

    def close(self) -> None:
        """Close the channel, which cancels a try under way."""
        self._channel.close()


def answer_of(code: grpc.StatusCode, details: str, metadata: Iterable[tuple[str, str | bytes]]) -> Answer:
    """Read a failed call as OTLP says: "Failures" and "OTLP/gRPC Throttling"."""
    delay = retry_delay(metadata)
    if code in _RETRYABLE:
        return Retry(code.name, details, delay)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and TOO_LARGE not in details:
        # OTLP allows a retry only with RetryInfo, but overloaded servers often send the bare code. A message that is
        # too large is another matter: smaller requests can mend that.
        return Retry(code.name, details, delay)
    return Refused(code.name, details)


def retry_delay(metadata: Iterable[tuple[str, str | bytes]]) -> float | None:
    """Seconds of the RetryInfo in trailing metadata: in the form OTLP names, or the one opentelemetry-python reads."""
    info = RetryInfo()
    for key, value in metadata:
        raw = value if isinstance(value, bytes) else value.encode()
        if key == "grpc-status-details-bin":
            found = any(detail.Unpack(info) for detail in Status.FromString(raw).details)
        elif found := key == "google.rpc.retryinfo-bin":
            info = RetryInfo.FromString(raw)
        if found:
            return float(info.retry_delay.seconds) + float(info.retry_delay.nanos) / 1e9
    return None
