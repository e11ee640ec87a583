"""Long mappings go on in turns, of which one runs between two looks at the sockets."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.ingest.turns import Turns
from otel_modeldata_receiver.mapping.outcomes import Mapped

if TYPE_CHECKING:
    from collections.abc import Generator

    from otel_modeldata_receiver.mapping.event import Outcome
    from otel_modeldata_receiver.mapping.outcomes import Step

pytestmark = pytest.mark.anyio


class Clock:
    """Each look at it takes a second, more than a turn."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


async def test_one_turn_of_all_long_mappings_runs_in_each_iteration_of_the_loop() -> None:
    turns = Turns(Clock())
    ran: list[int] = []

    def steps(number: int) -> Generator[Step, Outcome | Exception | None, None]:
        for _ in range(20):
            ran.append(number)
            yield None
        yield Mapped(records=number)

    async def run(number: int) -> list[int]:
        return [piece.records async for piece in turns.pieces(steps(number))]

    tasks = [asyncio.create_task(run(number)) for number in range(5)]
    await asyncio.sleep(0)
    first = len(ran)
    most = 0
    while not all(task.done() for task in tasks):
        before = len(ran)
        await asyncio.sleep(0)
        most = max(most, len(ran) - before)
    assert (first, most) == (5, 1)
    assert [task.result() for task in tasks] == [[number] for number in range(5)]


async def test_work_for_a_thread_runs_on_another_thread_and_its_result_comes_back() -> None:
    found: list[object] = []

    def steps() -> Generator[Step, Outcome | Exception | None, None]:
        found.append((yield lambda: ValueError(threading.current_thread() is threading.main_thread())))
        yield Mapped()

    assert [piece async for piece in Turns().pieces(steps())] == [Mapped()]
    assert [str(one) for one in found] == ["False"]


async def test_while_a_record_is_mapped_in_a_thread_other_requests_have_their_turns() -> None:
    turns = Turns(Clock())
    go_on = threading.Event()

    def heavy() -> Generator[Step, Outcome | Exception | None, None]:
        yield None
        yield lambda: ValueError(str(go_on.wait(30)))
        yield Mapped(records=1)

    def ordinary() -> Generator[Step, Outcome | Exception | None, None]:
        for _ in range(20):
            yield None
        yield Mapped(records=2)

    async def run(steps: Generator[Step, Outcome | Exception | None, None]) -> list[int]:
        return [piece.records async for piece in turns.pieces(steps)]

    tasks = [asyncio.create_task(run(heavy())) for _ in range(2)]
    await asyncio.sleep(0)
    assert await run(ordinary()) == [2]
    assert not any(task.done() for task in tasks)
    go_on.set()
    assert [await task for task in tasks] == [[1], [1]]


async def test_a_piece_that_cannot_be_stored_ends_the_mapping_and_gives_the_turn_back() -> None:
    turns = Turns(Clock())

    def steps() -> Generator[Step, Outcome | Exception | None, None]:
        yield None
        yield Mapped()
        yield Mapped()

    async def store() -> None:
        async for _ in turns.pieces(steps()):
            raise OSError("full")

    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            await store()
