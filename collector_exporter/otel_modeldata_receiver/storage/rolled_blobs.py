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
replaced. So an id is called stored only after the blobs were looked at (`suspect`, `folders/known_blobs.py`). When
lines have vanished, the ids are forgotten and learned again from what is there. A blob in use that lost lines is never
written to again: the next blob is created before the loss is reported, so whoever opens the folder later continues in
that one.

This module does not depend on callers and queues (`group_commit.py`), nor on anything in a line but its `id`.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..exceptions import StoreCheckError
from .folders.known_blobs import KnownBlobs
from .folders.replaced_blobs import blob_name_of, note_folder
from .store import BLOB_SUFFIX, BlobState, FencedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .folders.blob_mark import BlobMark
    from .sink_context import SinkContext

__all__ = ["RollingBlobWriter"]

logger = logging.getLogger(__name__)

_MOST_FENCES: Final = 8
"""Limit for blobs in a row that are fenced before the block is refused; more means that the store accepts no block."""
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


_DATED: Final = re.compile(r"(?:^|/)(\d{4}(?:/\d\d){0,4})/[^/]*$", re.ASCII)
"""The time in the name of a folder, in UTC."""


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
        self._instruments = context.instruments
        self._known = KnownBlobs(context, marks)
        self._ordinal: int | None = None
        self._least_ordinal = 0
        self._blob: _Blob | None = None
        self._fences = 0
        self._suspected = False
        self._has_learned = False

    @property
    def marks(self) -> tuple[BlobMark, ...]:
        """What the blobs must contain whose ids are known."""
        return self._known.marks

    def close(self) -> None:
        """Release the memory of the ids."""
        self._known.close()

    def suspect(self) -> None:
        """Look at the blobs before an id is called stored."""
        self._suspected = True

    @property
    def is_suspected(self) -> bool:
        """Whether the blobs must be looked at before the next block."""
        return self._suspected

    @property
    def has_learned(self) -> bool:
        """Whether the ids in the blobs are known."""
        return self._has_learned

    def has_any(self, ids: Sequence[str]) -> bool:
        """Whether any line with these ids may be stored; faster than `known`."""
        return self._known.ids.has_any(ids)

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` whose lines are stored, as far as it is known since `locate`."""
        return self._known.ids.known(ids)

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
        self._known.note(blob.name, blob.state.size, block)
        self._instruments.appends.add(1)
        self._instruments.append_bytes.add(len(block))
        self._instruments.append_duration.record(time.perf_counter() - started)
        return True

    def give_up(self) -> None:
        """Forget the block whose outcome is unknown; the blob is read again before its next use."""
        self._fences = 0
        if self._blob is not None:
            self._blob.stale = True

    def remember(self, ids: Sequence[str]) -> None:
        """Note that the lines with these ids are stored in the blob in use."""
        self._known.remember("" if self._blob is None else self._blob.name, ids)

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
        """Learn the ids in the ends of the blobs, find the blob to continue, and report lines that vanished."""
        names = self._by_ordinal(await self._store.blobs(self._stem))
        newest, found = await self._learn_tails(names)
        if self._ordinal is None:
            self._blob = newest
            last = names[-1][0] if names else -1
            ordinal = max(last + (newest is None), self._least_ordinal)
            self._ordinal = ordinal if names or not _has_ended(self._stem) else await self._never_used(ordinal)
        if self._known.has_lost:
            if self._blob is None:
                await self._create()
            await self._known.report(found)
        self._has_learned = True

    async def _never_used(self, ordinal: int) -> int:
        """The first ordinal that no removed blob had: Parquet files, seals and tombstones name such blobs.

        Blobs are removed when their time is over, so new folders cost no request.
        """
        try:
            while await self._store.walk(note_folder(self._name(ordinal))):
                ordinal += 1
        except StoreCheckError:  # there is no store yet, so nothing was removed from it
            pass
        return ordinal

    async def _learn_tails(self, names: Sequence[tuple[int, str]]) -> tuple[_Blob | None, int]:
        """Learn the ids in the last `tail_bytes` of all blobs, more after a loss.

        Returns:
            The newest blob, if it may be continued, and how many of the ids were known before a loss.
        """
        budget = self._limits.tail_bytes * (_TAILS_AFTER_LOSS if self._known.has_lost else 1)
        tails: list[tuple[int, str, BlobState, int]] = []
        for ordinal, name in reversed(names):
            state = await self._store.state(name)
            if state is None:  # deleted meanwhile
                continue
            start = max(0, state.size - budget)
            tails.append((ordinal, name, state, start))
            budget -= state.size - start
            if budget <= 0:
                break
        newest, found = None, 0
        for ordinal, name, state, start in reversed(tails):
            whole, known = await self._known.learn(name, start, state.size)
            found += known
            if (
                whole
                and (ordinal, name) == names[-1]
                and ordinal >= self._least_ordinal
                and name == self._name(ordinal)
            ):
                newest = _Blob(name, state)
        return newest, found

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
            if not (state and state.size):
                await self._known.is_replaced(blob.name, blob.state.size)
            blob.fenced = True
        else:
            whole, _ = await self._known.learn(blob.name, blob.state.size, state.size)
            blob.fenced = blob.fenced or not whole
            blob.state = state
        blob.stale = blob.certain = False
        if blob.fenced:
            self._leave()

    async def _look_for_losses(self) -> None:
        """If lines have vanished whose ids are known, all ids are forgotten; `_open` learns them again."""
        ordinals = [ordinal for ordinal, _ in self._by_ordinal(mark.name for mark in self._known.marks)]
        lost = await self._known.look()
        if not lost:
            return
        self._has_learned = False
        if self._blob is None or self._blob.name in lost:
            # A block whose outcome is unknown may be applied later, if the blob grows again to its old size. So
            # nothing is written to it.
            self._least_ordinal = max(self._least_ordinal, self._ordinal or 0, *ordinals) + 1
            self._blob = self._ordinal = None

    async def _blob_with_room(self, size: int) -> _Blob:
        """The blob for a block of `size` bytes: the present one, or a new one when there is none or it is full."""
        if self._blob is not None and self._blob.certain and self._is_full(self._blob.state, size):
            self._leave()
        return self._blob if self._blob is not None else await self._create()

    async def _create(self) -> _Blob:
        """Create the next blob whose name is free, and use it from now on."""
        while (state := await self._store.create(name := self._name(self._ordinal or 0))) is None:
            self._leave()
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

    def _by_ordinal(self, names: Iterable[str]) -> list[tuple[int, str]]:
        """The names of its blobs with their ordinals, ascending; a copy has that of the blob which it replaced."""
        digits = ((blob_name_of(name)[len(self._stem) : -len(BLOB_SUFFIX)], name) for name in names)
        return sorted((int(text), name) for text, name in digits if text.isascii() and text.isdigit())


def _has_ended(stem: str) -> bool:
    """Whether the time of a folder is over."""
    match = _DATED.search(stem)
    return match is not None and match[1] < time.strftime("%Y/%m/%d/%H/%M", time.gmtime())[: len(match[1])]
