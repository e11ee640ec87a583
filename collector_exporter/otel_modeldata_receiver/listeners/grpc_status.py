"""The gRPC status for an error: the only place that decides whether a sender retries or drops its data.

OTLP "Failures": retryable are CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS, and
RESOURCE_EXHAUSTED *only* with RetryInfo. Everything else, INTERNAL included, makes an OpenTelemetry Collector
drop the batch: no internal error may ever be answered with one of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc

from ..exceptions import ForbiddenError, OverloadedError, ReceiverError, TooLargeError, UndecodableError
from ..otlp_messages import RetryInfo, RpcStatus

RETRY_SECONDS: Final = 1
"""Short, because OTel's Python SDK gives up at once if the delay exceeds the rest of its deadline."""

MAX_MESSAGE_CHARS: Final = 1000
"""Trailers share 8 KiB by default (gRPC `max_metadata_size`), and the message is in two of them."""


_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The answer to a call that failed.

    Attributes:
        code: the gRPC status code.
        message: one sentence for the sender's log.
        trailers: RetryInfo when the sender should retry.
    """

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, bytes], ...] = ()


def refusal_of(error: Exception) -> Refusal:
    """The answer to a call that failed with `error`.

    | error | status | OTLP |
    |---|---|---|
    | `UndecodableError` | INVALID_ARGUMENT | "the client MUST NOT retry": in quarantine already |
    | `TooLargeError` | INVALID_ARGUMENT | the same request can never be accepted |
    | `ForbiddenError` | PERMISSION_DENIED | the operator must fix it: OTLP's senders drop data, this SDK keeps it |
    | `OverloadedError` | RESOURCE_EXHAUSTED + RetryInfo | "OTLP/gRPC Throttling" |
    | `SlowSenderError`, `NoRequestError` | UNAVAILABLE + RetryInfo | maybe a problem of the network: retry |
    | `StoreError`, `ShuttingDownError`, deadline | UNAVAILABLE + RetryInfo | nothing was acknowledged: retry |
    | anything else, `InternalError` | UNAVAILABLE + RetryInfo | a bug, so the sender keeps its data |
    """
    if isinstance(error, (UndecodableError, TooLargeError)):
        return Refusal(code=grpc.StatusCode.INVALID_ARGUMENT, message=str(error)[:MAX_MESSAGE_CHARS])
    if isinstance(error, ForbiddenError):
        return Refusal(code=grpc.StatusCode.PERMISSION_DENIED, message=str(error)[:MAX_MESSAGE_CHARS])
    code = grpc.StatusCode.RESOURCE_EXHAUSTED if isinstance(error, OverloadedError) else grpc.StatusCode.UNAVAILABLE
    message = _message(error)[:MAX_MESSAGE_CHARS]
    return Refusal(code=code, message=message, trailers=_retry_trailers(code, message))


def _message(error: Exception) -> str:
    if isinstance(error, ReceiverError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the store did not confirm in time; what is stored will be recognized when it is sent again"
    return f"unexpected {type(error).__name__} in the receiver, see its log; send again"


def _retry_trailers(code: grpc.StatusCode, message: str) -> tuple[tuple[str, bytes], ...]:
    """RetryInfo in both forms: OTLP's (read by the Collector) and the bare one (read by OTel's Python SDK)."""
    retry = RetryInfo(retry_delay={"seconds": RETRY_SECONDS})
    status = RpcStatus(code=code.value[0], message=message)
    status.details.add(type_url=_RETRY_INFO, value=retry.SerializeToString())
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("google.rpc.retryinfo-bin", retry.SerializeToString()),
    )
