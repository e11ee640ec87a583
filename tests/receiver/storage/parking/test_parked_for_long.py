"""Folders that are parked for long, or whose lines are searched for long, are direct again when their place is back."""

from __future__ import annotations

import asyncio

from memory_store import line, line_to, lines
from parked_payload import NAME, OTHER, PLACE, Kept
from partly_broken import BAD, in_virtual_time, kill_what_runs, sink_on, until
from virtual_time import now

from otel_modeldata_receiver.exceptions import StoreError

HOUR = 3600.0
BLOB = f"{BAD}/{OTHER}000000.jsonl"


@in_virtual_time
async def test_after_an_outage_of_a_day_parked_lines_are_delivered() -> None:
    """With an attempt each half of a minute, thousands have failed by then."""
    store = Kept()
    sink = sink_on(store)
    await sink.start()
    store.broken = {BAD}
    await sink.append(BAD, lines("1"))
    folder = sink._folders.get(BAD)
    await asyncio.sleep(24 * HOUR)
    assert folder is not None
    assert folder.failures > 2048
    store.broken = set()
    await until(lambda: not sink.is_parked(BAD))
    assert store.stored(BAD) == ["1"]
    await sink.close()
    await kill_what_runs()


@in_virtual_time
async def test_a_blob_that_cannot_be_read_does_not_keep_its_folder_parked() -> None:
    class Unreadable(Kept):
        async def read(self, name: str, start: int, end: int) -> bytes:
            if name == BLOB:
                raise StoreError("409 BlobArchived")
            return await super().read(name, start, end)

    store = Unreadable()
    store.objects[PLACE] = b"person"
    store.contents[BLOB], store.blocks[BLOB] = line("other").data, []
    sink = sink_on(store)
    await sink.start()
    await sink.append(BAD, lines("1"))
    await until(lambda: not sink.is_parked(BAD))
    assert (await sink.append(BAD, lines("2"))).parked == 0
    assert (store.stored(BAD), NAME in store.objects, PLACE in store.objects) == (["1", "2", "other"], False, True)
    await sink.close()
    await kill_what_runs()


@in_virtual_time
async def test_an_object_whose_request_comes_again_during_the_search_is_there_before_its_line() -> None:
    store = Kept()
    store.latency = 0.02
    store.objects[PLACE] = b"person"
    for number in range(32):
        blob = f"{BAD}/{OTHER}{number:06d}.jsonl"
        store.contents[blob], store.blocks[blob] = line(f"other {number}", 8 << 20).data, []
    sink = sink_on(store)
    await sink.start()
    await asyncio.sleep(1.2)
    assert sink.is_parked(BAD)
    await sink.put(NAME, b"person", "image/png")
    await until(lambda: not sink.is_parked(BAD))
    began = now()
    assert (await sink.append(BAD, [line_to("1", NAME)])).stored == 1
    assert (store.objects.get(NAME), now() - began < 1.0) == (b"person", True)
    await sink.close()
    await kill_what_runs()


@in_virtual_time
async def test_a_request_that_comes_before_the_start_is_over_finds_the_folder_as_it_is() -> None:
    """A second folder of that name would be written to while the first one is delivered."""
    store = Kept()
    store.latency = 0.5
    store.broken = {BAD}
    before = sink_on(store)
    await before.append(BAD, lines("1"))
    await kill_what_runs()
    sink = sink_on(store)
    started = asyncio.ensure_future(sink.start())
    await asyncio.sleep(0.1)
    assert not await sink.is_superseded(BAD, "2", NAME)
    await started
    folder = sink._folders.get(BAD)
    assert folder is sink._folders.find(BAD, 0)
    assert [one.name for one in sink._folders] == [BAD]
    await sink.put(NAME, b"person", "image/png")
    await sink.append(BAD, [line_to("2", NAME)])
    store.broken = set()
    await until(lambda: not sink.is_parked(BAD))
    assert (store.stored(BAD), store.objects[NAME], store.parked()) == (["1", "2"], b"person", [])
    await sink.close()
    await kill_what_runs()
