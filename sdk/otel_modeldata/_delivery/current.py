"""The delivery side of this process, if it was made.

A module of its own, because it imports neither gRPC nor pandas: `lifecycle.py` and `metrics.py` look here without
loading them (`process.py` does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _forking

if TYPE_CHECKING:
    from .process import Process

process: Process | None = None
"""Made by the first `collect` (`process.this_process`); a forked child has none until its own first `collect`."""


def replace_process(other: Process | None) -> Process | None:
    """Put `other` in its place, as tests do; returns the one before."""
    global process
    with _forking.guard:
        before, process = process, other
        return before
