"""Group commit: the lines that several callers write to one partition share one append.

Theory of operation.

1. The queue. Lines wait in `_pending` until they are durable. It is a dict in the order of arrival, so it is the queue
   and the index by id at the same time. A line whose id already waits is not queued twice. A line whose id is stored is
   queued, and left out of its block after the blobs were looked at: the line in the store may have vanished.
2. The commit. One task exists while lines wait. It takes lines from the front of the queue until a block is full, and
   appends the block. Lines that arrive during the append form the next block.
   Without a linger, a block that would be small waits a moment for as many callers as the block before it had, if those
   were some: callers that send again when they are answered share an append again. After some such blocks in a row, one
   waits for twice as many: those whose requests are still read and mapped. A single caller never waits.
3. The block. Its bytes do not change until it is durable or given up: after an error the same bytes are repeated at
   the same position, which is what makes a repetition safe (`rolled_blobs.py`).
4. The answer. Lines become durable in the order of arrival. So a call needs one number only, `last`: how many lines of
   the partition had arrived after its own. It is answered when that many lines are resolved.
5. Giving up. When the store fails for longer than the limit, every caller gets the error and every line is forgotten.
   A forgotten line may still become durable. `rolled_blobs.py` finds it when the caller sends it again.
6. Questions. Whether a line is stored is asked before its object is put (`has`); the task of the blocks answers.

This module does not depend on where blocks are written or which ids are stored (`rolled_blobs.py`), nor on OTLP,
CloudEvents or Azure. Its only clock is that of the running event loop, so a simulator that replaces the loop and the
store controls everything.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..exceptions import StoreError
from ..retry import retry_for
from ..time_limit import timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..line import Line
    from .blob_writer import BlobWriter
    from .folders.blob_mark import BlobMark
    from .folders.fair_turns import Turn
    from .sink_context import SinkContext

__all__ = ["Appended", "PartitionWriter"]

logger = logging.getLogger(__name__)

_SHARED_SECONDS: Final = 0.005
"""How long a small block waits for callers, at least; an append costs as much as the work for several of them."""
_CALL_SECONDS: Final = 0.0005
"""For many callers it waits so long for each: about the time in which a request of one record is read and mapped."""
_SHARED_CALLS: Final = 4
"""Callers of the block before it, at least."""
_ENOUGH_CALLS: Final = 64
"""Callers of a block that waits for no more than came before: what the append costs each of them is little."""
_BLOCKS_IN_A_ROW: Final = 4
"""Blocks with several callers, after which one waits for twice as many."""
_BLOCKS_BETWEEN_TRIALS: Final = 64
"""After one that waited in vain."""
_SMALL_BYTES: Final = 64 * 1024
"""In a larger block, what the append itself costs does not matter."""


class Appended(NamedTuple):
    """The result of one call.

    Attributes:
        stored: lines that this call made durable.
        duplicates: lines that were durable, or waiting, before this call.
        parked: those of `stored` that are parked, because their folder takes no lines now (`parking/`).
    """

    stored: int
    duplicates: int
    parked: int = 0


@dataclass(slots=True)
class _Call:
    """One call; it is answered when `last` lines of the partition are resolved. Several callers may wait for it."""

    answer: asyncio.Future[Appended]
    arrived: float
    callers: int = 1
    last: int = 0
    stored: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines at the front of the queue that are appended together.

    Attributes:
        ids: ids of the lines that are resolved when the block is durable.
        new_ids: those of them that `data` has.
        data: bytes to append: those lines without the ones that are in a blob already; may be empty.
        repeated: for each line that was left out, the call that queued it.
        queued_bytes: size of all its lines.
    """

    ids: list[str]
    new_ids: list[str]
    data: bytes
    repeated: list[_Call]
    queued_bytes: int


class PartitionWriter:
    """Writes the lines of one partition, which is one folder of the store.

    Args:
        name: path of the folder in the store.
        blobs: this receiver's blobs in the folder.
        context: what all folders share.
        turn: entered for each block.
        on_idle: called with `name` when no line waits any more.
    """

    def __init__(
        self,
        name: str,
        blobs: BlobWriter,
        context: SinkContext,
        *,
        turn: Turn,
        on_idle: Callable[[str], None],
    ) -> None:
        self._name = name
        self.blobs = blobs
        """Where the lines become durable."""
        self._limits = context.limits
        self._linger = context.linger
        self._retries = context.instruments.retries
        self._turn = turn
        self._on_idle = on_idle
        self._pending: dict[str, bytes] = {}
        self._pending_bytes = self._callers = 0
        self._in_blob: set[str] = set()  # ids in `_pending` that turned out to be stored
        self._calls: deque[_Call] = deque()
        self._questions: dict[asyncio.Future[bool], str] = {}
        self._arrived = self._resolved = 0
        self._block: _Block | None = None
        self._enough = asyncio.Event()
        self._expected_calls = 0
        """Calls that a small block waits for."""
        self._blocks_in_a_row = 0
        """Blocks with several callers, up to the present one; negative for a while after a trial in vain."""
        self._before_trial = 0
        """Callers of the block before, if the present one waits for twice as many."""
        self.task: asyncio.Task[None] | None = None
        """Runs while lines wait; None otherwise."""
        self.began: float | None = None
        """When the present block was begun, or was known not to be stored; None while no append is under way."""
        self.retry_seconds = context.limits.retry_seconds
        """How long a block is retried."""
        self.trouble: StoreError | None = None
        """Why the last attempt to store the present block failed."""

    def add(self, lines: Sequence[Line], callers: int = 1) -> asyncio.Future[Appended]:
        """Queue `lines` of so many callers. The future ends when all are durable; its error is a `StoreError`."""
        loop = asyncio.get_running_loop()
        call = _Call(answer=loop.create_future(), arrived=loop.time(), callers=callers)
        if self._queue(lines, call):
            call.last = self._arrived
            self._calls.append(call)
            self._callers += callers
            if (
                self._pending_bytes >= self._limits.block_bytes
                or self.blobs.is_suspected
                or (self._linger <= 0 and not self._waits_for_calls)
            ):
                self._enough.set()
            self._start()
        else:
            call.answer.set_result(Appended(call.stored, call.duplicates))
        return call.answer

    def has(self, line_id: str) -> asyncio.Future[bool]:
        """Ask whether a line is stored: whether it would be a duplicate. The future's error is a `StoreError`."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._questions[answer] = line_id
        if self.blobs.has_any([line_id]):
            self.blobs.suspect()
        self._enough.set()
        self._start()
        return answer

    def lacks(self, line_id: str) -> bool:
        """Whether a line is surely not stored, as far as ids are remembered."""
        return self.blobs.has_learned and not self.blobs.has_any([line_id])

    def _start(self) -> None:
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._run(), name=f"folder {self._name}")
            self.task.add_done_callback(_log_bug)

    def close(self) -> tuple[BlobMark, ...]:
        """Forget the ids of an idle folder, and return what its blobs must contain."""
        self.blobs.close()
        return self.blobs.marks

    @property
    def block_bytes(self) -> int:
        """About the size of the present block."""
        return min(self._pending_bytes, self._limits.block_bytes)

    def flush_now(self) -> None:
        """Write what waits now; no line lingers from now on."""
        self._linger = 0.0
        self._expected_calls = -1
        self._enough.set()

    @property
    def _waits_for_calls(self) -> bool:
        """Whether the next block is small and waits for more callers."""
        return self._callers < self._expected_calls and self._pending_bytes < _SMALL_BYTES

    def _queue(self, lines: Sequence[Line], call: _Call) -> bool:
        """Queue the lines of a call; return whether the call has to wait.

        A line whose id is stored waits too, until the blobs were looked at (`locate`). This method, `_cut` and
        `_resolve` are the only code that runs once for every line.
        """
        pending = self._pending
        before, size = len(pending), 0
        for line in lines:
            key = line.id
            if key not in pending:
                pending[key] = data = line.data
                size += len(data)
        call.stored = len(pending) - before
        call.duplicates = len(lines) - call.stored
        if call.stored and self.blobs.has_any([line.id for line in lines]):
            self.blobs.suspect()
        self._arrived += call.stored
        self._pending_bytes += size
        return len(lines) > 0

    async def _run(self) -> None:
        """Store what waits, one block after the other."""
        try:
            while self._pending or self._questions:
                await self._gather()
                self.began = self.trouble = None
                try:
                    await retry_for(self._store_in_turn, self.retry_seconds, self._retries)
                except StoreError as error:
                    self._give_up(error)
        finally:
            self.task = None
            self.began = None
            if self._calls or self._questions:
                stopped = StoreError("expected the lines to be stored, got a sink that stopped: send them again")
                self._give_up(self.trouble or stopped)
            self._on_idle(self._name)

    async def _gather(self) -> None:
        """Wait until the oldest line has lingered, a block is full, or `flush_now` is called.

        Lines that are stored already do not linger, nor do lines beside a question.
        """
        if self._questions:
            return
        linger = self._linger
        if linger <= 0 and self._waits_for_calls:
            linger = max(_SHARED_SECONDS, self._expected_calls * _CALL_SECONDS)
        left = self._calls[0].arrived + linger - asyncio.get_running_loop().time()
        are_stored = self.blobs.is_suspected or bool(self._in_blob)
        if linger <= 0 or left <= 0 or are_stored or self._pending_bytes >= self._limits.block_bytes:
            return
        self._enough.clear()
        try:
            async with timeout(left):
                await self._enough.wait()
        except TimeoutError:
            self._blocks_in_a_row = -_BLOCKS_BETWEEN_TRIALS

    async def _store_in_turn(self) -> None:
        """`_store_block`, when it is the turn of this folder among those of its tenant."""
        async with self._turn:
            if self.began is None:
                self.began = asyncio.get_running_loop().time()
            try:
                await self._store_block()
            except StoreError as error:
                self.trouble = error
                raise

    async def _store_block(self) -> None:
        """Make the front of the queue durable; safe to call again after a `StoreError`."""
        while True:
            if await self.blobs.locate():
                self.began = asyncio.get_running_loop().time()
                self._in_blob = self.blobs.known(list(self._pending))
            if not self.blobs.is_suspected:  # else a question came meanwhile
                self._answer_questions()
            if not self._pending:
                return None
            block = self._block = self._block or self._cut()
            if not block.data or await self.blobs.append(block.data):
                return self._resolve(block)
            self._block = None

    def _answer_questions(self) -> None:
        questions, self._questions = self._questions, {}
        known = self.blobs.known(list(questions.values())) if questions else set()
        for answer, line_id in questions.items():
            if not answer.done():
                answer.set_result(line_id in known)

    def _cut(self) -> _Block:
        """The next block: as many whole lines from the front of the queue as fit."""
        in_blob, room = self._in_blob, self._limits.block_bytes
        if self._pending_bytes <= room and not in_blob:  # the usual case
            all_ids = list(self._pending)
            return _Block(all_ids, all_ids, b"".join(self._pending.values()), [], self._pending_bytes)
        ids, new_ids, parts = list[str](), list[str](), list[bytes]()
        repeated: list[_Call] = []
        size = 0
        for key, data in self._pending.items():
            if size + len(data) > room:
                break
            size += len(data)
            ids.append(key)
            if key in in_blob:
                repeated.append(self._call_of(self._resolved + len(ids)))
            else:
                new_ids.append(key)
                parts.append(data)
        return _Block(ids, new_ids, b"".join(parts), repeated, size)

    def _call_of(self, number: int) -> _Call:
        """The call that queued line `number`, counted by arrival: the first call whose `last` is not below it."""
        return self._calls[bisect_left(self._calls, number, key=lambda call: call.last)]

    def _resolve(self, block: _Block) -> None:
        """Note that the lines of `block` are durable, and answer the calls that wait for no others."""
        self._block = None
        self.blobs.remember(block.new_ids)
        for key in block.ids:
            del self._pending[key]
        self._in_blob.difference_update(block.ids)
        for call in block.repeated:
            call.stored -= 1
            call.duplicates += 1
        self._pending_bytes -= block.queued_bytes
        self._resolved += len(block.ids)
        answered = 0
        while self._calls and self._calls[0].last <= self._resolved:
            call = self._calls.popleft()
            answered += call.callers
            if not call.answer.done():  # the caller may have gone away
                call.answer.set_result(Appended(call.stored, call.duplicates))
        self._callers -= answered
        if self._expected_calls >= 0:
            self._expected_calls = self._calls_to_expect(answered)

    def _calls_to_expect(self, answered: int) -> int:
        """How many calls the next block waits for, after one with `answered` calls; 0 if it does not wait."""
        before, self._before_trial = self._before_trial, 0
        if before and not self._calls:  # all callers waited, so that nothing was left to do during the append
            self._blocks_in_a_row = -_BLOCKS_BETWEEN_TRIALS
            answered = before
        elif answered > 1 or self._blocks_in_a_row < 0:
            self._blocks_in_a_row += 1
        else:
            self._blocks_in_a_row = 0
        if self._blocks_in_a_row >= _BLOCKS_IN_A_ROW and 1 < answered < _ENOUGH_CALLS:
            self._before_trial = answered
            return min(max(2 * answered, _SHARED_CALLS), _ENOUGH_CALLS)
        return answered if answered >= _SHARED_CALLS else 0

    def _give_up(self, error: StoreError) -> None:
        """Give every caller the error and forget their lines.

        The lines may still become durable; the blob is read again before its next use.
        """
        calls, self._calls = self._calls, deque()
        questions, self._questions = self._questions, {}
        self._pending.clear()
        self._in_blob.clear()
        self._pending_bytes = self._callers = 0
        self._resolved = self._arrived
        self._block = None
        self.blobs.give_up()
        answers: list[asyncio.Future[Any]] = [*(call.answer for call in calls), *questions]
        for answer in answers:
            if not answer.done():
                answer.set_exception(error.copy())


def _log_bug(task: asyncio.Task[None]) -> None:
    """Log an unexpected error; the task itself handles errors of the store."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("storing lines stopped: %s", task.get_name(), exc_info=error)
