"""Payloads that a receiver has parked which may never come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import virtual_time
from memory_store import INSTANCE, line, line_to, lines
from parked_payload import NAME, OTHER, Dated, other_sink, send
from partly_broken import BAD, GOOD, in_virtual_time, kill_what_runs, sink_on, until

from otel_modeldata_receiver.storage.mounts import MountedStores
from otel_modeldata_receiver.storage.parking.leftovers import leftovers
from otel_modeldata_receiver.storage.parking.parked_names import parked_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from otel_modeldata_receiver.storage.parking.parking_sink import ParkingSink

THEIRS = parked_object(NAME, "image/png", OTHER)
BLOB = f"{BAD}/{OTHER}000000.jsonl"
HOUR = 3600.0


class Left(Dated):
    """A store with a payload that another receiver has parked some days ago."""

    def __init__(self, days: float) -> None:
        super().__init__()
        self.objects[THEIRS] = b"person"
        self.days[THEIRS] = days

    def write(self, blob: str, content: bytes) -> None:
        self.contents[blob], self.blocks[blob] = content, []


def beside(history: Callable[[Left, ParkingSink], Awaitable[None]], store: Left) -> None:
    """What happens while a receiver runs, which is never parked because of others."""

    async def main() -> None:
        sink = sink_on(store)
        resumed = asyncio.ensure_future(sink.resume())
        await history(store, sink)
        resumed.cancel()
        await sink.close()

    virtual_time.run(main())


@pytest.mark.parametrize("days", [0.9, 1.1])
def test_after_a_day_any_receiver_removes_one_whose_copy_is_in_its_folder(days: float) -> None:
    async def history(store: Left, sink: ParkingSink) -> None:
        for _ in range(600):
            await asyncio.sleep(1.0)
            assert not sink.is_parked(BAD)
        assert store.objects == ({NAME: b"person"} if days > 1 else {NAME: b"person", THEIRS: b"person"})

    store = Left(days)
    store.objects[NAME] = b"person"
    store.write(BLOB, line_to(1, NAME).data)
    beside(history, store)


def test_also_one_that_was_emptied_there() -> None:
    """As it was erased where nothing may be removed."""

    async def history(store: Left, _: ParkingSink) -> None:
        await until(lambda: not store.parked())
        assert store.objects == {NAME: b""}

    store = Left(2.0)
    store.objects[NAME] = b""
    beside(history, store)


def test_not_one_whose_copy_has_another_size() -> None:
    async def history(store: Left, _: ParkingSink) -> None:
        await asyncio.sleep(6 * HOUR)
        assert store.objects == {NAME: b"per", THEIRS: b"person"}

    store = Left(2.0)
    store.objects[NAME] = b"per"
    beside(history, store)


@pytest.mark.parametrize("days", [0.9, 1.1])
def test_after_a_day_any_receiver_delivers_one_that_a_stored_line_names(days: float) -> None:
    async def history(store: Left, sink: ParkingSink) -> None:
        await asyncio.sleep(600.0)
        assert store.objects == ({NAME: b"person"} if days > 1 else {THEIRS: b"person"})
        assert (await sink.append(BAD, lines(2))).parked == 0

    store = Left(days)
    store.write(BLOB, line_to(1, NAME).data)
    beside(history, store)


def test_it_is_delivered_when_its_folder_takes_it_again() -> None:
    async def history(store: Left, sink: ParkingSink) -> None:
        store.broken = {f"{BAD}/files"}
        await asyncio.sleep(HOUR)
        assert store.parked() == [THEIRS]
        store.broken = set()
        await until(lambda: not store.parked())
        assert store.objects == {NAME: b"person"}
        await until(lambda: not sink.is_parked(BAD))

    store = Left(2.0)
    store.write(BLOB, line_to(1, NAME).data)
    beside(history, store)


@pytest.mark.parametrize("is_parked", [False, True])
def test_one_that_no_stored_line_names_waits_for_its_receiver(is_parked: bool) -> None:
    """Its line may be parked too, or its request may come to that receiver at any moment."""

    async def history(store: Left, sink: ParkingSink) -> None:
        await asyncio.sleep(6 * HOUR)
        assert store.objects == {THEIRS: b"person"}
        assert not sink.is_parked(BAD)
        theirs = other_sink(store)
        await theirs.start()
        await until(lambda: not store.parked())
        assert store.objects == ({NAME: b"person"} if is_parked else {})
        await theirs.close()

    store = Left(2.0)
    if is_parked:
        store.write(f"_parked/{BAD}/{OTHER}000000.jsonl", line_to(1, NAME).data)
    beside(history, store)


@pytest.mark.parametrize("moment", [0.0, 2.0, 59.0, 299.0, 301.0, 400.0])
def test_its_receiver_may_come_back_after_days_with_the_request(moment: float) -> None:
    """What is parked once more is not written once more, so it looks as old as before."""

    async def history(store: Left, _: ParkingSink) -> None:
        await asyncio.sleep(moment)
        store.broken = {BAD}
        theirs = other_sink(store)
        assert await send(theirs, "1")
        await asyncio.sleep(1000.0)
        store.broken = set()
        await until(lambda: not store.parked())
        assert (store.objects, store.stored(BAD)) == ({NAME: b"person"}, ["1"])
        await theirs.close()

    beside(history, Left(2.0))


def test_one_that_its_receiver_has_removed_is_forgotten() -> None:
    async def history(store: Left, sink: ParkingSink) -> None:
        await asyncio.sleep(100.0)
        assert list(sink._delivery._leftovers._left) == [THEIRS]
        del store.objects[THEIRS]
        await asyncio.sleep(200.0)
        assert (store.objects, sink._delivery._leftovers._left) == ({}, {})

    beside(history, Left(2.0))


def test_one_for_a_datastore_that_is_not_configured_here_keeps_no_others_waiting() -> None:
    async def history() -> None:
        store = Left(2.0)
        place = parked_object(f"_at/lake/{BAD}/files/x", "image/png", OTHER)
        store.objects = {place: b"person", NAME: b"person", THEIRS: b"person"}
        store.days[place] = 2.0
        sink = sink_on(MountedStores(store))
        resumed = asyncio.ensure_future(sink.resume())
        await until(lambda: THEIRS not in store.objects)
        await asyncio.sleep(HOUR)
        assert store.objects == {place: b"person", NAME: b"person"}
        assert list(sink._delivery._leftovers._left) == [place]
        resumed.cancel()
        await sink.close()

    virtual_time.run(history())


def test_more_of_them_than_are_looked_at_are_removed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_MOST", 20)

    async def history(store: Left, sink: ParkingSink) -> None:
        while store.parked():
            assert len(sink._delivery._leftovers._left) <= 20
            assert not sink.is_parked(BAD)
            await asyncio.sleep(10.0)

    store = Left(2.0)
    for number in range(100):
        name = f"{BAD}/files/{number}"
        store.objects[name] = store.objects[place := parked_object(name, "image/png", OTHER)] = b"person"
        store.days[place] = 2.0
    store.objects[NAME] = b"person"
    beside(history, store)


def test_they_keep_nothing_of_this_receiver_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_MOST", 20)
    mine = parked_object(f"{GOOD}/files/mine", "image/png", INSTANCE)

    async def history(store: Left, _: ParkingSink) -> None:
        await asyncio.sleep(600.0)
        assert len(store.parked()) == 101
        assert mine not in store.parked()

    store = Left(2.0)
    for number in range(100):
        place = parked_object(f"{BAD}/files/{number}", "image/png", OTHER)
        store.objects[place], store.days[place] = b"person", 2.0
    store.objects[mine] = b"person"
    beside(history, store)


@pytest.mark.parametrize("size", [0, 100])
def test_at_the_start_the_receivers_are_named_that_have_parked_lines_or_payloads(
    caplog: pytest.LogCaptureFixture, size: int
) -> None:
    third = "a" * 32

    @in_virtual_time
    async def start() -> None:
        store = Left(0.0)
        store.write(f"_parked/{GOOD}/{third}000000.jsonl", line("x", size).data if size else b"")
        sink = sink_on(store)
        await sink.start()
        await sink.close()
        await kill_what_runs()

    start()
    ids = f"{third}, {OTHER}" if size else OTHER
    (message,) = [one for one in caplog.messages if "instance ids" in one]
    text = "lines or payloads are parked that only receivers with the instance ids"
    assert message == f"{text} {ids} deliver: start one with --instance-id"
