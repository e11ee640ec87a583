"""The progress of a long reading, on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Final

__all__ = ["Progress"]

_AFTER_SECONDS: Final = 2.0
_EVERY_SECONDS: Final = 0.2
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """Shows on stderr how much is read, if stderr is a terminal and the reading takes longer than two seconds.

    Args:
        name: what is read.
        total: bytes to read.
    """

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._read = 0
        self._next = time.monotonic() + _AFTER_SECONDS
        self._is_shown = False

    def add(self, size: int) -> None:
        """Note that `size` more bytes were read."""
        self._read += size
        now = time.monotonic()
        if self._read >= self._total:
            self._clear()
        elif now >= self._next and sys.stderr is not None and sys.stderr.isatty():
            self._next = now + _EVERY_SECONDS
            self._is_shown = True
            sys.stderr.write(f"{_CLEAR}{self._name}: {self._read / self._total:.0%} of {self._total / 1e6:,.0f} MB")
            sys.stderr.flush()

    def _clear(self) -> None:
        if self._is_shown:
            self._is_shown = False
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
