"""Keeps warnings of this package visible under `opentelemetry-instrument`.

Python prints warnings to standard error if no handler is configured (`logging.lastResort`). OpenTelemetry adds a
handler to the root logger, also without a log exporter; then a line such as "payload logging is off" would appear
nowhere.
"""

from __future__ import annotations

import logging
from typing import Final

_PACKAGE: Final = logging.getLogger(__package__.partition(".")[0] if __package__ else None)


class LastResort(logging.Handler):
    """Prints warnings that reach no other handler than OpenTelemetry's; the application's logging is not changed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record if it is printed nowhere else."""
        if logging.lastResort is not None and not any(map(_is_visible, _handlers(record.name))):
            logging.lastResort.handle(record)


handler: Final = LastResort()
"""Of this process."""


def install() -> None:
    """Add the handler to the logger of this package; safe to call again."""
    _PACKAGE.addHandler(handler)


def remove() -> None:
    """Undo `install`."""
    _PACKAGE.removeHandler(handler)


def _handlers(name: str) -> list[logging.Handler]:
    """All handlers that get a record of this logger."""
    found: list[logging.Handler] = []
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    return found


def _is_visible(other: logging.Handler) -> bool:
    return other is not handler and not type(other).__module__.startswith("opentelemetry.")
