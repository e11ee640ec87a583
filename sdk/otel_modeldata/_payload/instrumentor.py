"""Payload logging without code: under `opentelemetry-instrument` servers load applications inside the middlewares.

Supported are uvicorn, gunicorn (its sync, gthread, gevent, eventlet and asgi workers, and uvicorn's) and werkzeug's
development server. Each is patched when, and only if, the program imports it; the application itself is never changed.
For any other server, wrap the application in a middleware in code. (A WSGI application under `uvicorn --interface wsgi`
runs in threads without the context of the request: its frames have separate correlation ids.)

The middleware is the outermost one, also outside of OpenTelemetry's middlewares, so it gets the bytes that the client
gets. `exchange.py` describes how records get the span of their request.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import wrapt  # type: ignore[import-untyped]
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from .._settings.payload import collected_rates
from ..config import load_config
from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import ModuleType

logger = logging.getLogger(__name__)

_WSGI_WORKERS: Final = frozenset({"SyncWorker", "ThreadWorker", "AsyncWorker"})
"""gunicorn's base classes of WSGI workers; other workers, such as uvicorn's, use the same method for other things."""


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
        try:
            self._collects = bool(collected_rates(load_config()))
        except ConfigError as error:
            # If raised, it would prevent every other instrumentation from starting.
            logger.error("payload logging is off: %s", error)  # noqa: TRY400 - a wrong setting, not a bug
        if self._collects and not self._is_hooked:
            self._is_hooked = True
            for module, hook in _HOOKS.items():
                wrapt.register_post_import_hook(hook, module)

    def _uninstrument(self, **_: Any) -> None:
        self._collects = False

    def around(self, middleware: str, app: Any) -> Any:
        """Wrap `app` in a middleware, once; returns `app` itself if nothing is collected or the middleware fails."""
        from .logger import safely  # noqa: PLC0415 - heavy, in servers only

        kind = _middleware(middleware)
        if not self._collects or isinstance(app, kind):
            return app
        return safely(_made, kind, app) or app


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


def _hook(method: str, after: Callable[[Any], None]) -> Callable[[ModuleType], None]:
    """A hook that calls `after` after each call of a method, with the object of the method."""

    def wrapper(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        after(instance)
        return result

    return lambda module: wrapt.wrap_function_wrapper(module, method, wrapper)


def _uvicorn_loaded(config: Any) -> None:
    config.loaded_app = PayloadInstrumentor().around("ASGIMiddleware", config.loaded_app)


def _gunicorn_loaded(worker: Any) -> None:
    if _WSGI_WORKERS.intersection(kind.__name__ for kind in type(worker).__mro__):
        worker.wsgi = PayloadInstrumentor().around("WSGIMiddleware", worker.wsgi)


def _gunicorn_loaded_asgi(worker: Any) -> None:
    worker.asgi = PayloadInstrumentor().around("ASGIMiddleware", worker.asgi)


def _werkzeug_loaded(server: Any) -> None:
    server.app = PayloadInstrumentor().around("WSGIMiddleware", server.app)


async def _uvicorn_shut_down(wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> None:
    """Deliver pending records now: uvicorn then raises the signal again, which ends the process."""
    from .. import lifecycle  # noqa: PLC0415 - loaded already
    from .logger import LAST_FLUSH_SECONDS, safely  # noqa: PLC0415

    await wrapped(*args, **kwargs)
    safely(lifecycle.flush, LAST_FLUSH_SECONDS)


_HOOKS: Final[dict[str, Callable[[ModuleType], None]]] = {
    "gunicorn.workers.base": _hook("Worker.load_wsgi", _gunicorn_loaded),
    "gunicorn.workers.gasgi": _hook("ASGIWorker.load_wsgi", _gunicorn_loaded_asgi),
    "uvicorn.config": _hook("Config.load", _uvicorn_loaded),
    "uvicorn.server": lambda module: wrapt.wrap_function_wrapper(module, "Server.shutdown", _uvicorn_shut_down),
    "werkzeug.serving": _hook("BaseWSGIServer.__init__", _werkzeug_loaded),
}
