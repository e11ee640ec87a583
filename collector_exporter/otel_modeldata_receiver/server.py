"""The life cycle of the receiver: start, serve, stop accepting, drain, release."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from . import telemetry
from .deployments.outputs import Output
from .ingest.pipeline import Pipeline
from .layout import partition
from .listeners import otlp_grpc
from .listeners.health import PROBE_SECONDS, StoreHealth
from .listeners.http_listeners import http_listeners
from .mapping.signal import LOGS, TRACE_SERVICE
from .time_limit import timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .config.receiver import ReceiverConfig
    from .storage.sink import Sink

logger = logging.getLogger(__name__)

_SWITCH_SECONDS: Final = 0.001
_CLOSE_SECONDS: Final = 1.0
"""For calls that remain after draining: answers that are being sent, and health watches, which never end."""


class Server:
    """A receiver that listens; `start`, then `stop`, which is safe to call twice and before `start`.

    Args:
        config: validated settings.
        sink: where lines are stored; by default a sink on the configured store.
        instruments: metrics; by default those of the process's meter provider.
        probe_seconds: pause between two checks of a store that failed.

    Raises:
        ConfigError: the store's URL is wrong.
    """

    def __init__(
        self,
        config: ReceiverConfig,
        sink: Sink | None = None,
        *,
        instruments: telemetry.Instruments | None = None,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._config = config
        instruments = instruments or telemetry.instruments()
        self._output = Output(config, instruments, sink=sink)
        self._sink = self._output.sink
        servicer = health.aio.HealthServicer()
        self._health = StoreHealth(servicer, ("", LOGS.service, TRACE_SERVICE), self._sink.check, probe_seconds)
        self._pipeline = Pipeline(
            self._sink,
            config,
            instruments,
            on_store_error=self._health.store_failed,
            destinations=self._output.destinations,
            on_stored=self._stored,
        )
        self._http = http_listeners(self._pipeline, config)
        self._health_servicer = servicer
        self._grpc: grpc.aio.Server | None = None
        self.port = 0

    @property
    def addresses(self) -> dict[str, str]:
        """`HOST:PORT` of every listener by the name of its setting."""
        http = {listener.setting: listener.address for listener in self._http}
        return {"listen": f"{self._config.host}:{self.port}", **http}

    async def start(self) -> None:
        """Check the store, then listen; `port` is the one in use from now on.

        Raises:
            StoreCheckError: the store cannot be written.
            ListenError: the address cannot be listened on.
            ConfigError: the TLS files cannot be used.
        """
        if self._config.rolling_rate is not None:
            partition.warn_unless_hour(self._config.rolling_rate)
        try:
            await self._sink.check()
            server = grpc.aio.server(options=otlp_grpc.options(self._config))
            server.add_generic_rpc_handlers(otlp_grpc.handlers(self._pipeline))
            health_pb2_grpc.add_HealthServicer_to_server(self._health_servicer, server)
            self.port = otlp_grpc.bind(server, self._config)
            for listener in self._http:
                await listener.start()
            await server.start()
        except BaseException:  # only to release what was opened; it is raised again
            await self._stop_http()
            await self._output.close()
            raise
        self._grpc = server
        self._output.start()
        await self._health.start()

    async def stop(self) -> None:
        """Refuse new calls, make durable what was admitted, answer it, and release everything."""
        self._pipeline.stop()
        await self._health.stop()
        try:
            async with timeout(self._config.grace_seconds):
                await self._pipeline.drain()
        except TimeoutError:
            logger.warning(
                "stopping with %d bytes unresolved after %s s: not acknowledged, their senders keep them",
                self._pipeline.in_flight_bytes,
                self._config.grace_seconds,
            )
        await self._stop_http()
        grpc_server, self._grpc = self._grpc, None
        if grpc_server is not None:
            await grpc_server.stop(_CLOSE_SECONDS)
            logger.info("stopped: %s", self._pipeline.totals.sentence)
        await self._output.close()

    async def _stop_http(self) -> None:
        for listener in self._http:
            await listener.stop()

    def _stored(self, folders: Sequence[str]) -> None:
        self._output.stored(folders)
        self._health.stored(folders)


async def run(config: ReceiverConfig, announce: Callable[[Server], None]) -> None:
    """Receive until SIGTERM or SIGINT, then stop gracefully.

    Args:
        config: validated settings.
        announce: called with the server when it accepts calls.

    Raises:
        ReceiverError: see `Server.start`.
    """
    # Threads that read JSON or large records hold the interpreter's lock for less long, so that calls go on.
    sys.setswitchinterval(_SWITCH_SECONDS)
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
