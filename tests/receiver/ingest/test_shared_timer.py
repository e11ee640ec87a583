"""Many waits of one length have one timer, and each ends after its own time."""

from __future__ import annotations

import asyncio

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import now, run

from otel_modeldata_receiver.ingest.deadline import Deadline
from otel_modeldata_receiver.ingest.shared_timer import SharedTimer

SECONDS = 0.03


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 0.1)), max_size=40))
def test_each_item_that_stays_is_due_after_its_time_and_no_other_is(items: list[tuple[float, float | None]]) -> None:
    """Each item: when it is added, and how long it stays."""

    async def main() -> tuple[dict[int, float], dict[int, float]]:
        due: dict[int, float] = {}
        added: dict[int, float] = {}
        timer = SharedTimer[int](SECONDS, lambda item: due.__setitem__(item, now()))

        async def one(item: int, begins: float, stays: float | None) -> None:
            await asyncio.sleep(begins)
            added[item] = now()
            timer.add(item)
            if stays is not None:
                await asyncio.sleep(stays)
                timer.discard(item)

        await asyncio.gather(*(one(number, *item) for number, item in enumerate(items)))
        await asyncio.sleep(1.0)
        assert timer._timer is None
        return added, due

    added, due = run(main())
    late = {item: due[item] - added[item] for item in due}
    assert all(SECONDS - 0.0021 <= one <= SECONDS + 1e-6 for one in late.values())
    surely = {number for number, (_, stays) in enumerate(items) if stays is None or stays > SECONDS + 0.003}
    never = {number for number, (_, stays) in enumerate(items) if stays is not None and stays < SECONDS - 0.003}
    assert surely <= set(due)
    assert not never & set(due)


def test_items_that_are_added_when_others_are_due_are_due_later() -> None:
    async def main() -> list[tuple[int, float]]:
        due: list[tuple[int, float]] = []

        def note(item: int) -> None:
            due.append((item, round(now(), 6)))
            if item < 3:
                timer.add(item + 1)

        timer = SharedTimer[int](SECONDS, note)
        timer.add(1)
        await asyncio.sleep(1.0)
        return due

    assert run(main()) == [(1, 0.03), (2, 0.06), (3, 0.09)]


def test_items_are_due_on_a_loop_whose_clock_has_milliseconds() -> None:
    async def main() -> list[int]:
        due: list[int] = []
        ended = asyncio.Event()

        def note(item: int) -> None:
            due.append(item)
            if item == 2:
                ended.set()

        timer = SharedTimer[int](0.005, note)
        for item in range(3):
            timer.add(item)
        await ended.wait()
        return due

    assert uvloop.run(main()) == [0, 1, 2]


def test_an_answer_that_is_late_is_no_longer_waited_for() -> None:
    async def main() -> tuple[bytes, str, float]:
        deadline = Deadline(2.0)
        loop = asyncio.get_running_loop()
        answers = [loop.create_future() for _ in range(2)]
        loop.call_later(1.0, answers[0].set_result, b"answer")
        results = await asyncio.gather(*(deadline.outcome(one) for one in answers), return_exceptions=True)
        assert isinstance(results[0], bytes)
        return results[0], type(results[1]).__name__, round(now(), 6)

    assert run(main()) == (b"answer", "TimeoutError", 2.0)
