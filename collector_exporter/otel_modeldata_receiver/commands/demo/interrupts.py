"""Ctrl-C that never leaves a process behind: it waits while a process is started or the demo cleans up."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["Interrupts"]

_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """While it is entered, SIGINT, SIGTERM and SIGHUP raise `KeyboardInterrupt`, but not inside `deferred`.

    In a thread that is not the main one Python gets no signals, and this does nothing.
    """

    def __init__(self) -> None:
        self._deferring = 0
        self._came = False

    def __enter__(self) -> Interrupts:  # noqa: PYI034 (`Self` is not in Python 3.10)
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """An interrupt that comes inside is raised at the end."""
        self._deferring += 1
        try:
            yield
        finally:
            self._deferring -= 1
            if self._came and not self._deferring:
                self._came = False
                raise KeyboardInterrupt

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._deferring:
            self._came = True
        else:
            raise KeyboardInterrupt
