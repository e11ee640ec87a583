"""The whole sink: folders, shutdown, and random histories of clients, faults and kills."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_store import (
    FATES,
    FIRST,
    FOLDER,
    MemoryStore,
    line,
    lines,
    sink_on,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from virtual_time import now, run

from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage.sink import Appended, Sink, SinkLimits

if TYPE_CHECKING:
    from collections.abc import Sequence


# --- Folders ---


def test_folders_do_not_wait_for_each_other() -> None:
    store = MemoryStore()
    store.stuck.add("slow/")

    async def main() -> float:
        sink = sink_on(store)
        stuck = asyncio.ensure_future(sink.append("slow/folder", lines(1)))
        await asyncio.sleep(0.1)
        await asyncio.gather(*(sink.append(f"fast/{number}", lines(number)) for number in range(20)))
        taken = now()
        await stuck
        return taken

    assert run(main()) < 1.0


def test_no_lines_are_stored_without_a_request() -> None:
    store = MemoryStore()
    assert run(sink_on(store).append(FOLDER, [])) == Appended(stored=0, duplicates=0)
    assert store.requests == []


def test_idle_folders_are_closed_and_recognize_stored_lines_when_reopened() -> None:
    store = MemoryStore()

    async def main() -> tuple[int, Appended, int]:
        sink = sink_on(store, limits=SinkLimits(idle_seconds=60.0))
        await sink.append(FOLDER, lines(1))
        await asyncio.sleep(61.0)
        await sink.append("other", lines(1))
        closed = len(sink._folders.names)
        listed = store.count("blobs")
        return closed, await sink.append(FOLDER, lines(1, 2)), store.count("blobs") - listed

    assert run(main()) == (1, Appended(stored=1, duplicates=1), 1)
    assert store.stored() == ["1", "2"]


def test_no_more_folders_stay_open_than_allowed_and_busy_ones_are_kept() -> None:
    store = MemoryStore()
    store.stuck.add("busy/")

    async def main() -> list[str]:
        sink = sink_on(store, limits=SinkLimits(open_folders=3))
        busy = asyncio.ensure_future(sink.append("busy/folder", lines(1)))
        await asyncio.sleep(0.1)
        for number in range(5):
            await sink.append(f"idle/{number}", lines(1))
        await sink.append("idle/3", lines(1))
        await sink.append("idle/5", lines(1))
        kept = sink._folders.names
        await busy
        return kept

    assert run(main()) == ["busy/folder", "idle/3", "idle/5"]


# --- Wrong use, and shutdown ---


def test_a_line_larger_than_a_block_is_refused_with_its_whole_call() -> None:
    store = MemoryStore()
    limits = SinkLimits(block_bytes=100)

    async def main() -> Appended:
        sink = sink_on(store, limits=limits)
        with pytest.raises(ValueError, match=r"expected lines of at most 100 bytes, got one of \d{3}: put its payload"):
            await sink.append(FOLDER, [line(1), line(2, padding=100)])
        return await sink.append(FOLDER, [Line("3", b"x" * 99 + b"\n")])

    assert run(main()) == Appended(stored=1, duplicates=0)
    assert store.contents[FIRST] == b"x" * 99 + b"\n"


@pytest.mark.parametrize("folder", ["", "/a", "a/../b", "a//b", "a\\b", "a/"])
def test_a_folder_outside_the_store_is_refused(folder: str) -> None:
    store = MemoryStore()
    with pytest.raises(ValueError, match="expected a relative name"):
        run(sink_on(store).append(folder, lines(1)))
    assert store.requests == []


@pytest.mark.parametrize("instance", ["", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "/", "0" * 32 + "\n"])
def test_an_instance_that_is_not_32_hex_digits_is_refused(instance: str) -> None:
    with pytest.raises(ValueError, match="expected 32 lower-case hex digits as instance"):
        Sink(MemoryStore(), instance=instance)


def test_an_object_is_put_once_more_after_an_error_and_its_url_returned() -> None:
    store = MemoryStore(["refused", "lost"])

    async def main() -> str:
        sink = sink_on(store)
        url = await sink.put("files/1.json", b"[]", "application/json")
        with pytest.raises(ValueError, match="other content"):
            await sink_on(store).put("files/1.json", b"[1]", "application/json")
        return url

    assert run(main()) == "https://account/files/1.json"
    assert store.count("put") == 4


def test_an_object_is_sent_again_only_after_a_failure_or_many_other_objects() -> None:
    store = MemoryStore()

    async def main() -> list[int]:
        sink = sink_on(store, limits=SinkLimits(known_objects=2))
        counts = []
        for name in ("1", "2", "1", "3", "1", "2"):
            assert await sink.put(f"files/{name}", b"png", "image/png") == f"https://account/files/{name}"
            counts.append(store.count("put"))
        sink.forget_objects()
        await sink.put("files/2", b"png", "image/png")
        return [*counts, store.count("put")]

    assert run(main()) == [1, 2, 2, 3, 3, 4, 5]


def test_large_objects_are_limited_and_small_ones_do_not_wait_for_them() -> None:
    store = MemoryStore()
    store.stuck = {"large"}

    async def main() -> tuple[int, int]:
        sink = sink_on(store, limits=SinkLimits(large_put_bytes=1, large_puts=2))
        large = [asyncio.create_task(sink.put(f"large/blue/{number}", b"xx", "image/png")) for number in range(5)]
        await store.reached("put", 2)
        await sink.put("small/1", b"x", "image/png")
        begun, moment = store.count("put"), asyncio.get_running_loop().time()
        assert moment < 3600
        await asyncio.gather(*large)
        return begun, store.count("put")

    assert run(main()) == (3, 6)


def test_a_closed_sink_refuses_pending_and_new_lines() -> None:
    store = MemoryStore()
    store.stuck.add(FOLDER)

    async def main() -> list[str]:
        sink = sink_on(store)
        await sink.check()
        waiting = asyncio.ensure_future(sink.append(FOLDER, lines(1)))
        await asyncio.sleep(0.1)
        await sink.close()
        await sink.close()
        calls = (waiting, sink.append(FOLDER, lines(2)), sink.put("a", b"", "text/plain"))
        return [str(error) for error in await asyncio.gather(*calls, return_exceptions=True)]

    closed = "expected an open sink, got one that is closed: send the lines again to another receiver"
    stopped = "expected the lines to be stored, got a sink that stopped: send them again"
    assert run(main()) == [stopped, closed, closed]
    assert store.closed


# --- Metrics ---


def test_metrics_match_the_requests_to_the_store() -> None:
    """Two calls share an append; one append is repeated and fills the blob, and one finds another writer in the next
    blob."""
    store = MemoryStore(["ok", "ok", "ok", "refused", "ok", "ok", "intruder"])
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])

    async def main() -> None:
        instruments = telemetry.instruments(provider.get_meter("test"))
        sink = sink_on(store, linger=1.0, limits=SinkLimits(max_blocks=2), instruments=instruments)
        await asyncio.gather(sink.append(FOLDER, lines(1)), sink.append(FOLDER, lines(2)))
        for key in (3, 4, 5):
            await sink.append(FOLDER, lines(key))

    run(main())
    data = reader.get_metrics_data()
    assert data is not None
    counted = {
        metric.name.removeprefix("otel_modeldata."): getattr(point, "value", getattr(point, "count", None))
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    own = [block for blocks in store.blocks.values() for block in blocks if b"intruder" not in block]
    assert counted == {
        "appends": len(own),
        "append.bytes": sum(map(len, own)),
        "append.duration": len(own),
        "store.retries": 1,
        "fences": 1,
        "rolls": len(store.contents),
    }
    assert (len(own), len(store.contents)) == (4, 3)
    provider.shutdown()


# --- Everything at once ---


class Client:
    """Sends calls one after the other, each until it is acknowledged, even after the sink's process was killed."""

    def __init__(self, calls: Sequence[Sequence[str]]) -> None:
        self.calls = list(calls)
        self.acknowledged = 0

    async def send(self, sink: Sink) -> None:
        while self.acknowledged < len(self.calls):
            call = self.calls[self.acknowledged]
            try:
                appended = await sink.append(FOLDER, lines(*call))
            except StoreError:
                await asyncio.sleep(0.005)
            else:
                assert sum(appended) == len(call)
                self.acknowledged += 1


async def serve(store: MemoryStore, clients: list[Client], limits: SinkLimits, lifetimes: Sequence[float]) -> None:
    """Let the clients send to one sink after the other: each but the last is killed after its lifetime."""
    for lifetime in (*lifetimes, None):
        sink = sink_on(store, limits=limits)
        work = [asyncio.ensure_future(client.send(sink)) for client in clients]
        await asyncio.wait(work, timeout=lifetime)
        for task in work:
            task.cancel() if lifetime is not None else await task
        await asyncio.wait(work)
        await sink.close()


@dataclass(frozen=True, kw_only=True)
class History:
    """A random history.

    Attributes:
        counts: calls of each client.
        shared: lines that every call of every client contains.
        fates: of the store's first requests.
        lifetimes: seconds after which one sink after the other is killed.
        limits: of the sinks.
    """

    counts: list[int]
    shared: list[int]
    fates: list[str]
    lifetimes: list[float]
    limits: SinkLimits


HISTORIES = st.builds(
    History,
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    shared=st.lists(st.integers(0, 3), max_size=4),
    fates=st.lists(st.sampled_from(FATES), max_size=60),
    lifetimes=st.lists(st.floats(0.001, 0.3), max_size=3),
    limits=st.builds(
        SinkLimits,
        retry_seconds=st.sampled_from([0.0, 0.1, 8.0]),
        block_bytes=st.integers(60, 300),
        max_blocks=st.integers(1, 5),
        max_bytes=st.integers(1, 500),
        open_folders=st.just(1),
    ),
)


@settings(max_examples=400)
@given(history=HISTORIES)
def test_in_every_history_every_line_is_stored_once_and_in_its_clients_order(history: History) -> None:
    store = MemoryStore(history.fates)
    own = [
        [[f"{client}.{call}.{number}" for number in range(call % 3 + 1)] for call in range(count)]
        for client, count in enumerate(history.counts)
    ]
    common = [f"shared-{key}" for key in history.shared]
    clients = [Client([[*call, *common] for call in calls]) for calls in own]

    async def main() -> None:
        await serve(store, clients, history.limits, history.lifetimes)
        store.land()

    run(main())
    found = [key for key in store.stored() if not key.startswith("intruder")]
    assert len(found) == len(set(found))
    assert set(found) == {key for calls in own for call in calls for key in call} | set(common)
    for calls in own:
        mine = [key for call in calls for key in call]
        assert [key for key in found if key in set(mine)] == mine
    assert all(len(piece) <= history.limits.block_bytes for blocks in store.blocks.values() for piece in blocks)


@settings(max_examples=200)
@given(
    counts=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    fates=st.lists(st.sampled_from(FATES), max_size=60),
    retry=st.sampled_from([0.0, 0.1, 8.0]),
    max_blocks=st.integers(1, 5),
)
def test_two_sinks_with_one_instance_id_lose_nothing_and_store_nothing_twice(
    counts: tuple[int, int], fates: list[str], retry: float, max_blocks: int
) -> None:
    store = MemoryStore(fates)
    limits = SinkLimits(max_blocks=max_blocks, retry_seconds=retry)
    own = [[[f"{client}.{call}"] for call in range(count)] for client, count in enumerate(counts)]
    clients = [Client(calls) for calls in own]

    async def main() -> None:
        await asyncio.gather(*(serve(store, [client], limits, []) for client in clients))
        store.land()

    run(main())
    found = [key for key in store.stored() if not key.startswith("intruder")]
    assert sorted(found) == sorted(key for calls in own for call in calls for key in call)
    for calls in own:
        mine = [key for call in calls for key in call]
        assert [key for key in found if key in set(mine)] == mine
