"""The life of the receiver, in the order in which it happens: start, serve, stop accepting, drain, release."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from . import rolling, telemetry
from .certificates import server_credentials
from .exceptions import ListenError
from .health import PROBE_SECONDS, StoreHealth
from .http_listeners import HttpListeners
from .output import Output
from .service import LogsService
from .signals import LOGS, TRACE_SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import ReceiverConfig
    from .sink import Sink

logger = logging.getLogger(__name__)

_NO_BOUND: Final = 2**31 - 1
_CLOSE_SECONDS: Final = 1.0
"""What is left of calls after draining: answers on their way, and health watches that never end by themselves."""


class Server:
    """A receiver that listens; `start`, then `stop`, which is safe to call twice and before `start`.

    Args:
        config: validated settings.
        sink: where lines go; by default a sink on the configured store.
        probe_seconds: pause between two checks of a store that failed.

    Raises:
        ConfigError: the store's URL is wrong.
    """

    def __init__(
        self, config: ReceiverConfig, sink: Sink | None = None, *, probe_seconds: float = PROBE_SECONDS
    ) -> None:
        self._config = config
        instruments = telemetry.instruments()
        self._output = Output(config, sink=sink, instruments=instruments)
        self._sink = self._output.sink
        servicer = health.aio.HealthServicer()
        self._health = StoreHealth(servicer, ("", LOGS.service, TRACE_SERVICE), self._sink.check, probe_seconds)
        self._service = LogsService(
            self._sink,
            config,
            instruments=instruments,
            on_store_error=self._health.store_failed,
            destinations=self._output.destinations,
            on_stored=self._output.stored,
        )
        self._http = HttpListeners(self._service, config)
        self._health_servicer = servicer
        self._grpc: grpc.aio.Server | None = None
        self.port = 0

    @property
    def addresses(self) -> dict[str, str]:
        """`HOST:PORT` of every listener by the name of its setting."""
        return {"listen": f"{self._config.host}:{self.port}", **self._http.addresses}

    async def start(self) -> None:
        """Check the store, then listen; `port` is the one in use from now on.

        Raises:
            StoreCheckError: the store cannot be written.
            ListenError: the address cannot be listened on.
            ConfigError: the TLS files cannot be used.
        """
        if self._config.rolling_rate is not None:
            rolling.warn_unless_hour(self._config.rolling_rate)
        try:
            await self._sink.check()
            server = grpc.aio.server(options=_options(self._config))
            server.add_generic_rpc_handlers(_handlers(self._service))
            health_pb2_grpc.add_HealthServicer_to_server(self._health_servicer, server)
            self.port = _bind(server, self._config)
            await self._http.start()
            await server.start()
        except BaseException:  # only to release what was opened; it is raised again
            await self._http.stop(0)
            await self._output.close()
            raise
        self._grpc = server
        self._output.start()
        await self._health.start()

    async def stop(self) -> None:
        """Refuse new calls, make durable what was admitted, answer it, and release everything."""
        self._service.stop()
        await self._health.stop()
        try:
            async with asyncio.timeout(self._config.grace_seconds):
                await self._service.drain()
        except TimeoutError:
            logger.warning(
                "stopping with %d bytes unresolved after %s s: not acknowledged, their senders keep them",
                self._service.in_flight_bytes,
                self._config.grace_seconds,
            )
        await self._http.stop(_CLOSE_SECONDS)
        if self._grpc is not None:
            await self._grpc.stop(_CLOSE_SECONDS)
        await self._output.close()


async def run(config: ReceiverConfig, announce: Callable[[Server], None]) -> None:
    """Receive until SIGTERM or SIGINT, then stop gracefully.

    Args:
        config: validated settings.
        announce: told the server once calls are taken.

    Raises:
        ReceiverError: see `Server.start`.
    """
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C raises KeyboardInterrupt
            loop.add_signal_handler(signal_number, stop_requested.set)
    server = Server(config)
    await server.start()
    try:
        announce(server)
        await stop_requested.wait()
    finally:
        await server.stop()


def _options(config: ReceiverConfig) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        # Two receivers on one port would split the traffic between two owners of the same blobs.
        ("grpc.so_reuseport", 0),
        # A peer that connects and says nothing is cut off: HTTP/2's first frames must come in this time.
        ("grpc.server_handshake_timeout_ms", 10_000),
        # One without calls is sent away; a living one connects again when it has something to say.
        ("grpc.max_connection_idle_ms", 300_000),
        # gRPC refuses above these bounds (1000, 3000 by default) with a bare RESOURCE_EXHAUSTED, after which Collectors
        # drop data; calls are bounded per connection instead, and there the sender waits.
        ("grpc.server.max_pending_requests", _NO_BOUND),
        ("grpc.server.max_pending_requests_hard_limit", _NO_BOUND),
        ("grpc.max_concurrent_streams", 256),
        # Messages come as they were sent, see `compression.py`.
        ("grpc.per_message_decompression", 0),
        # A peer that vanished without a word is noticed after 80 s; gateways may ping as often as every 10 s.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.ping_timeout_ms", 20_000),
        # One that dribbles headers for ever answers no ping and is not silent either: every connection ends some time,
        # and living peers connect again, their calls finished first.
        ("grpc.max_connection_age_ms", 3_600_000),
        ("grpc.max_connection_age_grace_ms", 60_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]


def _handlers(service: LogsService) -> tuple[grpc.GenericRpcHandler, ...]:
    """The services of logs and of traces on encoded messages that they read themselves.

    Without a deserializer gRPC cannot fail before we see the bytes. And as a method that takes a stream, which on the
    wire differs in nothing from one that takes one message, it is called before that message is read.
    """
    exports = {LOGS.service: service.export, service.spans.service: service.export_spans}
    return tuple(
        grpc.method_handlers_generic_handler(name, {"Export": grpc.stream_unary_rpc_method_handler(export)})
        for name, export in exports.items()
    )


def _bind(server: grpc.aio.Server, config: ReceiverConfig) -> int:
    credentials = server_credentials(config.tls) if config.tls else None
    try:
        if credentials is None:
            port: int = server.add_insecure_port(config.listen)
        else:
            port = server.add_secure_port(config.listen, credentials)
    except RuntimeError:
        raise ListenError(
            f"expected a free address of this machine to listen on, got {config.listen!r}, which is in use, "
            "not of this machine, or not resolvable; choose another --listen"
        ) from None
    return port
