"""Fork hooks: the only module that calls `os.register_at_fork`.

Order, as `os.register_at_fork` defines it: `before` hooks run in reverse order of their registration, `after_in_parent`
and `after_in_child` hooks in the order of their registration. So what is built later is paused first and resumed last.

A signal handler may raise in a hook, mostly because of a signal that came while the process forked. Python prints the
exception, and goes on with the next hook and the fork. So a hook that releases what another one has taken is registered
twice: the second call does what the first one left. What a `before` hook takes is lost only if the handler raises
between the end of `acquire` and the next step: Python has nothing that does both in one.

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


guard = threading.RLock()
"""Held while `collector.py` loads modules and `_delivery/process_start.py` makes the delivery side of the process."""
_is_held_for_fork = False


def holds_guard() -> bool:
    """Whether the calling thread holds `guard`: a signal handler may have interrupted it."""
    return guard._is_owned()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001 - as `threading` does


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
    if _is_held_for_fork and holds_guard():  # in the second call another thread may hold it for its own fork
        _is_held_for_fork = False  # a signal handler may raise in the next `acquire`, and that fork goes on
        guard.release()


def _after_fork_in_child() -> None:
    global guard, _is_held_for_fork
    # The inherited guard may be held by a thread that does not exist here.
    guard, _is_held_for_fork = threading.RLock(), False


on_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
on_fork(after_in_parent=_after_fork_in_parent)
