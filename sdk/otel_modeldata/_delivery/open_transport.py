"""Where this process sends its records: to an endpoint over gRPC, or with `OTEL_MODELDATA_STORE` into a store itself.

The store is for notebooks and batch jobs, which have no receiver: the receiver's own sink runs in this process. It is
loaded through its entry point, because the SDK never imports the receiver. The variable wins over the standard
`OTEL_EXPORTER_OTLP_*`, which are often set for the spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from .. import _forking
from .._settings.delivery import make_folders
from .._settings.variables import STORE
from ..exceptions import ConfigError
from ..validation.problems import Problem

if TYPE_CHECKING:
    from .._settings.settings import Settings
    from ..transport import Transport

_GROUP: Final = "otel_modeldata_transport"
_NAME: Final = "store"
_EXTRA: Final = "pip install 'otel-modeldata[receiver]'"

_checked: set[str] = set()
"""Stores that could be written: each is tried once."""


class _StoreTransport(Protocol):
    """What the entry point offers."""

    def __call__(self, url: str) -> Transport:
        """Start writing to a store; a `ConfigError` names the reason why it cannot be written."""

    def check(self, url: str) -> None:
        """Write to it once, and leave nothing running; a `ConfigError` names the reason why it cannot be written."""


def check(settings: Settings) -> None:
    """Try what can be tried before the first `collect`: the store and the folders; called in `init()`.

    Raises:
        ConfigError: the store or a folder cannot be written.
    """
    if isinstance(settings.destination, str):
        _check_store(settings.destination)
    make_folders(settings.delivery)


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


def _factory() -> _StoreTransport:
    from importlib.metadata import entry_points  # noqa: PLC0415 - only processes that write to a store pay for it

    try:
        (found,) = entry_points(group=_GROUP, name=_NAME)
        factory: _StoreTransport = found.load()
    except ImportError as error:
        problem = f"expected the receiver, which writes to stores, got no {error.name}: {_EXTRA}"
        raise ConfigError(Problem(STORE.name, problem)) from None
    except ValueError:
        problem = f"expected one installed transport {_NAME!r} in the group {_GROUP}, got another number: {_EXTRA}"
        raise ConfigError(Problem(STORE.name, problem)) from None
    return factory
