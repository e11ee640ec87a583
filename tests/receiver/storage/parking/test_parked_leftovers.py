"""Parked blobs that are leased, kept by a policy, damaged or strange stop neither their tenant nor the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_store import INSTANCE, line, line_to, lines
from partly_broken import (
    BAD,
    GOOD,
    PARKED,
    PartlyBroken,
    check_delivered,
    in_virtual_time,
    kill_what_runs,
    park,
    sink_on,
    until,
)
from recorded_metrics import RecordedMetrics

from otel_modeldata_receiver.exceptions import PlaceError, StoreError
from otel_modeldata_receiver.storage.group_commit import Appended
from otel_modeldata_receiver.storage.parking import parked_names
from otel_modeldata_receiver.storage.parking.delivered_marks import DeliveredMarks
from otel_modeldata_receiver.storage.parking.parked_names import DeliveredMark
from otel_modeldata_receiver.storage.store import FencedError, StoredObject

if TYPE_CHECKING:
    from otel_modeldata_receiver.storage.store import BlobState

SECOND = f"_parked/{BAD}/{INSTANCE}000001.jsonl"


class Leased(PartlyBroken):
    """A store with leased names: they are read, but not changed."""

    def __init__(self) -> None:
        super().__init__()
        self.leased: set[str] = set()

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        if name in self.leased:
            await asyncio.sleep(self.latency)
            raise StoreError("412 LeaseIdMissing")
        return await super().append(name, state, block)

    async def remove(self, name: str, size: int) -> None:
        if name in self.leased:
            await asyncio.sleep(self.latency)
            raise FencedError
        await super().remove(name, size)


@in_virtual_time
async def test_a_leased_parked_blob_is_left_for_a_new_one_within_a_second() -> None:
    store = Leased()
    sink = sink_on(store)
    store.broken = {BAD}
    await sink.append(BAD, lines(1))
    store.leased = {PARKED}
    began = virtual_time.now()
    assert await sink.append(BAD, lines(2)) == Appended(1, 0, 1)
    assert virtual_time.now() - began < 1.0
    assert await sink.append(BAD, lines(3)) == Appended(1, 0, 1)
    assert [name for name in store.parked() if name.endswith(".jsonl")] == [PARKED, SECOND]
    store.broken = set()
    await until(lambda: store.stored(BAD) == ["1", "2", "3"])
    assert await sink.append(BAD, lines(4)) == Appended(1, 0)
    store.leased = set()
    await check_delivered(store, sink, "1", "2", "3", "4")


@in_virtual_time
async def test_a_parked_blob_that_hangs_is_left_for_a_new_one() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {f"{BAD}/"}
    await sink.append(BAD, lines(1))
    store.hung = {PARKED}
    assert await sink.append(BAD, lines(2)) == Appended(1, 0, 1)
    assert virtual_time.now() < 5.0
    await check_delivered(store, sink, "1", "2")


@in_virtual_time
async def test_a_delivered_blob_that_cannot_be_removed_is_delivered_once_over_many_restarts() -> None:
    """Even when its ids are not remembered any more."""
    store = Leased()
    await park(store, 1, 2)
    store.leased = {PARKED}
    big = [line(f"big-{number}", padding=1 << 20) for number in range(12)]  # more than the tail that is read for ids
    for number in range(3):
        sink = sink_on(store)
        await sink.start()
        await until(lambda sink=sink: not sink.is_parked(BAD))  # type: ignore[misc]
        if not number:
            for one in big:
                await sink.append(BAD, [one])
        await sink.append(BAD, lines(f"after-{number}"))
        await sink.drain()
    ids = [one.id for one in big]
    assert store.stored(BAD) == ["1", "2", *ids, "after-0", "after-1", "after-2"]
    store.leased = set()
    sink = sink_on(store)
    await sink.start()
    await until(lambda: not store.parked())
    await sink.close()


@in_virtual_time
async def test_a_blob_that_could_not_be_removed_is_delivered_again_after_a_restore_from_before_its_delivery() -> None:
    store = Leased()
    await park(store, 1)
    await kill_what_runs()
    copy = dict(store.contents), {name: list(blocks) for name, blocks in store.blocks.items()}
    store.leased = {PARKED}
    sink = sink_on(store)
    await sink.start()
    await until(lambda: not sink.is_parked(BAD))
    assert (store.stored(BAD), len(store.parked())) == (["1"], 2)
    (store.contents, store.blocks), store.objects = copy, {}
    store.leased = set()
    await check_delivered(store, sink, "1")


class Renewed(PartlyBroken):
    """The answer to the first removal is lost, and a new blob has the name at once."""

    def __init__(self) -> None:
        super().__init__()
        self.is_renewed = False
        self.marks: list[str] = []

    async def remove(self, name: str, size: int) -> None:
        await super().remove(name, size)
        if not self.is_renewed and name == PARKED:
            self.is_renewed = True
            self.contents[PARKED], self.blocks[PARKED] = b"", []
            raise StoreError("no answer in time")

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        self.marks.append(name)
        return await super().put(name, content, content_type)

    async def read(self, name: str, start: int, end: int) -> bytes:
        """What is there, as a folder gives it."""
        return await super().read(name, start, min(end, len(self.contents[name])))


@in_virtual_time
async def test_a_blob_with_the_name_of_one_that_was_delivered_and_removed_is_another_one() -> None:
    store = Renewed()
    await park(store, 1)
    await check_delivered(store, sink_on(store), "1")
    assert store.is_renewed
    assert store.marks == []  # nothing of the new blob is delivered


@in_virtual_time
async def test_an_object_that_cannot_be_removed_holds_up_nothing() -> None:
    store = Leased()
    sink = sink_on(store)
    store.broken = {BAD}
    name = f"{BAD}/files/x.png"
    parked = parked_names.parked_object(name, "image/png", INSTANCE)
    await sink.put(name, b"png", "image/png")
    await sink.append(BAD, lines(1))
    store.broken, store.leased = set(), {parked}
    await until(lambda: not sink.is_parked(BAD))
    assert (store.objects[name], store.stored(BAD), store.parked()) == (b"png", ["1"], [parked])
    store.leased = set()
    await until(lambda: not store.parked())
    await sink.close()


@in_virtual_time
async def test_an_object_that_could_not_be_removed_is_delivered_again_after_a_restore_from_before_that() -> None:
    store = Leased()
    sink = sink_on(store)
    name = f"{BAD}/files/x.png"
    store.broken = {BAD}
    await sink.put(name, b"png", "image/png")
    await sink.append(BAD, [line_to(1, name)])
    store.broken, store.leased = set(), {parked_names.parked_object(name, "image/png", INSTANCE)}
    await until(lambda: not sink.is_parked(BAD))
    del store.objects[name]
    store.leased = set()
    await until(lambda: not store.parked())
    assert store.objects[name] == b"png"
    await sink.close()


@in_virtual_time
async def test_such_an_object_is_delivered_before_the_lines_that_refer_to_it() -> None:
    store = Leased()
    sink = sink_on(store)
    name = f"{BAD}/files/x.png"
    store.broken = {BAD}
    await sink.put(name, b"png", "image/png")
    await sink.append(BAD, [line_to(1, name)])
    parked = parked_names.parked_object(name, "image/png", INSTANCE)
    store.broken, store.leased = set(), {parked, f"{BAD}/{INSTANCE}000000.jsonl"}
    await until(lambda: name in store.objects)  # the folder takes objects, and no lines yet
    await asyncio.sleep(5.0)
    del store.objects[name]
    store.leased = {parked}
    await until(lambda: store.stored(BAD) == ["1"])
    assert store.objects[name] == b"png"
    store.leased = set()
    await until(lambda: not store.parked())
    await sink.close()


@in_virtual_time
async def test_if_only_the_parked_blobs_of_one_tenant_are_refused_the_error_is_that_of_a_place() -> None:
    """So the receiver stays ready for the others."""
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {BAD, f"_parked/{BAD}"}
    with pytest.raises(PlaceError, match="412"):
        await sink.append(BAD, lines(1))
    assert await sink.append(GOOD, lines(1)) == Appended(1, 0)
    store.broken = {""}
    with pytest.raises(StoreError) as caught:
        await sink.append(BAD, lines(1))
    assert not isinstance(caught.value, PlaceError)
    await sink.close()


@in_virtual_time
async def test_files_that_are_not_of_this_program_stop_nothing() -> None:
    store = PartlyBroken()
    strange = ["_parked/README", "_parked/a/b", "_parked/x.jsonl", f"_parked/{BAD}/notes.jsonl"]
    strange += [f"_parked/{BAD}/files/image%2Fpng/.x.png.0123", f"_parked/{BAD}/files/x"]
    store.objects = dict.fromkeys(strange, b"strange")
    sink = sink_on(store)
    await sink.start()
    assert await sink.append(GOOD, lines(1)) == Appended(1, 0)
    store.broken = {BAD}
    await sink.append(BAD, lines(1))
    store.broken = set()
    await until(lambda: not sink.is_parked(BAD))
    assert (store.stored(BAD), store.objects) == (["1"], dict.fromkeys(strange, b"strange"))
    await sink.close()


@in_virtual_time
async def test_damaged_parked_lines_are_kept_beside_the_folder_and_the_others_are_delivered() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {BAD}
    await sink.append(BAD, lines(1, 2, 3))
    content = store.contents[PARKED].replace(b'{"id": "2"', b"\x00\x00")
    store.contents[PARKED] = content + b'{"id": "torn'
    store.broken = set()
    await until(lambda: not store.parked())
    assert store.stored(BAD) == ["1", "3"]
    (note,) = [name for name in store.objects if name.startswith("_vanished/")]  # what was parked is not there any more
    del store.objects[note]
    assert sorted(store.objects.values()) == [content.splitlines()[1], b'{"id": "torn']
    assert all(name.startswith(f"_quarantine/damaged/{BAD}/") for name in store.objects)
    await sink.close()


@in_virtual_time
async def test_a_parked_blob_that_is_cut_or_removed_by_hand_stops_nothing() -> None:
    store = Leased()
    sink = sink_on(store)
    store.broken = {BAD}
    await sink.append(BAD, lines(1, 2))
    store.contents[PARKED] = line(1).data
    await sink.append(BAD, lines(3))
    del store.contents[SECOND]
    await sink.append(BAD, lines(4))
    store.broken = set()
    await until(lambda: not store.parked())
    assert store.stored(BAD) == ["1", "4"]
    assert await sink.append(BAD, lines(5)) == Appended(1, 0)
    await sink.close()


@in_virtual_time
async def test_parked_bytes_are_those_that_are_parked_at_the_moment() -> None:
    recorded = RecordedMetrics()
    store = Leased()
    sink = sink_on(store, recorded.instruments)

    def parked_bytes() -> int:
        return recorded.values()["otel_modeldata.parked.bytes"][()]

    store.broken = {BAD}
    one = line_to(1, f"{BAD}/files/x")
    await sink.put(f"{BAD}/files/x", b"12345", "text/plain")
    await sink.append(BAD, [one])
    assert parked_bytes() == len(one.data) + 5
    store.broken, store.leased = set(), {f"{BAD}/{INSTANCE}000000.jsonl"}
    await until(lambda: f"{BAD}/files/x" in store.objects)
    await asyncio.sleep(1.0)
    assert parked_bytes() == len(one.data)
    store.leased = set()
    await until(lambda: not store.parked())
    await asyncio.sleep(1.0)
    assert parked_bytes() == 0
    await sink.close()
    recorded.close()


@in_virtual_time
async def test_uploads_to_places_that_hang_do_not_hold_up_those_of_others() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.hung = {"bad"}
    large = b"x" * (5 << 20)
    names = [f"bad{number}/blue/in/2026/files/x" for number in range(40)]
    hung = [asyncio.ensure_future(sink.put(name, large, "text/plain")) for name in names]
    await asyncio.sleep(0.1)
    began = virtual_time.now()
    assert await sink.put(f"{GOOD}/files/x", large, "text/plain") == store.url(f"{GOOD}/files/x")
    assert virtual_time.now() - began < 0.1
    assert not sink.is_parked(GOOD)
    await asyncio.gather(*hung)
    assert virtual_time.now() < 15.0
    store.hung = set()
    await until(lambda: not store.parked())
    assert all(store.objects[name] == large for name in names)
    await sink.close()


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(["append", "append", "break", "repair", "lease", "lease all", "free", "kill", "wait"]),
        max_size=30,
    )
)
def test_leases_on_any_blob_at_any_moment_lose_and_double_nothing(steps: list[str]) -> None:
    async def history() -> None:
        store = Leased()
        sink = sink_on(store)
        number = 0
        for step in steps:
            match step:
                case "append":
                    appended = await sink.append(BAD, lines(number))
                    assert appended[:2] == (1, 0)
                    number += 1
                case "break":
                    store.broken = {BAD}
                case "repair":
                    store.broken = set()
                case "lease":
                    store.leased |= set(store.parked()[-1:])
                case "lease all":
                    store.leased |= set(store.contents)
                case "free":
                    store.leased = set()
                case "kill":
                    await kill_what_runs()
                    sink = sink_on(store)
                case "wait":
                    await asyncio.sleep(40.0)
        store.leased = set()
        await sink.start()
        await check_delivered(store, sink, *map(str, range(number)))

    virtual_time.run(history())


@given(st.integers(0, 1 << 40), st.integers(0, 999999))
def test_the_name_of_a_mark_has_its_blob_and_its_size(size: int, ordinal: int) -> None:
    mark = DeliveredMark(f"_parked/{BAD}/{INSTANCE}{ordinal:06d}.jsonl", size, "0" * 64)
    name = parked_names.delivered_mark(mark)
    assert parked_names.read_mark(name) == mark
    assert parked_names.parked_blob(name) is None
    assert parked_names.unparked_object(name) is None


@in_virtual_time
async def test_a_mark_means_nothing_for_another_blob_of_the_same_name() -> None:
    store = PartlyBroken()
    store.contents[PARKED] = line(1).data
    marks = DeliveredMarks(store, await _walk(store))
    await marks.put(PARKED, len(line(1).data))
    marks = DeliveredMarks(store, await _walk(store))
    assert await marks.delivered(PARKED) == len(line(1).data)
    store.contents[PARKED] = line(2).data
    assert await marks.delivered(PARKED) == 0


async def _walk(store: PartlyBroken) -> list[StoredObject]:
    return await store.walk(f"_parked/{BAD}")
