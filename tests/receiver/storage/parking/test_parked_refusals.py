"""A parked object that its folder refuses concerns only itself."""

from __future__ import annotations

import asyncio
import hashlib
import re
from functools import partial

import pytest
import virtual_time
from memory_store import INSTANCE, lines
from parked_payload import NAME, PLACE, Kept, direct, send
from partly_broken import BAD, in_virtual_time, kill_what_runs, sink_on, until

from otel_modeldata.log_throttle import LogThrottle
from otel_modeldata_receiver.storage.parking import refused_objects
from otel_modeldata_receiver.storage.parking.parked_names import parked_object, unparked_object

KEPT = f"_quarantine/damaged/{BAD}/{hashlib.sha256(b'person').hexdigest()}/files/one"


@in_virtual_time
async def test_an_object_that_was_emptied_in_its_folder_stays_empty_and_the_lines_are_delivered() -> None:
    """As it was erased where nothing may be removed."""
    store = Kept()
    sink = sink_on(store)
    store.objects[NAME] = b""
    store.broken = {BAD}
    assert await send(sink, "1")
    await sink.append(BAD, lines(2, 3))
    await direct(store, sink)
    assert (store.stored(BAD), store.objects, store.parked()) == (["1", "2", "3"], {NAME: b""}, [])
    await sink.close()


@in_virtual_time
async def test_an_object_whose_name_has_other_content_is_kept_in_the_quarantine() -> None:
    store = Kept()
    sink = sink_on(store)
    other = f"{BAD}/files/two"
    store.objects[NAME] = b"another"
    store.broken = {BAD}
    assert await send(sink, "1")
    assert await send(sink, "2", other)
    await sink.append(BAD, lines(3))
    await direct(store, sink)
    assert (store.stored(BAD), store.parked()) == (["1", "2", "3"], [])
    assert store.objects == {NAME: b"another", other: b"person", KEPT: b"person"}
    await sink.close()


@in_virtual_time
async def test_it_is_kept_once_if_its_parked_copy_cannot_be_removed() -> None:
    store = Kept()
    store.kept = {PLACE}
    store.objects[NAME] = b"another"
    store.broken = {BAD}
    assert await send(sink_on(store), "1")
    await kill_what_runs()
    for _ in range(3):
        sink = sink_on(store)
        await sink.start()
        await direct(store, sink)
        await asyncio.sleep(200.0)
        assert not sink.is_parked(BAD)
        await sink.drain()
    assert store.objects == {NAME: b"another", PLACE: b"person", KEPT: b"person"}
    store.kept = set()
    sink = sink_on(store)
    await sink.start()
    await until(lambda: not store.parked())
    await sink.close()


@in_virtual_time
async def test_the_lines_wait_while_the_quarantine_takes_nothing() -> None:
    store = Kept()
    sink = sink_on(store)
    store.objects[NAME] = b"another"
    store.broken = {BAD}
    assert await send(sink, "1")
    store.broken = {"_quarantine"}
    await asyncio.sleep(300.0)
    assert (store.stored(BAD), store.objects[PLACE]) == ([], b"person")
    await direct(store, sink)
    assert (store.stored(BAD), store.objects) == (["1"], {NAME: b"another", KEPT: b"person"})
    await sink.close()


@in_virtual_time
async def test_a_parked_name_that_no_receiver_makes_stops_nothing() -> None:
    store = Kept()
    strange = parked_object(f"{BAD}/files/a\\b", "image/png", INSTANCE)
    store.objects[strange] = b"strange"
    sink = sink_on(store)
    await sink.start()
    await until(lambda: not sink.is_parked(BAD))
    await sink.append(BAD, lines(1))
    assert unparked_object(strange) is None
    assert (store.stored(BAD), store.parked()) == (["1"], [strange])
    await sink.close()


@pytest.mark.parametrize(
    ("there", "message"), [(b"", "they were erased"), (b"another", f"kept as {KEPT} (1 kept since the start): other")]
)
def test_one_log_line_says_why_it_is_not_delivered(
    caplog: pytest.LogCaptureFixture, there: bytes, message: str
) -> None:
    async def outage() -> None:
        store = Kept()
        sink = sink_on(store)
        store.objects[NAME] = there
        store.broken = {BAD}
        assert await send(sink, "1")
        await direct(store, sink)
        await sink.close()

    virtual_time.run(outage())
    (text,) = [one.getMessage() for one in caplog.records if "not delivered" in one.getMessage()]
    assert message in text


def test_of_many_that_are_refused_a_line_each_minute_says_how_many(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One listing of their folder shows that none of them was erased."""
    monkeypatch.setattr(refused_objects, "LogThrottle", partial(LogThrottle, clock=virtual_time.now))

    async def outages() -> None:
        store = Kept()
        sink = sink_on(store)
        names = [f"{BAD}/files/{number}" for number in range(40)]
        for some in (names[:20], names[20:30], names[30:]):
            store.objects.update(dict.fromkeys(some, b"another"))
            store.broken = {BAD}
            for name in some:
                assert await send(sink, name.rpartition("/")[2], name)
            store.requests.clear()
            await direct(store, sink)
            assert store.requests.count(("walk", BAD)) == 1
            await asyncio.sleep(40.0)
        assert store.parked() == []
        kept = [content for name, content in store.objects.items() if name.startswith("_quarantine/")]
        assert kept == [b"person"] * 40
        await sink.close()

    virtual_time.run(outages())
    texts = [one.getMessage() for one in caplog.records if "not delivered" in one.getMessage()]
    assert [re.search(r"\((\d+) kept", text)[1] for text in texts] == ["1", "31"]
