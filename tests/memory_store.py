"""A store in memory that keeps the contract of `Store` and fails as planned: errors, lost answers, late blocks.

`sink_on` opens a sink over one. With `virtual_time` a test of it owns everything that happens, and when.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.sink import Line, Sink, SinkLimits
from otel_modeldata_receiver.storage import BlobState, FencedError, checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable

INSTANCE = "0123456789abcdef0123456789abcdef"
FOLDER = "endpoint/blue/model_inputs/2026/11/22/13"
FIRST, SECOND, THIRD = (f"{FOLDER}/{INSTANCE}{ordinal:06d}.jsonl" for ordinal in range(3))
HASTY = SinkLimits(retry_seconds=0.0)
"""Gives up after the first failure."""


FATES = ("ok", "refused", "lost", "late", "land", "intruder")
"""What becomes of a request: done; not done, with an error; done, with an error; done when a later one says `land`,
with an error; done after all late ones; done after another writer's line is appended."""


class MemoryStore:
    """Blobs in memory, under the contract of `Store`, with a fate for each of the first requests.

    Attributes:
        contents: what each blob holds.
        blocks: what was applied to each, block by block.
        requests: every request: the method's name and the blob's.
        latency: seconds that a request takes.
        stuck: requests for blobs below these folders take an hour.
        defect: what the next append raises, once.
    """

    def __init__(self, fates: Iterable[str] = ()) -> None:
        self.contents: dict[str, bytes] = {}
        self.blocks: dict[str, list[bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.fates = iter(fates)
        self.late: list[tuple[str, int, bytes]] = []
        self.latency = 0.01
        self.stuck: set[str] = set()
        self.defect: Exception | None = None
        self.closed = False
        self._news = asyncio.Event()
        self.intruders = 0

    async def check(self) -> None:
        await self._request("check", "")

    async def blobs(self, prefix: str) -> list[str]:
        await self._request("blobs", checked_name(prefix))
        return sorted(name for name in self.contents if name.startswith(prefix) and name.endswith(".jsonl"))

    async def create(self, name: str) -> BlobState | None:
        fate = await self._fate("create", name)
        if fate in {"refused", "late"}:
            raise StoreError("planned")
        taken = bool(self.contents.get(name))
        self.contents.setdefault(name, b"")
        self.blocks.setdefault(name, [])
        if fate == "lost":
            raise StoreError("planned")
        return None if taken else self._state(name)

    async def state(self, name: str) -> BlobState | None:
        await self._request("state", name)
        return self._state(name) if name in self.contents else None

    async def read(self, name: str, start: int, end: int) -> bytes:
        await self._request("read", name)
        assert 0 <= start <= end <= len(self.contents[name])
        return self.contents[name][start:end]

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        assert block.endswith(b"\n")
        try:
            fate = await self._fate("append", name)
        except asyncio.CancelledError:  # what a killed process has sent may still arrive
            self.late.append((name, state.size, block))
            raise
        if self.defect is not None:
            defect, self.defect = self.defect, None
            raise defect
        if fate == "late":
            self.late.append((name, state.size, block))
        elif fate == "lost":
            self._try(name, state.size, block)
        elif fate == "intruder":
            self.intrude(name)
        if fate in {"refused", "late", "lost"}:
            raise StoreError("planned")
        return self._apply(name, state.size, block)

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        await self._request("put", name)
        if self.objects.setdefault(name, content) != content:
            raise ValueError("other content")
        return f"https://account/{name}"

    async def close(self) -> None:
        self.closed = True

    def intrude(self, name: str) -> None:
        """Another writer appends a line of its own."""
        if name in self.contents:
            self._apply(name, len(self.contents[name]), line(f"intruder-{self.intruders}").data)
            self.intruders += 1

    def land(self) -> None:
        """Everything that is under way arrives."""
        late, self.late = self.late, []
        for name, position, block in late:
            self._try(name, position, block)

    async def reached(self, method: str, count: int = 1) -> None:
        """Wait until that many requests of a kind have arrived; the last of them is not answered yet."""
        while self.count(method) < count:
            self._news.clear()
            await self._news.wait()

    def count(self, method: str) -> int:
        return sum(1 for request in self.requests if request[0] == method)

    def stored(self, folder: str = FOLDER) -> list[str]:
        """The ids in a folder, blob after blob."""
        content = b"".join(self.contents[name] for name in sorted(self.contents) if name.startswith(f"{folder}/"))
        return [json.loads(text)["id"] for text in content.splitlines()]

    async def _fate(self, method: str, name: str) -> str:
        self.requests.append((method, name))
        self._news.set()
        await asyncio.sleep(3600.0 if any(name.startswith(folder) for folder in self.stuck) else self.latency)
        fate = next(self.fates, "ok")
        if fate == "land":
            self.land()
        return fate

    async def _request(self, method: str, name: str) -> None:
        if await self._fate(method, name) in {"refused", "lost", "late"}:
            raise StoreError("planned")

    def _state(self, name: str) -> BlobState:
        return BlobState(size=len(self.contents[name]), blocks=len(self.blocks[name]))

    def _try(self, name: str, position: int, block: bytes) -> None:
        with contextlib.suppress(FencedError):
            self._apply(name, position, block)

    def _apply(self, name: str, position: int, block: bytes) -> BlobState:
        content = self.contents.get(name)
        if content is None or len(content) < position:
            raise FencedError
        if len(content) == position:
            self.contents[name] = content + block
            self.blocks[name].append(block)
            return self._state(name)
        if content[position:] == block:
            return BlobState(size=position + len(block), blocks=len(self.blocks[name]))
        raise FencedError


def sink_on(store: MemoryStore, **settings: Any) -> Sink:
    return Sink(store, instance=INSTANCE, **settings)


def line(key: int | str, padding: int = 0) -> Line:
    text = json.dumps({"id": str(key), "data": [{"x": "y" * padding}]})
    return Line(str(key), text.encode() + b"\n")


def lines(*keys: int | str) -> list[Line]:
    return [line(key) for key in keys]


async def refused(sink: Sink, *keys: int | str) -> StoreError:
    """The error of an append that must fail."""
    with pytest.raises(StoreError) as caught:
        await sink.append(FOLDER, lines(*keys))
    return caught.value
