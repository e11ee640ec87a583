"""A parked object is delivered only if something refers to it, and what cannot be read now is not taken for gone."""

from __future__ import annotations

import asyncio

import pytest
import virtual_time
from memory_store import INSTANCE, line_to, lines
from parked_payload import NAME, OTHER, PLACE, Kept, direct, erase, left, send
from partly_broken import BAD, in_virtual_time, kill_what_runs, sink_on, until

from otel_modeldata_receiver.storage.parking.parked_names import parked_object


@pytest.mark.parametrize("count", [50, 1000])
def test_a_folder_with_many_objects_that_cannot_be_removed_takes_lines_again_within_a_minute(count: int) -> None:
    """As where the identity has no right to delete; each request takes 20 ms."""

    async def outage() -> None:
        store = Kept()
        store.latency, store.keeps_all = 0.02, True
        sink = sink_on(store)
        store.broken = {BAD}
        names = [f"{BAD}/files/{number}" for number in range(count)]
        await asyncio.gather(*(sink.put(name, b"person", "image/png") for name in names))
        await sink.append(BAD, [line_to(number, name) for number, name in enumerate(names)])
        store.broken = set()
        began = virtual_time.now()
        await until(lambda: not sink.is_parked(BAD))
        assert virtual_time.now() - began < 60.0
        assert all(store.objects[name] == b"person" for name in names)
        assert store.stored(BAD) == [str(number) for number in range(count)]
        await sink.drain()
        sink = sink_on(store)  # the next process finds all of them again
        await sink.start()
        began, puts = virtual_time.now(), store.count("put")
        await until(lambda: not sink.is_parked(BAD))
        assert virtual_time.now() - began < 60.0
        assert store.count("put") <= puts + 1  # the mark of the parked blob; no payload is sent again
        before = store.count("read")
        await asyncio.sleep(600.0)
        assert store.count("read") == before  # a listing for all of them, and no request for each
        await sink.close()

    virtual_time.run(outage())


@in_virtual_time
async def test_an_object_that_was_left_is_not_sent_again_while_its_folder_cannot_be_read() -> None:
    store = Kept()
    sink = await left(store)
    requests = store.puts()
    store.broken = {BAD}
    await asyncio.sleep(600.0)
    assert not sink.is_parked(BAD)
    store.broken, store.kept = set(), set()
    await until(lambda: not store.parked())
    assert (store.puts(), store.objects[NAME]) == (requests, b"person")
    await sink.close()


@in_virtual_time
async def test_of_many_objects_that_were_left_only_the_one_that_vanished_is_delivered_again() -> None:
    store = Kept()
    store.keeps_all = True
    sink = sink_on(store)
    store.broken = {BAD}
    names = [f"{BAD}/files/{number}" for number in range(20)]
    for name in names:
        assert await send(sink, name.rpartition("/")[2], name)
    await direct(store, sink)
    puts = store.count("put")
    del store.objects[names[7]]
    await until(lambda: names[7] in store.objects)
    await until(lambda: not sink.is_parked(BAD))
    assert store.count("put") == puts + 1
    await sink.close()


@in_virtual_time
async def test_an_erased_object_that_was_left_is_not_delivered_again_but_removed() -> None:
    store = Kept()
    sink = await left(store)
    erase(store)
    await asyncio.sleep(1200.0)
    assert (NAME in store.objects, store.parked(), sink.is_parked(BAD)) == (False, [PLACE], False)
    store.kept = set()
    await until(lambda: not store.parked())
    assert (NAME in store.objects, store.puts()) == (False, 1)
    await sink.close()


@in_virtual_time
async def test_nor_by_the_next_process() -> None:
    store = Kept()
    sink = await left(store)
    erase(store)
    await sink.drain()
    sink = sink_on(store)
    await sink.start()
    await until(lambda: not sink.is_parked(BAD))
    store.kept = set()
    await until(lambda: not store.parked())
    assert (NAME in store.objects, store.puts()) == (False, 1)
    await sink.close()


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_erased_event_that_is_sent_again_while_its_folder_cannot_be_read_leaves_no_object(is_killed: bool) -> None:
    async def history() -> None:
        store = Kept()
        sink = sink_on(store)
        assert await send(sink, "1")
        erase(store)
        assert await sink.is_superseded(BAD, "1", NAME)
        await sink.drain()
        sink = sink_on(store)
        store.broken = {BAD}
        assert await send(sink, "1")  # parked, because it is not known
        if is_killed:
            await kill_what_runs()
            sink = sink_on(store)
            await sink.start()
        await direct(store, sink)
        await until(lambda: not store.parked())
        assert (NAME in store.objects, store.stored(BAD)) == (False, ["1"])
        await sink.close()

    virtual_time.run(history())


@in_virtual_time
async def test_nor_if_its_folder_is_repaired_between_the_question_and_the_object() -> None:
    store = Kept()
    sink = sink_on(store)
    assert await send(sink, "1")
    erase(store)
    await sink.drain()
    sink = sink_on(store)
    store.broken = {BAD}
    assert not await sink.is_superseded(BAD, "1", NAME)
    await direct(store, sink)
    assert await sink.put(NAME, b"person", "image/png") == store.url(NAME)
    assert (await sink.append(BAD, [line_to(1, NAME)])).duplicates == 1
    assert (NAME in store.objects, store.parked()) == (False, [])
    await sink.close()


@in_virtual_time
async def test_its_object_is_delivered_if_a_new_event_has_the_same_one() -> None:
    """A binary payload is named by its content."""
    store = Kept()
    sink = sink_on(store)
    assert await send(sink, "1")
    erase(store)
    await sink.drain()
    sink = sink_on(store)
    store.broken = {BAD}
    assert await send(sink, "1")
    assert await send(sink, "2")
    await direct(store, sink)
    await until(lambda: not store.parked())
    assert (store.objects[NAME], store.stored(BAD)) == (b"person", ["1", "2"])
    await sink.close()


@in_virtual_time
async def test_an_object_whose_line_is_on_the_way_is_delivered_before_the_line_can_be_stored_directly() -> None:
    store = Kept()
    sink = sink_on(store)
    store.broken = {BAD}
    assert not await sink.is_superseded(BAD, "1", NAME)
    await sink.put(NAME, b"person", "image/png")
    await direct(store, sink)
    assert store.objects[NAME] == b"person"
    await sink.append(BAD, [line_to(1, NAME)])
    await until(lambda: not store.parked())
    await sink.close()


@in_virtual_time
async def test_an_object_of_a_process_that_was_killed_before_its_line_came_is_not_delivered() -> None:
    store = Kept()
    sink = sink_on(store)
    store.broken = {BAD}
    await sink.put(NAME, b"person", "image/png")
    await kill_what_runs()
    sink = sink_on(store)
    await sink.start()
    await direct(store, sink)
    await asyncio.sleep(120.0)
    assert store.parked() == [PLACE]  # another receiver may have the request
    await until(lambda: not store.parked())
    assert NAME not in store.objects
    await sink.close()


@in_virtual_time
async def test_it_is_delivered_if_its_request_comes_again() -> None:
    store = Kept()
    store.broken = {BAD}
    await sink_on(store).put(NAME, b"person", "image/png")
    await kill_what_runs()
    sink = sink_on(store)
    await sink.start()
    await direct(store, sink)
    await asyncio.sleep(120.0)
    store.broken = {BAD}
    assert await send(sink, "1")
    await direct(store, sink)
    await until(lambda: not store.parked())
    assert (store.objects[NAME], store.stored(BAD)) == (b"person", ["1"])
    await sink.close()


@in_virtual_time
async def test_an_object_to_which_a_parked_line_of_another_receiver_refers_waits_for_that_one() -> None:
    store = Kept()
    store.objects[PLACE] = b"person"
    theirs = f"_parked/{BAD}/{OTHER}000000.jsonl"
    store.contents[theirs], store.blocks[theirs] = line_to(1, NAME).data, []
    sink = sink_on(store)
    await sink.start()
    await until(lambda: not sink.is_parked(BAD))
    await asyncio.sleep(1200.0)
    assert sorted(store.parked()) == sorted([PLACE, theirs])
    mine, stored = f"{BAD}/{OTHER}000000.jsonl", store.contents.pop(theirs)
    store.contents[mine], store.blocks[mine] = stored, []  # as if it had stored its line without the object
    await until(lambda: not store.parked())
    assert store.objects[NAME] == b"person"
    await sink.close()


@in_virtual_time
async def test_a_folder_that_hangs_does_not_keep_leftovers_of_others_from_their_removal() -> None:
    store = Kept()
    sink = await left(store)
    other = BAD.replace("bad", "another")
    place = parked_object(f"{other}/files/x", "image/png", INSTANCE)
    store.kept.add(place)
    store.broken = {other}
    await sink.put(f"{other}/files/x", b"x", "image/png")
    store.broken = set()
    await until(lambda: not sink.is_parked(other))
    store.hung, store.kept = {BAD}, set()
    await until(lambda: store.parked() == [PLACE])
    await sink.close()


@in_virtual_time
async def test_lines_that_name_nothing_cost_no_listing_of_their_folder() -> None:
    store = Kept()
    sink = sink_on(store)
    store.broken = {BAD}
    await sink.append(BAD, lines(1, 2, 3))
    await direct(store, sink)
    assert ("walk", BAD) not in store.requests
    await sink.close()
