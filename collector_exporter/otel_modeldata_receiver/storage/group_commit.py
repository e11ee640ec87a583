"""The lines of one folder on their way to durable: gathered, cut into blocks, appended, and their callers answered.

Theory of operation. Lines wait in `_pending`, a dict that is queue and index at once, and stay there until they are
durable. One task, alive while lines wait, takes the front of the queue as a block (whole lines, up to one block's
size) and appends it; what arrives meanwhile forms the next block: that is the group commit. The bytes of a block stay
the same until its outcome is known or given up. Lines are resolved in the order of arrival, so a call is answered when
as many lines are resolved as had arrived when it came: one number for a call, nothing for a line.

Where blocks go, and what is stored already, is `rolled_blobs.py`'s. This module knows neither OTLP nor CloudEvents nor
Azure. Its clock is the running event loop's: a simulator that owns loop and store owns everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import StoreError
from ..retry import retry_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.metrics import Counter

    from ..line import Line
    from .rolled_blobs import BlobSeries
    from .sink_limits import SinkLimits

__all__ = ["Appended", "Folder"]

logger = logging.getLogger(__name__)


class Appended(NamedTuple):
    """How many lines of a call became durable by this call, and how many were so, or on their way, before."""

    stored: int
    duplicates: int


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
    """The front of the queue.

    Attributes:
        ids: the lines it resolves.
        data: what to append: those lines but the ones that turned out to be stored already; may be empty.
        repeated: the calls of the ones left out.
        queued_bytes: size of all its lines.
    """

    ids: list[str]
    data: bytes
    repeated: list[_Call]
    queued_bytes: int


class Folder:
    """One folder and the lines that wait for it.

    Args:
        name: path of the folder in the store, for messages.
        series: this writer's blobs in it.
        limits: see `SinkLimits`.
        linger: seconds that a first line waits for company while no append is in flight.
        retries: counts the attempts after the first one.
    """

    def __init__(self, name: str, series: BlobSeries, limits: SinkLimits, *, linger: float, retries: Counter) -> None:
        self._name = name
        self._series = series
        self._limits = limits
        self._linger = linger
        self._retries = retries
        self._pending: dict[str, bytes] = {}
        self._pending_bytes = 0
        self._found: set[str] = set()  # in a blob, after they were queued
        self._calls: deque[_Call] = deque()
        self._arrived = 0
        self._resolved = 0
        self._block: _Block | None = None
        self._enough = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        """Alive while lines wait."""
        self.used_at = 0.0
        """The loop's time of the last `add`."""

    def add(self, lines: Sequence[Line]) -> asyncio.Future[Appended]:
        """Queue `lines`; the future's result comes when all of them are durable, its error is a `StoreError`."""
        loop = asyncio.get_running_loop()
        self.used_at = loop.time()
        call = _Call(answer=loop.create_future(), arrived=self.used_at)
        if self._queue(lines, call):
            call.last = self._arrived
            self._calls.append(call)
            if self._pending_bytes >= self._limits.block_bytes:
                self._enough.set()
            if self.task is None:
                self.task = loop.create_task(self._run(), name=f"folder {self._name}")
                self.task.add_done_callback(_report)
        else:
            call.answer.set_result(Appended(call.stored, call.duplicates))
        return call.answer

    def hurry(self) -> None:
        """Let no line linger from now on."""
        self._linger = 0.0
        self._enough.set()

    def _queue(self, lines: Sequence[Line], call: _Call) -> bool:
        """Whether `call` has to wait. This, `_cut` and `_resolve` are the only code that runs once for every line."""
        pending, young, old = self._pending, self._series.ids.young, self._series.ids.old
        before, size, waiting = len(pending), 0, 0
        for line in lines:
            key = line.id
            if key in young or key in old:
                continue
            waiting += 1
            if key not in pending:
                pending[key] = data = line.data
                size += len(data)
        call.stored = len(pending) - before
        call.duplicates = len(lines) - call.stored
        self._arrived += call.stored
        self._pending_bytes += size
        return waiting > 0

    async def _run(self) -> None:
        """Store what waits, block after block."""
        try:
            while self._pending:
                await self._gather()
                try:
                    await retry_for(self._store_block, self._limits.retry_seconds, self._retries)
                except StoreError as error:
                    self._refuse(error)
        finally:
            self.task = None
            if self._calls:
                self._refuse(StoreError("expected the lines to be stored, got a sink that stopped: send them again"))

    async def _gather(self) -> None:
        """Wait until the oldest line has lingered, a block is full, or somebody is in a hurry."""
        left = self._calls[0].arrived + self._linger - asyncio.get_running_loop().time()
        if self._linger <= 0 or left <= 0 or self._pending_bytes >= self._limits.block_bytes:
            return
        self._enough.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._enough.wait()

    async def _store_block(self) -> None:
        """Make the front of the queue durable; safe to call again after a `StoreError`."""
        while True:
            if await self._series.locate():
                self._found = {key for key in self._pending if key in self._series.ids}
            block = self._block = self._block or self._cut()
            if not block.data or await self._series.append(block.data):
                return self._resolve(block)
            self._block = None

    def _cut(self) -> _Block:
        """As many whole lines from the front of the queue as one block takes."""
        found, room = self._found, self._limits.block_bytes
        if self._pending_bytes <= room and not found:  # as usual
            return _Block(list(self._pending), b"".join(self._pending.values()), [], self._pending_bytes)
        ids: list[str] = []
        parts: list[bytes] = []
        repeated: list[_Call] = []
        size = 0
        for key, data in self._pending.items():
            if size + len(data) > room:
                break
            size += len(data)
            ids.append(key)
            if key in found:
                repeated.append(self._call_of(self._resolved + len(ids)))
            else:
                parts.append(data)
        return _Block(ids, b"".join(parts), repeated, size)

    def _call_of(self, number: int) -> _Call:
        """Who queued the line that arrived as the `number`th: the first call that waits for as many."""
        return self._calls[bisect_left(self._calls, number, key=lambda call: call.last)]

    def _resolve(self, block: _Block) -> None:
        """The lines of `block` are durable: remember them and answer the calls that wait for no others."""
        self._block = None
        self._series.remember(block.ids)
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
        """Tell everybody who waits, and forget their lines; they may be stored nevertheless, which `series` finds."""
        calls, self._calls = self._calls, deque()
        self._pending.clear()
        self._found.clear()
        self._pending_bytes = 0
        self._resolved = self._arrived
        self._block = None
        self._series.give_up()
        for call in calls:
            if not call.answer.done():
                # One exception object for each: it collects a traceback wherever it is raised.
                call.answer.set_exception(type(error)(*error.args))


def _report(task: asyncio.Task[None]) -> None:
    """Log a defect: a folder's task handles every error that a store may raise."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("storing lines stopped: %s", task.get_name(), exc_info=error)
