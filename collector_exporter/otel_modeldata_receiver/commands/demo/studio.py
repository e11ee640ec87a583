"""Studio for the store of the demo: the command `studio` as a process, and the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .child_processes import environment
from .exceptions import ProcessEndedError
from .flights import DAY

if TYPE_CHECKING:
    from .child_processes import ChildProcesses

__all__ = ["StudioProcess", "live_rows"]


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
