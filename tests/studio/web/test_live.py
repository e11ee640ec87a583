from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from otel_modeldata_reader import StoreUnavailableError
from otel_modeldata_studio.web.live import _MOST_EVENTS, Live
from otel_modeldata_studio.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio
SECONDS = 60


class Catalog:
    """Sizes as the test sets them."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {"shop/blue/model_inputs": 10, "shop/blue/labels": 5}
        self.looks = 0
        self.is_broken = False

    def newest_bytes(self) -> dict[str, int]:
        self.looks += 1
        if self.is_broken:
            raise StoreUnavailableError("expected a store, got none")
        return dict(self.sizes)

    async def looked(self, times: int = 2) -> None:
        """Return after so many more looks."""
        until = self.looks + times
        while self.looks < until:  # noqa: ASYNC110 (the looks are made by a thread)
            await asyncio.sleep(0.005)


class Shown:
    """A Studio of which only the catalog is asked."""

    def __init__(self) -> None:
        self.catalog = Catalog()


def live_of(studio: Any, **settings: Any) -> Live:
    return Live(studio, WebSettings(live_seconds=0.01, **settings))


async def events_of(live: Live) -> AsyncIterator[bytes]:
    answer: Any = await live.route().endpoint(Request({"type": "http", "method": "GET", "path": "/", "headers": []}))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return answer.body_iterator


async def the_next(events: AsyncIterator[bytes]) -> tuple[str, Any]:
    name, data = (await asyncio.wait_for(anext(events), SECONDS)).decode().strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_a_page_hears_which_collections_grow() -> None:
    studio = Shown()
    live = live_of(studio)
    events = await events_of(live)
    assert await the_next(events) == ("ping", {})
    waiting = asyncio.create_task(the_next(events))
    await studio.catalog.looked()
    studio.catalog.sizes["shop/blue/model_inputs"] = 30
    studio.catalog.sizes["shop/green/model_inputs"] = 1
    name, data = await waiting
    assert (name, data["collections"]) == ("grown", ["shop/blue/model_inputs", "shop/green/model_inputs"])
    live.close()


async def test_no_one_looks_while_no_page_listens() -> None:
    studio = Shown()
    live = live_of(studio)
    events = await events_of(live)
    await the_next(events)
    waiting = asyncio.create_task(the_next(events))
    await studio.catalog.looked()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await events.aclose()  # type: ignore[attr-defined]
    looking = live._looking
    assert looking is not None
    await asyncio.wait_for(looking, SECONDS)
    live.close()


async def test_two_pages_hear_the_same_and_are_looked_for_once() -> None:
    studio = Shown()
    live = live_of(studio)
    first, second = await events_of(live), await events_of(live)
    await the_next(first)
    await the_next(second)
    waiting = [asyncio.create_task(the_next(one)) for one in (first, second)]
    await studio.catalog.looked()
    studio.catalog.sizes["shop/blue/labels"] = 6
    heard = await asyncio.gather(*waiting)
    assert [name for name, _ in heard] == ["grown", "grown"]
    assert heard[0] == heard[1]
    live.close()


async def test_a_store_that_is_away_for_a_moment_ends_no_stream() -> None:
    studio = Shown()
    live = live_of(studio)
    events = await events_of(live)
    await the_next(events)
    waiting = asyncio.create_task(the_next(events))
    await studio.catalog.looked()
    studio.catalog.is_broken = True
    await studio.catalog.looked()
    studio.catalog.sizes["shop/blue/labels"] = 6
    studio.catalog.is_broken = False
    name, data = await waiting
    assert (name, data["collections"]) == ("grown", ["shop/blue/labels"])
    live.close()


async def test_the_end_of_the_server_ends_every_stream() -> None:
    live = live_of(Shown())
    events = await events_of(live)
    await the_next(events)
    waiting = asyncio.create_task(anext(events, None))
    await asyncio.sleep(0)
    live.close()
    assert await asyncio.wait_for(waiting, SECONDS) is None


async def test_more_pages_than_a_server_has_room_for_are_refused() -> None:
    live = live_of(Shown(), listeners=1)
    events = await events_of(live)
    await the_next(events)
    answer: Any = await live.route().endpoint(Request({"type": "http", "method": "GET", "path": "/", "headers": []}))
    assert answer.status_code == 503
    assert "at most 1 live pages" in json.loads(answer.body)["error"]
    live.close()


async def test_a_stream_that_begins_after_the_end_ends_at_once() -> None:
    live = live_of(Shown())
    events = await events_of(live)
    live.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(events), SECONDS)


async def test_a_page_that_does_not_read_its_events_is_let_go() -> None:
    studio = Shown()
    live = live_of(studio)
    events = await events_of(live)
    assert await the_next(events) == ("ping", {})
    waiting = asyncio.create_task(the_next(events))
    await studio.catalog.looked()
    studio.catalog.sizes["shop/blue/model_inputs"] = 99
    assert (await waiting)[0] == "grown"
    (listener,) = live._listeners
    for number in range(_MOST_EVENTS * 3):
        studio.catalog.sizes["shop/blue/model_inputs"] = 100 + number
        await asyncio.wait_for(studio.catalog.looked(), SECONDS)
        assert listener.qsize() <= _MOST_EVENTS
    assert len([event async for event in events]) < _MOST_EVENTS
    live.close()
