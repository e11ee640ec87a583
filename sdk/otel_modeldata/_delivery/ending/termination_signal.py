"""Delivers on SIGTERM in a process whose application does not handle it.

By default SIGTERM ends a process at once: Python runs no exit handlers. The handler of this module delivers what waits,
then restores the default and raises the signal again, so that the parent sees the same exit status.

It never replaces a handler: neither one of the application, nor `SIG_IGN`, nor one that C code installed. A handler
that the application installs later replaces this one, as usual. If that handler calls this one (because it calls the
previous handler), events are delivered and the call returns: the application decides how the process ends.

Python runs handlers in the main thread, between two instructions: while the main thread is in native code, SIGTERM has
to wait for it. A child of multiprocessing is interrupted again (`missed_signal.py`).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .last_delivery import EXIT_SECONDS, deliver_and_end, deliver_only
from .pool_child import is_child_of_library

if TYPE_CHECKING:
    from types import FrameType

CHILD_SECONDS: Final = 4.0
"""How long a child of multiprocessing delivers after SIGTERM: its parent often kills it after five seconds."""
_INIT_PID: Final = 1
_INIT_PAUSE_SECONDS: Final = 0.05

_is_ending = False


def handle_sigterm() -> None:
    """Install the handler where SIGTERM would end the process at once; does nothing outside the main thread.

    It does so again when the interpreter ends: a handler that asyncio or the application has removed in the meantime
    leaves the default action, which would end the last delivery.
    """
    atexit.unregister(handle_sigterm)
    atexit.register(handle_sigterm)
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and not _has_native_handler():
        with contextlib.suppress(ValueError):  # in a subinterpreter
            signal.signal(signal.SIGTERM, _deliver_on_sigterm)


def is_sigterm_missed() -> bool:
    """Whether the handler, after SIGTERM has arrived, has still to run."""
    return not _is_ending and signal.getsignal(signal.SIGTERM) is _deliver_on_sigterm


def _has_native_handler() -> bool:
    """Whether C code handles SIGTERM after Python has looked at the handlers, as uWSGI does; known on Linux only."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
        caught = int(next(line for line in lines if line.startswith("SigCgt:")).split()[1], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)
    return False


def _deliver_on_sigterm(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's arguments
    global _is_ending  # noqa: PLW0603 - one process ends once
    if _is_ending:  # sent twice, to the process and to its group
        return
    if signal.getsignal(signum) is not _deliver_on_sigterm:  # called by the application's handler
        deliver_only()
        return
    if os.getpid() == _INIT_PID:
        _deliver_from_now_on()
        return
    _is_ending = True
    try:
        deliver_and_end(CHILD_SECONDS if is_child_of_library() else EXIT_SECONDS)
    finally:
        signal.signal(signum, signal.SIG_DFL)
        signal.raise_signal(signum)


def _deliver_from_now_on() -> None:
    """The kernel does not end the first process of a container by SIGTERM: it lives on until SIGKILL.

    So it goes on to collect, and delivers without a pause.
    """

    def deliver() -> None:
        while True:
            deliver_only()
            time.sleep(_INIT_PAUSE_SECONDS)

    if not any(thread.name == _INIT_THREAD for thread in threading.enumerate()):
        with contextlib.suppress(RuntimeError):  # the interpreter is ending, and delivers anyway
            threading.Thread(target=deliver, name=_INIT_THREAD, daemon=True).start()


_INIT_THREAD: Final = "otel-modeldata-ending"
