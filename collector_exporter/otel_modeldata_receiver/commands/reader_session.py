"""Opens a store for commands that read it, and turns the errors of the reader into those of the command line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..exceptions import ConfigError, StoreCheckError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_reader import Store

__all__ = ["opened_reader"]


@contextmanager
def opened_reader(url: str) -> Iterator[Store]:
    """The store at `url`, which is closed at the end.

    Raises:
        ConfigError: a wrong argument, or the extra `read` is not installed.
        StoreCheckError: the store cannot be read.
    """
    try:
        import pyarrow  # noqa: F401, ICN001, PLC0415 (the command line starts without it)

        import otel_modeldata_reader as reader  # noqa: PLC0415 (likewise)
    except ImportError as error:
        raise ConfigError(
            f"expected the reader's dependencies, got no {error.name}; pip install 'otel-modeldata[read]'"
        ) from None
    try:
        with reader.open(url) as store:
            yield store
    except reader.StoreUnavailableError as error:
        raise StoreCheckError(str(error)) from None
    except reader.ReaderError as error:
        raise ConfigError(str(error)) from None
