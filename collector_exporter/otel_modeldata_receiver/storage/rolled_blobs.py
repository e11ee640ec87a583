"""The rolling blobs of one receiver in one folder: the position of the next block, and the ids that are stored.

Theory of operation. The outcome of an append can be unknown: the request was sent, and no answer arrived. Repeating
the same bytes at the same position is safe, because the store applies at most one append at a position (`store.py`).
A writer that gives up forgets the bytes, but they **may still become durable later**. The caller then sends its lines
again. Three rules keep a line from being stored twice:

1. Read before use. After a give-up the blob is read again from the last known position to its end, before anything
   else is written to it. The ids found there are stored.
2. Leave only without doubt. The writer goes on to the next blob (the next ordinal) only when nothing can be applied at
   the end of this one any more: after a successful append, or when the store reports other bytes at the position
   (`FencedError`) and these were read. So the limits of size and blocks are not applied while the end is in doubt.
3. One winner. Of two blocks at one position only one is applied. The writer of the other one reads the ids of the
   winner, and leaves the blob.

A process that died leaves the same doubt. So the first use of a folder continues the receiver's own newest blob under
the same rules, after reading the last `tail_bytes` of its own blobs for the ids in them.

This module does not depend on callers and queues (`group_commit.py`), nor on anything in a line but its `id`.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ..exceptions import StoreCheckError
from .store import BLOB_SUFFIX, BlobState, FencedError, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..telemetry import Instruments
    from .sink_limits import SinkLimits

__all__ = ["IdWindow", "RollingBlobWriter"]

logger = logging.getLogger(__name__)

_MOST_FENCES: Final = 8
"""Limit for blobs in a row that are fenced before the block is refused; more means that the store accepts no block."""
_READ_BYTES: Final = 8 << 20
"""Most bytes of a blob that are in memory while its ids are read."""


class IdWindow:
    """The ids of the lines that were stored last.

    They are kept in two generations: the older one is dropped when the younger one is full.
    """

    __slots__ = ("old", "young")

    def __init__(self) -> None:
        self.young: set[str] = set()
        self.old: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.young or key in self.old

    def add(self, ids: Iterable[str], room: int) -> None:
        """Remember all of `ids`, and about `room` in total."""
        if len(self.young) >= room // 2:
            self.old, self.young = self.young, set()
        self.young.update(ids)


@dataclass(slots=True)
class _Blob:
    """The blob in use.

    Attributes:
        name: its name in the store.
        state: where the next block goes.
        certain: no request that was sent before can still be applied at `state.size`.
        stale: it must be read again before it is used.
        fenced: it must be left, after it was read again.
    """

    name: str
    state: BlobState
    certain: bool = False
    stale: bool = False
    fenced: bool = False


class _StoredId(msgspec.Struct):
    """The only key of a stored line that is read."""

    id: str


_decode_id: Final = msgspec.json.Decoder(_StoredId).decode


class RollingBlobWriter:
    """The blobs `{stem}000000.jsonl`, `{stem}000001.jsonl`, ... and the position in the newest of them.

    Args:
        store: where the blobs are.
        stem: how all names begin: folder and instance id.
        limits: see `SinkLimits`.
        room: returns how many ids may be remembered at present.
        instruments: metrics.
    """

    def __init__(
        self, store: Store, stem: str, limits: SinkLimits, room: Callable[[], int], instruments: Instruments
    ) -> None:
        self._store = store
        self._stem = stem
        self._limits = limits
        self._room = room
        self._instruments = instruments
        self._ordinal: int | None = None
        self._blob: _Blob | None = None
        self._fences = 0
        self.ids = IdWindow()

    async def locate(self) -> bool:
        """Learn the ids that are stored, before a block is chosen; True when blobs were read.

        Raises:
            StoreError: the store does not answer; calling again is safe.
        """
        has_read = False
        if self._ordinal is None:
            await self._open()
            has_read = True
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
        """Leave the blob though its end may be in doubt: only where a line that is stored twice does no harm."""
        self._fences = 0
        if self._blob is not None:
            self._leave()

    def remember(self, ids: Iterable[str]) -> None:
        """Note that the lines with these ids are stored."""
        self.ids.add(ids, self._room())

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
        """Find the newest blob, and learn the ids in the last `tail_bytes` of all blobs."""
        ordinals = self._ordinals(await self._store.blobs(self._stem))
        newest = None
        budget = self._limits.tail_bytes
        for ordinal in reversed(ordinals):
            name = self._name(ordinal)
            state = await self._store.state(name)
            if state is None:  # deleted meanwhile
                continue
            start = max(0, state.size - budget)
            whole = await self._learn(name, start, state.size)
            if ordinal == ordinals[-1] and whole:
                newest = _Blob(name, state)
            budget -= state.size - start
            if budget <= 0:
                break
        self._blob = newest
        self._ordinal = 0 if not ordinals else ordinals[-1] + (newest is None)

    async def _reread(self, blob: _Blob) -> None:
        """Learn the ids behind the last known position of `blob`, and leave it when it is fenced."""
        state = await self._store.state(blob.name)
        if state is None or state.size < blob.state.size:  # deleted, or replaced by another
            blob.fenced = True
        else:
            whole = await self._learn(blob.name, blob.state.size, state.size)
            blob.fenced = blob.fenced or not whole
            blob.state = state
        blob.stale = blob.certain = False
        if blob.fenced:
            self._leave()

    async def _learn(self, name: str, start: int, end: int) -> bool:
        """Remember the ids of the lines between two positions; return whether the last line is whole."""
        rest = b""
        while start < end:
            stop = min(start + _READ_BYTES, end)
            *lines, rest = (rest + await self._store.read(name, start, stop)).split(b"\n")
            self.remember(_stored_ids(lines))
            start = stop
        return not rest

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
        digits = [name[len(self._stem) : -len(BLOB_SUFFIX)] for name in names]
        return sorted(int(text) for text in digits if text.isascii() and text.isdigit())


def _stored_ids(lines: Iterable[bytes]) -> list[str]:
    """The ids of stored lines; a line that cannot be read is skipped (the first one may be cut in two)."""
    ids = []
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            ids.append(_decode_id(line).id)
    return ids
