from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
from starlette.requests import Request

from otel_modeldata_studio.interruption import InterruptedRequest, current
from otel_modeldata_studio.web.running import GoneError, Runs, TooBusyError
from otel_modeldata_studio.web.settings import WebSettings

pytestmark = pytest.mark.anyio


class Statement:
    """What runs on a connection until it is interrupted."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.interrupted = threading.Event()

    def interrupt(self) -> None:
        self.interrupted.set()

    def run(self) -> str:
        with current().interrupting(self):
            self.began.set()
            assert self.interrupted.wait(60)
        return "late"


def asking(gone: asyncio.Event) -> Request:
    """A request whose browser goes when the event is set."""

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


async def test_the_value_of_a_function_in_a_thread() -> None:
    runs = Runs(WebSettings())
    assert await runs.make(asking(asyncio.Event()), lambda: threading.current_thread().name[:6]) == "studio"
    runs.close()


async def test_an_error_of_the_function_is_raised() -> None:
    runs = Runs(WebSettings())
    with pytest.raises(ZeroDivisionError):
        await runs.make(asking(asyncio.Event()), lambda: 1 / 0)
    runs.close()


async def test_a_statement_is_interrupted_when_the_browser_goes() -> None:
    runs, gone, statement = Runs(WebSettings()), asyncio.Event(), Statement()
    made = asyncio.create_task(runs.make(asking(gone), statement.run))
    await asyncio.to_thread(statement.began.wait, 60)
    gone.set()
    with pytest.raises(GoneError):
        await made
    assert await asyncio.to_thread(statement.interrupted.wait, 60)
    runs.close()


async def test_the_error_of_what_the_end_of_the_server_interrupts_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    runs, statement = Runs(WebSettings()), Statement()
    ended = threading.Event()

    def interrupted() -> None:
        statement.run()
        ended.set()
        current().check()

    made = asyncio.create_task(runs.make(asking(asyncio.Event()), interrupted))
    await asyncio.to_thread(statement.began.wait, 60)
    (thread,) = runs._running.values()
    next_call = thread.call(lambda: None)
    runs.close()
    with pytest.raises(GoneError):
        await made
    assert await asyncio.to_thread(ended.wait, 60)
    await next_call  # the error of the call before has come back too
    del made
    gc.collect()
    assert caplog.messages == []


async def test_a_statement_is_interrupted_when_its_time_is_over() -> None:
    runs, statement = Runs(WebSettings(seconds=0.05)), Statement()
    with pytest.raises(TooBusyError) as caught:
        await runs.make(asking(asyncio.Event()), statement.run)
    assert str(caught.value) == (
        "expected an answer within 0.05 s, got none: choose a shorter window, or fewer columns"
    )
    assert await asyncio.to_thread(statement.interrupted.wait, 60)
    runs.close()


async def test_a_few_run_at_a_time_a_few_wait_and_the_others_are_refused() -> None:
    runs = Runs(WebSettings(queries=1, waiting=1))
    gone, first, second = asyncio.Event(), Statement(), Statement()
    running = asyncio.create_task(runs.make(asking(gone), first.run))
    await asyncio.to_thread(first.began.wait, 60)
    waiting = asyncio.create_task(runs.make(asking(asyncio.Event()), second.run))
    await asyncio.sleep(0)
    with pytest.raises(TooBusyError, match="wait for the answers, then ask again"):
        await runs.make(asking(asyncio.Event()), Statement().run)
    assert not second.began.is_set()
    first.interrupt()
    assert await running == "late"
    await asyncio.to_thread(second.began.wait, 60)
    runs.close()
    with pytest.raises(GoneError, match="expected a Studio that runs, got one that ends"):
        await waiting
    assert await asyncio.to_thread(second.interrupted.wait, 60)


async def test_what_waits_for_its_turn_does_not_begin_after_the_browser_has_gone() -> None:
    runs, gone, first = Runs(WebSettings(queries=1)), asyncio.Event(), Statement()
    began: list[str] = []
    running = asyncio.create_task(runs.make(asking(asyncio.Event()), first.run))
    await asyncio.to_thread(first.began.wait, 60)
    waiting = asyncio.create_task(runs.make(asking(gone), lambda: began.append("began")))
    await asyncio.sleep(0)
    gone.set()
    with pytest.raises(GoneError):
        await waiting
    first.interrupt()
    await running
    assert await runs.make(asking(asyncio.Event()), lambda: "next") == "next"
    assert began == []
    runs.close()


def test_outside_of_a_request_nothing_is_ended() -> None:
    current().check()
    assert not current().ended


async def test_loops_in_python_end_too() -> None:
    runs = Runs(WebSettings(seconds=0.05))
    raised: list[type[BaseException]] = []
    ended = threading.Event()

    def loop() -> None:
        try:
            while True:
                current().check()
        except InterruptedRequest as caught:
            raised.append(type(caught))
        ended.set()

    with pytest.raises(TooBusyError):
        await runs.make(asking(asyncio.Event()), loop)
    assert await asyncio.to_thread(ended.wait, 60)
    assert raised == [InterruptedRequest]
    runs.close()


class Hanging:
    """What waits for the operating system: nothing interrupts it."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let = threading.Event()
        self.ended = threading.Event()

    def run(self) -> str:
        self.began.set()
        assert self.let.wait(60)
        self.ended.set()
        return "late"


async def test_a_thread_that_does_not_end_is_replaced() -> None:
    runs = Runs(WebSettings(queries=2, seconds=0.05, lost_seconds=0.05))
    hanging = [Hanging() for _ in range(5)]
    for one in hanging:  # more than there are threads
        while not one.began.is_set():
            with pytest.raises(TooBusyError, match=r"expected an answer within 0\.05 s, got none"):
                await runs.make(asking(asyncio.Event()), one.run)
    assert await answered(runs) == "answer"
    for one in hanging:
        one.let.set()
        assert await asyncio.to_thread(one.ended.wait, 60)
    assert await answered(runs) == "answer"
    runs.close()


async def answered(runs: Runs) -> str:
    """The answer of a question that is asked again until a thread is idle."""
    while True:
        try:
            return await runs.make(asking(asyncio.Event()), lambda: "answer")
        except TooBusyError:
            await asyncio.sleep(0.01)


async def test_threads_that_do_not_end_are_bounded_until_they_end() -> None:
    runs = Runs(WebSettings(queries=1, seconds=0.05, lost_seconds=0.0, lost=2))
    hanging = [Hanging(), Hanging()]
    for one in hanging:
        while not one.began.is_set():
            with pytest.raises(TooBusyError):
                await runs.make(asking(asyncio.Event()), one.run)
    # The second one may be given up while this one waits for its thread, and then has an answer.
    await answered(runs)
    with pytest.raises(TooBusyError) as caught:
        await runs.make(asking(asyncio.Event()), lambda: "answer")
    assert str(caught.value) == (
        "expected a store that can be read, got 2 questions that wait for it since long: look at its disk or network, "
        "then ask again, or start Studio again"
    )
    hanging[0].let.set()
    assert await answered(runs) == "answer"
    hanging[1].let.set()
    runs.close()


async def test_what_waits_or_comes_after_the_end_of_the_server_is_not_begun() -> None:
    runs, first = Runs(WebSettings(queries=1)), Statement()
    running = asyncio.create_task(runs.make(asking(asyncio.Event()), first.run))
    await asyncio.to_thread(first.began.wait, 60)
    waiting = asyncio.create_task(runs.make(asking(asyncio.Event()), Statement().run))
    await asyncio.sleep(0)
    runs.close()
    with pytest.raises(GoneError, match="expected a Studio that runs, got one that ends"):
        await waiting
    with pytest.raises(GoneError, match="expected a Studio that runs, got one that ends"):
        await running
    with pytest.raises(GoneError, match="expected a Studio that runs, got one that ends"):
        await runs.make(asking(asyncio.Event()), Statement().run)


async def test_what_runs_has_no_answer_after_the_end_of_the_server() -> None:
    runs, hanging = Runs(WebSettings()), Hanging()
    running = asyncio.create_task(runs.make(asking(asyncio.Event()), hanging.run))
    await asyncio.to_thread(hanging.began.wait, 60)
    runs.close()
    with pytest.raises(GoneError, match="expected a Studio that runs, got one that ends"):
        await running
    hanging.let.set()
