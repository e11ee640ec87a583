"""Small requests that arrive while others are being stored go on together, a few milliseconds later at most."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest
from held_pipeline import INPUTS, LOGS_BY_GRPC, Fixture, fixture, inputs
from otlp_requests import request
from virtual_time import now, run

from otel_modeldata_receiver.exceptions import ShuttingDownError
from otel_modeldata_receiver.ingest import bursts
from otel_modeldata_receiver.ingest.bursts import Bursts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def joined(pauses: Sequence[float]) -> list[float]:
    """When requests go on that arrive with these pauses between them."""

    async def one(made: Bursts) -> float:
        await made.join()
        return round(now(), 6)

    async def main() -> list[float]:
        made, tasks = Bursts(list), []
        for pause in pauses:
            await asyncio.sleep(pause)
            tasks.append(asyncio.create_task(one(made)))
        return await asyncio.gather(*tasks)

    return run(main())


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ([1.0], [1.003]),
        ([1.0, 0.001, 0.001], [1.003] * 3),
        ([1.0, 0.001, 0.003], [1.003, 1.003, 1.007]),
        ([1.0] + [0.0] * 15, [1.0] * 16),
        ([1.0] + [0.0] * 16, [1.0] * 16 + [1.003]),
        ([1.0] + [0.0] * 15 + [0.002], [1.0] * 16 + [1.005]),
    ],
    ids=["alone", "some", "two bursts", "enough", "one more", "one more, later"],
)
def test_requests_go_on_when_they_are_enough_or_the_first_has_waited(
    pauses: list[float], expected: list[float]
) -> None:
    assert joined(pauses) == expected


def test_a_dozen_senders_wait_for_no_more_than_came_before_until_more_are_tried_again() -> None:
    pauses = [1.0, *[0.0] * 7] * 7
    waited = [round(end - int(end), 6) for end in joined(pauses)]
    assert waited[::8] == [0.003, 0.0, 0.0, 0.0, 0.0, 0.003, 0.0]


def test_the_rest_of_many_requests_lets_the_next_ones_wait_as_before() -> None:
    assert joined([1.0, 0.0, 1.0, *[0.0] * 15]) == [1.003] * 2 + [2.0] * 16


def test_after_a_request_that_waited_in_vain_others_go_on_alone_for_a_while() -> None:
    async def main() -> list[bool]:
        made, useful = Bursts(list), []
        useful.append(made.are_useful(1, 4))
        await made.join()
        useful.append(made.are_useful(1, 4))
        await asyncio.sleep(0.1)
        useful.append(made.are_useful(1, 4))
        await asyncio.gather(made.join(), made.join())
        useful.append(made.are_useful(1, 4))
        return useful

    assert run(main()) == [True, False, True, True]


def test_a_caller_that_goes_away_does_not_affect_the_others() -> None:
    async def main() -> list[bool]:
        made = Bursts(list)
        tasks = [asyncio.create_task(made.join()) for _ in range(3)]
        await asyncio.sleep(0.001)
        tasks[1].cancel()
        await asyncio.wait(tasks)
        return [task.cancelled() for task in tasks]

    assert run(main()) == [False, True, False]


async def _receive(made: Fixture, name: str, *, is_compressed: bool = False) -> bytes:
    message = request(*inputs(name))
    if is_compressed:
        message = gzip.compress(message)

    async def read() -> bytes:
        return message

    return await made.pipeline.receive(read, LOGS_BY_GRPC)


async def _under_way(made: Fixture) -> list[asyncio.Task[bytes]]:
    """Requests whose append does not end before the store is opened."""
    made.store.open.clear()
    calls = [asyncio.create_task(_receive(made, f"first {number}")) for number in range(4)]
    while len(made.pipeline._tasks) < len(calls):  # noqa: ASYNC110 (the tasks have no event)
        await asyncio.sleep(0)
    return calls


@pytest.mark.anyio
@pytest.mark.parametrize("is_compressed", [False, True])
async def test_requests_in_a_burst_are_stored_and_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_compressed: bool
) -> None:
    monkeypatch.setattr(bursts, "_MOST_REQUESTS", 3)
    monkeypatch.setattr(bursts, "_SECONDS", 3600.0)
    async with fixture(tmp_path) as made:
        calls = await _under_way(made)
        burst = [
            asyncio.create_task(_receive(made, f"burst {number}", is_compressed=is_compressed)) for number in range(3)
        ]
        while len(made.pipeline._tasks) == len(calls):  # noqa: ASYNC110 (see above)
            await asyncio.sleep(0)
        made.store.open.set()
        assert await asyncio.gather(*calls, *burst) == [b""] * 7
        assert sorted(made.ids(INPUTS)) == [f"burst {number}" for number in range(3)] + [
            f"first {number}" for number in range(4)
        ]


@pytest.mark.anyio
async def test_a_request_that_waits_for_a_burst_is_refused_at_a_stop(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        calls = await _under_way(made)
        waiting = asyncio.create_task(_receive(made, "too late"))
        while not made.pipeline._bursts._waiting:  # noqa: ASYNC110 (see above)
            await asyncio.sleep(0)
        made.pipeline.stop()
        made.store.open.set()
        with pytest.raises(ShuttingDownError):
            await waiting
        assert await asyncio.gather(*calls) == [b""] * 4
        assert (len(made.ids(INPUTS)), made.pipeline.in_flight_bytes) == (4, 0)
