"""The delivery side of this process, if there is one.

This module imports neither gRPC nor pandas, so `lifecycle.py` and `metrics.py` can use it without loading them.
`process.py` loads both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _forking

if TYPE_CHECKING:
    from .process import Process

process: Process | None = None
"""Made by the first `collect` (`process.this_process`); a forked child has none until its own first `collect`."""


def replace_process(other: Process | None) -> Process | None:
    """Replace the delivery side of this process (for tests); returns the previous one."""
    global process
    with _forking.guard:
        before, process = process, other
        return before
