"""OTLP over gRPC: the methods of the services of logs and traces, the server's options, and its address."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import grpc

from otel_modeldata.log_throttle import LogThrottle

from ..exceptions import ListenError, ReceiverError
from ..ingest.request_info import RequestInfo
from ..mapping.signal import LOGS
from .grpc_status import refusal_of
from .tls import server_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import Pipeline
    from ..mapping.signal import Signal

__all__ = ["bind", "handlers", "options"]

logger = logging.getLogger(__name__)

_UNBOUNDED: Final = 2**31 - 1


def options(config: ReceiverConfig) -> list[tuple[str, int]]:
    """The options of the gRPC server."""
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        # Two receivers on one port would split the traffic between two owners of the same blobs.
        ("grpc.so_reuseport", 0),
        # A peer that connects and sends nothing is disconnected: HTTP/2's first frames must arrive in this time.
        ("grpc.server_handshake_timeout_ms", 10_000),
        # A connection without calls is closed; a client that needs it connects again.
        ("grpc.max_connection_idle_ms", 300_000),
        # gRPC refuses above these bounds (1000, 3000 by default) with a bare RESOURCE_EXHAUSTED, after which Collectors
        # drop data; calls are bounded per connection instead, and there the sender waits.
        ("grpc.server.max_pending_requests", _UNBOUNDED),
        ("grpc.server.max_pending_requests_hard_limit", _UNBOUNDED),
        ("grpc.max_concurrent_streams", 256),
        # Messages arrive as they were sent, see `ingest/compression.py`.
        ("grpc.per_message_decompression", 0),
        # A peer that vanished silently is noticed after 80 s; gateways may ping as often as every 10 s.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.ping_timeout_ms", 20_000),
        # A peer that sends headers endlessly seems alive although it answers no ping, so the age of a connection is
        # limited. Its calls are finished first, and a client that needs it connects again.
        ("grpc.max_connection_age_ms", 3_600_000),
        ("grpc.max_connection_age_grace_ms", 60_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]


def handlers(pipeline: Pipeline) -> tuple[grpc.GenericRpcHandler, ...]:
    """The services of logs and of traces; their methods read encoded messages themselves.

    Without a deserializer gRPC cannot fail before our code gets the bytes. A method that takes a stream, which on the
    wire is the same as one that takes a single message, is called before that message is read.
    """
    return tuple(
        grpc.method_handlers_generic_handler(
            signal.service, {"Export": grpc.stream_unary_rpc_method_handler(_export(pipeline, signal))}
        )
        for signal in (LOGS, pipeline.spans)
    )


def _export(pipeline: Pipeline, signal: Signal) -> Callable[..., Awaitable[bytes]]:
    """The method `Export` of the service of `signal`, on encoded messages."""
    log = LogThrottle(logger)
    unrestricted = RequestInfo(signal=signal, transport="grpc")

    async def export(
        requests: object,  # noqa: ARG001 (`context.read` reads them)
        context: grpc.aio.ServicerContext[bytes, bytes],
    ) -> bytes:
        clients = pipeline.clients
        try:
            info = (
                unrestricted
                if clients is None
                else replace(unrestricted, client=clients.of_call(context.auth_context()))
            )
            return await pipeline.receive(context.read, info)
        except Exception as error:  # error boundary: the sender always keeps its data
            if not isinstance(error, (ReceiverError, TimeoutError)):
                message = "internal error (a bug), requests are refused: %s"
                log.log(logging.WARNING, "bug", message, type(error).__name__, exc_info=error)
            refusal = refusal_of(error)
            await context.abort(refusal.code, refusal.message, refusal.trailers)
            raise  # not reached: abort raises

    return export


def bind(server: grpc.aio.Server, config: ReceiverConfig) -> int:
    """Listen on the configured address and return the port in use.

    Raises:
        ListenError: the address cannot be listened on.
        ConfigError: the TLS files cannot be used.
    """
    credentials = server_credentials(config.tls) if config.tls else None
    try:
        if credentials is None:
            port: int = server.add_insecure_port(config.listen)
        else:
            port = server.add_secure_port(config.listen, credentials)
    except RuntimeError:
        raise ListenError(
            f"expected a free address of this machine to listen on, got {config.listen!r}, which is in use, "
            "not of this machine, or not resolvable; choose another --listen (is a gateway on 4317? then use "
            "127.0.0.1:4327, where it sends)"
        ) from None
    return port
