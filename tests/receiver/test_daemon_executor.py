"""An executor whose threads work until the interpreter has ended."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, NoReturn

import pytest

from otel_modeldata_receiver.daemon_executor import DaemonExecutor, DaemonThread

if TYPE_CHECKING:
    from collections.abc import Callable


def test_calls_run_and_their_results_are_returned() -> None:
    threads = DaemonExecutor(2, "worker")
    with threads:
        assert threads.submit(pow, 2, 3).result() == 8
        with pytest.raises(ZeroDivisionError):
            threads.submit(divmod, 1, 0).result()
        assert threads.submit(lambda: threading.current_thread().name).result().startswith("worker_")


def test_calls_run_concurrently_up_to_the_number_of_threads() -> None:
    meeting = threading.Barrier(3)
    with DaemonExecutor(2, "worker") as threads:
        waiting = [threads.submit(meeting.wait, 30) for _ in range(2)]
        assert sorted({meeting.wait(30), *(future.result() for future in waiting)}) == [0, 1, 2]


def test_calls_submitted_before_a_shutdown_run_and_later_ones_are_refused() -> None:
    threads, done, go = DaemonExecutor(1, "worker"), [], threading.Event()
    threads.submit(go.wait, 30)
    threads.submit(done.append, 1)
    go.set()
    threads.shutdown()
    threads.shutdown()
    assert done == [1]
    with pytest.raises(RuntimeError, match="after shutdown"):
        threads.submit(done.append, 2)


def test_a_call_that_is_cancelled_before_its_turn_never_runs() -> None:
    go, done = threading.Event(), []
    with DaemonExecutor(1, "worker") as threads:
        threads.submit(go.wait, 30)
        future = threads.submit(done.append, 1)
        assert future.cancel()
        go.set()
        with pytest.raises(CancelledError):
            future.result()
    assert done == []


def test_the_running_loop_gets_results_and_errors() -> None:
    async def main() -> None:
        with DaemonExecutor(2, "worker") as threads:
            results = await asyncio.gather(*(threads.call(pow, 2, number) for number in range(100)))
            assert results == [2**number for number in range(100)]
            with pytest.raises(ZeroDivisionError):
                await threads.call(divmod, 1, 0)
        with pytest.raises(RuntimeError, match="after shutdown"):
            threads.call(int)

    asyncio.run(main())


def test_the_running_loop_is_woken_once_for_all_results_that_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe

        def count(callback: Callable[..., object], *args: object) -> asyncio.Handle:
            woken.append(callback)
            return wake(callback, *args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", count)
        with DaemonExecutor(1, "worker") as threads:
            done: list[int] = []
            calls = [threads.call(done.append, number) for number in range(100)]
            while len(done) < 100:
                time.sleep(0.001)  # noqa: ASYNC251 - as above
            await asyncio.gather(*calls)
            assert done == list(range(100))

    asyncio.run(main())
    assert len(woken) <= 2  # the last result may come when the loop has begun to take the others


def test_each_loop_gets_the_results_of_its_own_calls() -> None:
    with DaemonExecutor(2, "worker") as threads:

        async def main(number: int) -> list[int]:
            return await asyncio.gather(*(threads.call(pow, number, power) for power in range(50)))

        for number in (2, 3):
            assert asyncio.run(main(number)) == [number**power for power in range(50)]


def test_a_call_of_the_running_loop_that_is_cancelled_before_its_turn_never_runs() -> None:
    go, done = threading.Event(), []

    async def main() -> None:
        with DaemonExecutor(1, "worker") as threads:
            first = threads.call(go.wait, 30)
            threads.call(done.append, "cancelled").cancel()
            last = threads.call(done.append, "last")
            go.set()
            await asyncio.gather(first, last)

    asyncio.run(main())
    assert done == ["last"]


def test_asyncio_accepts_it_as_the_default_executor() -> None:
    async def name() -> str:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor(1, "worker"))
        return await asyncio.to_thread(lambda: threading.current_thread().name)

    assert asyncio.run(name()) == "worker_0"


def refuse(*_: object) -> NoReturn:
    raise RuntimeError("can't create new thread at interpreter shutdown")


def test_without_a_thread_calls_run_in_the_thread_of_their_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_modeldata_receiver.daemon_executor.DaemonThread", refuse)
    threads = DaemonExecutor(2, "worker")
    assert threads.is_in_place
    assert threads.submit(threading.get_ident).result(0) == threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 1, 0).result(0)

    async def main() -> None:
        assert await threads.call(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await threads.call(divmod, 1, 0)
        await threads.close()
        with pytest.raises(RuntimeError, match="after shutdown"):
            threads.call(int)

    asyncio.run(main())


def test_the_threads_that_could_be_started_take_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[DaemonThread] = []

    def start_one(work: Callable[[], object], name: str) -> DaemonThread:
        if started:
            refuse()
        started.append(DaemonThread(work, name))
        return started[0]

    monkeypatch.setattr("otel_modeldata_receiver.daemon_executor.DaemonThread", start_one)
    with DaemonExecutor(8, "worker") as threads:
        assert {threads.submit(lambda: threading.current_thread().name).result(30) for _ in range(9)} == {"worker_0"}


def test_a_close_waits_for_the_calls_that_were_submitted_before() -> None:
    go, done = threading.Event(), []

    def work() -> None:
        go.wait(30)
        done.append(1)

    async def main() -> None:
        threads = DaemonExecutor(2, "worker")
        threads.submit(work)
        closing = asyncio.ensure_future(threads.close())
        await asyncio.sleep(0)
        assert not closing.done()
        go.set()
        await closing

    asyncio.run(main())
    assert done == [1]


def test_the_threads_of_a_deleted_executor_end() -> None:
    threads = DaemonExecutor(1, "forgotten")
    (worker,) = (thread for thread in threading.enumerate() if thread.name == "forgotten_0")
    del threads
    deadline = time.monotonic() + 30
    while worker.is_alive():
        gc.collect()
        assert time.monotonic() < deadline
        worker.join(0.01)


def test_calls_run_while_the_interpreter_exits_and_do_not_delay_it() -> None:
    code = """
import atexit, threading
from otel_modeldata_receiver.daemon_executor import DaemonExecutor
threads = DaemonExecutor(2, "worker")
atexit.register(lambda: print(threads.submit(pow, 2, 3).result()))
threads.submit(threading.Event().wait)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "8\n", "")
