"""An object is not delivered because its folder has more lines than one look searches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import virtual_time
from memory_store import line, line_to
from parked_payload import NAME, OTHER, PLACE, Kept, direct, erase, left, send
from partly_broken import BAD, PARKED, in_virtual_time, kill_what_runs, sink_on, until

from otel_modeldata_receiver.storage.folders import reference_search
from otel_modeldata_receiver.storage.parking import object_delivery
from otel_modeldata_receiver.storage.parking.leftovers import fates

if TYPE_CHECKING:
    from collections.abc import Iterator

THEIRS = f"{BAD}/{OTHER}000000.jsonl"
MOST = 4 << 10


@pytest.fixture
def bounds() -> Iterator[None]:
    """One look searches 4 KiB, in pieces of 1 KiB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference_search, "_READ_BYTES", 1 << 10)
        patch.setattr(reference_search, "_LEAST_READ_BYTES", 1 << 10)
        for module in (object_delivery, fates):
            patch.setattr(module, "MOST_SEARCHED_BYTES", MOST)
        yield


def fill(store: Kept, size: int, *, first: bytes = b"") -> None:
    """Let another receiver store lines in the folder."""
    one = line("theirs", 1000).data
    store.contents[THEIRS] = first + one * (size // len(one))
    store.blocks[THEIRS] = []


async def with_parked_object(looks: int) -> Kept:
    """A store with an object that a killed process has parked, and with lines for some looks in its folder."""
    store = Kept()
    store.broken = {BAD}
    await sink_on(store).put(NAME, b"person", "image/png")
    await kill_what_runs()
    store.requests.clear()
    fill(store, looks * MOST)
    return store


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("looks", [1, 20])
def test_an_object_that_no_line_names_is_not_delivered_but_removed_in_time(looks: int) -> None:
    async def history() -> None:
        store = await with_parked_object(looks)
        sink = sink_on(store)
        await sink.start()
        await direct(store, sink)
        assert store.parked() == [PLACE]
        await until(lambda: not store.parked())
        assert (NAME in store.objects, store.puts()) == (False, 0)
        await sink.close()

    virtual_time.run(history())


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("looks", [1, 20])
def test_one_that_a_line_names_is_delivered_when_the_line_is_found(looks: int) -> None:
    async def history() -> None:
        store = await with_parked_object(looks)
        store.contents[THEIRS] += line_to(1, NAME).data
        sink = sink_on(store)
        await sink.start()
        await direct(store, sink)
        await until(lambda: not store.parked())
        assert (store.objects[NAME], store.puts()) == (b"person", 1)
        await sink.close()

    virtual_time.run(history())


@pytest.mark.usefixtures("bounds")
def test_it_is_delivered_though_its_folder_takes_nothing_for_a_while_after_the_line_was_found() -> None:
    async def history() -> None:
        store = Kept()
        sink = await left(store)
        fill(store, 20 * MOST, first=store.contents.pop(f"{BAD}/{PARKED.rpartition('/')[2]}"))
        del store.objects[NAME]
        put = Kept.put
        refusals = iter(range(40))

        async def refusing(self: Kept, name: str, content: bytes, content_type: str) -> str:
            if name == NAME and next(refusals, None) is not None:
                raise TimeoutError
            return await put(self, name, content, content_type)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Kept, "put", refusing)
            store.kept = set()
            await until(lambda: not store.parked())
        assert store.objects[NAME] == b"person"
        await sink.close()

    virtual_time.run(history())


@pytest.mark.usefixtures("bounds")
def test_an_erased_event_that_is_sent_again_leaves_no_object_in_a_long_folder() -> None:
    async def history() -> None:
        store = Kept()
        sink = sink_on(store)
        assert await send(sink, "1")
        erase(store)
        fill(store, 20 * MOST)
        await sink.drain()
        sink = sink_on(store)
        store.broken = {BAD}
        assert await send(sink, "1")  # parked, because it is not known
        await direct(store, sink)
        await until(lambda: not store.parked())
        assert (NAME in store.objects, store.stored(BAD).count("1")) == (False, 1)
        await sink.close()

    virtual_time.run(history())


@pytest.mark.usefixtures("bounds")
def test_an_object_that_cannot_be_removed_costs_no_search_at_each_look() -> None:
    async def history() -> None:
        store = Kept()
        sink = await left(store)
        erase(store)
        fill(store, 20 * MOST)
        await asyncio.sleep(1800.0)
        before = store.count("read")
        await asyncio.sleep(1800.0)
        assert (store.count("read"), store.parked()) == (before, [PLACE])
        await sink.close()

    virtual_time.run(history())


@in_virtual_time
async def test_neither_one_of_more_lines_than_one_look_really_searches() -> None:
    store = Kept()
    sink = sink_on(store)
    assert await send(sink, "1")
    mine = f"{BAD}/{PARKED.rpartition('/')[2]}"
    erase(store)
    store.contents[mine] += line("mine", 1 << 20).data * 65
    fill(store, 65 << 20)
    assert await sink.is_superseded(BAD, "1", NAME)
    store.objects[PLACE] = b"person"  # it was missed, and comes back with a backup
    await kill_what_runs()
    sink = sink_on(store)
    await sink.start()
    await until(lambda: not store.parked())
    assert (NAME in store.objects, store.puts()) == (False, 1)
    await sink.close()
