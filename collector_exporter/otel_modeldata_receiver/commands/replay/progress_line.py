"""How far a replay is, in one line on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from otel_modeldata_reader.replaying import Progress

__all__ = ["ProgressLine"]

_AFTER_SECONDS: Final = 1.0
_CLEAR: Final = "\r\x1b[K"


class ProgressLine:
    """Shows progress on stderr, if stderr is a terminal."""

    def __init__(self) -> None:
        self._is_shown = False

    def show(self, progress: Progress) -> None:
        """Replace the line."""
        if progress.seconds < _AFTER_SECONDS or sys.stderr is None or not sys.stderr.isatty():
            return
        sent = progress.answered + progress.failed
        parts = [f"{progress.answered:,} answered", f"{progress.failed:,} failed" if progress.failed else ""]
        parts += [f"{progress.earlier:,} earlier" if progress.earlier else "", f"{sent / progress.seconds:,.1f}/s"]
        sys.stderr.write(f"{_CLEAR}{', '.join(filter(None, parts))}")
        sys.stderr.flush()
        self._is_shown = True

    def clear(self) -> None:
        """Remove the line."""
        if self._is_shown:
            self._is_shown = False
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
