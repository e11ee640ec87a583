"""An object that no line names is removed, but never one whose request comes again."""

from __future__ import annotations

import asyncio

import pytest
import virtual_time
from memory_store import INSTANCE, line_to, lines
from parked_payload import NAME, OTHER, PLACE, Dated, Kept, direct, other_sink, send
from partly_broken import BAD, in_virtual_time, kill_what_runs, sink_on, until

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.parking.folder_objects import ObjectRoom
from otel_modeldata_receiver.storage.parking.leftovers import leftovers
from otel_modeldata_receiver.storage.parking.parked_names import parked_object


class Full(Kept):
    """A store that can be read, and of which some folders take nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.full: set[str] = set()
        self.removals: dict[str, float] = {}
        """Seconds that removals take."""
        self.begun = asyncio.Event()

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        if any(name.startswith(folder) for folder in self.full):
            await asyncio.sleep(self.latency)
            raise StoreError("403 quota")
        return await super().put(name, content, content_type)

    async def create(self, name: str) -> object:
        if any(name.startswith(folder) for folder in self.full):
            await asyncio.sleep(self.latency)
            raise StoreError("403 quota")
        return await super().create(name)

    async def remove(self, name: str, size: int) -> None:
        if name in self.removals:
            self.begun.set()
            await asyncio.sleep(self.removals.pop(name))
        await super().remove(name, size)


@in_virtual_time
async def test_a_request_that_comes_again_during_the_removal_of_its_object_waits_for_the_end_of_it() -> None:
    store = Full()
    store.full = {BAD}
    await sink_on(store).put(NAME, b"person", "image/png")
    await kill_what_runs()
    store.removals = {PLACE: 20.0}
    sink = sink_on(store)
    await sink.start()
    store.full = set()
    await direct(store, sink)
    store.full = {BAD}
    await store.begun.wait()
    assert await send(sink, "1")
    await asyncio.sleep(60.0)
    store.full = set()
    await until(lambda: not store.parked())
    assert (store.objects[NAME], store.stored(BAD)) == (b"person", ["1"])
    await sink.close()


@in_virtual_time
async def test_what_is_parked_once_more_before_its_removal_begins_is_not_removed() -> None:
    store = Full()
    store.full = {BAD}
    names = [f"{BAD}/files/{number}" for number in range(10)]
    sink = sink_on(store)
    for name in names:
        await sink.put(name, b"person", "image/png")
    await kill_what_runs()
    places = [parked_object(name, "image/png", PLACE.split("/")[-3]) for name in names]
    store.removals = {places[0]: 10.0}
    sink = sink_on(store)
    await sink.start()
    store.full = set()
    await direct(store, sink)
    store.full = {BAD}
    await store.begun.wait()
    assert await send(sink, "1", names[5])  # while the first one is being removed
    store.full = set()
    await until(lambda: not store.parked())
    assert {name for name in names if name in store.objects} == {names[5]}
    await sink.close()


@pytest.mark.parametrize("wait", [0.0, 2.0, 300.0])
def test_a_receiver_does_not_remove_what_another_one_has_parked(wait: float) -> None:
    async def history() -> None:
        store = Full()
        store.full = {BAD}
        names = [f"{BAD}/files/{number}" for number in range(20)]
        mine = sink_on(store)
        await asyncio.gather(*(mine.put(name, b"person", "image/png") for name in names))
        await kill_what_runs()
        theirs = other_sink(store)
        await theirs.start()
        store.full = set()
        await theirs.append(BAD, lines("theirs"))
        await asyncio.sleep(1200.0)
        assert len(store.parked()) == 20
        store.full = {BAD}
        mine = sink_on(store)
        await mine.start()
        await asyncio.sleep(wait)
        assert all([await send(mine, name.rpartition("/")[2], name) for name in names])
        await asyncio.sleep(1200.0)
        store.full = set()
        await until(lambda: not store.parked())
        assert all(store.objects[name] == b"person" for name in names)
        assert len(store.stored(BAD)) == 21
        await mine.close()
        await theirs.close()

    virtual_time.run(history())


@in_virtual_time
async def test_nor_does_it_park_its_own_lines_because_of_them() -> None:
    store = Full()
    theirs = other_sink(store)
    resumed = asyncio.ensure_future(theirs.resume())
    await asyncio.sleep(1.0)
    store.full = {BAD}
    mine = sink_on(store)
    await mine.put(NAME, b"person", "image/png")
    store.full = set()
    store.hung = {NAME}  # its own receiver cannot deliver it
    for _ in range(400):
        await asyncio.sleep(1.0)
        assert not theirs.is_parked(BAD)
    store.hung = set()
    await until(lambda: not store.parked())
    resumed.cancel()
    await mine.close()
    await theirs.close()


@in_virtual_time
async def test_an_object_that_belongs_to_no_receiver_is_delivered_if_a_line_names_it() -> None:
    """As an older receiver parks them."""
    store = Kept()
    store.objects[parked_object(NAME, "image/png")] = b"person"
    blob = f"{BAD}/{OTHER}000000.jsonl"
    store.contents[blob], store.blocks[blob] = line_to(1, NAME).data, []
    sink = sink_on(store)
    await sink.start()
    await until(lambda: not store.parked())
    assert store.objects == {NAME: b"person"}
    await sink.close()


@pytest.mark.parametrize("days", [0.9, 1.1, None])
def test_else_it_is_removed_if_it_was_parked_more_than_a_day_ago(days: float | None) -> None:
    """It may be that of a request to an older receiver. If the store does not say when it was parked, it stays."""

    async def history() -> None:
        place = parked_object(NAME, "image/png")
        store = Kept() if days is None else Dated()
        store.objects[place] = b"person"
        if isinstance(store, Dated):
            store.days[place] = days or 0.0
        sink = sink_on(store)
        await sink.start()
        await until(lambda: not sink.is_parked(BAD))
        await asyncio.sleep(120.0)
        assert store.parked() == [place]
        await asyncio.sleep(3600.0)
        assert store.objects == ({} if days == 1.1 else {place: b"person"})
        await sink.close()

    virtual_time.run(history())


@pytest.mark.parametrize("most", [0, 1, 50])
def test_one_of_an_earlier_process_does_not_come_back_though_too_many_are_parked_to_remember_them(most: int) -> None:
    """Its rows were erased: no line names it."""

    async def history() -> None:
        store = Kept()
        store.objects[PLACE] = b"person"
        sink = sink_on(store)
        sink._folders._room = ObjectRoom(most)
        store.broken = {BAD}
        await sink.start()
        names = [f"{BAD}/files/new{number}" for number in range(3)]
        assert all([await send(sink, name.rpartition("/")[2], name) for name in names])
        await direct(store, sink)
        assert (store.objects.keys(), store.parked()) == ({*names, PLACE}, [PLACE])
        await until(lambda: not store.parked())
        assert store.objects == dict.fromkeys(names, b"person")
        await sink.close()

    virtual_time.run(history())


@pytest.mark.parametrize("most", [2, 50])
def test_all_that_lines_need_is_there_though_too_many_were_parked_before_to_remember_them(most: int) -> None:
    """What is parked by this process and not remembered either is delivered when its line is stored."""

    async def history() -> None:
        store = Kept()
        for number in range(10):
            store.objects[parked_object(f"{BAD}/files/old{number}", "image/png", INSTANCE)] = b"person"
        sink = sink_on(store)
        sink._folders._room, sink._folders._found_room = ObjectRoom(1), ObjectRoom(most)
        store.broken = {BAD}
        await sink.start()
        names = [f"{BAD}/files/new{number}" for number in range(3)]
        assert all([await send(sink, name.rpartition("/")[2], name) for name in names])
        late = f"{BAD}/files/late"
        await sink.put(late, b"person", "image/png")
        await direct(store, sink)
        assert (late in store.objects) == (most == 50)
        assert (await sink.append(BAD, [line_to("late", late)])).stored == 1
        await asyncio.sleep(120.0)
        assert {name for name in store.objects if name.startswith(BAD)} == {*names, late}
        await until(lambda: not store.parked())
        assert store.objects.keys() == {*names, late}
        await sink.close()

    virtual_time.run(history())


def test_more_objects_than_are_looked_at_leave_their_folder_direct(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leftovers, "_MOST", 20)

    async def outage() -> None:
        store = Kept()
        store.keeps_all = True
        sink = sink_on(store)
        store.broken = {BAD}
        names = [f"{BAD}/files/{number}" for number in range(50)]
        for name in names:
            assert await send(sink, name.rpartition("/")[2], name)
        resumed = asyncio.ensure_future(sink.resume())
        await direct(store, sink)
        for _ in range(600):
            await asyncio.sleep(1.0)
            assert not sink.is_parked(BAD)
        puts = store.count("put")
        store.keeps_all = False
        await until(lambda: not store.parked())
        assert store.count("put") == puts  # no payload is sent again
        assert all(store.objects[name] == b"person" for name in names)
        resumed.cancel()
        await sink.close()

    virtual_time.run(outage())
    assert [one for one in caplog.messages if "parked again" in one] == []
