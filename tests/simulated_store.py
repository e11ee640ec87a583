"""A store at the far end of a bad line: every answer may be lost, every request late, and writers die in the middle.

`SimulatedStore` is what exists once, and outlives every receiver. `Connection` is what one receiver process holds of
it: the `Store` that the code under test sees. Two kinds of store are simulated:

- *append blobs*: a request that was sent may be applied long after its sender gave up on it, or died;
- *files*: nothing happens after the writer's death, but what it was writing may stay half-written.

Everything that happens is decided by a seed and written down in a trace.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from memory_store import MemoryStore
from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage import BLOB_SUFFIX, BlobState, FencedError, StoredObject, checked_name

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from simulated_loop import SimulatedProcess

OBJECTS: Final = "https://account/"
"""What the URL of every object begins with."""
LATE_SECONDS: Final = 60.0
"""The longest that a request which was given up stays under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How often things go wrong; shares of all requests.

    Attributes:
        refused: nothing is applied, the answer is an error.
        lost: applied, the answer is an error.
        late: the answer is an error, applied later (append blobs only).
        slow: takes up to half a minute.
        torn: share of appends that stay half-written when their writer dies (files only).
        intruded: share of appends before which another writer appends.
    """

    refused: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    slow: float = 0.0
    torn: float = 0.5
    intruded: float = 0.0


CALM: Final = Weather()


@dataclass(eq=False, slots=True)
class _Append:
    """An append that has not reached the store yet."""

    name: str
    position: int
    block: bytes
    sender: SimulatedProcess


class SimulatedStore:
    """What the stores of all receivers have in common.

    Args:
        rng: decides what becomes of each request.
        files: simulate files instead of append blobs.
        trace: told what happens.
        intruder: makes the lines of another writer for the blob of that name.

    Attributes:
        weather: how often things go wrong from now on.
        down: refuse everything.
        dangling: lines that came before the object they point to.
    """

    def __init__(
        self, rng: random.Random, *, files: bool, trace: Callable[..., None], intruder: Callable[[str], bytes]
    ) -> None:
        self._rng = rng
        self._files = files
        self._trace = trace
        self._intruder = intruder
        self._memory = MemoryStore()
        self._under_way: list[_Append] = []
        self._world = contextvars.copy_context()
        self.weather = CALM
        self.down = False
        self.dangling: list[bytes] = []

    @property
    def contents(self) -> dict[str, bytes]:
        """What each blob holds now."""
        return self._memory.contents

    def died(self, process: SimulatedProcess) -> None:
        """A writer is gone: files keep what it had written so far, append blobs get what it had sent."""
        if not self._files:
            return
        for append in [one for one in self._under_way if one.sender is process]:
            self._under_way.remove(append)
            written = self._rng.randrange(len(append.block)) if self._rng.random() < self.weather.torn else 0
            content = self.contents.get(append.name)
            if written and content is not None and len(content) == append.position:
                self.contents[append.name] = content + append.block[:written]
                self._trace("store", f"{_short(append.name)} keeps {written} bytes of {len(append.block)} of the dead")

    async def request(self, process: SimulatedProcess, method: str, name: str, work: Callable[[], Any]) -> Any:
        """Answer a request that is no append."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        fate = self._fate(appends=False)

        def serve() -> None:
            said = f"{process.name} {method} {_short(name)}"
            self._answer(answer, self._serve(said, work, fate))

        self._later(self._seconds(fate), serve)
        return await answer

    async def append(self, process: SimulatedProcess, name: str, position: int, block: bytes) -> BlobState:
        """Answer an append."""
        answer: asyncio.Future[BlobState] = asyncio.get_running_loop().create_future()
        append = _Append(name, position, block, process)
        self._under_way.append(append)
        fate = self._fate(appends=True)
        self._later(self._seconds(fate), self._arrive, append, fate, answer)
        return await answer

    def _serve(self, said: str, work: Callable[[], Any], fate: str) -> Any:
        if self.down or fate == "refused":
            self._trace("store", f"{said}: refused")
            return StoreError("planned")
        try:
            result = work()
        except ValueError as error:
            result = error
        shown = f"{len(result)} bytes" if isinstance(result, bytes) else result
        self._trace("store", f"{said}: {fate} {shown}")
        return StoreError("planned") if fate in {"lost", "late"} else result

    def _arrive(self, append: _Append, fate: str, answer: asyncio.Future[BlobState]) -> None:
        if append not in self._under_way:  # its writer died
            return
        said = f"{append.sender.name} append {_short(append.name)} at {append.position}, {len(append.block)} bytes"
        if fate == "late" and not self._files:
            self._trace("store", f"{said}: under way, the sender is told it failed")
            soon = self._rng.random() < 0.5
            self._later(self._rng.uniform(0.0, 0.5 if soon else LATE_SECONDS), self._land, append)
            self._answer(answer, StoreError("planned"))
            return
        self._under_way.remove(append)
        if self.down or fate == "refused":
            self._trace("store", f"{said}: refused")
            self._answer(answer, StoreError("planned"))
            return
        if self._rng.random() < self.weather.intruded:
            self._intrude(append.name)
        try:
            state = self._apply(append)
        except FencedError as error:
            self._trace("store", f"{said}: fenced, the blob has {len(self.contents.get(append.name, b''))} bytes")
            # A file's writer is told at once; a blob's finds out by looking, which may fail as everything may.
            self._answer(answer, StoreError("planned") if fate == "lost" else error)
            return
        lost = fate == "lost" and not self._files
        self._trace("store", f"{said}: applied{', the answer is lost' if lost else ''}")
        self._answer(answer, StoreError("planned") if lost else state)

    def _land(self, append: _Append) -> None:
        self._under_way.remove(append)
        try:
            self._apply(append)
        except FencedError:
            outcome = "too late, something else is there"
        else:
            outcome = "landed"
        self._trace("store", f"late append {_short(append.name)} at {append.position}: {outcome}")

    def _apply(self, append: _Append) -> BlobState:
        if self._files and len(self.contents.get(append.name, b"")) != append.position:
            raise FencedError
        state = self._memory._apply(append.name, append.position, append.block)
        self.dangling += [line for line in append.block.splitlines() if not self._is_whole(line)]
        return state

    def _is_whole(self, line: bytes) -> bool:
        """Whether the object that a line points to is there; of half a line the judge has more to say."""
        found = re.search(rb'"data":"([^"]*)".*"datainblob":', line)
        return found is None or found[1].decode().removeprefix(OBJECTS) in self._memory.objects

    def _intrude(self, name: str) -> None:
        content = self.contents.get(name)
        if content is not None and (not content or content.endswith(b"\n")):
            self._trace("store", f"another writer appends to {_short(name)}")
            self._memory._apply(name, len(content), self._intruder(name))

    def _fate(self, *, appends: bool) -> str:
        weather = self.weather
        dice = self._rng.random()
        for fate, share in (("refused", weather.refused), ("lost", weather.lost), ("late", weather.late)):
            if dice < share:
                return fate
            dice -= share
        return "slow" if appends and self._rng.random() < weather.slow else "ok"

    def _seconds(self, fate: str) -> float:
        return self._rng.uniform(1.0, 30.0) if fate == "slow" else self._rng.expovariate(50.0)

    def _answer(self, answer: asyncio.Future[Any], what: Any) -> None:
        def give() -> None:
            if answer.done():  # nobody waits any more
                return
            if isinstance(what, Exception):
                answer.set_exception(what)
            else:
                answer.set_result(what)

        self._later(self._rng.expovariate(100.0), give)

    def _later(self, seconds: float, do: Callable[..., None], *arguments: Any) -> None:
        """What happens in the store goes on when the one who asked for it is dead."""
        asyncio.get_running_loop().call_later(seconds, do, *arguments, context=self._world)


class Connection:
    """The store as one process sees it; see `Store` for the contract."""

    def __init__(self, store: SimulatedStore, process: SimulatedProcess) -> None:
        self._store = store
        self._process = process
        self._memory = store._memory

    async def check(self) -> None:
        await self._request("check", "", lambda: None)

    async def blobs(self, prefix: str) -> list[str]:
        names = self._memory.contents
        found: list[str] = await self._request(
            "blobs",
            checked_name(prefix),
            lambda: sorted(name for name in names if name.startswith(prefix) and name.endswith(BLOB_SUFFIX)),
        )
        return found

    async def walk(self, folder: str) -> list[StoredObject]:
        raise AssertionError("a receiver has nothing to look for outside of its own folders")

    async def create(self, name: str) -> BlobState | None:
        def work() -> BlobState | None:
            taken = bool(self._memory.contents.get(name))
            self._memory.contents.setdefault(name, b"")
            self._memory.blocks.setdefault(name, [])
            return None if taken else self._memory._state(name)

        state: BlobState | None = await self._request("create", checked_name(name), work)
        return state

    async def state(self, name: str) -> BlobState | None:
        def work() -> BlobState | None:
            content = self._memory.contents.get(name)
            if content is None:
                return None
            if self._store._files:  # a torn line is cut off
                self._memory.contents[name] = content[: content.rfind(b"\n") + 1]
            return self._memory._state(name)

        state: BlobState | None = await self._request("state", name, work)
        return state

    async def read(self, name: str, start: int, end: int) -> bytes:
        def work() -> bytes:
            assert 0 <= start <= end <= len(self._memory.contents[name])
            return self._memory.contents[name][start:end]

        piece: bytes = await self._request("read", name, work)
        return piece

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        assert block.endswith(b"\n")
        return await self._store.append(self._process, name, state.size, block)

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        def work() -> str:
            if self._memory.objects.setdefault(name, content) != content:
                raise ValueError(name)
            return OBJECTS + name

        url: str = await self._request("put", checked_name(name), work)
        return url

    async def close(self) -> None:
        """Nothing to release."""

    async def _request(self, method: str, name: str, work: Callable[[], Any]) -> Any:
        return await self._store.request(self._process, method, name, work)


def _short(name: str) -> str:
    """A blob's name without the instance in the middle of it."""
    folder, _, file = name.rpartition("/")
    return f"{folder}/..{file[-13:]}" if file.endswith(BLOB_SUFFIX) else name
