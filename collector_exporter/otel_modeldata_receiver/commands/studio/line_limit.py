"""A bound for the lines of a log that whoever asks can cause: the terminal is for who started the command."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from ...config.logs import LogFormat, LogLevel
from ..log_output import start_log

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LineLimit", "start_limited_log"]

_SECONDS: Final = 60.0
_MOST: Final = 20


class LineLimit(logging.Filter):
    """Lets through one line of each condition in a minute, and a few lines in all; says when it leaves out others.

    Args:
        clock: a monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: set[tuple[object, ...]] = set()
        self._until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written; the last one of a minute says that further ones are not."""
        now = self._clock()
        if now >= self._until:
            self._seen, self._until = set(), now + _SECONDS
        error = record.exc_info[0] if record.exc_info else None
        condition = (record.name, record.levelno, str(record.msg), error)
        if condition in self._seen or len(self._seen) >= _MOST:
            return False
        self._seen.add(condition)
        if len(self._seen) == _MOST:
            record.msg, record.args = f"{record.getMessage()} (further lines of this minute are left out)", ()
        return True


def start_limited_log() -> None:
    """Log warnings and errors to the terminal, within the bound."""
    start_log(LogLevel.WARNING, LogFormat.TEXT)
    for output in logging.getLogger().handlers:
        output.addFilter(LineLimit())
