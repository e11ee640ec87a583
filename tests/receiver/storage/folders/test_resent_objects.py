"""Objects of events that are sent again: one search of a folder answers all that wait for it."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_store import FOLDER, INSTANCE, MemoryStore, line, line_to, sink_on
from partly_broken import in_virtual_time
from virtual_time import now, run

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.folders import reference_search
from otel_modeldata_receiver.storage.folders.resent_objects import ResentObjects

if TYPE_CHECKING:
    from collections.abc import Iterator

STEM = f"{FOLDER}/{INSTANCE}"
BLOB = f"{STEM}000000.jsonl"
PIECES = 1000


@pytest.fixture(autouse=True)
def pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for bound in ("_READ_BYTES", "_LEAST_READ_BYTES"):
            patch.setattr(reference_search, bound, 1 << 10)
        yield


def object_name(number: int) -> str:
    return f"{FOLDER}/files/event-{number}-0123456789abcdef.json"


def long_store() -> MemoryStore:
    """A store with a folder that is read in about 30 s."""
    store = MemoryStore()
    store.contents[BLOB], store.blocks[BLOB] = line("first", (PIECES << 10) - 200).data, []
    store.latency = 0.03
    return store


async def answered(resent: ResentObjects, count: int, deadline: float) -> tuple[float, set[bool]]:
    """Ask for objects with requests that end at a deadline and come again; return when all are answered, and how.

    They begin within 3 s, and come again after different times, so that they end one after the other.
    """

    async def ask(number: int) -> bool:
        await asyncio.sleep(3.0 * number / count)
        while True:
            try:
                async with asyncio.timeout(deadline):
                    return await resent.is_unnamed(STEM, object_name(number))
            except TimeoutError:
                await asyncio.sleep(1.0 + number % 7 / 3.0)

    answers = await asyncio.gather(*map(ask, range(count)))
    return now(), set(answers)


@pytest.mark.parametrize(("count", "readings"), [(1, 1), (130, 2), (3000, 2)])
@pytest.mark.parametrize("deadline", [10.0, 3600.0])
def test_requests_are_answered_in_the_time_of_two_readings_also_if_these_take_longer(
    count: int, readings: int, deadline: float
) -> None:
    store = long_store()
    seconds, answers = run(answered(ResentObjects(store), count, deadline))
    assert answers == {True}
    assert store.count("read") <= readings * 1.01 * PIECES
    assert seconds <= readings * 30.0 * 1.1 + 15.0


def test_those_that_wait_share_a_listing() -> None:
    store = long_store()
    run(answered(ResentObjects(store), 500, deadline=3600.0))
    assert (store.count("blobs"), store.count("state")) == (2, 2)


@pytest.mark.parametrize("deadline", [10.0, 3600.0])
def test_with_more_objects_than_are_remembered_each_is_answered(deadline: float) -> None:
    """Also if each search takes longer than a request: what waits for its answer gives its place to no other."""
    store = long_store()
    resent = ResentObjects(store, most=20)
    seconds, answers = run(answered(resent, 100, deadline))
    assert answers == {True}
    assert store.count("read") <= 12 * PIECES  # at most two for each 20
    assert seconds < 600.0
    assert (len(resent._answered), len(resent._folders[STEM].names)) == (20, 20)
    assert sum(len(group.files) for group in resent._folders[STEM].references._groups) <= 20


def test_those_of_one_tenant_keep_those_of_another_one_not_waiting() -> None:
    store = long_store()
    stems = [f"credit/{deployment}/in/1/{INSTANCE}" for deployment in ("blue", "green")]
    for stem in stems:
        store.contents[f"{stem}000000.jsonl"], store.blocks[f"{stem}000000.jsonl"] = store.contents[BLOB], []
    resent = ResentObjects(store, most=20)

    async def main() -> float:
        many = asyncio.gather(*(resent.is_unnamed(stems[0], object_name(number)) for number in range(100)))
        await asyncio.sleep(1.0)
        began = now()
        assert all(await asyncio.gather(*(resent.is_unnamed(stems[1], object_name(number)) for number in range(10))))
        took = now() - began
        assert all(await many)
        return took

    assert run(main()) < 35.0
    assert (len(resent._waiting), len(resent._answered)) == (0, 20)


def test_a_place_is_free_some_minutes_after_the_last_request_for_its_object() -> None:
    """Its sender has given up."""
    store = long_store()
    resent = ResentObjects(store, most=1)

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10.0):
                await resent.is_unnamed(STEM, object_name(1))
        assert await resent.is_unnamed(STEM, object_name(2))
        return now()

    assert 300.0 < run(main()) < 350.0
    assert (list(resent._waiting), list(resent._answered)) == ([], [(STEM, object_name(2))])


def test_folders_of_which_nothing_is_remembered_take_no_memory() -> None:
    store = MemoryStore()
    resent = ResentObjects(store, most=3)

    async def main() -> None:
        for number in range(10):
            assert await resent.is_unnamed(f"{FOLDER}/{number}/{INSTANCE}", object_name(number))

    run(main())
    assert list(resent._folders) == [f"{FOLDER}/{number}/{INSTANCE}" for number in (7, 8, 9)]


def test_asked_again_only_what_is_new_is_read() -> None:
    store = long_store()
    resent = ResentObjects(store)

    async def main() -> list[int]:
        counts = []
        for _ in range(3):
            assert await resent.is_unnamed(STEM, object_name(1))
            counts.append(store.count("read"))
        store._apply(BLOB, len(store.contents[BLOB]), line_to(2, object_name(1)).data)
        assert not await resent.is_unnamed(STEM, object_name(1))
        return counts

    first, *others = run(main())
    assert others == [first, first]


def test_a_line_that_is_stored_during_a_search_is_known_to_who_asks_after_that() -> None:
    store = long_store()
    resent = ResentObjects(store)

    async def main() -> bool:
        first = asyncio.ensure_future(resent.is_unnamed(STEM, object_name(1)))
        await asyncio.sleep(5.0)
        store._apply(BLOB, len(store.contents[BLOB]), line_to(1, object_name(1)).data)
        later = await resent.is_unnamed(STEM, object_name(1))
        await first
        return later

    assert run(main()) is False


def test_after_an_error_the_next_search_goes_on_where_it_was() -> None:
    store = long_store()
    store.fates = iter(["ok"] * 700 + ["refused"])
    resent = ResentObjects(store)

    async def main() -> list[bool | BaseException]:
        async def ask(number: int) -> bool:
            await asyncio.sleep(number % 2)
            return await resent.is_unnamed(STEM, object_name(number))

        await asyncio.gather(*map(ask, range(6)), return_exceptions=True)
        return await asyncio.gather(*map(ask, (0, 2, 4)), return_exceptions=True)

    assert run(main()) == [True] * 3
    assert store.count("read") <= 2.01 * PIECES


def test_an_error_is_that_of_all_who_share_the_search() -> None:
    store = long_store()
    store.fates = iter(["ok"] * 700 + ["refused"])
    resent = ResentObjects(store)

    async def main() -> list[bool | BaseException]:
        async def ask(number: int) -> bool:
            await asyncio.sleep(number % 2)
            return await resent.is_unnamed(STEM, object_name(number))

        return await asyncio.gather(*map(ask, range(6)), return_exceptions=True)

    outcomes = run(main())
    assert [type(one) for one in outcomes] == [StoreError, bool] * 3


def test_an_error_after_the_end_of_all_requests_is_that_of_none(caplog: pytest.LogCaptureFixture) -> None:
    store = long_store()
    store.fates = iter(["ok"] * 700 + ["refused"])
    resent = ResentObjects(store)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10.0):
                await resent.is_unnamed(STEM, object_name(1))
        await asyncio.sleep(60.0)

    run(main())
    gc.collect()
    assert (store.count("read"), resent._searches, caplog.messages) == (699, set(), [])


def test_a_stop_ends_the_searches_and_the_requests_that_wait_for_them() -> None:
    store = long_store()
    resent = ResentObjects(store, most=2)  # the third one waits for room

    async def main() -> list[bool | BaseException]:
        asks = [asyncio.ensure_future(resent.is_unnamed(STEM, object_name(number))) for number in range(3)]
        await asyncio.sleep(5.0)
        asks += [asyncio.ensure_future(resent.is_unnamed(STEM, object_name(number))) for number in range(3)]
        await asyncio.sleep(5.0)
        await resent.stop()
        return await asyncio.gather(*asks, return_exceptions=True)

    text = "expected an open sink, got one that stops: send the lines again"
    assert [str(error) for error in run(main())] == [text] * 6
    assert resent._searches == set()


def test_one_folder_of_a_tenant_is_read_at_a_time_and_tenants_do_not_wait_for_each_other() -> None:
    store = long_store()
    stems = [f"credit/{deployment}/in/{hour}/{INSTANCE}" for deployment in ("blue", "green") for hour in (1, 2)]
    for stem in stems:
        store.contents[f"{stem}000000.jsonl"], store.blocks[f"{stem}000000.jsonl"] = store.contents[BLOB], []
    resent = ResentObjects(store)

    async def main() -> list[int]:
        async def ask(stem: str) -> int:
            assert await resent.is_unnamed(stem, object_name(1))
            return round(now() / 30.0)

        return list(await asyncio.gather(*map(ask, stems)))

    assert run(main()) == [1, 2, 1, 2]


@in_virtual_time
async def test_the_sink_answers_many_erased_events_that_are_sent_again_with_two_readings() -> None:
    store = MemoryStore()
    sink = sink_on(store)
    await sink.append(FOLDER, [line(number) for number in range(130)])
    await sink.append(FOLDER, [line_to("kept", object_name(0))])
    for number in range(4):
        await sink.append(FOLDER, [line(f"long-{number}", 250 << 10)])
    store.requests.clear()
    answers = await asyncio.gather(
        *(sink.is_superseded(FOLDER, str(number), object_name(number)) for number in range(130))
    )
    assert answers == [number > 0 for number in range(130)]
    assert store.count("read") <= 2.1 * PIECES + 130  # and a byte of each object
    await sink.close()


@given(
    asks=st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 2.0), st.floats(0.01, 3.0)), max_size=30),
    stored=st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 2.0)), max_size=5),
    refused=st.sets(st.integers(0, 60), max_size=5),
    most=st.integers(1, 6),
)
def test_every_answer_is_right_for_the_lines_that_were_stored_when_it_was_asked(
    asks: list[tuple[int, float, float]], stored: list[tuple[int, float]], refused: set[int], most: int
) -> None:
    store = MemoryStore("refused" if number in refused else "ok" for number in range(61))
    store.contents[BLOB], store.blocks[BLOB] = line("first", 20 << 10).data, []
    store.latency = 0.03
    resent = ResentObjects(store, most=most)

    async def ask(number: int, moment: float, deadline: float) -> None:
        await asyncio.sleep(moment)
        was_named = object_name(number).encode() in store.contents[BLOB]
        try:
            async with asyncio.timeout(deadline):
                is_unnamed = await resent.is_unnamed(STEM, object_name(number))
        except (StoreError, TimeoutError):
            return
        is_named = object_name(number).encode() in store.contents[BLOB]
        assert is_unnamed in {not was_named, not is_named}

    async def write(number: int, moment: float) -> None:
        await asyncio.sleep(moment)
        store._apply(BLOB, len(store.contents[BLOB]), line_to(number, object_name(number)).data)

    async def main() -> None:
        await asyncio.gather(*(ask(*one) for one in asks), *(write(*one) for one in stored))

    run(main())
    assert len(resent._waiting) + len(resent._answered) <= most
