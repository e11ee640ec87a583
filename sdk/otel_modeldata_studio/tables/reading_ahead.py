"""A thread that reads what questions wanted and had no time for, so that the next answer has it."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.exceptions import ReaderError

from ..interruption import leave_to_questions

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_modeldata_reader.window import Window

__all__ = ["ReadingAhead"]

logger = logging.getLogger(__name__)

_MOST_WANTED: Final = 64
_PAUSE_SECONDS: Final = 0.02
"""Between two folders."""
_LONGEST_PAUSE: Final = 0.5
"""So long it waits before a folder for questions that are being answered; they need the processors, and folders."""
_CLOSE_SECONDS: Final = 5.0


class ReadingAhead:
    """See above; the window that was wanted last is read first.

    Args:
        read: reads some of what is pending of a collection in a window; returns how much still is.
    """

    def __init__(self, read: Callable[[str, Window, Callable[[], bool]], int]) -> None:
        self._read = read
        self._changed = threading.Condition()
        self._wanted: dict[tuple[str, Window], None] = {}
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def want(self, root: str, window: Window) -> None:
        """Read the pending folders of a window."""
        with self._changed:
            if self._is_closed:
                return
            self._wanted.pop((root, window), None)
            self._wanted[root, window] = None
            while len(self._wanted) > _MOST_WANTED:
                del self._wanted[next(iter(self._wanted))]
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="studio-reading", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread; a second call does nothing."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._wanted)
                if self._is_closed:
                    return
            self._rest()
            with self._changed:
                if self._is_closed:
                    return
                root, window = next(reversed(self._wanted))
            try:
                firsts = iter([True])
                pending = self._read(root, window, lambda ones=firsts: next(ones, False))  # type: ignore[misc]
            except ReaderError as error:
                logger.warning("Studio could not read %s: %s", root, error)
                pending = 0
            except (RuntimeError, CancelledError):
                if not self._is_closed:
                    raise
                return  # the store was closed meanwhile
            with self._changed:
                if not pending:
                    self._wanted.pop((root, window), None)

    def _rest(self) -> None:
        """Leave the processors to questions for a while."""
        if not self._closes_within(_PAUSE_SECONDS):
            leave_to_questions(self._closes_within, _LONGEST_PAUSE)

    def _closes_within(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._is_closed, timeout=seconds)
