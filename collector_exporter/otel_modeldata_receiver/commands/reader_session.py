"""Opens a store for commands that read it, and turns the errors of the reader into those of the command line."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigError, StoreCheckError
from .missing_package import is_missing, missing_package
from .store_argument import with_origin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata_reader import Store

__all__ = ["opened_reader", "reader_errors"]

_NEEDED: Final = ("pyarrow", "msgspec")
"""Of the extra `read`: only looked for, because a listing or a lookup does not import all of them."""
_BEGAN: Final = time.monotonic()
"""When the command began: this module is imported with it."""


@contextmanager
def opened_reader(url: str, config: Path | None = None, extra: str = "read") -> Iterator[Store]:
    """The store at `url`, which is closed at the end.

    Args:
        url: as `chosen_store` returns it.
        config: the receiver's configuration, for a store in a datastore.
        extra: what to install where something is missing.

    Raises:
        ConfigError: a wrong argument, or the extra is not installed.
        StoreCheckError: the store cannot be read.
    """
    with reader_errors(extra, url):
        import otel_modeldata_reader as reader  # noqa: PLC0415 (the command line starts without it)

        with reader.open(url, config=config) as store:
            yield store


@contextmanager
def reader_errors(extra: str = "read", url: str = "", began: float | None = None) -> Iterator[None]:
    """Raise errors of the reader as those of the command line, by whose kind the exit code is chosen.

    Args:
        extra: what to install where something is missing.
        url: the store that is read.
        began: when what is done now began, as `time.monotonic` has it; by default with the command.

    Raises:
        ConfigError: a wrong argument, or the extra is not installed.
        StoreCheckError: the store cannot be read or written.
    """
    try:
        missing = [name for name in _NEEDED if is_missing(name)]
        if missing:
            raise ModuleNotFoundError(name=missing[0])
        import otel_modeldata_reader as reader  # noqa: PLC0415 (the command line starts without it)
    except ImportError as error:
        raise missing_package(error, extra) from None
    from otel_modeldata_reader.progress import command_began  # noqa: PLC0415 (likewise)

    try:
        with command_began(_BEGAN if began is None else began):
            yield
    except reader.StoreUnavailableError as error:
        raise StoreCheckError(with_origin(url, str(error))) from None
    except reader.ReaderError as error:
        raise ConfigError(str(error)) from None
    except ImportError as error:  # of a part of the reader that is imported late
        raise missing_package(error, extra) from None
