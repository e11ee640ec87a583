"""Reading requests: few at a time, slow reads end first, and each read has a bounded time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import now, run

from otel_modeldata_receiver.exceptions import NoRequestError, OverloadedError, ReceiverError, SlowSenderError
from otel_modeldata_receiver.ingest import read_slots
from otel_modeldata_receiver.ingest.read_slots import (
    FAIR_SECONDS,
    MOST_SECONDS,
    QUICK_SECONDS,
    SLOTS,
    SLOW_SLOTS,
    ReadSlots,
)

LIMIT = 1000


class Sender:
    """Sends its message after a delay; `began` is the time when reading began."""

    def __init__(self, seconds: float, message: object = b"message") -> None:
        self.seconds = seconds
        self.message = message
        self.began: float | None = None

    async def read(self) -> object:
        self.began = now()
        await asyncio.sleep(self.seconds)
        return self.message


async def read_one(slots: ReadSlots, sender: Sender) -> bytes:
    message = await slots.take(sender.read)
    slots.release()
    return message


def take(slots: ReadSlots, sender: Sender) -> asyncio.Task[Any]:
    async def outcome() -> object:
        try:
            return await read_one(slots, sender), now()
        except ReceiverError as error:
            return type(error), now()

    return asyncio.ensure_future(outcome())


def test_messages_are_read() -> None:
    async def main() -> list[bytes]:
        slots = ReadSlots(LIMIT)
        return [await read_one(slots, Sender(1.0, message)) for message in (b"", b"message")]

    assert run(main()) == [b"", b"message"]


def test_a_slot_is_held_as_long_as_a_message_is_inspected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_slots, "SLOTS", 1)

    async def main() -> Any:
        slots = ReadSlots(LIMIT)
        await slots.take(Sender(0.0).read)
        waiting = take(slots, Sender(1.0))
        await asyncio.sleep(18.0)
        assert not waiting.done()
        slots.release()
        first = await waiting
        await slots.take(Sender(0.0).read)
        await asyncio.sleep(3600.0)
        slots.release()
        return first

    assert run(main()) == (b"message", 19.0)


def test_no_more_are_read_at_a_time_than_there_are_slots() -> None:
    async def main() -> list[Any]:
        slots = ReadSlots(LIMIT)
        return await asyncio.gather(*(take(slots, Sender(0.02)) for _ in range(SLOTS + 3)))

    assert sorted(round(ended, 6) for _, ended in run(main())) == [0.02] * SLOTS + [0.04] * 3


def test_a_sender_that_stops_in_the_middle_of_a_message_times_out() -> None:
    async def main() -> Any:
        return await take(ReadSlots(LIMIT), Sender(3600.0))

    assert run(main()) == (SlowSenderError, MOST_SECONDS)


@pytest.mark.parametrize("stalled", [SLOTS, 500])
def test_a_quick_sender_is_read_at_once_beside_many_stopped_ones(stalled: int) -> None:
    async def main() -> tuple[list[Any], list[Any]]:
        slots = ReadSlots(LIMIT)
        stuck = [take(slots, Sender(3600.0)) for _ in range(stalled)]
        outcomes = []
        for _ in range(50):
            began = now()
            message, ended = await take(slots, Sender(0.01))
            outcomes.append((message, ended - began))
        return outcomes, await asyncio.gather(*stuck)

    quick, stuck = run(main())
    assert {message for message, _ in quick} == {b"message"}
    assert max(waited for _, waited in quick) <= QUICK_SECONDS + 0.02
    assert {kind for kind, _ in stuck} == {SlowSenderError}
    assert max(ended for _, ended in stuck) <= MOST_SECONDS


def test_slow_reads_keep_their_slots_while_others_wait_and_the_newest_ends_first() -> None:
    """The allowed number of slow reads begins first; later ones end first, until the first have had their fair time."""

    async def main() -> tuple[list[Any], list[Any]]:
        slots = ReadSlots(LIMIT)
        first = [take(slots, Sender(4.0)) for _ in range(SLOW_SLOTS)]
        await asyncio.sleep(0.1)
        later = [take(slots, Sender(4.0)) for _ in range(SLOTS - SLOW_SLOTS)]
        await asyncio.sleep(1.0)
        quick = [take(slots, Sender(0.1)) for _ in range(SLOTS - SLOW_SLOTS)]
        await asyncio.gather(*quick)
        return await asyncio.gather(*first), await asyncio.gather(*later)

    first, later = run(main())
    assert first == [(b"message", 4.0)] * SLOW_SLOTS
    assert [kind for kind, _ in later] == [SlowSenderError] * (SLOTS - SLOW_SLOTS)


def test_the_oldest_slow_read_ends_when_it_has_had_its_fair_time() -> None:
    async def main() -> list[Any]:
        slots = ReadSlots(LIMIT)
        slow = [take(slots, Sender(9.0)) for _ in range(SLOTS)]
        await asyncio.sleep(FAIR_SECONDS)
        assert await take(slots, Sender(0.1)) == (b"message", FAIR_SECONDS + 0.1)
        return await asyncio.gather(*slow)

    assert run(main()) == [(SlowSenderError, FAIR_SECONDS)] + [(b"message", 9.0)] * (SLOTS - 1)


def test_slow_reads_may_use_all_slots_and_the_longest_time_while_no_call_waits() -> None:
    async def main() -> list[Any]:
        slots = ReadSlots(LIMIT)
        return await asyncio.gather(*(take(slots, Sender(19.0)) for _ in range(SLOTS)))

    assert run(main()) == [(b"message", 19.0)] * SLOTS


def test_too_many_waiting_calls_are_asked_to_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_slots, "MOST_WAITING", 2)

    async def main() -> list[Any]:
        slots = ReadSlots(LIMIT)
        return await asyncio.gather(*(take(slots, Sender(0.02)) for _ in range(SLOTS + 3)))

    assert [kind for kind, _ in run(main())] == [b"message"] * (SLOTS + 2) + [OverloadedError]


def test_a_call_that_ends_without_a_message_is_refused_and_releases_its_slot() -> None:
    async def main() -> bytes:
        slots = ReadSlots(LIMIT)
        with pytest.raises(NoRequestError, match=r"^expected a request of at most 1000 bytes, got none: it was larger"):
            await read_one(slots, Sender(0.0, object()))
        return await read_one(slots, Sender(0.0))

    assert run(main()) == b"message"


@settings(max_examples=200)
@given(
    calls=st.lists(
        st.tuples(st.floats(0, 10), st.sampled_from([0.001, 0.5, 6.0, 3600.0]), st.none() | st.floats(0, 30)),
        max_size=60,
    ),
)
def test_every_slot_is_released_when_calls_stop_or_are_cancelled(
    calls: list[tuple[float, float, float | None]],
) -> None:
    """Each call: when it arrives, how long it takes, and how long its sender waits."""

    async def one(slots: ReadSlots, starts: float, lasts: float, stays: float | None) -> None:
        await asyncio.sleep(starts)
        task = take(slots, Sender(lasts))
        await asyncio.wait([task], timeout=stays)
        task.cancel()

    async def main() -> list[Any]:
        slots = ReadSlots(LIMIT)
        await asyncio.gather(*(one(slots, *call) for call in calls))
        await asyncio.sleep(21.0)
        began = now()
        outcomes = await asyncio.gather(*(take(slots, Sender(1.0)) for _ in range(SLOTS)))
        assert (slots._free, slots._waiting, slots._slow) == (SLOTS, [], {})
        return [(message, round(ended - began, 6)) for message, ended in outcomes]

    assert run(main()) == [(b"message", 1.0)] * SLOTS
