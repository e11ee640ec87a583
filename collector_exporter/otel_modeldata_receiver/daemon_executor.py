"""An executor whose threads work until the interpreter has ended.

A `ThreadPoolExecutor` accepts no calls after the main thread has ended, which is before the functions of `atexit` run.
From Python 3.12 on, no thread can be started then either. But the SDK delivers its last events in such a function, and
with a store in the same process (`listeners/in_process.py`) it must still write files.
"""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DaemonExecutor"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DaemonExecutor(ThreadPoolExecutor):
    """An executor with daemon threads, which all start with the first call and do not keep the process alive.

    It is a subclass of `ThreadPoolExecutor` only because asyncio accepts no other default executor; it uses nothing of
    it.

    Args:
        count: how many calls may run at the same time.
        name: how the names of the threads begin.
    """

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count, name)
        self._count = count
        self._name = name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._state = threading.Lock()
        self._is_shut_down = False
        weakref.finalize(self, _end, self._calls, count).atexit = False

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """See `Executor.submit`."""
        future: Future[_T] = Future()
        with self._state:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if not self._workers:
                self._start()
            self._calls.put(lambda: _run(future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002, RUF100 - as in Executor
        """Refuse further calls; calls submitted before still run."""
        with self._state:
            if not self._is_shut_down:
                self._is_shut_down = True
                _end(self._calls, self._count)
        if wait:
            for thread in self._workers:
                thread.join()

    def _start(self) -> None:
        for number in range(self._count):
            thread = threading.Thread(target=_work, args=(self._calls,), name=f"{self._name}_{number}", daemon=True)
            thread.start()
            self._workers.append(thread)


def _work(calls: SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # its arguments must not be kept until the next call


def _run(future: Future[_T], call: Callable[[], _T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - as in every executor, the caller gets it
        future.set_exception(error)
    else:
        future.set_result(result)


def _end(calls: SimpleQueue[Callable[[], None] | None], count: int) -> None:
    for _ in range(count):
        calls.put(None)
