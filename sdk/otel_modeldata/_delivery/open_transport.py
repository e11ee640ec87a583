"""Opens the transport of this process: gRPC to an endpoint, or with `OTEL_MODELDATA_STORE` direct writes to a store.

The store is for notebooks and batch jobs without a receiver: the receiver's sink runs in this process. It is loaded
through an entry point, because the SDK never imports the receiver. The variable takes precedence over the standard
`OTEL_EXPORTER_OTLP_*`, which are often set for spans.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
from typing import TYPE_CHECKING, Final, Protocol

from .. import _forking
from .._settings.delivery import make_folders
from .._settings.variables import STORE
from ..exceptions import ConfigError
from ..log_throttle import LogThrottle
from ..validation.problems import Problem
from .process import current_process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._settings.settings import Settings
    from ..transport import Transport

with contextlib.suppress(RuntimeError):  # this module, too, may be imported by a function of `atexit`
    # For the receiver: Python refuses this import once it ends, and the first Collector may be made in such a function.
    import concurrent.futures.thread  # noqa: F401

logger = logging.getLogger(__name__)

_GROUP: Final = "otel_modeldata_transport"
_NAME: Final = "store"
_EXTRA: Final = "pip install 'otel-modeldata[receiver]'"

_checked: set[str] = set()
"""Stores that have been checked: each is checked once."""
_once = LogThrottle(logger, math.inf)


class _StoreTransport(Protocol):
    """The object behind the entry point.

    It may also have `validate(url)`, which raises `ConfigError` for a URL that cannot be used, and contacts nothing.
    """

    def __call__(self, url: str) -> Transport:
        """Open a store; raises `ConfigError` with the reason when it cannot be written."""

    def check(self, url: str) -> None:
        """Write to the store once and close it; raises `ConfigError` with the reason when that fails."""


def check(settings: Settings) -> None:
    """Check the store and the folders before the first `collect`, and log the warnings; called in `init()`.

    Raises:
        ConfigError: the store or a folder cannot be written.
    """
    if isinstance(settings.destination, str):
        _refuse_eventlet()
        _check_store(settings.destination)
    make_folders(settings.delivery)
    log_once(settings.warnings)
    _warn_of_another_place(settings)


def place_of(settings: Settings) -> tuple[str, str, str]:
    """The endpoint or store, and the first two folders."""
    destination, sender = settings.destination, settings.sender
    return destination if isinstance(destination, str) else destination.target, sender.endpoint, sender.deployment


def _warn_of_another_place(settings: Settings) -> None:
    """A process has one delivery, for all collectors: what a notebook sets after the first event has no effect."""
    process = current_process()
    if process is not None and process.place not in (None, place_of(settings)):
        message = (
            "expected the endpoint or store and the names with which this process began, got others: its events still "
            "go to %s, below %s; set the variables before the first Collector, and restart the process or the notebook"
        )
        _once.log(logging.WARNING, place_of(settings), message, process.destination, process.deployment)


def log_once(warnings: Iterable[Problem]) -> None:
    """Log warnings about settings, each once per process."""
    for warning in warnings:
        _once.log(logging.WARNING, warning, "%s", warning)


def _refuse_eventlet() -> None:
    """The store is written by an event loop in a thread, which cannot use eventlet's locks; gevent's can be used."""
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        problem = "expected a process without eventlet's patches, got one with them: send to an endpoint instead"
        raise ConfigError(Problem(STORE.name, problem))


def load(settings: Settings) -> None:
    """Import what carries the records, so that the first `collect` need not."""
    import opentelemetry.sdk.resources  # noqa: F401, PLC0415 - the resource of this process, not with the package

    if not isinstance(settings.destination, str):
        from . import grpc_transport  # noqa: F401, PLC0415 - gRPC, not with the package


def open_transport(settings: Settings) -> Transport:
    """The transport for the records of this process.

    Raises:
        ConfigError: the store cannot be written.
    """
    if isinstance(settings.destination, str):
        _check_store(settings.destination)
        return _factory()(settings.destination)
    from .grpc_transport import GrpcTransport  # noqa: PLC0415 - gRPC, not before the first collect

    return GrpcTransport(settings.destination)


def _check_store(url: str) -> None:
    if url not in _checked:
        with _forking.guard:  # the receiver is loaded here
            _factory().check(url)
            _checked.add(url)


def store_problems(url: str) -> tuple[Problem, ...]:
    """What is wrong with the URL of a store, without contacting it."""
    try:
        with _forking.guard:  # the receiver is loaded here
            validate = getattr(_factory(), "validate", None)
            if validate is not None:
                validate(url)
    except ConfigError as error:
        return error.problems
    return ()


def _factory() -> _StoreTransport:
    from importlib.metadata import entry_points  # noqa: PLC0415 - only processes that write to a store pay for it

    try:
        (found,) = entry_points(group=_GROUP, name=_NAME)
        factory: _StoreTransport = found.load()
    except ImportError as error:
        problem = f"expected the receiver, which writes to stores, got no {error.name}: {_EXTRA}"
        raise ConfigError(Problem(STORE.name, problem)) from None
    except RuntimeError as error:  # Python ends, and refuses to import threads
        problem = f"expected the receiver, which writes to stores, got {error}: make the first Collector earlier"
        raise ConfigError(Problem(STORE.name, problem)) from None
    except ValueError:
        problem = f"expected one installed transport {_NAME!r} in the group {_GROUP}, got another number: {_EXTRA}"
        raise ConfigError(Problem(STORE.name, problem)) from None
    return factory
