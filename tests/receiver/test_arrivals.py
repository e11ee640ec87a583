"""Reading requests: few at a time, the slow give way, and everybody has a bounded time (section 5, test 24)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata_receiver import arrivals
from otel_modeldata_receiver.arrivals import Arrivals
from otel_modeldata_receiver.exceptions import NoRequestError, OverloadedError, ReceiverError, SlowSenderError
from virtual_time import now, run

LIMIT = 1000


class Sender:
    """Sends its message after a while; `began` is when it was read."""

    def __init__(self, seconds: float, message: object = b"message") -> None:
        self.seconds = seconds
        self.message = message
        self.began: float | None = None

    async def read(self) -> object:
        self.began = now()
        await asyncio.sleep(self.seconds)
        return self.message


async def read_one(gate: Arrivals, sender: Sender) -> bytes:
    async with gate.message(sender.read) as message:
        return message


def take(gate: Arrivals, sender: Sender) -> asyncio.Task[Any]:
    async def outcome() -> object:
        try:
            return await read_one(gate, sender), now()
        except ReceiverError as error:
            return type(error), now()

    return asyncio.ensure_future(outcome())


def test_messages_are_read() -> None:
    async def main() -> list[bytes]:
        gate = Arrivals(LIMIT)
        return [await read_one(gate, Sender(1.0, message)) for message in (b"", b"message")]

    assert run(main()) == [b"", b"message"]


def test_a_slot_is_held_while_a_message_is_in_hand_however_long_that_takes() -> None:
    async def main() -> Any:
        gate = Arrivals(LIMIT, slots=1)
        async with gate.message(Sender(0.0).read):
            waiting = take(gate, Sender(1.0))
            await asyncio.sleep(18.0)
            assert not waiting.done()
        first = await waiting
        async with gate.message(Sender(0.0).read):
            await asyncio.sleep(3600.0)
        return first

    assert run(main()) == (b"message", 19.0)


def test_no_more_are_read_at_a_time_than_there_are_slots() -> None:
    async def main() -> list[Any]:
        gate = Arrivals(LIMIT, slots=2)
        return await asyncio.gather(*(take(gate, Sender(1.0)) for _ in range(6)))

    assert sorted(ended for _, ended in run(main())) == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]


def test_a_sender_that_stops_in_the_middle_has_its_time_and_no_more() -> None:
    async def main() -> Any:
        return await take(Arrivals(LIMIT), Sender(3600.0))

    assert run(main()) == (SlowSenderError, 20.0)


def test_a_newcomer_waits_for_the_fair_time_of_the_oldest_and_is_served_first() -> None:
    async def main() -> tuple[Any, ...]:
        gate = Arrivals(LIMIT, slots=2)
        stuck = [take(gate, Sender(3600.0)) for _ in range(4)]
        await asyncio.sleep(1.0)
        good = take(gate, Sender(0.5))
        outcome = await good
        return outcome, [await one for one in stuck]

    good, stuck = run(main())
    assert good == (b"message", 5.5)
    assert all(kind is SlowSenderError for kind, _ in stuck)
    assert max(ended for _, ended in stuck) <= 20.0


def test_senders_that_were_slow_before_give_way_at_once() -> None:
    async def main() -> Any:
        gate = Arrivals(LIMIT, slots=2)
        stuck = [take(gate, Sender(3600.0)) for _ in range(2)]
        await asyncio.sleep(6.0)
        good = await take(gate, Sender(0.5))
        await asyncio.gather(*stuck)
        return good

    assert run(main()) == (b"message", 6.5)


def test_a_large_request_is_not_hurried_while_nobody_waits() -> None:
    async def main() -> list[Any]:
        gate = Arrivals(LIMIT, slots=2)
        return await asyncio.gather(*(take(gate, Sender(19.0)) for _ in range(2)))

    assert run(main()) == [(b"message", 19.0)] * 2


def test_too_many_waiting_calls_are_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MOST_WAITING", 2)

    async def main() -> list[Any]:
        gate = Arrivals(LIMIT, slots=1)
        return await asyncio.gather(*(take(gate, Sender(1.0)) for _ in range(4)))

    assert [kind for kind, _ in run(main())] == [b"message", b"message", b"message", OverloadedError]


def test_a_call_that_ends_without_a_message_is_told_and_frees_its_slot() -> None:
    async def main() -> bytes:
        gate = Arrivals(LIMIT, slots=1)
        with pytest.raises(NoRequestError, match=r"^expected a request of at most 1000 bytes, got none: it was larger"):
            await read_one(gate, Sender(0.0, object()))
        return await read_one(gate, Sender(0.0))

    assert run(main()) == b"message"


@settings(max_examples=200, deadline=None)
@given(
    calls=st.lists(
        st.tuples(st.floats(0, 30), st.sampled_from([0.001, 0.5, 6.0, 3600.0]), st.none() | st.floats(0, 30)),
        max_size=30,
    ),
    slots=st.integers(1, 3),
)
def test_whoever_stops_or_leaves_every_slot_comes_back(
    calls: list[tuple[float, float, float | None]], slots: int
) -> None:
    """Each call: when it comes, how long it takes, and how long its sender stays."""

    async def one(gate: Arrivals, comes: float, lasts: float, stays: float | None) -> None:
        await asyncio.sleep(comes)
        task = take(gate, Sender(lasts))
        await asyncio.wait([task], timeout=stays)
        task.cancel()

    async def main() -> list[Any]:
        gate = Arrivals(LIMIT, slots=slots)
        await asyncio.gather(*(one(gate, *call) for call in calls))
        await asyncio.sleep(21.0)
        began = now()
        outcomes = await asyncio.gather(*(take(gate, Sender(1.0)) for _ in range(slots)))
        assert (gate._free, gate._waiting, gate._reading) == (slots, [], {})
        return [(message, round(ended - began, 6)) for message, ended in outcomes]

    assert run(main()) == [(b"message", 1.0)] * slots
