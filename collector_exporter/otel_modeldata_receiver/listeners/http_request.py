"""Shared parts of the HTTP routes: reading a body within bounds, and the status for an error.

A body is read only when the pipeline asks for it: until then the socket's flow control holds it back. It is
returned as it was sent; `ingest/compression.py` decompresses it.

| error | status | why |
|---|---|---|
| `UndecodableError` | 400 | in quarantine already, the same request would fail again |
| `ForbiddenError` | 403 | the certificate does not cover it, nothing is kept |
| `TooLargeError` | 413 | the same request can never be accepted |
| `UnsupportedError` | 415 | of another type or compressed in another way |
| `OverloadedError` | 429, Retry-After | OTLP/HTTP "Throttling" |
| anything else | 503, Retry-After | caused by the store, the network or the receiver: the sender keeps its data |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError
from google.rpc.code_pb2 import INVALID_ARGUMENT
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from ..exceptions import (
    ForbiddenError,
    NoRequestError,
    OverloadedError,
    TooLargeError,
    UndecodableError,
    UnsupportedError,
)
from ..ingest.request_info import RequestInfo
from . import grpc_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config.authorization import Client, Clients
    from ..mapping.signal import Signal

__all__ = [
    "HttpRefusal",
    "media_type",
    "plain_answer",
    "plain_refusal",
    "read_body",
    "refusal_of",
    "request_info",
]

_STATUSES: Final[Mapping[type[Exception], int]] = {
    UndecodableError: 400,
    ForbiddenError: 403,
    TooLargeError: 413,
    UnsupportedError: 415,
    OverloadedError: 429,
}
_RETRY: Final = 503
_CONTENT_ENCODINGS: Final = {"": False, "identity": False, "gzip": True, "x-gzip": True, "deflate": True}
"""Whether a body with this Content-Encoding is compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRefusal:
    """The answer to a request that failed.

    Attributes:
        status: the HTTP status.
        code: the gRPC status code with the same meaning, for a `google.rpc.Status`.
        message: one sentence for the sender's log.
    """

    status: int
    code: int
    message: str

    @property
    def headers(self) -> dict[str, str]:
        """Retry-After where the sender should retry."""
        return {"Retry-After": str(grpc_status.RETRY_SECONDS)} if self.status in {429, _RETRY} else {}


def refusal_of(error: Exception) -> HttpRefusal:
    """The answer to a request that failed with `error`: see the table above."""
    http_status = next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), _RETRY)
    if isinstance(error, UnsupportedError):
        return HttpRefusal(
            status=http_status, code=INVALID_ARGUMENT, message=str(error)[: grpc_status.MAX_MESSAGE_CHARS]
        )
    refusal = grpc_status.refusal_of(error)
    return HttpRefusal(status=http_status, code=refusal.code.value[0], message=refusal.message)


def request_info(request: web.BaseRequest, signal: Signal, clients: Clients | None = None) -> RequestInfo:
    """The `RequestInfo` of `request`, from its headers and its connection.

    Args:
        request: the request, whose body is not read yet.
        signal: whether it carries log records or spans.
        clients: which certificates may send for which deployments; None: every client may send for all of them.

    Raises:
        NoRequestError: the sender went away, and its certificate is not known.
    """
    return RequestInfo(
        signal=signal,
        transport="http",
        compressed=_CONTENT_ENCODINGS.get(_encoding(request), False),  # `read_body` refuses other encodings
        client=None if clients is None else _client_of(request, clients),
    )


def plain_answer(answer: bytes) -> web.Response:
    """The encoded `answer` of the pipeline for senders that read no OTLP: 200, or 400 with the reason in plain text."""
    rejected = ExportLogsServiceResponse.FromString(answer).partial_success
    if rejected.rejected_log_records:
        return web.Response(status=400, text=rejected.error_message + "\n")
    return web.Response()


def plain_refusal(refusal: HttpRefusal) -> web.Response:
    """`refusal` as a sentence in plain text."""
    return web.Response(status=refusal.status, text=refusal.message + "\n", headers=refusal.headers)


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The body of `request` as it was sent.

    Raises:
        UnsupportedError: its Content-Encoding is not supported.
        TooLargeError: it has, or its Content-Length states, more than `limit` bytes; no more than that is ever read.
        NoRequestError: the sender went away, or the framing is broken.
    """
    if _encoding(request) not in _CONTENT_ENCODINGS:
        raise UnsupportedError(
            "expected a body compressed with gzip or deflate, or not at all, "
            f"got Content-Encoding {_encoding(request)[:80]!r}; correct the sender"
        )
    if (request.content_length or 0) > limit:
        raise _too_large(limit, f"one of {request.content_length}")
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise _too_large(limit, "more")
    except (web.RequestPayloadError, PayloadEncodingError, ConnectionError):
        raise NoRequestError("expected a whole HTTP body, got a part of it: its sender went away; send again") from None
    return b"".join(parts)


def media_type(request: web.BaseRequest) -> str:
    """The media type of the body in lower case, without parameters; empty where the request has none."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _client_of(request: web.BaseRequest, clients: Clients) -> Client | None:
    """The sender; None if it may send for every deployment."""
    certificate = request.get_extra_info("peercert")
    if certificate is None:
        raise NoRequestError("expected a client with a certificate, got a closed connection; send again")
    return clients.of_certificate(certificate)


def _encoding(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Encoding", "").strip().lower()


def _too_large(limit: int, actual: str) -> TooLargeError:
    return TooLargeError(f"expected a body of at most {limit} bytes, got {actual}; send less at a time")
