"""An executor whose threads work until the interpreter has ended.

A `ThreadPoolExecutor` accepts no calls after the main thread has ended, which is before the functions of `atexit` run.
Python 3.12 starts no thread then either. But the SDK delivers its last events in such a function, and with a store in
the same process (`listeners/in_process.py`) it must still write files. So the threads start with the executor; one that
is made when none can be started runs its calls in the thread of its caller.

The threads are threads of the operating system, also in a process that gevent has patched, before or after this import:
as a greenlet, a thread that waits for the next call would stop all others.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import sys
import threading
import time
import types
import weakref
from _queue import SimpleQueue  # the one of `queue` may be replaced by gevent's
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DaemonExecutor", "DaemonThread", "result_of"]

_LOOK_SECONDS = 0.001

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _native(name: str) -> Any:
    """A function of `_thread` as it was before gevent replaced it."""
    found = getattr(_thread, name)
    if isinstance(found, types.BuiltinFunctionType) or "gevent.monkey" not in sys.modules:
        return found
    return sys.modules["gevent.monkey"].get_original("_thread", name)


_start_new_thread: Callable[[Callable[[], object], tuple[()]], int] = _native("start_new_thread")
_allocate_lock: Callable[[], _thread.LockType] = _native("allocate_lock")


def result_of(future: Future[_T], timeout: float | None = None) -> _T:
    """The result of a call on such a thread.

    A greenlet looks again and again, so that others run: gevent takes a wait for another thread for one that never
    ends (LoopExit).

    Raises:
        concurrent.futures.TimeoutError: there is none in time.
    """
    if isinstance(time.sleep, types.BuiltinFunctionType):
        return future.result(timeout)
    end = None if timeout is None else time.monotonic() + timeout
    while not future.done() and (end is None or time.monotonic() < end):
        time.sleep(_LOOK_SECONDS)
    return future.result(0)


class DaemonThread:
    """A thread of the operating system that has started, and does not keep the process alive.

    Args:
        work: what it runs.
        name: for logs and debuggers, in a process that is not patched.
    """

    def __init__(self, work: Callable[[], object], name: str) -> None:
        self._work = work
        self._running = _allocate_lock()
        self._running.acquire()
        if isinstance(_thread.start_new_thread, types.BuiltinFunctionType):
            threading.Thread(target=self._run, name=name, daemon=True).start()
        else:
            _start_new_thread(self._run, ())

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._running.locked()

    def join(self, timeout: float = -1) -> None:
        """Wait for its end, at most `timeout` seconds unless negative."""
        if self._running.acquire(timeout=timeout):
            self._running.release()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._running.release()


class DaemonExecutor(ThreadPoolExecutor):
    """An executor with daemon threads, which start with it and do not keep the process alive.

    A forked child cannot use it: it has none of the threads.

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
        self._answers: _Answers | None = None
        self._state = _allocate_lock()
        self._is_shut_down = False
        weakref.finalize(self, _end, self._calls, count).atexit = False
        self._workers = self._started()

    @property
    def is_in_place(self) -> bool:
        """Whether calls run in the thread of their caller, because none could be started."""
        return not self._workers

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """See `Executor.submit`."""
        future: Future[_T] = Future()
        with self._state:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._workers:
                self._calls.put(lambda: _run(future, lambda: fn(*args, **kwargs)))
                return future
        _run(future, lambda: fn(*args, **kwargs))
        return future

    def call(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> asyncio.Future[_T]:
        """The same as `run_in_executor` of the running loop, in a third of its time: it makes one future, not two."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        with self._state:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            answers = self._answers
            if answers is None or answers.loop is not loop:
                answers = self._answers = _Answers(loop)
            if self._workers:
                self._calls.put(lambda: answers.run(future, lambda: fn(*args, **kwargs)))
                return future
        answers.run(future, lambda: fn(*args, **kwargs))
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

    async def close(self) -> None:
        """Refuse further calls, and wait for those that were submitted before."""
        self.shutdown(wait=False)
        while any(thread.is_alive() for thread in self._workers):  # noqa: ASYNC110 - no thread is left that could tell
            await asyncio.sleep(_LOOK_SECONDS)

    def _started(self) -> tuple[DaemonThread, ...]:
        workers: list[DaemonThread] = []
        with contextlib.suppress(RuntimeError):  # the interpreter is ending, or the process may have no more threads
            for number in range(self._count):
                workers.append(DaemonThread(partial(_work, self._calls), f"{self._name}_{number}"))  # noqa: PERF401 - those before a failure stay
        return tuple(workers)


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


class _Answers:
    """The results of calls for one event loop, which is woken once for all that come before it runs.

    To wake it costs more than a small call: two system calls, and for each of them another thread may take the
    interpreter's lock.

    Args:
        loop: the event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._done: deque[Callable[[], None]] = deque()
        self._is_woken = False

    def run(self, future: asyncio.Future[_T], call: Callable[[], _T]) -> None:
        """Run a call of `DaemonExecutor.call` in a worker, unless its caller has gone away."""
        if future.cancelled():
            return
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - as in every executor, the caller gets it
            self._done.append(partial(_fail, future, error))
        else:
            self._done.append(partial(_succeed, future, result))
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed, nothing waits
                self.loop.call_soon_threadsafe(self._give)

    def _give(self) -> None:
        self._is_woken = False  # before the first is taken: what is added later wakes the loop again
        while self._done:
            self._done.popleft()()


def _succeed(future: asyncio.Future[_T], result: _T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[_T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _end(calls: SimpleQueue[Callable[[], None] | None], count: int) -> None:
    for _ in range(count):
        calls.put(None)
