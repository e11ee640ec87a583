"""The HTTP listeners that the settings enable, and what each accepts; by default there are none.

- `http_listen`: OTLP/HTTP and KServe's logger, with the receiver's TLS where that is set.
- `old_protocol_listen`: requests of azureml-ai-monitoring, which uses plain HTTP to 127.0.0.1 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import azureml_sidecar, kserve
from .http_server import HttpServer, Route
from .otlp_http import otlp_routes
from .tls import ssl_context

if TYPE_CHECKING:
    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import Pipeline

__all__ = ["http_listeners"]


def http_listeners(pipeline: Pipeline, config: ReceiverConfig) -> tuple[HttpServer, ...]:
    """All HTTP listeners of a receiver, not yet started.

    Raises:
        ConfigError: the TLS files, or the deployment YAML that describes the sidecar's sender, cannot be used.
    """
    servers: list[HttpServer] = []
    if config.http_listen is not None:
        routes: dict[str, Route] = {
            **otlp_routes(pipeline, config),
            kserve.PATH: kserve.KServeLogger(pipeline, config),
        }
        tls = ssl_context(config.tls) if config.tls else None
        servers.append(HttpServer("http_listen", config.http_listen, routes, tls=tls))
    if config.old_protocol_listen is not None:
        route = azureml_sidecar.AzureMLSidecar(pipeline, config)
        servers.append(HttpServer("old_protocol_listen", config.old_protocol_listen, {azureml_sidecar.PATH: route}))
    return tuple(servers)
