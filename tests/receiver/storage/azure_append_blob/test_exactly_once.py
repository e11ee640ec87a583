"""Every line is stored once, with a real Azurite behind a proxy that breaks requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from azure_blobs import FIRST, FOLDER, HASTY, INSTANCE, SECOND, ids, line, lines, stored
from fault_proxy import WITH_EFFECT, WITHOUT_EFFECT, Fault, FaultProxy, dice, no_faults, script

from otel_modeldata_receiver.exceptions import StoreCheckError, StoreError
from otel_modeldata_receiver.storage.sink import Appended, Sink, SinkLimits
from otel_modeldata_receiver.storage.store import BlobState

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from azurite import Azurite

    from otel_modeldata_receiver.storage.store import Store

    OpenStore = Callable[..., AbstractAsyncContextManager[Store]]

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fault", [*WITHOUT_EFFECT, *WITH_EFFECT, Fault.CHANGED_BODY])
async def test_a_block_is_stored_once_under_every_fault_of_a_request(
    fault: Fault, opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE)
        await sink.append(FOLDER, lines(2))
        proxy.plan = script([fault, fault])
        assert await sink.append(FOLDER, lines(3, start=2)) == Appended(stored=3, duplicates=0)
        assert await sink.append(FOLDER, lines(1, start=5)) == Appended(stored=1, duplicates=0)
    assert proxy.count(fault) == 2
    assert list(azurite.blobs(container)) == [f"data/{FIRST}"]
    assert stored(azurite, container) == [f"id-{number}" for number in range(6)]


async def test_an_answer_that_is_none_of_azures_is_an_error_like_others(opened: OpenStore, proxy: FaultProxy) -> None:
    """The library raises IndexError, for example."""
    async with opened(proxy) as store:
        state = await store.create(FIRST)
        assert state is not None
        proxy.plan = script([Fault.STRANGE] * 2, lambda method, comp, path: True)
        with pytest.raises(StoreError, match="expected to look at a blob"):
            await store.append(FIRST, state, b"one\n")
        assert await store.append(FIRST, state, b"one\n") == BlobState(size=4, blocks=1)


async def test_the_library_repeats_no_append_on_its_own(opened: OpenStore, proxy: FaultProxy) -> None:
    async with opened(proxy) as store:
        state = await store.create(FIRST)
        assert state is not None
        proxy.plan = script([Fault.BUSY_BEFORE])
        with pytest.raises(StoreError, match=r"expected to append to a blob .* got 503 ServerBusy"):
            await store.append(FIRST, state, b"one\n")
        assert proxy.appends() == 1
        assert await store.append(FIRST, state, b"one\n") == BlobState(size=4, blocks=1)


async def test_an_append_without_an_answer_is_looked_up_in_the_blob(
    opened: OpenStore, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_modeldata_receiver.storage.azure_append_blob._REQUEST_SECONDS", 0.5)
    async with opened(proxy) as store:
        state = await store.create(FIRST)
        assert state is not None
        proxy.plan = script([Fault.SLOW])
        assert await store.append(FIRST, state, b"one\n") == BlobState(size=4, blocks=1)
        assert proxy.count(Fault.SLOW) == 1


async def test_a_create_whose_answer_is_lost_leaves_no_empty_blob_behind(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    proxy.plan = script([Fault.DROP_ANSWER], lambda method, comp, path: method == "PUT" and comp == "")
    async with opened(proxy) as store:
        await Sink(store, instance=INSTANCE).append(FOLDER, lines(1))
    assert {name: ids(content) for name, content in azurite.blobs(container).items()} == {f"data/{FIRST}": ["id-0"]}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_300_lines_with_40_percent_faults_are_stored_once_and_in_order(
    seed: int, opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    proxy.plan = dice(seed, 0.4, [*WITHOUT_EFFECT, *WITH_EFFECT], lambda method, comp, path: True)
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=60.0))
        for start in range(0, 300, 3):
            await sink.append(FOLDER, lines(3, start=start))
    assert stored(azurite, container) == [f"id-{number}" for number in range(300)]
    assert sum(1 for seen in proxy.seen if seen.fault) > 20


@pytest.mark.parametrize("seed", [4, 6])
async def test_a_client_that_retries_after_errors_stores_every_line_once(
    seed: int, opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    """The sink gives up at the first failure, so the client retries; it makes four calls at a time."""
    proxy.plan = dice(seed, 0.5, [*WITHOUT_EFFECT, *WITH_EFFECT])
    refused = 0

    async def client(start: int) -> None:
        nonlocal refused
        for first in range(start, start + 40, 5):
            while True:
                try:
                    await sink.append(FOLDER, lines(5, start=first))
                    break
                except StoreError:
                    refused += 1

    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=HASTY)
        await asyncio.gather(*(client(start) for start in range(0, 160, 40)))
    found = stored(azurite, container)
    assert sorted(found) == sorted(f"id-{number}" for number in range(160))
    for start in range(0, 160, 40):
        mine = [f"id-{number}" for number in range(start, start + 40)]
        assert [key for key in found if key in mine] == mine
    assert refused > 0


async def test_a_block_that_is_applied_after_the_sink_gave_up_is_not_stored_again(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=HASTY)
        await sink.append(FOLDER, lines(1))
        proxy.plan = script([Fault.LATE, Fault.LATE])  # aiohttp repeats a PUT once on a connection it reused
        with pytest.raises(StoreError):
            await sink.append(FOLDER, lines(3, start=1))
        proxy.plan = no_faults
        assert 201 in proxy.release()
        assert await sink.append(FOLDER, lines(4, start=1)) == Appended(stored=1, duplicates=3)
    assert stored(azurite, container) == [f"id-{number}" for number in range(5)]


async def test_a_block_that_is_applied_while_the_client_retries_is_not_stored_again(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    """The late block is at the position of the retry's append, and contains some of its lines."""
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=HASTY)
        await sink.append(FOLDER, lines(1))
        proxy.plan = script([Fault.LATE, Fault.LATE])
        with pytest.raises(StoreError):
            await sink.append(FOLDER, lines(3, start=1))

        def release_before_the_append(method: str, comp: str, path: str) -> None:
            if comp == "appendblock":
                proxy.plan = no_faults
                released.extend(proxy.forward(held)[0] for held in proxy._late)

        released: list[int] = []
        proxy.plan = release_before_the_append
        assert await sink.append(FOLDER, lines(4, start=1)) == Appended(stored=1, duplicates=3)
        assert 201 in released
    assert {name: ids(content) for name, content in azurite.blobs(container).items()} == {
        f"data/{FIRST}": ["id-0", "id-1", "id-2", "id-3"],
        f"data/{SECOND}": ["id-4"],
    }


async def test_a_retry_of_part_of_a_late_block_reads_the_other_lines_before_the_blob_is_left(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    """The late block begins with the same bytes; if it were taken for the retry, its other lines would be stored
    again."""
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0, max_bytes=1))
        proxy.plan = script([Fault.LATE, Fault.LATE])
        with pytest.raises(StoreError):
            await sink.append(FOLDER, lines(2))

        def release_before_the_append(method: str, comp: str, path: str) -> None:
            if comp == "appendblock":
                proxy.plan = no_faults
                released.extend(proxy.forward(held)[0] for held in proxy._late)

        released: list[int] = []
        proxy.plan = release_before_the_append
        await sink.append(FOLDER, lines(1))
        assert 201 in released
        assert await sink.append(FOLDER, lines(1, start=1)) == Appended(stored=0, duplicates=1)
    assert stored(azurite, container) == ["id-0", "id-1"]


async def test_a_late_block_is_not_applied_after_a_faster_retry(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    """The blob is not rolled at its limits: a retry in a new blob does not keep the late block out of the old one."""
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0, max_blocks=1))
        await sink.append(FOLDER, lines(1))
        proxy.plan = script([Fault.LATE, Fault.LATE])
        with pytest.raises(StoreError):
            await sink.append(FOLDER, lines(3, start=1))
        proxy.plan = no_faults
        assert await sink.append(FOLDER, lines(3, start=1)) == Appended(stored=3, duplicates=0)
        assert set(proxy.release()) == {412}
        await sink.append(FOLDER, lines(1, start=4))
    assert stored(azurite, container) == [f"id-{number}" for number in range(5)]


async def test_a_restarted_receiver_continues_its_blob_and_knows_the_ids_in_it(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    async with opened() as store:
        await Sink(store, instance=INSTANCE).append(FOLDER, lines(5))
    async with opened() as store:
        assert await Sink(store, instance=INSTANCE).append(FOLDER, lines(4, start=3)) == Appended(2, 2)
    assert list(azurite.blobs(container)) == [f"data/{FIRST}"]
    assert stored(azurite, container) == [f"id-{number}" for number in range(7)]


async def test_two_receivers_with_one_instance_id_store_both_their_lines(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    async with opened() as store, opened() as other:
        sinks = [Sink(store, instance=INSTANCE), Sink(other, instance=INSTANCE)]

        async def feed(sink: Sink, start: int) -> None:
            for first in range(start, start + 50, 5):
                await sink.append(FOLDER, lines(5, start=first))

        await asyncio.gather(*(feed(sink, 100 * number) for number, sink in enumerate(sinks)))
    found = stored(azurite, container)
    for start in (0, 100):
        mine = [f"id-{number}" for number in range(start, start + 50)]
        assert [key for key in found if key in mine] == mine
    assert len(found) == 100


async def test_a_deleted_container_is_an_error_and_works_again_when_it_is_created_again(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    async with opened() as store:
        sink = Sink(store, instance=INSTANCE)
        await sink.append(FOLDER, lines(1))
        with azurite.open(container) as client:
            client.delete_container()
            with pytest.raises(StoreCheckError, match=f"container '{container}' .*, got no such container"):
                await sink.append(FOLDER, lines(1, start=1))
            client.create_container()
        assert await sink.append(FOLDER, lines(1, start=1)) == Appended(stored=1, duplicates=0)
    assert stored(azurite, container) == ["id-1"]


async def test_many_waiting_calls_share_few_blocks(opened: OpenStore, proxy: FaultProxy, azurite: Azurite) -> None:
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE)
        await asyncio.gather(*(sink.append(FOLDER, [line(number, padding=500)]) for number in range(500)))
    assert proxy.appends() <= 3


async def test_more_lines_than_fit_into_a_block_are_stored_in_several_and_none_is_split(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    many = lines(40, padding=300_000)
    async with opened(proxy) as store:
        assert await Sink(store, instance=INSTANCE).append(FOLDER, many) == Appended(stored=40, duplicates=0)
        state = await store.state(FIRST)
        assert state is not None
    assert (state.blocks, proxy.appends()) == (4, 4)
    assert list(azurite.blobs(container).values()) == [b"".join(one.data for one in many)]


async def test_a_blob_is_left_at_its_limit_of_blocks_and_no_line_is_lost_or_split(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    """tests/benchmarks/full_blob.py goes up to the 50,000 blocks that the service allows."""
    async with opened() as store:
        sink = Sink(store, instance=INSTANCE, limits=SinkLimits(max_blocks=50))
        for number in range(120):
            await sink.append(FOLDER, [line(number)])
    blobs = azurite.blobs(container)
    assert [len(ids(content)) for content in blobs.values()] == [50, 50, 20]
    assert stored(azurite, container) == [f"id-{number}" for number in range(120)]
