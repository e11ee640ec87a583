"""Group commit: lines of one partition are gathered, cut into blocks, answered in order, refused together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from memory_store import (
    FIRST,
    FOLDER,
    HASTY,
    MemoryStore,
    line,
    lines,
    refused,
    sink_on,
)
from virtual_time import now, run

from otel_modeldata_receiver.exceptions import StoreCheckError, StoreError
from otel_modeldata_receiver.storage.sink import Appended, SinkLimits


def test_calls_during_an_append_share_the_next_one() -> None:
    store = MemoryStore()

    async def main() -> list[Appended]:
        sink = sink_on(store)
        first = asyncio.ensure_future(sink.append(FOLDER, lines("first")))
        await store.reached("append")
        return await asyncio.gather(first, *(sink.append(FOLDER, lines(number)) for number in range(1000)))

    assert run(main()) == [Appended(stored=1, duplicates=0)] * 1001
    assert [len(block.splitlines()) for block in store.blocks[FIRST]] == [1, 1000]
    assert store.stored() == ["first", *map(str, range(1000))]


def test_callers_that_send_again_when_they_are_answered_share_an_append_again() -> None:
    store = MemoryStore()

    async def main() -> None:
        sink = sink_on(store)

        async def caller(number: int) -> None:
            for turn in range(5):
                await sink.append(FOLDER, lines(f"{turn}-{number}"))
                await asyncio.sleep(number / 10_000)

        await asyncio.gather(*map(caller, range(8)))

    run(main())
    assert [len(block.splitlines()) for block in store.blocks[FIRST]] == [8] * 5


def _blocks_of_callers(count: int, turns: int) -> list[int]:
    """How many of `count` callers share each append, if the work for each request takes 0.4 ms before it."""
    store = MemoryStore()
    store.latency = 0.001

    async def main() -> None:
        sink, work = sink_on(store), asyncio.Lock()

        async def caller(number: int) -> None:
            for turn in range(turns):
                async with work:
                    await asyncio.sleep(0.0004)
                await sink.append(FOLDER, lines(f"{turn}-{number}"))

        await asyncio.gather(*map(caller, range(count)))

    run(main())
    return [len(block.splitlines()) for block in store.blocks[FIRST]]


def test_of_many_callers_more_share_an_append_than_arrive_while_it_lasts() -> None:
    assert _blocks_of_callers(64, turns=5) == [3, 5, 5, 5, 10, 20, 40, 64, 40, 40, 40, 40, 8]


def test_few_callers_do_not_all_wait_for_each_other_while_nothing_is_appended() -> None:
    blocks = _blocks_of_callers(8, turns=100)
    assert [at for at, size in enumerate(blocks) if size > 5] == [4, 73, 142]
    assert blocks[:4] == [3, 5, 5, 5]


def test_a_caller_waits_for_those_of_the_block_before_for_a_moment_and_once() -> None:
    async def main() -> list[float]:
        sink = sink_on(MemoryStore())
        await asyncio.gather(*(sink.append(FOLDER, lines(number)) for number in range(4)))
        seconds = []
        for number in range(4, 7):
            start = now()
            await sink.append(FOLDER, lines(number))
            seconds.append(now() - start)
        return seconds

    latency = MemoryStore().latency
    assert run(main()) == pytest.approx([0.005 + latency, latency, latency])


@pytest.mark.parametrize(("calls", "padding"), [(3, 0), (4, 70_000)])
def test_few_callers_and_large_lines_wait_for_no_others(calls: int, padding: int) -> None:
    async def main() -> float:
        sink = sink_on(MemoryStore())
        await asyncio.gather(*(sink.append(FOLDER, lines(number)) for number in range(calls)))
        start = now()
        await sink.append(FOLDER, [line("later", padding=padding)])
        return now() - start

    assert run(main()) == pytest.approx(MemoryStore().latency)


@pytest.mark.parametrize(("callers", "waited"), [(1, 0.0), (4, 0.005), (64, 0.032)])
def test_a_call_of_several_callers_counts_as_so_many(callers: int, waited: float) -> None:
    async def main() -> list[float]:
        sink, seconds = sink_on(MemoryStore()), []
        for number in range(3):
            start = now()
            await sink.append(FOLDER, lines(number), callers=callers if number < 2 else 1)
            seconds.append(now() - start)
        return seconds

    latency = MemoryStore().latency
    assert run(main())[1:] == pytest.approx([latency, waited + latency])


def test_a_drain_ends_the_wait_for_callers() -> None:
    async def main() -> float:
        sink = sink_on(MemoryStore())
        await asyncio.gather(*(sink.append(FOLDER, lines(number)) for number in range(4)))
        start = now()
        call = asyncio.ensure_future(sink.append(FOLDER, lines("last")))
        await asyncio.sleep(0.001)
        await sink.drain()
        await call
        return now() - start

    assert run(main()) == pytest.approx(0.001 + MemoryStore().latency)


def test_a_line_is_never_split_over_two_appends_and_a_call_waits_for_all_its_lines() -> None:
    store = MemoryStore()
    many = [line(number, padding=60) for number in range(10)]
    limits = SinkLimits(block_bytes=3 * len(many[0].data) + 1)

    async def main() -> Appended:
        call = asyncio.ensure_future(sink_on(store, limits=limits).append(FOLDER, many))
        for block in range(4):
            await store.reached("append", block + 1)
            assert not call.done()
        return await call

    assert run(main()) == Appended(stored=10, duplicates=0)
    data = [one.data for one in many]
    assert store.blocks[FIRST] == [b"".join(data[start : start + 3]) for start in range(0, 10, 3)]


def test_lines_linger_for_others_but_no_longer_than_configured() -> None:
    store = MemoryStore()

    async def main() -> float:
        sink = sink_on(store, linger=1.0)
        await sink.append(FOLDER, lines("warm"))
        start = now()
        first = asyncio.ensure_future(sink.append(FOLDER, lines(1)))
        await asyncio.sleep(0.9)
        await asyncio.gather(first, sink.append(FOLDER, lines(2)))
        return now() - start

    assert run(main()) == pytest.approx(1.0 + MemoryStore().latency)
    assert [len(block.splitlines()) for block in store.blocks[FIRST]] == [1, 2]


def test_a_full_block_does_not_linger() -> None:
    limits = SinkLimits(block_bytes=1000)

    async def main() -> float:
        sink = sink_on(MemoryStore(), linger=3600.0, limits=limits)
        first = asyncio.ensure_future(sink.append(FOLDER, [line(1, padding=500)]))
        await asyncio.sleep(0.1)
        second = asyncio.ensure_future(sink.append(FOLDER, [line(2, padding=500)]))
        await first
        taken = now()
        await sink.drain()
        await second
        return taken

    assert run(main()) < 1.0


def test_lines_linger_after_a_full_block_as_before_it() -> None:
    async def main() -> float:
        sink = sink_on(MemoryStore(), linger=10.0, limits=SinkLimits(block_bytes=1000))
        await sink.append(FOLDER, [line(number, padding=600) for number in range(4)])
        start = now()
        await sink.append(FOLDER, lines("small"))
        return now() - start

    assert run(main()) == pytest.approx(10.0 + MemoryStore().latency)


def test_drain_writes_lingering_lines_at_once_and_waits_for_them() -> None:
    store = MemoryStore()

    async def main() -> float:
        sink = sink_on(store, linger=3600.0)
        call = asyncio.ensure_future(sink.append(FOLDER, lines(1)))
        await asyncio.sleep(0.1)
        await sink.drain()
        assert store.stored() == ["1"]
        assert await call == Appended(stored=1, duplicates=0)
        await sink.drain()
        return now()

    assert run(main()) < 1.0


def test_a_line_that_is_stored_is_acknowledged_and_not_written_again() -> None:
    store = MemoryStore()

    async def main() -> list[Appended]:
        sink = sink_on(store)
        return [await sink.append(FOLDER, lines(*keys)) for keys in ((1, 2), (2, 3, 3), (1, 2, 3))]

    assert run(main()) == [Appended(2, 0), Appended(1, 2), Appended(0, 3)]
    assert store.stored() == ["1", "2", "3"]
    assert store.count("append") == 2


def test_a_duplicate_of_a_pending_line_waits_for_it() -> None:
    store = MemoryStore()

    async def main() -> list[Appended]:
        sink = sink_on(store)
        first = asyncio.ensure_future(sink.append(FOLDER, lines(1, 2)))
        await store.reached("append")
        second = asyncio.ensure_future(sink.append(FOLDER, lines(2, 1)))
        await asyncio.sleep(0)
        assert not second.done()
        return await asyncio.gather(first, second)

    assert run(main()) == [Appended(2, 0), Appended(0, 2)]
    assert store.stored() == ["1", "2"]


def test_a_duplicate_of_a_pending_line_fails_with_it() -> None:
    store = MemoryStore(["ok", "ok", "refused"])

    async def main() -> list[Any]:
        sink = sink_on(store, limits=HASTY)
        calls = [sink.append(FOLDER, lines(1)), sink.append(FOLDER, lines(1)), sink.append(FOLDER, lines(2))]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [StoreError] * 3
        assert len({id(error) for error in errors}) == 3
        return await asyncio.gather(sink.append(FOLDER, lines(1)), sink.append(FOLDER, lines(2)))

    assert run(main()) == [Appended(1, 0), Appended(1, 0)]
    assert store.stored() == ["1", "2"]


def test_a_line_that_is_in_a_blob_counts_as_a_duplicate_of_the_call_that_queued_it() -> None:
    """All calls wait while the blob of an earlier process is read; the second has no new line."""
    store = MemoryStore()
    store.contents[FIRST] = line(1).data + line(4).data
    store.blocks[FIRST] = [store.contents[FIRST]]
    calls = [(0, 1), (1,), (2,), (3, 4, 5)]

    async def main() -> list[Appended]:
        sink = sink_on(store)
        return await asyncio.gather(*(sink.append(FOLDER, lines(*keys)) for keys in calls))

    assert run(main()) == [Appended(1, 1), Appended(0, 1), Appended(1, 0), Appended(2, 1)]
    assert store.stored() == ["1", "4", "0", "2", "3", "5"]


def test_the_lines_of_a_cancelled_call_are_stored() -> None:
    store = MemoryStore()

    async def main() -> Appended:
        sink = sink_on(store)
        call = asyncio.ensure_future(sink.append(FOLDER, lines(1)))
        await asyncio.sleep(0.001)
        call.cancel()
        await asyncio.wait([call])
        return await sink.append(FOLDER, lines(1, 2))

    assert run(main()) == Appended(stored=1, duplicates=1)
    assert store.stored() == ["1", "2"]


def test_a_block_is_retried_with_the_same_bytes_while_more_lines_wait() -> None:
    store = MemoryStore(["ok", "ok", "late", "refused", "land"])

    async def main() -> list[Appended]:
        sink = sink_on(store)
        first = asyncio.ensure_future(sink.append(FOLDER, lines(1)))
        await store.reached("append", 2)
        return await asyncio.gather(first, sink.append(FOLDER, lines(2)))

    assert run(main()) == [Appended(1, 0), Appended(1, 0)]
    assert store.blocks == {FIRST: [line(1).data, line(2).data]}


def test_a_store_that_is_down_is_retried_for_a_while_then_every_caller_gets_the_error() -> None:
    store = MemoryStore(["refused"] * 1000)

    async def main() -> tuple[float, list[str]]:
        sink = sink_on(store, limits=SinkLimits(retry_seconds=8.0))
        errors = await asyncio.gather(*(sink.append(FOLDER, lines(key)) for key in "ab"), return_exceptions=True)
        return now(), [repr(error) for error in errors]

    taken, errors = run(main())
    assert errors == ["StoreError('planned')"] * 2
    assert 8.0 <= taken < 8.1
    assert 5 < store.count("blobs") < 15


class CodeError(StoreCheckError):
    """Its constructor takes other arguments than its `args`."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


def test_every_caller_gets_its_own_copy_of_any_error_class() -> None:
    store = MemoryStore()
    store.error = CodeError(code=7)

    async def main() -> list[Any]:
        sink = sink_on(store)
        return await asyncio.gather(*(sink.append(FOLDER, lines(key)) for key in "ab"), return_exceptions=True)

    errors = run(main())
    assert [(type(error), str(error), error.code) for error in errors] == [(CodeError, "code 7", 7)] * 2
    assert errors[0] is not errors[1]


def test_a_store_that_cannot_be_used_is_not_retried() -> None:
    store = MemoryStore()
    store.error = StoreCheckError("no permission")

    async def main() -> float:
        error = await refused(sink_on(store), 1)
        assert (type(error), str(error)) == (StoreCheckError, "no permission")
        return now()

    assert run(main()) < 0.1


def test_a_bug_in_a_store_is_logged_and_no_caller_waits_forever(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    store.error = RuntimeError("a bug")

    async def main() -> Appended:
        sink = sink_on(store)
        error = await refused(sink, 1)
        assert str(error) == "expected the lines to be stored, got a sink that stopped: send them again"
        return await sink.append(FOLDER, lines(1))

    assert run(main()) == Appended(stored=1, duplicates=0)
    assert [record.getMessage() for record in caplog.records] == [f"storing lines stopped: folder {FOLDER}"]
