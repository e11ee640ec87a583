"""Payload logging without code: under `opentelemetry-instrument` servers load applications inside the middlewares.

`server_hooks.py` lists the servers. In any other server, wrap the application in a middleware in code;
`server_watch.py` reports such a server. The application itself is never changed.

The middleware is the outermost one, also outside of OpenTelemetry's middlewares, so it gets the bytes that the client
gets. `exchange.py` describes how records get the span of their request.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from .._settings.payload import collected_rates
from ..config import load_config
from ..exceptions import ConfigError
from . import last_resort, server_hooks
from .server_watch import watch

if TYPE_CHECKING:
    from collections.abc import Collection

logger = logging.getLogger(__name__)


class PayloadInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its module is not type-checked
    """Collects payloads of every server that this process runs, if the configuration enables `request` or `response`.

    In a process that `opentelemetry-instrument` did not start, e.g. in gunicorn's `post_fork`:
    `PayloadInstrumentor().instrument()`.
    """

    _collects = False
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: the servers are hooked when they are imported."""
        return ()

    def _instrument(self, **_: Any) -> None:
        last_resort.install()
        try:
            self._collects = bool(collected_rates(load_config()))
        except ConfigError as error:
            # If raised, it would prevent every other instrumentation from starting.
            logger.error("payload logging is off: %s", error)  # noqa: TRY400 - a wrong setting, not a bug
        watch.is_on = self._collects
        if self._collects and not self._is_hooked:
            self._is_hooked = True
            server_hooks.install(self.around)

    def _uninstrument(self, **_: Any) -> None:
        last_resort.remove()
        self._collects = watch.is_on = False

    def around(self, middleware: str, app: Any) -> Any:
        """Wrap `app` in a middleware, once; returns `app` itself if nothing is collected or the middleware fails."""
        from .logger import safely  # noqa: PLC0415 - heavy, in servers only

        kind = _middleware(middleware)
        if not self._collects or _is_metrics_page(app):
            return app
        watch.wraps()
        if isinstance(app, kind):
            return app
        return safely(_made, kind, app) or app


def _is_metrics_page(app: Any) -> bool:
    """Whether it is the application that `prometheus_client.start_http_server` serves beside the model."""
    return str(getattr(app, "__module__", "")).startswith("prometheus_client")


def _middleware(name: str) -> type[Any]:
    if name == "ASGIMiddleware":
        from .asgi import ASGIMiddleware  # noqa: PLC0415 - heavy, in servers only

        return ASGIMiddleware
    from .wsgi import WSGIMiddleware  # noqa: PLC0415

    return WSGIMiddleware


def _made(kind: type[Any], app: Any) -> Any:
    """A middleware around `app`; None if the environment is wrong, which is logged as an error."""
    try:
        return kind(app)
    except ConfigError as error:
        logger.error("payload logging is off: %s", error)  # noqa: TRY400 - a wrong setting, not a bug
        return None
