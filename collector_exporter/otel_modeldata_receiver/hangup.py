"""SIGHUP asks a receiver to read its configuration again; it must never end one that still starts, or stops already."""

from __future__ import annotations

import contextlib
import signal

__all__ = ["ignore_hangup"]


def ignore_hangup() -> None:
    """Ignore SIGHUP from now on, until a handler is set."""
    with contextlib.suppress(AttributeError, ValueError):  # Windows has no SIGHUP, and only a main thread may set it
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
