from __future__ import annotations

import asyncio
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
    runs.close()  # it interrupts the second
    assert await waiting == "late"


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
