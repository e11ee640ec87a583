"""The rolling blobs of one receiver in one folder: the position of the next block, and the ids that are stored.

Theory of operation. The outcome of an append can be unknown: the request was sent, and no answer arrived. Repeating
the same bytes at the same position is safe, because the store applies at most one append at a position (`store.py`).
A writer that gives up forgets the bytes, but they **may still become durable later**. The caller then sends its lines
again. Three rules keep a line from being stored twice:

1. Read before use. After a give-up the blob is read again from the last known position to its end, before anything
   else is written to it. The ids found there are stored.
2. Leave only without doubt. The writer goes on to the next blob (the next ordinal) only when nothing can be applied at
   the end of this one any more: after a successful append, or when the store reports other bytes at the position
   (`FencedError`) and these were read. So the limits of size and blocks do not apply in doubt. Or `leave` is called.
3. One winner. Of two blocks at one position only one is applied. The writer of the other one reads the ids of the
   winner, and leaves the blob.

A process that died leaves the same doubt. So the first use of a folder continues the receiver's own newest blob under
the same rules, after reading the last `tail_bytes` of its own blobs for the ids in them.

The store may lose lines that were acknowledged: it is restored from an older snapshot, or a blob is deleted or
replaced. So an id is called stored only after the blobs were looked at (`suspect`, `folders/blob_mark.py`). When lines
have vanished, the ids are forgotten and learned again from what is there, and a blob that lost lines is left.

This module does not depend on callers and queues (`group_commit.py`), nor on anything in a line but its `id`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..exceptions import StoreCheckError
from .folders.blob_mark import BlobMark, VanishedLines, mark, vanished
from .folders.folder_names import PARKED
from .folders.stored_ids import stored_ids
from .store import BLOB_SUFFIX, BlobState, FencedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .folders.known_ids import IdWindow
    from .sink_context import SinkContext

__all__ = ["RollingBlobWriter"]

logger = logging.getLogger(__name__)

_MOST_FENCES: Final = 8
"""Limit for blobs in a row that are fenced before the block is refused; more means that the store accepts no block."""
_READ_BYTES: Final = 8 << 20
"""Most bytes of a blob that are in memory while its ids are read."""
_LOOKS_AT_ONCE: Final = 16
"""Blobs that are looked at at the same time; a folder usually has one or two whose ids are known."""
_TAILS_AFTER_LOSS: Final = 64
"""After a loss, this many times `tail_bytes` are read, so that lines that are still there are recognized."""


@dataclass(slots=True)
class _Blob:
    """The blob in use.

    Attributes:
        name: its name in the store.
        state: where the next block goes.
        certain: no request that was sent before can still be applied at `state.size`.
        stale: it must be read again before it is used; if it is fenced, it must be left after that.
    """

    name: str
    state: BlobState
    certain: bool = False
    stale: bool = False
    fenced: bool = False


@dataclass(slots=True)
class _Marked:
    """A blob whose ids are in the window.

    Attributes:
        mark: what it must contain.
        ids: how many ids were learned from it or stored in it.
    """

    mark: BlobMark
    ids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    """Lines that vanished, until they are reported.

    Attributes:
        blobs: the marks that no longer hold, with the sizes that were found.
        before: the ids that were known.
        time_ns: when it was noticed, ns since the epoch.
    """

    blobs: list[tuple[BlobMark, int]]
    before: IdWindow
    time_ns: int


class RollingBlobWriter:
    """The blobs `{stem}000000.jsonl`, `{stem}000001.jsonl`, ... and the position in the newest of them.

    Args:
        stem: how all names begin: folder and instance id.
        context: what all folders share.
        marks: those of the writer that had the folder before, if they are known.
    """

    def __init__(self, stem: str, context: SinkContext, marks: Iterable[BlobMark] = ()) -> None:
        self._stem = stem
        self._store = context.store
        self._limits = context.limits
        self._memory = context.memory
        self._instruments = context.instruments
        self._ordinal: int | None = None
        self._least_ordinal = 0
        self._blob: _Blob | None = None
        self._fences = 0
        self._suspected = False
        self._has_learned = False
        self._marked = {mark.name: _Marked(mark, 0) for mark in marks}
        self._loss: _Loss | None = None
        self.ids = self._memory.window()

    @property
    def marks(self) -> tuple[BlobMark, ...]:
        """What the blobs must contain whose ids are known; nothing where delivered blobs are removed."""
        marks = {name: one.mark for name, one in self._marked.items()}
        if self._loss is not None:  # so that whoever opens the folder next finds and reports it
            marks.update((mark.name, mark) for mark, _ in self._loss.blobs)
        return () if self._stem.startswith(f"{PARKED}/") else tuple(marks.values())

    def close(self) -> None:
        """Release the memory of the ids."""
        self._memory.forget(self.ids)
        if self._loss is not None:
            self._memory.forget(self._loss.before)

    def suspect(self) -> None:
        """Look at the blobs before an id is called stored."""
        self._suspected = True

    @property
    def is_suspected(self) -> bool:
        """Whether the blobs must be looked at before the next block."""
        return self._suspected

    async def locate(self) -> bool:
        """Learn the ids that are stored, before a block is chosen; True when blobs were read.

        Raises:
            StoreError: the store does not answer; calling again is safe.
        """
        has_read = self._suspected or not self._has_learned
        if has_read:
            await self._look_for_losses()
            self._suspected = False
        if not self._has_learned:
            await self._open()
        if self._blob is not None and self._blob.stale:
            await self._reread(self._blob)
            has_read = True
        return has_read

    async def append(self, block: bytes) -> bool:
        """Make `block` durable.

        Returns:
            False when another writer was at the position: call `locate` and choose the block again.

        Raises:
            StoreError: it is not known to be durable. Call again with the same block, or call `give_up`.
        """
        blob = await self._blob_with_room(len(block))
        blob.certain = False
        started = time.perf_counter()
        try:
            blob.state = await self._store.append(blob.name, blob.state, block)
        except FencedError:
            self._fence(blob)
            return False
        blob.certain = True
        self._fences = 0
        self._mark(blob.name, blob.state.size, block)
        self._instruments.appends.add(1)
        self._instruments.append_bytes.add(len(block))
        self._instruments.append_duration.record(time.perf_counter() - started)
        return True

    def give_up(self) -> None:
        """Forget the block whose outcome is unknown; the blob is read again before its next use."""
        self._fences = 0
        if self._blob is not None:
            self._blob.stale = True

    def leave(self) -> None:
        """Leave the blob even in doubt: only for parked lines, which are recognized when they are delivered."""
        if self._blob is not None:
            self._leave()

    def remember(self, ids: Sequence[str]) -> None:
        """Note that the lines with these ids are stored in the blob in use."""
        self._memory.add(self.ids, ids)
        if self._blob is not None and (marked := self._marked.get(self._blob.name)) is not None:
            marked.ids += len(ids)

    def _fence(self, blob: _Blob) -> None:
        """Other bytes are at the position (another writer's, or late ones of this writer): read them, then leave."""
        blob.stale = blob.fenced = True
        self._fences += 1
        self._instruments.fences.add(1)
        logger.warning("%s takes no more blocks from this receiver, which continues in the next blob", blob.name)
        if self._fences > _MOST_FENCES:
            raise StoreCheckError(
                f"expected one of {self._fences} new blobs '{self._stem}*' to take a block, got none: "
                "give each receiver its own instance id, and look for policies that forbid appending"
            )

    async def _open(self) -> None:
        """Learn the ids in the last `tail_bytes` of all blobs, more after a loss, and find the newest blob."""
        ordinals = self._ordinals(await self._store.blobs(self._stem))
        loss = self._loss
        budget = self._limits.tail_bytes if loss is None else _TAILS_AFTER_LOSS * self._limits.tail_bytes
        tails: list[tuple[int, BlobState, int]] = []
        for ordinal in reversed(ordinals):
            state = await self._store.state(self._name(ordinal))
            if state is None:  # deleted meanwhile
                continue
            start = max(0, state.size - budget)
            tails.append((ordinal, state, start))
            budget -= state.size - start
            if budget <= 0:
                break
        newest, found = None, 0
        for ordinal, state, start in reversed(tails):
            whole, known = await self._learn(self._name(ordinal), start, state.size)
            found += known
            if whole and ordinal == ordinals[-1] and ordinal >= self._least_ordinal:
                newest = _Blob(self._name(ordinal), state)
        if loss is not None:
            await self._report(loss, found)
        if self._ordinal is None:
            self._blob = newest
            last = ordinals[-1] if ordinals else -1
            self._ordinal = max(last + (newest is None), self._least_ordinal)
        self._has_learned = True

    async def _reread(self, blob: _Blob) -> None:
        """Learn the ids behind the last known position of `blob`, and leave it when it is fenced."""
        state = await self._store.state(blob.name)
        shrunk = state is None or state.size < blob.state.size
        if blob.fenced or shrunk:
            await self._look_for_losses()
            if not self._has_learned:
                await self._open()
            if self._blob is not blob:
                return
        if state is None or shrunk:  # deleted, or replaced by another
            blob.fenced = True
        else:
            whole, _ = await self._learn(blob.name, blob.state.size, state.size)
            blob.fenced = blob.fenced or not whole
            blob.state = state
        blob.stale = blob.certain = False
        if blob.fenced:
            self._leave()

    async def _look_for_losses(self) -> None:
        """Forget all ids if lines have vanished whose ids are known; `_open` learns them again."""
        if self._loss is not None:
            return
        marks = self.marks
        lost: list[tuple[BlobMark, int]] = []
        for start in range(0, len(marks), _LOOKS_AT_ONCE):
            some = marks[start : start + _LOOKS_AT_ONCE]
            sizes = await asyncio.gather(*(vanished(self._store, mark) for mark in some))
            lost += [(mark, size) for mark, size in zip(some, sizes, strict=True) if size is not None]
        if not lost:
            return
        self._loss = _Loss(blobs=lost, before=self.ids, time_ns=time.time_ns())
        self.ids = self._memory.window()
        self._marked = {}
        self._has_learned = False
        if self._blob is None or self._blob.name in {mark.name for mark, _ in lost}:
            # A block whose outcome is unknown may be applied later, if the blob grows again to its old size. So
            # nothing is written to it.
            ordinals = self._ordinals(mark.name for mark in marks)
            self._least_ordinal = max(self._least_ordinal, self._ordinal or 0, *ordinals) + 1
            self._blob = self._ordinal = None

    async def _report(self, loss: _Loss, found: int) -> None:
        """Report lines that vanished: in the log, a metric, and as a note for `audit` in the store."""
        count = max(0, loss.before.count - found)
        reports = [
            VanishedLines.of(mark, size, lines=0 if number else count, time_ns=loss.time_ns)
            for number, (mark, size) in enumerate(loss.blobs)
        ]
        for report in reports:
            with contextlib.suppress(ValueError):  # it was stored before, and its answer was lost
                await self._store.put(report.note_name, report.note, "application/json")
        self._loss = None
        self._memory.forget(loss.before)
        self._instruments.vanished_lines.add(count)
        for report in reports:
            self._instruments.vanished_bytes.add(report.size)
            logger.error(
                "acknowledged lines have vanished from %s: it had %d bytes, and now has %d%s; lines sent again "
                "are stored again. Was the store restored from an older copy?",
                report.blob,
                report.expected,
                report.found,
                f", and {report.lines} known lines are gone" if report.lines else "",
            )

    async def _learn(self, name: str, start: int, end: int) -> tuple[bool, int]:
        """Remember the ids of the lines between two positions.

        Returns:
            Whether the last line is whole, and how many of the ids were known before a loss.
        """
        rest, tail, found, count, begin = b"", b"", 0, 0, start
        is_cut = 0 < start < end
        start -= is_cut  # the byte before tells whether a line begins here, or the end of one may look like a line
        while start < end:
            stop = min(start + _READ_BYTES, end)
            content = await self._store.read(name, start, stop)
            *lines, rest = (rest + content).split(b"\n")
            if is_cut and lines:
                is_cut, lines = False, lines[1:]
            ids = stored_ids(lines)
            self._memory.add(self.ids, ids)
            count += len(ids)
            if self._loss is not None:
                found += len(self._loss.before.known(ids))
            tail, start = content, stop
        if end > begin:
            self._mark(name, end, tail).ids += count
        return not rest, found

    def _mark(self, name: str, size: int, end: bytes) -> _Marked:
        """Note what a blob must contain from now on, and forget older blobs whose ids are forgotten."""
        known = self._marked.get(name)
        if known is None:
            known = self._marked[name] = _Marked(mark(name, size, end), 0)
            total = sum(one.ids for one in self._marked.values())
            for old, one in list(self._marked.items())[:-1]:
                total -= one.ids
                if total < 2 * self._limits.folder_ids:
                    break
                del self._marked[old]
        else:
            known.mark = mark(name, size, end, known.mark)
        return known

    async def _blob_with_room(self, size: int) -> _Blob:
        """The blob for a block of `size` bytes: the present one, or a new one when there is none or it is full."""
        if self._blob is not None and self._blob.certain and self._is_full(self._blob.state, size):
            self._leave()
        while self._blob is None:
            name = self._name(self._ordinal or 0)
            state = await self._store.create(name)
            if state is None:
                self._leave()
            else:
                self._blob = _Blob(name, state, certain=True)
                self._instruments.rolls.add(1)
        return self._blob

    def _is_full(self, state: BlobState, size: int) -> bool:
        limits = self._limits
        return state.blocks >= limits.max_blocks or (state.size > 0 and state.size + size > limits.max_bytes)

    def _leave(self) -> None:
        self._blob = None
        self._ordinal = (self._ordinal or 0) + 1

    def _name(self, ordinal: int) -> str:
        return f"{self._stem}{ordinal:06d}{BLOB_SUFFIX}"

    def _ordinals(self, names: Iterable[str]) -> list[int]:
        digits = (name[len(self._stem) : -len(BLOB_SUFFIX)] for name in names)
        return sorted(int(text) for text in digits if text.isascii() and text.isdigit())
