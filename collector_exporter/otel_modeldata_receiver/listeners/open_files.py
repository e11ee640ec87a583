"""How many files and connections this process may have open.

Whoever reaches a listener can hold connections open, and without a free descriptor neither a store nor a probe works.
Service managers start processes with a soft limit of 1024 for old programs that call `select`, and a much higher hard
limit (systemd: 524,288); a program that does not call it may raise the one to the other, as Go's runtime does.
"""

from __future__ import annotations

import contextlib

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

__all__ = ["most_open_files", "raise_limit"]


def raise_limit() -> None:
    """Raise the soft limit to the hard one; where that is refused, the limit stays as it is."""
    if resource is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # macOS refuses an unlimited number
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_open_files() -> int | None:
    """The limit in force; None where there is none."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
