"""Where each server loads the application that it serves, so that `PayloadInstrumentor` can wrap it.

A server is patched when, and only if, the program imports it. An error in a hook never stops a server: it is one log
line, and the server serves without payload logging.

| server | its application is wrapped when |
|---|---|
| uvicorn | its `Config` loads it; with `--interface wsgi` inside of uvicorn's adapter |
| gunicorn | a worker loads it: sync, gthread, gevent, eventlet, asgi, and uvicorn's worker by the row above |
| hypercorn | `wrap_app` has told ASGI from WSGI |
| granian | a worker calls its target loader |
| waitress, werkzeug, daphne, wsgiref, cheroot, gevent, eventlet, tornado's `WSGIContainer` | the server is made |

uvicorn and hypercorn start their workers in new interpreters (`spawn`). `opentelemetry-instrument` instruments those
since 2025 only, hence `InChild`.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Any, Final

import wrapt  # type: ignore[import-untyped]

from .server_watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    Around = Callable[[str, Any], Any]
    """Wraps an application in the middleware of this name."""
    Hook = Callable[[Around, Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
    """Calls the wrapped function; the other arguments are those of a `wrapt` wrapper."""

logger = logging.getLogger(__name__)

ASGI: Final = "ASGIMiddleware"
WSGI: Final = "WSGIMiddleware"
_WSGI_WORKERS: Final = frozenset({"SyncWorker", "ThreadWorker", "AsyncWorker"})
"""gunicorn's base classes of WSGI workers; other workers, such as uvicorn's, use the same method for other things."""
_ADAPTERS: Final = frozenset({"WSGIMiddleware", "_WSGIMiddleware"})
"""uvicorn's adapter for WSGI applications: that of a2wsgi, or its own."""
_MOST_WRAPPERS: Final = 5
"""How many ASGI applications uvicorn may put around its adapter."""
_NO_INTERFACE: Final = (
    "it serves no ASGI or WSGI application; collect frames with a Collector, or serve the model with an ASGI or WSGI "
    "application"
)


def install(around: Around) -> None:
    """Hook every known server that this process has imported or will import."""
    for module, hooks in _HOOKS.items():
        wrapt.register_post_import_hook(_patch(around, module, hooks), module)


def _patch(around: Around, name: str, hooks: Mapping[str, Hook]) -> Callable[[ModuleType], None]:
    def patch(module: ModuleType) -> None:
        for method, hook in hooks.items():
            try:
                wrapt.wrap_function_wrapper(module, method, _wrapper(around, hook))
            except AttributeError as error:
                logger.warning("payload logging cannot hook %s: %s; wrap the application in code", name, error)

    return patch


def _wrapper(around: Around, hook: Hook) -> Callable[..., Any]:
    def wrapper(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return hook(around, wrapped, instance, args, kwargs)

    return wrapper


def _guarded(act: Callable[..., Any], *args: Any) -> Any:
    """The result of `act`; None when it fails, e.g. because another version of the server has other names."""
    try:
        return act(*args)
    except Exception as error:  # noqa: BLE001 - error boundary to the server
        logger.warning(
            "payload logging is off: expected a server of a known version, got %r; wrap the application in code", error
        )
        return None


def _wraps(middleware: str, attribute: str) -> Hook:
    """After the method, the application in an attribute of its object is wrapped."""

    def hook(around: Around, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        _guarded(_replace, around, middleware, instance, attribute)
        return result

    return hook


def _replace(around: Around, middleware: str, instance: Any, attribute: str) -> None:
    setattr(instance, attribute, around(middleware, getattr(instance, attribute)))


def _wraps_argument(middleware: str, index: int, name: str) -> Hook:
    """Before the function, its argument is wrapped."""

    def hook(around: Around, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        if name in kwargs:
            kwargs = {**kwargs, name: around(middleware, kwargs[name])}
        elif len(args) > index:
            args = (*args[:index], around(middleware, args[index]), *args[index + 1 :])
        return wrapped(*args, **kwargs)

    return hook


def _uvicorn_load(around: Around, wrapped: Callable[..., Any], config: Any, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    _guarded(_uvicorn_wrap, around, config)
    return result


def _uvicorn_wrap(around: Around, config: Any) -> None:
    if config.interface == "wsgi":  # the adapter's threads do not have the context of the request
        adapter = config.loaded_app
        for _ in range(_MOST_WRAPPERS):
            if type(adapter).__name__ in _ADAPTERS:
                adapter.app = around(WSGI, adapter.app)
                return
            adapter = adapter.app
    config.loaded_app = around(ASGI, config.loaded_app)


def _gunicorn_load(around: Around, wrapped: Callable[..., Any], worker: Any, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    if _WSGI_WORKERS.intersection(kind.__name__ for kind in type(worker).__mro__):
        _guarded(_replace, around, WSGI, worker, "wsgi")
    return result


def _supervises(_: Around, wrapped: Callable[..., Any], __: Any, args: Any, kwargs: Any) -> Any:
    watch.supervises()
    return wrapped(*args, **kwargs)


def _spawns(index: int, name: str) -> Hook:
    """The function starts new interpreters, which call its argument."""

    def hook(_: Around, wrapped: Callable[..., Any], __: Any, args: Any, kwargs: Any) -> Any:
        watch.supervises()
        if name in kwargs:
            kwargs = {**kwargs, name: InChild(kwargs[name])}
        elif len(args) > index:
            args = (*args[:index], InChild(args[index]), *args[index + 1 :])
        return wrapped(*args, **kwargs)

    return hook


class InChild:
    """The function of a new process; payload logging is switched on there before it runs.

    Args:
        function: what the process runs; can be pickled.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function."""
        _instrument()
        return self._function(*args, **kwargs)


def _instrument() -> None:
    from .instrumentor import PayloadInstrumentor  # noqa: PLC0415 - it imports this module

    instrumentor = PayloadInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument()


def _granian_spawn(_: Around, wrapped: Callable[..., Any], server: Any, args: Any, kwargs: Any) -> Any:
    watch.supervises()
    if "callback_loader" in kwargs:
        interface = getattr(server.interface, "value", server.interface)
        loader = GranianLoader(kwargs["callback_loader"], str(interface), is_loader=type(server).__name__ == "MPServer")
        kwargs = {**kwargs, "callback_loader": loader if loader.is_loader else loader()}
    return wrapped(*args, **kwargs)


class GranianLoader:
    """Loads the application of a worker of granian; a spawned worker gets it pickled.

    Args:
        target: granian's loader, or the application itself.
        interface: `asgi`, `asginl`, `wsgi` or `rsgi`.
        is_loader: whether `target` is a loader.
    """

    def __init__(self, target: Callable[..., Any], interface: str, *, is_loader: bool) -> None:
        self.is_loader = is_loader
        self._target = target
        self._interface = interface
        self._pid = os.getpid()

    def __call__(self) -> Any:
        """The application, wrapped."""
        if self._pid != os.getpid():
            _instrument()
        from .instrumentor import PayloadInstrumentor  # noqa: PLC0415 - it imports this module

        app = self._target() if self.is_loader else self._target
        if self._interface == "rsgi":
            watch.starts("granian's interface rsgi", "start granian with --interface asgi or --interface wsgi")
            return app
        return PayloadInstrumentor().around(WSGI if self._interface == "wsgi" else ASGI, app)


def _cannot_be_hooked(server: str, advice: str = _NO_INTERFACE) -> Hook:
    def hook(_: Around, wrapped: Callable[..., Any], __: Any, args: Any, kwargs: Any) -> Any:
        watch.starts(server, advice)
        return wrapped(*args, **kwargs)

    return hook


def _listen(_: Around, wrapped: Callable[..., Any], sock: socket.socket, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    if sock.family in (socket.AF_INET, socket.AF_INET6):  # others connect the processes of one program
        _guarded(_listens, sock)
    return result


def _listens(sock: socket.socket) -> None:
    host, port, *_ = sock.getsockname()
    watch.listens(f"{host}:{port}")


_HOOKS: Final[Mapping[str, Mapping[str, Hook]]] = {
    "cheroot.wsgi": {"Server.__init__": _wraps(WSGI, "wsgi_app")},
    "daphne.server": {"Server.__init__": _wraps(ASGI, "application")},
    "eventlet.wsgi": {"server": _wraps_argument(WSGI, 1, "site")},
    "gevent.pywsgi": {"WSGIServer.__init__": _wraps(WSGI, "application")},
    "granian.server.embed": {"Server._spawn_worker": _granian_spawn},
    "granian.server.mp": {"MPServer._spawn_worker": _granian_spawn},
    "granian.server.mt": {"MTServer._spawn_worker": _granian_spawn},
    "gunicorn.arbiter": {"Arbiter.__init__": _supervises},
    "gunicorn.workers.base": {"Worker.load_wsgi": _gunicorn_load},
    "gunicorn.workers.gasgi": {"ASGIWorker.load_wsgi": _wraps(ASGI, "asgi")},
    "hypercorn.app_wrappers": {
        "ASGIWrapper.__init__": _wraps(ASGI, "app"),
        "WSGIWrapper.__init__": _wraps(WSGI, "app"),
    },
    "hypercorn.run": {"_populate": _spawns(2, "worker_func")},
    "uvicorn.config": {"Config.load": _uvicorn_load},
    "uvicorn.supervisors.basereload": {"get_subprocess": _spawns(1, "target")},
    "uvicorn.supervisors.multiprocess": {"get_subprocess": _spawns(1, "target")},
    "waitress.server": {"BaseWSGIServer.__init__": _wraps(WSGI, "application")},
    "werkzeug.serving": {"BaseWSGIServer.__init__": _wraps(WSGI, "app")},
    "wsgiref.simple_server": {"WSGIServer.set_app": _wraps(WSGI, "application")},
    "tornado.wsgi": {"WSGIContainer.__init__": _wraps(WSGI, "wsgi_application")},
    # Servers that cannot be hooked.
    "aiohttp.web_runner": {"BaseRunner.setup": _cannot_be_hooked("aiohttp")},
    "robyn": {"Robyn.start": _cannot_be_hooked("robyn")},
    "tornado.httpserver": {"HTTPServer.initialize": _cannot_be_hooked("tornado")},
    "socket": {"socket.listen": _listen},
}
