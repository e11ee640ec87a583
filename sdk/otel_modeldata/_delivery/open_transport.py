"""Where this process sends its records: to an endpoint over gRPC, or with `OTEL_MODELDATA_STORE` into a store itself.

The second is for notebooks and batch jobs, which have no server at hand: the receiver's own sink runs in this process.
It is found by its entry point, because the SDK never imports the receiver, and the variable wins over the standard
`OTEL_EXPORTER_OTLP_*`, which are often there for the spans.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .. import _forking
from ..exceptions import ConfigError
from .otlp_endpoint import load_endpoint

if TYPE_CHECKING:
    from ..transport import Transport

STORE_VARIABLE = "OTEL_MODELDATA_STORE"
"""`./modeldata`, `file:///dir`, `az://container/prefix` or a container's https URL, as for `otel-modeldata receive`."""

_GROUP = "otel_modeldata_transport"
_NAME = "store"
_EXTRA = "pip install 'otel-modeldata[receiver]'"

_checked: dict[str, str] = {}
"""Stores that were found writable, by what the variable said, as absolute URLs: the program may change its folder."""


class _StoreTransport(Protocol):
    """What the entry point offers."""

    def __call__(self, url: str) -> Transport:
        """Start writing to a store; a `ConfigError` says why it cannot be."""

    def check(self, url: str) -> None:
        """Write to it once, and leave nothing running; a `ConfigError` says why it cannot be written."""


def check() -> None:
    """Find out what can be known before the first `collect`; called in `init()`.

    Raises:
        ConfigError: the variables of the endpoint are wrong, or the store cannot be written.
    """
    text = os.environ.get(STORE_VARIABLE)
    if text:
        _checked_store(text)
    else:
        load_endpoint()


def open_transport() -> Transport:
    """What carries the records of this process away.

    Raises:
        ConfigError: as for `check`.
    """
    text = os.environ.get(STORE_VARIABLE)
    if text:
        return _factory()(_checked_store(text))
    from .grpc_transport import GrpcTransport  # noqa: PLC0415 - gRPC, not before the first collect

    return GrpcTransport(load_endpoint())


def _checked_store(text: str) -> str:
    if text not in _checked:
        with _forking.guard:  # the receiver is loaded here
            url = text if "://" in text else str(Path(text).absolute())
            _factory().check(url)
            _checked[text] = url
    return _checked[text]


def _factory() -> _StoreTransport:
    from importlib.metadata import entry_points  # noqa: PLC0415 - only processes that write to a store pay for it

    try:
        (found,) = entry_points(group=_GROUP, name=_NAME)
        factory: _StoreTransport = found.load()
    except ImportError as error:
        problem = f"expected the receiver, which writes to stores, got no {error.name}: {_EXTRA}"
        raise ConfigError(STORE_VARIABLE, [problem]) from None
    except ValueError:
        problem = f"expected one installed transport {_NAME!r} in the group {_GROUP}, got another number: {_EXTRA}"
        raise ConfigError(STORE_VARIABLE, [problem]) from None
    return factory
