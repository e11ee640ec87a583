"""What is left of one folder, for any time and in any number, keeps nothing of another one from being looked at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import virtual_time
from memory_store import INSTANCE, line, line_to
from parked_payload import OTHER, Dated, direct, send
from partly_broken import BAD, GOOD, kill_what_runs, sink_on, until

from otel_modeldata_receiver.storage.folders import reference_search
from otel_modeldata_receiver.storage.parking import object_delivery
from otel_modeldata_receiver.storage.parking.leftovers import fates, leftovers
from otel_modeldata_receiver.storage.parking.parked_names import parked_object

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 20
SEARCHED = 4 << 10
NEEDED = f"{GOOD}/files/two"
TWO = parked_object(NEEDED, "image/png", INSTANCE)
HOUR = 3600.0


@pytest.fixture(autouse=True)
def bounds() -> Iterator[None]:
    """20 leftovers of each kind; one look searches 4 KiB, in pieces of 1 KiB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leftovers, "_MOST", MOST)
        patch.setattr(reference_search, "_READ_BYTES", 1 << 10)
        patch.setattr(reference_search, "_LEAST_READ_BYTES", 1 << 10)
        for module in (object_delivery, fates):
            patch.setattr(module, "MOST_SEARCHED_BYTES", SEARCHED)
        yield


def write(store: Dated, blob: str, content: bytes) -> None:
    store.contents[blob], store.blocks[blob] = content, []


async def with_many_that_are_kept(count: int) -> Dated:
    """A store with payloads of one folder that are delivered, and that a policy keeps."""
    store = Dated()
    sink = sink_on(store)
    store.broken = {BAD}
    for number in range(count):
        assert await send(sink, str(number), f"{BAD}/files/{number}")
    store.keeps_all = True
    await direct(store, sink)
    store.keeps_all, store.kept = False, set(store.parked())
    assert len(store.kept) >= count
    await kill_what_runs()
    return store


@pytest.mark.parametrize("count", [10, 30])
@pytest.mark.parametrize("is_needed", [False, True])
def test_many_that_cannot_be_removed_keep_no_doubtful_one_of_another_folder_waiting(
    count: int, is_needed: bool
) -> None:
    """It is not known at the first look whether a line names it, because its folder has more lines than that."""

    async def history() -> None:
        store = await with_many_that_are_kept(count)
        store.objects[TWO] = b"person"
        line_of_it = line_to("x", NEEDED).data if is_needed else b""
        write(store, f"{GOOD}/{OTHER}000000.jsonl", line_of_it + 10 * line("theirs", SEARCHED).data)
        sink = sink_on(store)
        resumed = asyncio.ensure_future(sink.resume())
        await until(lambda: TWO not in store.objects)
        assert (NEEDED in store.objects) == is_needed
        for _ in range(600):
            await asyncio.sleep(1.0)
            assert not sink.is_parked(BAD)
        resumed.cancel()
        await sink.close()

    virtual_time.run(history())


def test_nor_one_of_the_same_folder() -> None:
    async def history() -> None:
        store = await with_many_that_are_kept(30)
        doubtful = parked_object(f"{BAD}/files/two", "image/png", INSTANCE)
        store.objects[doubtful] = b"person"
        sink = sink_on(store)
        resumed = asyncio.ensure_future(sink.resume())
        await until(lambda: doubtful not in store.objects)
        assert store.kept == set(store.parked())
        resumed.cancel()
        await sink.close()

    virtual_time.run(history())


def test_many_doubtful_ones_of_one_folder_keep_those_of_another_one_not_waiting() -> None:
    """Lines of another receiver name them, which does not run."""

    async def history() -> None:
        store = Dated()
        names = [f"{BAD}/files/{number}" for number in range(3 * MOST)]
        write(store, f"_parked/{BAD}/{OTHER}000000.jsonl", b"".join(line_to(name, name).data for name in names))
        for name in names:
            store.objects[parked_object(name, "image/png", INSTANCE)] = b"person"
        sink = sink_on(store)
        resumed = asyncio.ensure_future(sink.resume())
        await direct(store, sink)
        await asyncio.sleep(60.0)
        assert len(sink._delivery._leftovers._left) == MOST
        store.objects[TWO] = b"person"  # as of a store that is restored
        await until(lambda: TWO not in store.objects)
        assert len([name for name in store.parked() if "/files/" in name]) == 3 * MOST
        resumed.cancel()
        await sink.close()

    virtual_time.run(history())


def test_many_doubtful_ones_are_all_looked_at_in_the_end() -> None:
    async def history() -> None:
        store = Dated()
        for number in range(3 * MOST):
            store.objects[parked_object(f"{BAD}/files/{number}", "image/png", INSTANCE)] = b"person"
        needed = f"{BAD}/files/needed"
        store.objects[parked_object(needed, "image/png", INSTANCE)] = b"person"
        write(store, f"{BAD}/{OTHER}000000.jsonl", line_to("x", needed).data + 10 * line("theirs", SEARCHED).data)
        sink = sink_on(store)
        resumed = asyncio.ensure_future(sink.resume())
        await until(lambda: not store.parked())
        assert store.objects == {needed: b"person"}
        resumed.cancel()
        await sink.close()

    virtual_time.run(history())


def test_folders_whose_looks_take_long_keep_those_behind_them_not_waiting() -> None:
    """A pass ends after half a minute. What waits then goes behind the others."""

    async def history() -> None:
        store = Dated()
        folders = [BAD.replace("13", f"{hour:02}") for hour in range(10)]
        for folder in folders:
            name = f"{folder}/files/x"
            store.objects[parked_object(name, "image/png", INSTANCE)] = b"person"
            write(store, f"_parked/{folder}/{OTHER}000000.jsonl", line_to("x", name).data)
        store.objects[TWO] = b"person"
        sink = sink_on(store)
        await sink.start()
        await until(lambda: not any(map(sink.is_parked, [*folders, GOOD])))
        store.slow = dict.fromkeys(folders, 25.0)
        began = virtual_time.now()
        await until(lambda: TWO not in store.objects)
        assert virtual_time.now() - began < 2000.0
        assert len(store.objects) == 10
        await sink.close()

    virtual_time.run(history())


def test_one_that_no_line_names_is_removed_beside_more_parked_lines_than_one_look_searches() -> None:
    """Of a receiver that does not run. They are read once."""

    async def history() -> None:
        store = Dated()
        store.objects[TWO] = b"person"
        for number in range(10):
            write(store, f"_parked/{GOOD}/{OTHER}{number:06d}.jsonl", line(f"theirs-{number}", SEARCHED).data)
        sink = sink_on(store)
        await sink.start()
        await until(lambda: not sink.is_parked(GOOD))
        store.kept = {TWO}
        await asyncio.sleep(HOUR)
        reads = store.count("read")
        assert reads <= 10 * (2 + SEARCHED // 1024)
        await asyncio.sleep(HOUR)
        assert store.count("read") == reads
        store.kept = set()
        await until(lambda: TWO not in store.objects)
        assert NEEDED not in store.objects
        await sink.close()

    virtual_time.run(history())


def test_a_parked_line_in_a_blob_that_has_the_name_and_the_size_of_an_earlier_one_is_seen() -> None:
    async def history() -> None:
        store = Dated()
        store.objects[TWO] = b"person"
        blob = f"_parked/{GOOD}/{OTHER}000000.jsonl"
        content = line_to("x", NEEDED).data
        write(store, blob, content.replace(b"two", b"one"))
        store.days[blob] = 0.5
        sink = sink_on(store)
        await sink.start()
        await asyncio.sleep(200.0)
        write(store, blob, content)
        store.days[blob] = 0.1
        await asyncio.sleep(6 * HOUR)
        assert TWO in store.objects
        await sink.close()

    virtual_time.run(history())
