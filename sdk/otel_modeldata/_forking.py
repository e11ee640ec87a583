"""What must not happen while the process forks: loading the heavy half of the SDK, and making the delivery side.

A child that is forked while another thread imports inherits half a module and a lock that nobody will release: it hangs
in its first `collect`. So whoever loads holds a lock, and a fork waits for it: a second at most, once in a process.
"""

from __future__ import annotations

import os
import threading

_FORK_WAITS_SECONDS = 10.0
"""The thread that forks may itself be in an import that the other one needs: then better a fork at risk than none."""

guard = threading.RLock()
"""Held while modules are loaded (`collector.py`) and the process's delivery side is made (`_delivery/process.py`)."""
_is_held_for_fork = False


def _before_fork() -> None:
    global _is_held_for_fork  # noqa: PLW0603
    _is_held_for_fork = guard.acquire(timeout=_FORK_WAITS_SECONDS)


def _after_fork_in_parent() -> None:
    if _is_held_for_fork:
        guard.release()


def _after_fork_in_child() -> None:
    global guard  # noqa: PLW0603 - the inherited one may be held by a thread that does not exist here
    guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
