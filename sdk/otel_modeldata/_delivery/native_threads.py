"""Threads, locks and pauses of the operating system, also in a process that gevent or eventlet has patched.

`monkey.patch_all()` turns `threading.Thread` into greenlets of one thread. A delivery thread of that kind would stop
all other greenlets for as long as gRPC waits for an answer. So delivery runs on a real thread, and its locks are real
locks: the functions here are the unpatched ones, whether the process is patched before or after this import.

A caller that waits for the delivery thread uses `pause`, so that other greenlets run on.
"""

from __future__ import annotations

import _thread
import sys
import threading
import time
import types
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "Lock",
    "RLock",
    "ShortTurns",
    "get_ident",
    "is_patched",
    "name_thread",
    "pause",
    "sleep",
    "start_thread",
    "wait_until",
]

_T = TypeVar("_T")

_FIRST_PAUSE_SECONDS = 0.0005
_LONGEST_PAUSE_SECONDS = 0.01
"""How often `wait_until` looks: short enough not to be felt, long enough to cost no CPU."""

_TURN_SECONDS = 0.0002
_BETWEEN_TURNS_SECONDS = 0.00002
"""The operating system makes about 0.08 ms of it, in which a waiting thread starts to run. To release the interpreter
without a sleep is not enough: this thread takes it again before the other one is awake."""
_LONG_TURN_SECONDS = 0.001
"""A turn of urgent work: with short ones, the pauses take a third of its time."""
_WAITED_SECONDS = 0.0002
"""A pause that took longer than this: another thread had the interpreter, or another process the processor."""
_BUSY_SHARE = 0.5
"""Of such a pause: a thread that had the interpreter used the processor for most of it."""
_FEW = 256
"""Items of which each takes less than a microsecond."""


def _native(module: types.ModuleType, name: str) -> Any:
    """The function as it was before gevent or eventlet replaced it."""
    found = getattr(module, name)
    if isinstance(found, types.BuiltinFunctionType):
        return found
    if (monkey := sys.modules.get("gevent.monkey")) is not None:
        found = monkey.get_original(module.__name__, name)
    if not isinstance(found, types.BuiltinFunctionType) and "eventlet.patcher" in sys.modules:
        found = getattr(sys.modules["eventlet.patcher"].original(module.__name__), name)
    return found


sleep: Callable[[float], None] = _native(time, "sleep")
"""Stops the thread, and with it all of its greenlets."""
get_ident: Callable[[], int] = _native(_thread, "get_ident")
Lock: Callable[[], _thread.LockType] = _native(_thread, "allocate_lock")
RLock = _thread.RLock
"""Neither gevent nor eventlet replaces this class, only the names in `threading`."""
_start_new_thread: Callable[..., int] = _native(_thread, "start_new_thread")


def is_patched() -> bool:
    """Whether gevent or eventlet has patched this process, so that other libraries' locks are those of greenlets."""
    return time.sleep is not sleep or _thread.allocate_lock is not Lock


def start_thread(function: Callable[..., object], *args: object) -> None:
    """Run a function in a new daemon thread.

    Raises:
        RuntimeError: the interpreter is ending, or the process may not start threads.
    """
    _start_new_thread(function, args)


def name_thread(name: str) -> None:
    """Give the calling thread a name, for logs and debuggers."""
    threading.current_thread().name = name


def pause(seconds: float) -> None:
    """Wait; in a greenlet, other greenlets run in the meantime."""
    if time.sleep is sleep or _is_event_loop():
        sleep(seconds)
    else:
        time.sleep(seconds)


class ShortTurns:
    """Lets the other threads of the process run while one of them does a lot of work.

    Python takes the interpreter from a running thread after 5 ms, and not in the middle of a native function. A thread
    that wakes up to score would wait as long. So the thread that works sleeps for a moment after each turn.

    While the work is urgent, its turns are longer, but for the turn after one at whose end another thread ran. On a
    machine that is busy with other processes a pause takes long, too; a thread that scores there, with less than half
    of a processor, is not recognized, and waits for a longer turn.

    Args:
        is_urgent: whether others wait for the work, or data is lost if it takes long.
    """

    def __init__(self, is_urgent: Callable[[], bool] = lambda: False) -> None:
        self._is_urgent = is_urgent
        self._began = 0.0
        self._most_seconds = _TURN_SECONDS

    def pause(self) -> None:
        """Called after each piece of the work; ends the turn if it has been long enough."""
        ended = time.perf_counter()
        if ended - self._began > self._most_seconds:
            used = time.process_time()
            sleep(_BETWEEN_TURNS_SECONDS)
            self._began = time.perf_counter()
            waited = self._began - ended
            is_alone = waited < _WAITED_SECONDS or time.process_time() - used < waited * _BUSY_SHARE
            self._most_seconds = _LONG_TURN_SECONDS if is_alone and self._is_urgent() else _TURN_SECONDS

    def each(self, items: Iterable[_T]) -> Iterator[_T]:
        """The items, with a pause after each few of them."""
        for number, item in enumerate(items, 1):
            yield item
            if not number % _FEW:
                self.pause()


def wait_until(condition: Callable[[], bool], timeout: float | None) -> bool:
    """Wait until a condition holds, at most `timeout` seconds; returns whether it holds.

    The caller looks again and again instead of waiting for a notification: it then holds no lock that a signal handler
    could interrupt, and works in a greenlet.
    """
    end = None if timeout is None else time.monotonic() + timeout
    seconds = _FIRST_PAUSE_SECONDS
    while not condition():
        if end is not None:
            left = end - time.monotonic()
            if left <= 0:
                return False
            seconds = min(seconds, left)
        pause(seconds)
        seconds = min(seconds * 1.2, _LONGEST_PAUSE_SECONDS)
    return True


def _is_event_loop() -> bool:
    """Whether this is the greenlet that runs the others, which must not wait: a signal handler may run there."""
    if (local := sys.modules.get("gevent._hub_local")) is not None:
        hub = local.get_hub_if_exists()
        if hub is not None:
            return hub is sys.modules["greenlet"].getcurrent()
    if (hubs := sys.modules.get("eventlet.hubs")) is not None:
        return hubs.get_hub().greenlet is sys.modules["greenlet"].getcurrent()
    return False
