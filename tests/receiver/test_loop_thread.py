"""An event loop for code without one: on a thread, or in the caller's where none can be started any more."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, NoReturn

import pytest

from otel_modeldata_receiver.loop_thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Iterator


def refuse(*_: object) -> NoReturn:
    raise RuntimeError("can't create new thread at interpreter shutdown")


@pytest.fixture(params=["on a thread", "in place"])
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopThread]:
    if request.param == "in place":
        monkeypatch.setattr("otel_modeldata_receiver.daemon_executor.DaemonThread", refuse)
    loop = LoopThread("loop")
    yield loop
    loop.close(30)


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return await asyncio.to_thread(lambda: 2 * number)


async def fail() -> NoReturn:
    raise ValueError("defect")


def test_coroutines_give_results_and_errors(loop: LoopThread) -> None:
    assert loop.run(double(2)) == 4
    assert [loop.begin(double(number)).result(30) for number in range(3)] == [0, 2, 4]
    with pytest.raises(ValueError, match="defect"):
        loop.run(fail())


def test_a_wait_is_bounded(loop: LoopThread) -> None:
    with pytest.raises(TimeoutError):
        loop.run(asyncio.sleep(3600), 0.01)
    assert loop.run(double(2), 30) == 4


def test_a_coroutine_runs_on_the_thread_of_the_loop_or_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    async def thread() -> str:
        return threading.current_thread().name

    on_thread = LoopThread("loop")
    monkeypatch.setattr("otel_modeldata_receiver.daemon_executor.DaemonThread", refuse)
    in_place = LoopThread("loop")
    assert on_thread.run(thread()) == "loop_0"
    assert in_place.run(thread()) == threading.current_thread().name
    on_thread.close(30)
    in_place.close(30)


def test_a_coroutine_runs_also_for_a_caller_in_another_loop(loop: LoopThread) -> None:
    async def call() -> tuple[int, bool]:
        running = asyncio.get_running_loop()
        result = loop.run(double(2), 30)
        await asyncio.sleep(0)
        return result, asyncio.get_running_loop() is running

    assert asyncio.run(call()) == (4, True)


def test_in_place_a_signal_handler_cannot_run_a_coroutine_inside_of_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("otel_modeldata_receiver.daemon_executor.DaemonThread", refuse)
    loop = LoopThread("loop")

    async def interrupted() -> None:
        with pytest.raises(CancelledError):
            loop.run(double(2))
        loop.close(30)

    loop.run(interrupted())
    loop.close(30)


def test_all_threads_start_with_the_loop() -> None:
    loop = LoopThread("early")
    assert {thread.name for thread in threading.enumerate() if thread.name.startswith("early")} == {
        "early_0",
        "early-loop_0",
        "early-loop_1",
    }
    loop.close(30)
