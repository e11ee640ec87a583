"""Fork hooks: the only module that calls `os.register_at_fork`.

Order, as `os.register_at_fork` defines it: `before` hooks run in reverse order of their registration, `after_in_parent`
and `after_in_child` hooks in the order of their registration. So what is built later is paused first and resumed last.
An exception in a hook is printed and does not stop the fork.

`guard` protects work that must not run during a fork: loading the heavy part of the SDK, and making the delivery side.
If a process forks while another thread imports, the child gets a half-imported module and a lock that no thread will
release: its first `collect` hangs. So the loading thread holds `guard`, and a fork waits for it: at most a second, once
per process.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FORK_WAITS_SECONDS = 10.0
"""The forking thread may itself hold an import lock that the other thread needs: after this time the fork proceeds
anyway."""


class Guard:
    """A reentrant lock that can say whether this thread holds it: a signal handler may interrupt its holder."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._holder = 0
        self._depth = 0

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, timeout: float = -1) -> bool:
        """Wait for the lock, at most `timeout` seconds unless negative; False after a timeout."""
        if not self._lock.acquire(timeout=timeout):
            return False
        self._holder = threading.get_ident()
        self._depth += 1
        return True

    def release(self) -> None:
        """Undo one `acquire`."""
        self._depth -= 1
        if self._depth == 0:
            self._holder = 0
        self._lock.release()

    def is_held_here(self) -> bool:
        """Whether the calling thread holds the lock."""
        return self._holder == threading.get_ident()


guard = Guard()
"""Held while `collector.py` loads modules and `_delivery/process_start.py` makes the delivery side of the process."""
_is_held_for_fork = False


def on_fork(
    *,
    before: Callable[[], object] | None = None,
    after_in_parent: Callable[[], object] | None = None,
    after_in_child: Callable[[], object] | None = None,
) -> None:
    """Register hooks of a module; does nothing on systems without `fork`.

    Args:
        before: called by the thread that forks, before the fork.
        after_in_parent: called after it in the parent.
        after_in_child: called after it in the child, which has only the forking thread.
    """
    hooks = {"before": before, "after_in_parent": after_in_parent, "after_in_child": after_in_child}
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(**{name: hook for name, hook in hooks.items() if hook is not None})


def _before_fork() -> None:
    global _is_held_for_fork  # noqa: PLW0603
    _is_held_for_fork = guard.acquire(timeout=_FORK_WAITS_SECONDS)


def _after_fork_in_parent() -> None:
    global _is_held_for_fork  # noqa: PLW0603
    if _is_held_for_fork:
        try:
            guard.release()
        finally:
            _is_held_for_fork = False  # a signal handler may raise in the next `acquire`, and that fork goes on


def _after_fork_in_child() -> None:
    global guard, _is_held_for_fork
    # The inherited guard may be held by a thread that does not exist here.
    guard, _is_held_for_fork = Guard(), False


on_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
