"""Folders that are parked for long, or whose lines are searched for long, are direct again when their place is back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import virtual_time
from memory_store import INSTANCE, line, line_to, lines
from parked_payload import NAME, OTHER, PLACE, Kept
from partly_broken import BAD, in_virtual_time, kill_what_runs, sink_on, until
from virtual_time import now

from otel_modeldata.log_throttle import LogThrottle
from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.folders import unread_blobs
from otel_modeldata_receiver.storage.parking.object_delivery import ObjectDelivery
from otel_modeldata_receiver.storage.parking.parked_names import parked_object

if TYPE_CHECKING:
    from otel_modeldata_receiver.storage.parking.listed_folder import ListedFolder
    from otel_modeldata_receiver.storage.parking.parked_folders import ParkedFolder

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


class Unreadable(Kept):
    """A store with a blob that cannot be read."""

    async def read(self, name: str, start: int, end: int) -> bytes:
        if name == BLOB:
            raise StoreError("409 BlobArchived")
        return await super().read(name, start, end)


def fill(store: Kept, blobs: int) -> None:
    """Let another receiver store blobs of 8 MiB in the folder."""
    store.latency = 0.02
    for number in range(blobs):
        blob = f"{BAD}/{OTHER}{number:06d}.jsonl"
        store.contents[blob], store.blocks[blob] = line(f"other {number}", 8 << 20).data, []


@in_virtual_time
async def test_a_blob_that_cannot_be_read_does_not_keep_its_folder_parked() -> None:
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


def test_nor_is_a_payload_missing_that_a_line_of_an_older_blob_names(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = f"{BAD}/{'e' * 32}000000.jsonl"
    assert older < BLOB

    async def history() -> None:
        store = Unreadable()
        store.objects = {PLACE: b"person", parked_object(f"{BAD}/files/two", "image/png", INSTANCE): b"erased"}
        store.contents = {older: line_to("needs", NAME).data, BLOB: line("other").data}
        store.blocks = {older: [], BLOB: []}
        sink = sink_on(store)
        await sink.start()
        await until(lambda: not sink.is_parked(BAD))
        assert (store.objects[NAME], PLACE in store.objects) == (b"person", False)
        await asyncio.sleep(24 * HOUR)
        assert store.objects.keys() == {NAME, parked_object(f"{BAD}/files/two", "image/png", INSTANCE)}
        await sink.close()
        await kill_what_runs()

    monkeypatch.setattr(unread_blobs, "_throttle", LogThrottle(unread_blobs.logger))
    virtual_time.run(history())
    assert [BLOB in message for message in caplog.messages if "cannot be read" in message] == [True]


@in_virtual_time
async def test_an_object_whose_request_comes_again_during_the_search_is_there_before_its_line() -> None:
    store = Kept()
    store.objects[PLACE] = b"person"
    fill(store, 32)
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


@pytest.mark.parametrize("events", [1, 8, 9])
def test_that_holds_for_one_of_erased_events_that_were_sent_again(events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload has the digest of its content in its name, so many events share one."""
    named = ObjectDelivery._named

    async def history() -> None:
        store = Kept()
        fill(store, 32)
        sink = sink_on(store)
        await sink.start()
        ids = [f"event {number}" for number in range(events)]
        await sink.append(BAD, lines(*ids))
        store.broken = {BAD}
        assert (await sink.append(BAD, lines("other"))).parked == 1
        for one in ids:
            assert not await sink.is_superseded(BAD, one, NAME)
            await sink.put(NAME, b"person", "image/png")
            await sink.append(BAD, [line_to(one, NAME)])
        searched = asyncio.Event()

        async def search(self: ObjectDelivery, folder: ParkedFolder, listed: ListedFolder, names: set[str]) -> set[str]:
            searched.set()
            return await named(self, folder, listed, names)

        monkeypatch.setattr(ObjectDelivery, "_named", search)
        store.broken = set()
        await searched.wait()
        assert not await sink.is_superseded(BAD, "new", NAME)
        await sink.put(NAME, b"person", "image/png")
        assert (sink.is_parked(BAD), NAME in store.objects) == (True, False)
        await until(lambda: not sink.is_parked(BAD))
        assert (await sink.append(BAD, [line_to("new", NAME)])).stored == 1
        assert store.objects.get(NAME) == b"person"
        await sink.close()
        await kill_what_runs()

    virtual_time.run(history())


@in_virtual_time
async def test_a_search_that_does_not_end_in_time_does_not_keep_its_folder_parked() -> None:
    store = Kept()
    store.objects[PLACE] = b"person"
    store.contents[BLOB], store.blocks[BLOB] = line_to("theirs", NAME).data, []
    store.slow = {BLOB: HOUR}
    sink = sink_on(store)
    await sink.start()
    await sink.append(BAD, lines("1"))
    began = now()
    await until(lambda: not sink.is_parked(BAD))
    assert now() - began < 120.0
    assert (store.stored(BAD), NAME in store.objects, PLACE in store.objects) == (["1", "theirs"], False, True)
    store.slow = {}
    await until(lambda: not store.parked())
    assert store.objects == {NAME: b"person"}
    await sink.close()
    await kill_what_runs()


@in_virtual_time
async def test_before_the_start_is_over_nothing_is_asked_of_a_folder() -> None:
    """Its lines may be parked, and its place may give no answer."""
    store = Kept()
    store.broken = {BAD}
    await sink_on(store).append(BAD, lines("1"))
    await kill_what_runs()
    store.requests.clear()
    store.latency = 0.1
    sink = sink_on(store)
    assert not await sink.is_superseded(BAD, "1", NAME)
    assert (sink.is_parked(BAD), [name for _, name in store.requests if name.startswith(BAD)]) == (True, [])
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
