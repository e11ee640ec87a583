"""A folder that takes no lines: they are parked in the main store, and delivered in order, each exactly once."""

from __future__ import annotations

import asyncio
import random

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

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.group_commit import Appended
from otel_modeldata_receiver.storage.mounts import MountedStores
from otel_modeldata_receiver.storage.parking import parked_names


@in_virtual_time
async def test_lines_are_parked_within_two_seconds_and_delivered_in_order() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {BAD}
    appended = await asyncio.gather(sink.append(BAD, lines(1, 2)), sink.append(GOOD, lines("a")))
    assert appended == [Appended(2, 0, 2), Appended(1, 0)]
    assert virtual_time.now() < 2.0
    began = virtual_time.now()
    assert await sink.append(BAD, lines(3)) == Appended(1, 0, 1)
    assert virtual_time.now() - began < 0.1  # the breaker is open: no further wait
    assert await sink.append(BAD, lines(1)) == Appended(0, 1)
    assert store.stored(BAD) == []
    store.broken = set()
    await until(lambda: not store.parked())
    assert await sink.append(BAD, lines(4)) == Appended(1, 0)
    assert store.stored(BAD) == ["1", "2", "3", "4"]
    assert await sink.append(BAD, lines(2)) == Appended(0, 1)
    await sink.close()


@in_virtual_time
async def test_a_folder_that_hangs_is_parked_too() -> None:
    """Even without another append that shows that the main store works."""
    store = PartlyBroken()
    sink = sink_on(store)
    store.hung = {BAD}
    assert await sink.append(BAD, lines(1)) == Appended(1, 0, 1)
    assert virtual_time.now() < 2.0
    await check_delivered(store, sink, "1")


@in_virtual_time
async def test_an_object_of_a_folder_that_cannot_be_read_is_parked_without_a_proof_of_the_main_store() -> None:
    """As for the first record after a start, if its body is large: its folder is read before anything is stored."""
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {BAD}
    assert not await sink.is_superseded(BAD, "1", f"{BAD}/files/one")
    await sink.put(f"{BAD}/files/one", b"image", "image/png")
    assert store.parked() == [f"_parked/{BAD}/files/{INSTANCE}/image%2Fpng/one"]
    store.broken = set()
    await until(lambda: not store.parked())
    assert store.objects[f"{BAD}/files/one"] == b"image"
    await sink.close()


@in_virtual_time
async def test_the_lines_of_a_place_that_stays_slow_are_delivered_though_others_hang() -> None:
    """Reading what is there, creating a blob and appending take 5 s together; each folder here is in the main store."""
    store = PartlyBroken()
    sink = sink_on(store)
    hanging = [f"hung/{number}/model_inputs/2026/11/22/13" for number in range(20)]
    store.hung = {"hung/"}
    store.slow = {BAD: 1.25}
    appended = await asyncio.gather(*(sink.append(folder, lines(1, 2)) for folder in [*hanging, BAD]))
    assert {one.parked for one in appended} == {2}
    began = virtual_time.now()
    await until(lambda: not any(BAD in name for name in store.parked()))
    assert virtual_time.now() - began < 300.0
    assert store.stored(BAD) == ["1", "2"]
    store.hung = set()
    began = virtual_time.now()
    await until(lambda: not store.parked())
    assert virtual_time.now() - began < 120.0
    assert [store.stored(folder) for folder in hanging] == [["1", "2"]] * len(hanging)
    await sink.close()


@in_virtual_time
async def test_a_store_that_is_slow_for_all_parks_nothing() -> None:
    store = PartlyBroken()
    store.latency = 5.0
    sink = sink_on(store)
    appended = await asyncio.gather(sink.append(BAD, lines(1)), sink.append(GOOD, lines(2)))
    assert appended == [Appended(1, 0), Appended(1, 0)]
    await sink.close()


@in_virtual_time
async def test_if_the_main_store_takes_no_parked_lines_either_the_caller_gets_the_error() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    assert await sink.append(GOOD, lines(0)) == Appended(1, 0)
    store.broken = {""}
    for _ in range(2):
        with pytest.raises(StoreError, match="412"):
            await sink.append(BAD, lines(1))
    store.broken = set()
    assert (await sink.append(BAD, lines(1)))[:2] == (1, 0)
    await check_delivered(store, sink, "1")


@in_virtual_time
async def test_the_next_process_delivers_what_was_parked_before_anything_else() -> None:
    store = PartlyBroken()
    await park(store, 1, 2)
    sink = sink_on(store)
    assert (await sink.append(BAD, lines(3))).parked == 1
    await check_delivered(store, sink, "1", "2", "3")


@in_virtual_time
async def test_a_process_that_dies_between_delivery_and_removal_delivers_nothing_twice() -> None:
    store = PartlyBroken()
    await park(store, 1, 2)
    content = store.contents[PARKED]
    await sink_on(store).start()
    await until(lambda: not store.parked())
    store.contents[PARKED], store.blocks[PARKED] = content, [content]  # as if it had not been removed
    await sink_on(store).start()
    await until(lambda: not store.parked())
    assert store.stored(BAD) == ["1", "2"]


@in_virtual_time
async def test_objects_are_parked_and_delivered_before_their_lines() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {BAD}
    name = f"{BAD}/files/x.png"
    assert await sink.put(name, b"png", "image/png") == store.url(name)
    assert store.objects == {f"_parked/{BAD}/files/{INSTANCE}/image%2Fpng/x.png": b"png"}
    await sink.append(BAD, [line_to(1, name)])
    store.broken = set()
    await until(lambda: not store.parked())
    assert (store.objects, store.stored(BAD)) == ({name: b"png"}, ["1"])
    put = store.requests.index(("put", name))
    assert put < store.requests.index(("append", f"{BAD}/{INSTANCE}000000.jsonl"))
    await sink.close()


@in_virtual_time
async def test_a_datastore_that_failed_once_is_not_waited_for_in_its_other_folders() -> None:
    store, lake = MountedStores(PartlyBroken()), PartlyBroken()
    store.mount("lake", lake)
    sink = sink_on(store)
    lake.hung = {""}
    folders = [f"_at/lake/{number}/2026/11/22/13" for number in range(100)]
    assert (await sink.append(folders[0], lines(0))).parked == 1
    began = virtual_time.now()
    for number, folder in enumerate(folders[1:]):
        assert (await sink.append(folder, lines(number))).parked == 1
    assert virtual_time.now() - began < 1.0
    lake.hung = set()
    await until(lambda: len(lake.contents) == 100 and not any(sink.is_parked(folder) for folder in folders))
    lake.hung = {"1000"}
    with pytest.raises(StoreError, match="in time"):
        await sink.put_directly("_at/lake/1000/MLTable", b"x", "application/yaml")
    await sink.close()


@in_virtual_time
async def test_hundreds_of_broken_folders_take_few_tasks_and_are_all_delivered() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {"credit/"}
    folders = [f"credit/{number}/model_inputs/2026/11/22/13" for number in range(300)]
    for start in range(0, 300, 100):
        await asyncio.gather(*(sink.append(folder, lines(1)) for folder in folders[start : start + 100]))
    most = 0
    for _ in range(100):
        await asyncio.sleep(0.2)
        most = max(most, len(asyncio.all_tasks()))
    assert most <= 30
    store.broken = set()
    await until(lambda: not store.parked())
    assert all(store.stored(folder) == ["1"] for folder in folders)
    await sink.close()


@in_virtual_time
async def test_an_outage_has_one_log_line_at_its_beginning_and_one_at_its_end_and_is_counted() -> None:
    recorded = RecordedMetrics()
    store = PartlyBroken()
    sink = sink_on(store, recorded.instruments)
    store.broken = {BAD}
    for number in range(3):
        await sink.append(BAD, lines(number))
    names = ("parked", "parked.bytes", "parked.folders", "parked.delivered")
    size = sum(len(line(number).data) for number in range(3))
    assert [recorded.values().get(f"otel_modeldata.{name}") for name in names] == [{(): 3}, {(): size}, {(): 1}, None]
    store.broken = set()
    await until(lambda: not store.parked())
    await asyncio.sleep(1.0)
    assert [recorded.values()[f"otel_modeldata.{name}"] for name in names] == [{(): 3}, {(): 0}, {(): 0}, {(): 3}]
    await sink.close()
    recorded.close()


@in_virtual_time
async def test_what_is_parked_for_a_datastore_that_is_not_configured_any_more_stays_parked() -> None:
    store = MountedStores(main := PartlyBroken())
    store.mount("lake", lake := PartlyBroken())
    lake.broken = {""}
    await sink_on(store).append("_at/lake/x/2026", lines(1))
    sink = sink_on(MountedStores(main))
    await sink.start()
    await asyncio.sleep(100.0)
    assert len(main.parked()) == 1
    assert await sink.append(GOOD, lines(2)) == Appended(1, 0)
    await sink.close()


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["append", "append", "break", "hang", "repair", "kill", "wait"]), max_size=30),
    st.integers(0, 1 << 16),
)
def test_every_acknowledged_line_is_stored_once_and_in_order_whatever_happens(steps: list[str], seed: int) -> None:
    async def history() -> None:
        rng = random.Random(seed)
        store = PartlyBroken()
        sink = sink_on(store)
        number = 0
        for step in steps:
            match step:
                case "append":
                    new = lines(*range(number, number + rng.randint(1, 3)))
                    number += len(new)
                    await sink.append(BAD, new)
                case "break":
                    store.broken = {BAD}
                case "hang":
                    store.hung = {BAD}
                case "repair":
                    store.broken, store.hung = set(), set()
                case "kill":
                    await kill_what_runs()
                    sink = sink_on(store)
                case "wait":
                    await asyncio.sleep(rng.choice([0.01, 1.0, 100.0]))
        await sink.start()
        await check_delivered(store, sink, *map(str, range(number)))

    virtual_time.run(history())


@given(
    st.text(max_size=80) | st.just(INSTANCE),
    st.sampled_from(["a/b/c/2026/files/x", "_at/lake/p/2026/files/x"]),
    st.sampled_from(["", INSTANCE]),
)
def test_the_name_of_a_parked_object_has_its_place_its_media_type_and_its_receiver(
    content_type: str, name: str, instance: str
) -> None:
    content_type = content_type.encode("utf-8", "ignore").decode()
    parked = parked_names.parked_object(name, content_type, instance)
    assert parked.isprintable()
    assert "//" not in parked
    found = parked_names.unparked_object(parked)
    assert (found.name, found.instance) == (name, instance)
    assert found.content_type in {content_type, "application/octet-stream"}
    assert found.folder == parked_names.folder_of_object(name)


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("credit/blue/model_inputs/2026", "credit/blue"),
        ("_quarantine/2026", "_quarantine"),
        ("_at/lake/in/2026", "datastore 'lake'"),
    ],
)
def test_an_outage_is_that_of_a_tenant_or_a_datastore(folder: str, place: str) -> None:
    assert parked_names.place_of(folder) == place


@in_virtual_time
async def test_lines_that_came_right_after_the_start_are_stored_before_a_stop() -> None:
    """They wait until it is known what is parked, which takes a moment."""
    store = PartlyBroken()
    sink = sink_on(store)
    appending = asyncio.ensure_future(sink.append(GOOD, lines("a")))
    await asyncio.sleep(0)
    await sink.drain()
    assert await appending == Appended(1, 0)
    assert store.stored(GOOD) == ["a"]
    await sink.close()
