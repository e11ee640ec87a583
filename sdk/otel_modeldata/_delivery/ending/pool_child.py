"""Delivers at the end of a child of multiprocessing, loky (joblib) or billiard (Celery), where `atexit` does not run.

Such a child ends by `os._exit` after its own finalizers. Threads that outlive its target may still collect: the last
delivery waits for them. A worker of billiard's pool runs no finalizers, only its own `on_exit`.

Each of these libraries drops inherited finalizers at the start of a child, then runs the functions that are registered
with `multiprocessing.util.register_after_fork`: also in children that are spawned.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from multiprocessing.util import Finalize, register_after_fork
from typing import Any, Final

from .last_delivery import deliver_and_end, deliver_only

_AFTER_QUEUES: Final = -100
"""Priority among multiprocessing's finalizers: after those of its queues, which may still hold results."""

_RAY_WORKER_VARIABLE: Final = "RAY_RAYLET_PID"

_registered_pid = 0


def deliver_when_child_ends() -> None:
    """Register with the library that made this process; does nothing in other processes, or when called again."""
    if _registered_pid != os.getpid():
        _register()


def is_child_of_library() -> bool:
    """Whether multiprocessing, loky or billiard made this process."""
    return multiprocessing.parent_process() is not None or getattr(_billiard_process(), "_parent_pid", None) is not None


def ends_without_notice() -> bool:
    """Whether this process ends without a call of Python code: a worker of Ray, which its parent kills."""
    return "ray" in sys.modules and _RAY_WORKER_VARIABLE in os.environ


def _register(_: object = None) -> None:
    global _registered_pid  # noqa: PLW0603 - a process registers once
    _registered_pid = os.getpid()
    if multiprocessing.parent_process() is not None:
        Finalize(None, _end_after_threads, exitpriority=_AFTER_QUEUES)
        return
    if not is_child_of_library():
        return
    worker: Any = getattr(_billiard_process(), "_target", None)
    if hasattr(worker, "on_exit"):
        worker.on_exit = _then_end(worker.on_exit)
    else:
        Finalize(None, deliver_and_end, exitpriority=_AFTER_QUEUES)


def _billiard_process() -> Any:
    return getattr(sys.modules.get("billiard.process"), "current_process", lambda: None)()


def _then_end(on_exit: Any) -> Any:
    """The function that billiard calls at the end of a pool's worker: Celery's, if there is one, then this module's."""

    def end(pid: int, exitcode: int) -> None:
        try:
            if on_exit is not None:
                on_exit(pid, exitcode)
        finally:
            deliver_and_end()

    return end


def _end_after_threads() -> None:
    """End now, or when the threads that Python waits for have ended: it waits for this module's thread, too."""
    if not _others():
        deliver_and_end()
        return
    deliver_only()
    threading.Thread(target=_wait_and_end, name="otel-modeldata-ending", daemon=False).start()


def _wait_and_end() -> None:
    while others := _others():
        others[0].join()
    deliver_and_end()


def _others() -> list[threading.Thread]:
    own = (threading.main_thread(), threading.current_thread())
    return [thread for thread in threading.enumerate() if not thread.daemon and thread not in own]


register_after_fork(_register, _register)
