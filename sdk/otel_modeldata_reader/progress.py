"""What a long reading does, on a terminal: one line on stderr, which is replaced, and removed at the end.

A command shows it when it runs for two seconds, a call from Python when the call takes two seconds. `Progress` counts
bytes; `step` names work that has no bytes to count, or of which reading is a part.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from .printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Progress", "Step", "clear_line", "command_began", "step"]

_AFTER_SECONDS: Final = 2.0
_EVERY_SECONDS: Final = 0.2
_CLEAR: Final = "\r\x1b[K"
_WIDTH: Final = 80
_LEAST_NAME: Final = 16

_BEGAN: ContextVar[float | None] = ContextVar("began", default=None)
"""When the command began, as `time.monotonic` has it; None outside of one."""
_STEP: ContextVar[Step | None] = ContextVar("step", default=None)
"""The step that is done now."""


@contextmanager
def command_began(moment: float) -> Iterator[None]:
    """Inside, the two seconds count from this moment of `time.monotonic`; at the end the terminal has nothing left."""
    token = _BEGAN.set(moment)
    try:
        yield
    finally:
        _BEGAN.reset(token)
        _LINE.clear()


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name what is done inside; bytes that are read there are shown behind this name."""
    one = Step(name)
    token = _STEP.set(one)
    try:
        yield
    finally:
        _STEP.reset(token)
        one.end()


def clear_line() -> None:
    """Remove the line before something else is written to the terminal; it comes again if the work goes on."""
    _LINE.clear()


class Progress:
    """Shows how many bytes are read.

    Args:
        name: what is read.
        total: bytes to read.
        reading: what this pass over them is for, such as `columns`, where there are several.
    """

    def __init__(self, name: str, total: int, reading: str = "") -> None:
        self._step = _STEP.get()
        self._name = ", ".join(filter(None, [self._step.name if self._step else name, reading]))
        self._total = total
        self._read = 0
        self._is_shown = False
        self._next = _first_moment()
        if total:
            self._show()

    def add(self, size: int) -> None:
        """Note that `size` more bytes were read."""
        self._read += size
        if self._read < self._total:
            self._show()
        elif self._is_shown:
            self._is_shown = False
            _LINE.clear()
            if self._step:
                self._step.show()

    def _show(self) -> None:
        now = time.monotonic()
        if now >= self._next and _is_terminal():
            self._next = now + _EVERY_SECONDS
            self._is_shown = True
            _LINE.show(self._name, f": {self._read / self._total:.0%} of {self._total / 1e6:,.0f} MB")


class Step:
    """Work that is named on the terminal from its beginning, or from the second second, until `end`.

    Args:
        name: what is done.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._has_ended = False
        self._timer: threading.Timer | None = None
        if not _is_terminal():
            return
        wait = _first_moment() - time.monotonic()
        if wait <= 0:
            self.show()
            return
        self._timer = threading.Timer(wait, self.show)
        self._timer.daemon = True
        self._timer.start()

    def show(self) -> None:
        """Show the name."""
        with self._lock:
            if not self._has_ended:
                _LINE.show(self.name)

    def end(self) -> None:
        """Show it no longer."""
        with self._lock:
            self._has_ended = True
            if self._timer is not None:
                self._timer.cancel()
            _LINE.clear()


class _Line:
    """The line of the terminal: there is one, whatever is read."""

    def __init__(self) -> None:
        self._is_shown = False

    def show(self, name: str, figures: str = "") -> None:
        """Replace the line. The name is from the store: nothing in it steers the terminal, and it is cut to fit."""
        name = printable(name)
        room = max(_LEAST_NAME, shutil.get_terminal_size((_WIDTH, 0)).columns - 1 - len(figures))
        if len(name) > room:
            name = f"{name[: room - 3]}..."
        self._is_shown = True
        sys.stderr.write(f"{_CLEAR}{name}{figures}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._is_shown:
            self._is_shown = False
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()


_LINE: Final = _Line()


def _first_moment() -> float:
    """When something is shown first."""
    began = _BEGAN.get()
    return (time.monotonic() if began is None else began) + _AFTER_SECONDS


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
