"""Studio for the store of the demo: the command `studio` as a process, and the browser."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Final

from .child_processes import environment
from .exceptions import ProcessEndedError
from .flights import DAY

if TYPE_CHECKING:
    from .child_processes import ChildProcesses

__all__ = ["StudioProcess", "has_display", "live_rows", "open_browser"]

_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")


class StudioProcess:
    """Studio, which compares with the day, before the feature drifts.

    Args:
        processes: that it belongs to.
        store: that it shows.
    """

    def __init__(self, processes: ChildProcesses, store: str) -> None:
        arguments = ["studio", "--store", store, "--listen", "127.0.0.1:0", "--no-browser", "--json"]
        arguments += ["--baseline", DAY]
        self._process = processes.start("Studio", ["-m", "otel_modeldata_receiver", *arguments], environment())

    def url(self) -> str | None:
        """Where it listens, when it does; None if it ended: the demo works without it."""
        try:
            url: str = self._process.wait_for(lambda: self._process.announced("url"))["url"]
        except ProcessEndedError:
            return None
        return url

    def why_not(self) -> str:
        """The last line that it printed."""
        return (self._process.output() or ["it ended"])[-1]

    def wait(self) -> None:
        """Wait until it ends."""
        self._process.popen.wait()


def live_rows(url: str, deployment: str) -> str:
    """The address of the rows of a deployment as they come.

    Args:
        url: of Studio.
        deployment: `endpoint/deployment`.
    """
    return f"{url}#/explore/{deployment}?since=-24h&live=1"


def has_display() -> bool:
    """Whether a browser can be seen."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in _DISPLAYS)


def open_browser(url: str) -> None:
    """Open the browser if there is a display, in a thread: some are slow to start, and some end only when closed."""
    if has_display():
        threading.Thread(target=_open, args=(url,), name="otel-modeldata-demo-browser", daemon=True).start()


def _open(url: str) -> None:
    with contextlib.suppress(webbrowser.Error, OSError):  # the address is in the terminal, too
        webbrowser.open(url)
