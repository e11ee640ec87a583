"""The lines of one folder on their way to durable: gathered, cut into blocks, appended exactly once, resolved in doubt.

Theory of operation. Lines wait in `_pending`, a dict that is queue and index at once, and stay there until they are
durable. One task, alive while lines wait, takes the front of the queue as a block (whole lines, up to one block's
size) and appends it; what arrives meanwhile forms the next block. Lines are resolved in the order of arrival, so a
call is answered when as many lines are resolved as had arrived when it came: one number per call, no work per line.

An append whose outcome is unknown is repeated with the same bytes at the same position, which the store makes safe.
When that does not help for `retry_seconds`, everybody who waits is told, and the block is forgotten, but it **may
still land later**. Three rules keep a later retry of the same lines from landing twice:

1. The blob is reread before its next use: the ids found behind the last known position count as stored.
2. A blob is left for the next ordinal only when nothing can land at its end any more: after a successful append, or
   when the store says that somebody else's bytes (or our own late ones) are there, and then they are read first.
   Limits of size and blocks are therefore not applied while the end is in doubt.
3. Two blocks at one position exclude each other: the loser learns the ids of the winner.

A process that died leaves the same doubt. So a folder seen for the first time continues its own newest blob, rule 2
included, and reads the last `tail_bytes` of its own blobs to know what is stored already.

This module knows neither OTLP nor CloudEvents nor Azure; of a line it knows that it is JSON with an `id`. Its clock is
the running event loop's, and nothing else waits or wakes it: a simulator that owns loop and store owns everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import msgspec

from .exceptions import StoreCheckError, StoreError
from .storage import BLOB_SUFFIX, BlobState, FencedError, Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0
_MOST_FENCES: Final = 8
"""Blobs that may be lost to other writers in a row before the block is refused: more means that the store lies."""
_READ_BYTES: Final = 8 << 20
"""Largest piece of a blob that is held while its ids are read."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """One JSON object in UTF-8 and a newline, with the id under which it is stored once, whoever sends it again."""

    id: str
    data: bytes


class Appended(NamedTuple):
    """How many lines of a call are durable by this call, and how many were so, or on their way, before."""

    stored: int
    duplicates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkLimits:
    """Every bound of the sink.

    Attributes:
        block_bytes: most bytes of one append; Azure's limit for a block of an append blob is 4 MiB.
        max_blocks: blocks after which a blob is left; Azure takes 50,000.
        max_bytes: size that no block may push a blob over.
        tail_bytes: how much of its own newest blobs a folder reads when it is opened, to know the ids in it.
        folder_ids: most ids of stored lines that a folder remembers; at least the last half of them is there.
        total_ids: most ids that all open folders remember; an id takes about 150 bytes.
        open_folders: folders that may be open; the least recently used idle one is closed.
        idle_seconds: time without lines after which a folder is closed.
        retry_seconds: how long a block is tried again before those who wait for it are told.
    """

    block_bytes: int = 4 << 20
    max_blocks: int = 49_900
    max_bytes: int = 1 << 30
    tail_bytes: int = 8 << 20
    folder_ids: int = 100_000
    total_ids: int = 1_000_000
    open_folders: int = 256
    idle_seconds: float = 900.0
    retry_seconds: float = 8.0


class Outage:
    """The folders that cannot be stored at present: one log line when it begins and one when it is over."""

    def __init__(self) -> None:
        self._folders: set[str] = set()

    def begin(self, folder: str, error: StoreError) -> None:
        """Note that `folder` failed."""
        if not self._folders:
            logger.warning("the store does not take lines, callers are asked to come back: %s", error)
        self._folders.add(folder)

    def end(self, folder: str) -> None:
        """Note that `folder` works, or is not needed any more."""
        if folder in self._folders:
            self._folders.remove(folder)
            if not self._folders:
                logger.info("the store takes lines again")


class IdWindow:
    """The ids of the lines stored last, in two generations: the older one is dropped when the younger one is full."""

    __slots__ = ("old", "young")

    def __init__(self) -> None:
        self.young: set[str] = set()
        self.old: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.young or key in self.old

    def add(self, ids: Iterable[str], room: int) -> None:
        """Remember `ids`, which stay whole, and at most about `room` others."""
        if len(self.young) >= room // 2:
            self.old, self.young = self.young, set()
        self.young.update(ids)


@dataclass(slots=True)
class _Call:
    """One caller's lines: answered when `last` lines of the folder are resolved."""

    answer: asyncio.Future[Appended]
    arrived: float
    last: int = 0
    stored: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class _Block:
    """The front of the queue: the ids it resolves, the bytes to append, and the calls whose lines were stored already.

    `data` holds no line of `repeated`, and is empty when every line was stored already.
    """

    ids: list[str]
    data: bytes
    repeated: list[_Call]
    queued_bytes: int


@dataclass(slots=True)
class _Blob:
    """The blob in use.

    Attributes:
        name: its name in the store.
        state: where the next block goes.
        certain: nothing that was ever sent to `state.size` can still land there.
        stale: it must be reread before it is used.
        fenced: it must be left, after it was reread.
    """

    name: str
    state: BlobState
    certain: bool = False
    stale: bool = False
    fenced: bool = False


class _Stored(msgspec.Struct):
    """What is read of a stored line."""

    id: str


_decode_stored: Final = msgspec.json.Decoder(_Stored).decode


async def patiently(attempt: Callable[[], Awaitable[_T]], seconds: float) -> _T:
    """Await `attempt()` until it works, for `seconds` at most; then, or when no time will help, raise its error."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await attempt()
        except StoreCheckError:
            raise
        except StoreError:
            left = give_up_at - loop.time()
            if left <= 0:
                raise
        await asyncio.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


@dataclass(slots=True, eq=False)
class Folder:
    """One folder and this writer's blobs in it.

    Attributes:
        name: path of the folder in the store.
        instance: 32 hex digits that begin the names of this writer's blobs.
        store: where the blobs are.
        limits: see `SinkLimits`.
        linger: seconds that the first of some lines waits for company, when no append is in flight anyway.
        outage: where failure and recovery are reported.
        room: how many ids may be remembered at present.
        used_at: the loop's time of the last `add`.
    """

    name: str
    instance: str
    store: Store
    limits: SinkLimits
    linger: float
    outage: Outage
    room: Callable[[], int]
    used_at: float = 0.0
    _ids: IdWindow = field(default_factory=IdWindow)
    _pending: dict[str, tuple[bytes, _Call]] = field(default_factory=dict)
    _pending_bytes: int = 0
    _calls: deque[_Call] = field(default_factory=deque)
    _arrived: int = 0
    _resolved: int = 0
    _task: asyncio.Task[None] | None = None
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _ordinal: int | None = None
    _blob: _Blob | None = None
    _block: _Block | None = None
    _fences: int = 0

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that stores lines, while there are any."""
        return self._task

    def add(self, lines: Sequence[Line]) -> asyncio.Future[Appended]:
        """Queue `lines`; the future's result comes when all of them are durable, its error is a `StoreError`."""
        loop = asyncio.get_running_loop()
        self.used_at = loop.time()
        call = _Call(answer=loop.create_future(), arrived=self.used_at)
        if self._queue(lines, call):
            call.last = self._arrived
            self._calls.append(call)
            if self._pending_bytes >= self.limits.block_bytes:
                self._hurry.set()
            if self._task is None:
                self._task = loop.create_task(self._run(), name=f"folder {self.name}")
                self._task.add_done_callback(_report)
        else:
            call.answer.set_result(Appended(call.stored, call.duplicates))
        return call.answer

    def hurry(self) -> None:
        """Let nobody linger from now on."""
        self.linger = 0.0
        self._hurry.set()

    def _queue(self, lines: Sequence[Line], call: _Call) -> bool:
        """Whether `call` has to wait. The only code that runs once for every line, beside `_cut` and `_resolve`."""
        pending, young, old = self._pending, self._ids.young, self._ids.old
        size = waiting = 0
        for line in lines:
            key = line.id
            if key in young or key in old:
                continue
            waiting += 1
            if key not in pending:
                pending[key] = (line.data, call)
                size += len(line.data)
                call.stored += 1
        self._arrived += call.stored
        self._pending_bytes += size
        call.duplicates = len(lines) - call.stored
        return waiting > 0

    async def _run(self) -> None:
        """Store what waits, block after block."""
        try:
            while self._pending:
                await self._gather()
                try:
                    await patiently(self._store_block, self.limits.retry_seconds)
                except StoreError as error:
                    self.outage.begin(self.name, error)
                    self._refuse(error)
                else:
                    self.outage.end(self.name)
        finally:
            self._task = None
            if self._calls:
                self._refuse(StoreError("expected the lines to be stored, got a sink that stopped: send them again"))

    async def _gather(self) -> None:
        """Wait until the oldest line has lingered, a block is full, or somebody is in a hurry."""
        left = self._calls[0].arrived + self.linger - asyncio.get_running_loop().time()
        if self.linger <= 0 or left <= 0 or self._pending_bytes >= self.limits.block_bytes:
            return
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._hurry.wait()

    async def _store_block(self) -> None:
        """Make the front of the queue durable; safe to call again after any error."""
        while True:
            await self._locate()
            if self._block is None:
                self._block = self._cut()
            if not self._block.data:
                break
            blob = await self._blob_with_room(len(self._block.data))
            blob.certain = False
            try:
                blob.state = await self.store.append(blob.name, blob.state, self._block.data)
            except FencedError:
                self._fence(blob)
                continue
            blob.certain = True
            break
        self._resolve(self._block)

    def _cut(self) -> _Block:
        """As many whole lines from the front of the queue as one block takes."""
        young, old, room = self._ids.young, self._ids.old, self.limits.block_bytes
        ids: list[str] = []
        parts: list[bytes] = []
        repeated: list[_Call] = []
        size = 0
        for key, (data, call) in self._pending.items():
            if size + len(data) > room:
                break
            size += len(data)
            ids.append(key)
            if key in young or key in old:  # learned from a blob after it was queued
                repeated.append(call)
            else:
                parts.append(data)
        return _Block(ids, b"".join(parts), repeated, size)

    def _resolve(self, block: _Block) -> None:
        """The lines of `block` are durable: remember them and answer the calls that wait for no others."""
        self._block = None
        self._fences = 0
        self._ids.add(block.ids, self.room())
        for key in block.ids:
            del self._pending[key]
        for call in block.repeated:
            call.stored -= 1
            call.duplicates += 1
        self._pending_bytes -= block.queued_bytes
        self._resolved += len(block.ids)
        while self._calls and self._calls[0].last <= self._resolved:
            call = self._calls.popleft()
            if not call.answer.done():  # the caller may have gone away
                call.answer.set_result(Appended(call.stored, call.duplicates))

    def _refuse(self, error: StoreError) -> None:
        """Tell everybody who waits, and forget their lines: those who come back start with a reread blob."""
        calls, self._calls = self._calls, deque()
        self._pending.clear()
        self._pending_bytes = 0
        self._resolved = self._arrived
        self._block = None
        self._fences = 0
        if self._blob is not None:
            self._blob.stale = True
        for call in calls:
            if not call.answer.done():
                # One exception object for each: it collects a traceback wherever it is raised.
                call.answer.set_exception(StoreError(*error.args))

    def _fence(self, blob: _Blob) -> None:
        """Another writer's bytes, or our own late ones, are where the block should go: look at them, then leave."""
        self._block = None
        blob.stale = blob.fenced = True
        self._fences += 1
        logger.warning("%s takes no more blocks from this writer, it goes on in the next ordinal", blob.name)
        if self._fences > _MOST_FENCES:
            raise StoreError(
                f"expected one of {self._fences} new blobs in {self.name!r} to take a block, got none: "
                "give each receiver its own instance id, and look for policies that forbid appending"
            )

    async def _locate(self) -> None:
        """Know which blob comes next, and every id in it that matters; None when it has to be created."""
        if self._ordinal is None:
            await self._open()
        blob = self._blob
        if blob is not None and blob.stale:
            await self._reread(blob)

    async def _open(self) -> None:
        """Find this writer's newest blob, and learn the ids at its end, and at the ends of those before it."""
        stem = f"{self.name}/{self.instance}"
        digits = [name[len(stem) : -len(BLOB_SUFFIX)] for name in await self.store.blobs(stem)]
        ordinals = sorted({int(text) for text in digits if text.isascii() and text.isdigit()})
        blob = None
        budget = self.limits.tail_bytes
        for ordinal in reversed(ordinals):
            name = self._blob_name(ordinal)
            state = await self.store.state(name)
            if state is None:
                continue
            start = max(0, state.size - budget)
            whole = await self._learn(name, start, state.size)
            if ordinal == ordinals[-1] and whole:
                blob = _Blob(name, state)
            budget -= state.size - start
            if budget <= 0:
                break
        self._blob = blob
        self._ordinal = 0 if not ordinals else ordinals[-1] + (blob is None)

    async def _reread(self, blob: _Blob) -> None:
        """Learn what has landed in `blob` behind the position we know of, and leave it when it is fenced."""
        state = await self.store.state(blob.name)
        if state is None or state.size < blob.state.size:  # deleted, or not ours any more
            blob.fenced = True
        else:
            whole = await self._learn(blob.name, blob.state.size, state.size)
            blob.fenced = blob.fenced or not whole
            blob.state = state
        blob.stale = blob.certain = False
        if blob.fenced:
            self._leave()

    async def _learn(self, name: str, start: int, end: int) -> bool:
        """Remember the ids of the lines between two positions; whether the last of them is whole."""
        rest = b""
        while start < end:
            stop = min(start + _READ_BYTES, end)
            *lines, rest = (rest + await self.store.read(name, start, stop)).split(b"\n")
            self._ids.add(_stored_ids(lines), self.room())
            start = stop
        return not rest

    async def _blob_with_room(self, size: int) -> _Blob:
        """The blob for a block of `size` bytes: the present one, or a new one where none is or it is full."""
        blob = self._blob
        if blob is not None and blob.certain and self._is_full(blob.state, size):
            self._leave()
        while self._blob is None:
            name = self._blob_name(self._ordinal or 0)
            state = await self.store.create(name)
            if state is None:
                self._leave()
            else:
                self._blob = _Blob(name, state, certain=True)
        return self._blob

    def _is_full(self, state: BlobState, size: int) -> bool:
        limits = self.limits
        return state.blocks >= limits.max_blocks or (state.size > 0 and state.size + size > limits.max_bytes)

    def _leave(self) -> None:
        self._blob = None
        self._ordinal = (self._ordinal or 0) + 1

    def _blob_name(self, ordinal: int) -> str:
        return f"{self.name}/{self.instance}{ordinal:06d}{BLOB_SUFFIX}"


def _stored_ids(lines: Iterable[bytes]) -> list[str]:
    """The ids of stored lines; one that cannot be read (the first may be cut in two) has none."""
    ids = []
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            ids.append(_decode_stored(line).id)
    return ids


def _report(task: asyncio.Task[None]) -> None:
    """Log a defect: a folder's task handles every error that a store may raise."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("storing lines stopped: %s", task.get_name(), exc_info=error)
