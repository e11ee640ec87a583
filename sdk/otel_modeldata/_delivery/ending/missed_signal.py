"""Interrupts the main thread of a child of multiprocessing again if it has missed SIGTERM.

A signal that arrives just before the main thread begins to wait in native code, as for the lock of a pool's queue, does
not interrupt that wait, and Python runs no handler until the wait is over. Without a handler SIGTERM would have ended
the child. `Pool.terminate` waits for its children without a bound: such a child, and with it its parent, would hang.

Python notes each signal in a pipe (`signal.set_wakeup_fd`). A thread reads it, and sends the signal to the main thread
until the handler has run. An event loop that handles signals puts a pipe of its own there, and needs no help.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from ... import _forking
from ..native_threads import name_thread, sleep, start_thread

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSES_SECONDS: Final = (0.05, 0.1, 0.2, 0.4)
_LAST_PAUSE_SECONDS: Final = 1.0
"""The main thread may be in native code that signals do not interrupt."""

_pipe: tuple[int, int] | None = None


def repeat_missed_signal(signum: int, is_missed: Callable[[], bool]) -> None:
    """Once `signum` has arrived, send it to the main thread again while `is_missed`.

    Does nothing when called again, outside the main thread, or where the application watches its signals itself.
    """
    global _pipe  # noqa: PLW0603 - a process has one pipe for its signals
    if _pipe is not None or threading.current_thread() is not threading.main_thread():
        return
    if not hasattr(signal, "pthread_kill"):
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    others = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if others != -1:
        signal.set_wakeup_fd(others)
        os.close(reader)
        os.close(writer)
        return
    _pipe = reader, writer
    with contextlib.suppress(RuntimeError):  # the interpreter is ending: nothing is left that could wait for long
        start_thread(_watch, reader, signum, is_missed)


def _watch(reader: int, signum: int, is_missed: Callable[[], bool]) -> None:
    name_thread("otel-modeldata-signals")
    main = threading.main_thread().ident
    while signum not in os.read(reader, 512):
        pass
    for pause in chain(_PAUSES_SECONDS, repeat(_LAST_PAUSE_SECONDS)):
        sleep(pause)
        if main is None or not is_missed():
            return
        signal.pthread_kill(main, signum)


def _after_fork_in_child() -> None:
    """A signal of the child must not be noted in the pipe that the parent reads."""
    global _pipe  # noqa: PLW0603
    if _pipe is None:
        return
    active = signal.set_wakeup_fd(-1)
    if active not in (-1, _pipe[1]):
        signal.set_wakeup_fd(active)
    for end in _pipe:
        os.close(end)
    _pipe = None


_forking.on_fork(after_in_child=_after_fork_in_child)
