"""Rate-limited logging: at most one line per condition and interval."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Hashable

__all__ = ["LogThrottle"]

MAX_KEYS = 1000
"""Maximum number of keys that a throttle remembers. It then forgets the key logged longest ago: memory stays bounded
even if keys come from outside."""


class LogThrottle:
    """Logs at most once per key and interval. Any thread may call it, also in a forked child or a signal handler.

    Args:
        logger: gets the lines.
        seconds: the interval; `math.inf` logs each key once.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self, logger: logging.Logger, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._seconds = seconds
        self._clock = clock
        self._quiet_until: dict[Hashable, list[float]] = {}

    def log(
        self, level: int, key: Hashable, message: str, *args: object, exc_info: BaseException | bool | None = None
    ) -> None:
        """Log `message` unless `key` was logged less than `seconds` ago.

        Args:
            level: of the line, as in `logging`.
            key: names the condition.
            message: the line, with `%s` for its arguments.
            args: its arguments.
            exc_info: an exception whose traceback is appended, as in `logging`.
        """
        if self._is_due(key):
            self._logger.log(level, message, *args, exc_info=exc_info, stacklevel=2)

    def _is_due(self, key: Hashable) -> bool:
        """Whether the line is due; without a lock, which a signal handler or a forked child could find held."""
        quiet_until, now = self._quiet_until, self._clock()
        entry = quiet_until.get(key)
        if entry is not None:
            if now < entry[0]:
                return False
            entry = quiet_until.pop(key, None)  # so that the first one is always the oldest
            if entry is not None and now < entry[0]:  # of another thread, which has logged in the meantime
                quiet_until.setdefault(key, entry)
                return False
        own = [now + self._seconds]
        if quiet_until.setdefault(key, own) is not own:
            return False
        if len(quiet_until) > MAX_KEYS:
            quiet_until.pop(next(iter(list(quiet_until))), None)
        return True
