"""The life cycle of the receiver: start, serve, stop accepting, drain, release."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from . import telemetry
from .config.certificate_expiry import seconds_until_expiry
from .deployments.outputs import Output
from .exceptions import PlaceError
from .ingest.mapping_process.process import MappingProcess
from .ingest.pipeline import Pipeline
from .layout import partition
from .listeners import otlp_grpc
from .listeners.certificate_expiry import ExpiryWatch
from .listeners.health import PROBE_SECONDS, StoreHealth
from .listeners.open_files import raise_limit
from .mapping.signal import LOGS, TRACE_SERVICE
from .reloading import Reloading
from .time_limit import timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .config.receiver import ReceiverConfig
    from .exceptions import StoreError
    from .listeners.http_server import HttpServer
    from .reloading import ConfigFile
    from .storage.sink import Sink
    from .telemetry.prometheus import PrometheusReader

logger = logging.getLogger(__name__)

_SWITCH_SECONDS: Final = 0.001
_NEW_OBJECTS: Final = 5_000
"""After so many, the garbage collector looks at them. By default it looks again and again at the objects of requests
under way, which takes a tenth of the work for small ones; nearly nothing here is garbage in cycles."""
_MAPPING_BYTES: Final = 512 * 1024 * 1024
_MAPPING_MESSAGES: Final = 8
"""The memory of the mapping process: this, and this many times the largest message. It is far more than it needs, to
end what grows without end."""
_CLOSE_SECONDS: Final = 1.0
"""For calls that remain after draining: answers that are being sent, and health watches, which never end."""


class Server:
    """A receiver that listens; `start`, then `stop`, which is safe to call twice and before `start`.

    Args:
        config: validated settings.
        sink: where lines are stored; by default a sink on the configured store.
        instruments: metrics; by default those of the process's meter provider.
        metrics: reads the metrics for the admin listener; None where nothing keeps them.
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
        metrics: PrometheusReader | None = None,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._config = config
        instruments = instruments or telemetry.instruments()
        self._output = Output(config, instruments, sink=sink)
        self._sink = self._output.sink
        servicer = health.aio.HealthServicer()
        self._health = StoreHealth(servicer, ("", LOGS.service, TRACE_SERVICE), self._sink.check, probe_seconds)
        self._process = MappingProcess(
            self._output.destinations, _MAPPING_BYTES + _MAPPING_MESSAGES * config.max_message_bytes
        )
        self._pipeline = Pipeline(
            self._sink,
            config,
            instruments,
            on_store_error=self._store_failed,
            destinations=self._output.destinations,
            on_stored=self._stored,
            process=self._process if os.name == "posix" else None,  # it inherits a socket
        )
        self._http: tuple[HttpServer, ...] = ()
        self._admin: HttpServer | None = None
        # aiohttp takes longer to import than all the rest of the receiver, and only these listeners need it.
        if config.http_listen is not None or config.old_protocol_listen is not None:
            from .listeners.http_listeners import http_listeners  # noqa: PLC0415

            self._http = http_listeners(self._pipeline, config)
        if config.admin_listen is not None:
            from .listeners.admin import admin_listener  # noqa: PLC0415

            self._admin = admin_listener(config.admin_listen, lambda: self._health.reason, metrics)
        self._expiry = ExpiryWatch(config.tls)
        self._health_servicer = servicer
        self._grpc: grpc.aio.Server | None = None
        self.port = 0
        instruments.tenant_records.keep(self._configured)

    @property
    def addresses(self) -> dict[str, str]:
        """`HOST:PORT` of every listener by the name of its setting."""
        http = {listener.setting: listener.address for listener in (*self._http, *self._admins)}
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
            for listener in (*self._http, *self._admins):
                await listener.start()
            await server.start()
        except BaseException:  # only to release what was opened; it is raised again
            await self._stop_http()
            await self._process.close()
            await self._output.close()
            raise
        self._grpc = server
        self._output.start()
        await self._health.start()
        self._expiry.start()
        self._observe()

    def use(self, config: ReceiverConfig) -> None:
        """Apply the settings of `config` that need no restart; the others are those of the present one."""
        self._config = config
        self._pipeline.use(config)

    def reload_deployments(self) -> None:
        """Read the deployment files again, as when they change."""
        self._output.reload()

    async def stop(self) -> None:
        """Refuse new calls, make durable what was admitted, answer it, and release everything."""
        for listener in self._http:
            await listener.hand_over()
        self._pipeline.stop()
        await self._health.stop()
        await self._expiry.stop()
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
        await self._process.close()
        await self._output.close()

    async def _stop_http(self) -> None:
        for listener in (*self._http, *self._admins):
            await listener.stop()

    @property
    def _admins(self) -> tuple[HttpServer, ...]:
        return () if self._admin is None else (self._admin,)

    def _configured(self, tenant: str) -> str | None:
        """The name that a tenant has in a deployment file or in the grants of a client; None where it is in neither."""
        endpoint, _, deployment = tenant.partition("/")
        if self._output.names(endpoint, deployment):
            return tenant.lower()
        clients = self._config.tls.clients if self._config.tls else None
        return tenant if any(tenant in granted for granted in (clients or {}).values()) else None

    def _observe(self) -> None:
        certificate = self._config.tls.cert_file if self._config.tls else None
        telemetry.observe(
            telemetry.Gauges(
                ready=lambda: self._health.reason is None,
                open_folders=lambda: self._sink.open_folders,
                certificate_expiry=lambda: None if certificate is None else seconds_until_expiry(certificate),
            )
        )

    def _store_failed(self, error: StoreError) -> None:
        if not isinstance(error, PlaceError):  # others are stored: the receiver stays ready
            self._health.store_failed(error)

    def _stored(self, folders: Sequence[str]) -> None:
        self._output.stored(folders)
        self._health.stored()


async def run(
    config: ReceiverConfig,
    announce: Callable[[Server], None],
    *,
    file: ConfigFile | None = None,
    metrics: PrometheusReader | None = None,
) -> None:
    """Receive until SIGTERM or SIGINT, then stop gracefully; SIGHUP reads the configuration again.

    Args:
        config: validated settings.
        announce: called with the server when it accepts calls.
        file: where the configuration is read again; None where it is fixed.
        metrics: reads the metrics for the admin listener.

    Raises:
        ReceiverError: see `Server.start`.
    """
    raise_limit()
    # Threads that read JSON or large records hold the interpreter's lock for less long, so that calls go on.
    sys.setswitchinterval(_SWITCH_SECONDS)
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C raises KeyboardInterrupt
            loop.add_signal_handler(signal_number, stop_requested.set)
    instruments = telemetry.instruments()
    telemetry.start_at_zero(instruments)
    server = Server(config, instruments=instruments, metrics=metrics)
    reloading = None
    if file is not None:
        reloading = Reloading(
            config, file, server.use, count=lambda outcome: instruments.reloads.add(1, {"outcome": outcome})
        )
    if reloading is not None:

        def reload() -> None:
            if not stop_requested.is_set():
                reloading.request()
                server.reload_deployments()

        with contextlib.suppress(NotImplementedError, AttributeError):  # Windows has no SIGHUP
            loop.add_signal_handler(signal.SIGHUP, reload)
    await server.start()
    threshold = gc.get_threshold()
    try:
        if reloading is not None:
            reloading.start()
        logger.info(
            "started: version %s, listening on %s, storing in %s, instance id %s",
            version("otel-modeldata"),
            ", ".join(f"{address} ({setting})" for setting, address in server.addresses.items()),
            config.shown_store,
            config.instance,
        )
        announce(server)
        gc.collect()
        gc.freeze()  # modules and what was made at the start: they stay, and are not looked at again
        gc.set_threshold(_NEW_OBJECTS)
        await stop_requested.wait()
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()
        if reloading is not None:
            await reloading.stop()
        await server.stop()
