"""What every HTTP route needs: a body read within its bounds, and the status that an error becomes.

A body is read when the service asks for it and no sooner: until then the socket's flow control holds it back. Nothing
is unpacked here; `ingest/compression.py` does that, within its own limit.

| error | status | why |
|---|---|---|
| `UndecodableError` | 400 | kept in quarantine already, the same request would fail again |
| `ForbiddenError` | 403 | the certificate does not cover it, nothing is kept |
| `TooLargeError` | 413 | the same request can never be taken |
| `UnsupportedError` | 415 | of another type or packed in another way |
| `OverloadedError` | 429, Retry-After | OTLP/HTTP "Throttling" |
| anything else | 503, Retry-After | the store's fault, the network's or ours: the sender keeps its data |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError
from google.rpc.code_pb2 import INVALID_ARGUMENT

from ..exceptions import (
    ForbiddenError,
    NoRequestError,
    OverloadedError,
    TooLargeError,
    UndecodableError,
    UnsupportedError,
)
from . import grpc_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config.authorization import Client, Clients

__all__ = ["HttpRefusal", "client_of", "is_packed", "media_type", "read_body", "refusal_of", "refused"]

_STATUSES: Final[Mapping[type[Exception], int]] = {
    UndecodableError: 400,
    ForbiddenError: 403,
    TooLargeError: 413,
    UnsupportedError: 415,
    OverloadedError: 429,
}
_COME_BACK: Final = 503
_PACKINGS: Final = {"": False, "identity": False, "gzip": True, "x-gzip": True, "deflate": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRefusal:
    """How a request is answered that failed.

    Attributes:
        status: the HTTP status.
        code: the gRPC status code that says the same, for a `google.rpc.Status`.
        message: one sentence for the sender's log.
    """

    status: int
    code: int
    message: str

    @property
    def headers(self) -> dict[str, str]:
        """Retry-After where the sender should come back."""
        return {"Retry-After": str(grpc_status.RETRY_SECONDS)} if self.status in {429, _COME_BACK} else {}


def refusal_of(error: Exception) -> HttpRefusal:
    """The answer to a request that failed with `error`: see the table above."""
    http_status = next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), _COME_BACK)
    if isinstance(error, UnsupportedError):
        return HttpRefusal(
            status=http_status, code=INVALID_ARGUMENT, message=str(error)[: grpc_status.MAX_MESSAGE_CHARS]
        )
    refusal = grpc_status.refusal_of(error)
    return HttpRefusal(status=http_status, code=refusal.code.value[0], message=refusal.message)


def refused(refusal: HttpRefusal) -> web.Response:
    """`refusal` as a sentence in plain text."""
    return web.Response(status=refusal.status, text=refusal.message + "\n", headers=refusal.headers)


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The body of `request` as it was sent.

    Raises:
        UnsupportedError: it is packed in a way that nothing here unpacks.
        TooLargeError: it has, or says that it has, more than `limit` bytes; no more than that is ever read.
        NoRequestError: the sender went away, or broke off the framing.
    """
    if _encoding(request) not in _PACKINGS:
        raise UnsupportedError(
            "expected a body packed with gzip or deflate, or not at all, "
            f"got Content-Encoding {_encoding(request)[:80]!r}; correct the sender"
        )
    if (request.content_length or 0) > limit:
        raise _too_large(limit, f"one of {request.content_length}")
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # which counts the answer itself
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


def client_of(request: web.BaseRequest, clients: Clients | None) -> Client | None:
    """Who sends `request`, where that decides what may be sent; None may send everything.

    Raises:
        NoRequestError: the sender went away, and nobody can say who it was.
    """
    if clients is None:
        return None
    certificate = request.get_extra_info("peercert")
    if certificate is None:
        raise NoRequestError("expected a client with a certificate, got a closed connection; send again")
    return clients.of_certificate(certificate)


def is_packed(request: web.BaseRequest) -> bool:
    """Whether the body is gzip or zlib data, as its header says; what else it may say is found by `read_body`."""
    return _PACKINGS.get(_encoding(request), False)


def media_type(request: web.BaseRequest) -> str:
    """The media type of the body in lower case, without parameters; empty where none is said."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _encoding(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Encoding", "").strip().lower()


def _too_large(limit: int, found: str) -> TooLargeError:
    return TooLargeError(f"expected a body of at most {limit} bytes, got {found}; send less at a time")
