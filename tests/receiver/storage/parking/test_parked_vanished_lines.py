"""Parked lines in a store that is restored from an older copy: losses are noticed, and what comes again is stored."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from memory_store import INSTANCE, lines
from partly_broken import BAD, PARKED, PartlyBroken, in_virtual_time, sink_on, until

if TYPE_CHECKING:
    from otel_modeldata_receiver.storage.parking.parking_sink import ParkingSink

OWN = f"{BAD}/{INSTANCE}000000.jsonl"


def noted(store: PartlyBroken) -> list[str]:
    """The blobs of which lines have vanished, as noted for `audit`."""
    return [json.loads(text)["blob"] for name, text in store.objects.items() if name.startswith("_vanished/")]


async def delivered_once(store: PartlyBroken, sink: ParkingSink, *keys: int) -> None:
    await until(lambda: not store.parked() and not sink.is_parked(BAD))
    assert sorted(store.stored(BAD)) == sorted(map(str, keys))
    await sink.close()


@in_virtual_time
async def test_a_delivered_line_that_vanishes_while_its_folder_is_parked_is_stored_when_it_comes_again() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {BAD}
    await sink.append(BAD, lines(1, 2))
    store.broken = set()
    while not store.contents.get(OWN):  # noqa: ASYNC110 (virtual time)
        await asyncio.sleep(0.0005)
    assert sink.is_parked(BAD)
    del store.contents[OWN], store.blocks[OWN]
    await sink.append(BAD, lines(1))
    await sink.append(BAD, lines(2))
    await delivered_once(store, sink, 1, 2)
    assert noted(store) == [OWN]


@in_virtual_time
async def test_a_parked_line_that_vanishes_is_parked_again_when_it_comes_again() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {BAD}
    await sink.append(BAD, lines(1, 2))
    del store.contents[PARKED], store.blocks[PARKED]
    assert await sink.append(BAD, lines(1, 2)) == (2, 0, 2)
    assert noted(store) == [PARKED]
    store.broken = set()
    await delivered_once(store, sink, 1, 2)


@in_virtual_time
async def test_parked_lines_that_vanish_and_do_not_come_again_are_noted_when_their_place_is_back() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    store.broken = {BAD}
    await sink.append(BAD, lines(1, 2))
    store.contents[PARKED] = b""
    store.broken = set()
    await delivered_once(store, sink)
    assert noted(store) == [PARKED]


@in_virtual_time
async def test_parked_lines_that_are_back_in_a_restored_store_are_delivered_without_a_restart() -> None:
    store = PartlyBroken()
    sink = sink_on(store)
    resumed = asyncio.ensure_future(sink.resume())
    store.broken = {BAD}
    await sink.append(BAD, lines(1, 2))
    copy = store.contents[PARKED]
    store.broken = set()
    await until(lambda: not sink.is_parked(BAD))
    store.contents, store.blocks = {PARKED: copy}, {PARKED: [copy]}
    await delivered_once(store, sink, 1, 2)
    assert noted(store) == [OWN]
    resumed.cancel()
