"""Which HTTP listeners the settings ask for, and what each takes: none, unless they are asked for.

- `http_listen`: OTLP/HTTP and KServe's logger, with the receiver's TLS where that is set.
- `old_protocol_listen`: what azureml-ai-monitoring sends, which speaks plain HTTP to 127.0.0.1 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import azureml_sidecar, kserve
from .http_server import HttpServer, Route
from .otlp_http import otlp_routes
from .tls import ssl_context

if TYPE_CHECKING:
    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import LogsService

__all__ = ["HttpListeners"]


class HttpListeners:
    """All HTTP listeners of a receiver.

    Args:
        service: makes durable what they take.
        config: where they listen.

    Raises:
        ConfigError: the TLS files, or the deployment YAML that the old protocol goes by, cannot be used.
    """

    def __init__(self, service: LogsService, config: ReceiverConfig) -> None:
        self._servers: list[HttpServer] = []
        if config.http_listen is not None:
            routes: dict[str, Route] = {
                **otlp_routes(service, config),
                kserve.PATH: kserve.KServeLogger(service, config),
            }
            tls = ssl_context(config.tls) if config.tls else None
            self._servers.append(HttpServer("http_listen", config.http_listen, routes, tls=tls))
        if config.old_protocol_listen is not None:
            route = azureml_sidecar.OldProtocol(service, config)
            self._servers.append(
                HttpServer("old_protocol_listen", config.old_protocol_listen, {azureml_sidecar.PATH: route})
            )

    @property
    def addresses(self) -> dict[str, str]:
        """`HOST:PORT` of each listener by the name of its setting."""
        return {server.setting: server.address for server in self._servers}

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: an address cannot be listened on.
        """
        for server in self._servers:
            await server.start()

    async def stop(self, seconds: float) -> None:
        """Give answers on their way `seconds`, then close everything; safe to call twice and before `start`."""
        for server in self._servers:
            await server.stop(seconds)
