"""The browser of the person at the terminal."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["has_browser", "open_browser"]

_VARIABLES: Final = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
"""Remote editors and WSL set `BROWSER` alone, to a program that opens the browser of another machine."""


def has_browser() -> bool:
    """Whether a browser can be seen: without a display Python would run a text browser inside the terminal."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in _VARIABLES)


def open_browser(url: str, failed: Callable[[str], object]) -> None:
    """Open the browser, if there is one, in a thread: some are slow to start, and some end only when closed.

    Args:
        url: to open. Every user of a machine can list the arguments of a browser, so it has no secret.
        failed: called with the reason if none opened.
    """
    if has_browser():
        threading.Thread(target=_open, args=(url, failed), name="otel-modeldata-browser", daemon=True).start()


def _open(url: str, failed: Callable[[str], object]) -> None:
    import webbrowser  # noqa: PLC0415 (only here)

    try:
        if not webbrowser.open(url):
            failed("no browser started")
    except (OSError, webbrowser.Error) as error:
        failed(str(error))
