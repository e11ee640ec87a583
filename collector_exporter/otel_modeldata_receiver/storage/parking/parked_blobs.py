"""The parked blobs of one folder: where the next block goes, and which lines are only here.

A parked line is known only until its blob is delivered: from then on its own folder decides whether it is stored. So
the ids and the blob in use are given up before the lines of a blob are delivered (`retire`), and what comes again after
that is parked again. It is recognized when it is delivered, as are lines whose outcome was unknown here. So this writer
never reads a blob: in doubt it goes on in the next one, and it begins with a new one.

Parked lines may vanish too, with a store that is restored from an older copy. That is noticed when one of them comes
again, and at the latest when they are delivered. So what a blob must contain is known until all of it is delivered,
also the lines of an append that was under way when the blob was retired.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreCheckError
from ..folders.known_blobs import KnownBlobs
from ..store import BLOB_SUFFIX, FencedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..folders.blob_mark import BlobMark
    from ..sink_context import SinkContext
    from ..store import BlobState

__all__ = ["ParkedBlobWriter"]

_MOST_FENCES: Final = 8
"""Limit for blobs in a row that are fenced before the block is refused."""


class ParkedBlobWriter:
    """The blobs `{stem}000000.jsonl`, ... with the lines of a folder that takes none; see `BlobWriter`.

    Args:
        stem: how all names begin: the folder of the parked lines and the instance id.
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
        self._state: BlobState | None = None
        """Of the blob in use; None before it is created."""
        self._written = ""
        """The blob of the latest block, unless it is retired."""
        self._under_way = ""
        """The blob of the latest append."""
        self._delivered_bytes = 0
        """How much of that blob was delivered since that append began."""
        self._fences = 0
        self._suspected = False

    @property
    def marks(self) -> tuple[BlobMark, ...]:
        """What the blobs must contain that are not delivered."""
        return self._known.marks

    @property
    def is_suspected(self) -> bool:
        """See `BlobWriter.is_suspected`."""
        return self._suspected

    @property
    def has_learned(self) -> bool:
        """See `BlobWriter.has_learned`."""
        return self._ordinal is not None

    def suspect(self) -> None:
        """See `BlobWriter.suspect`."""
        self._suspected = True

    def has_any(self, ids: Sequence[str]) -> bool:
        """See `BlobWriter.has_any`."""
        return self._known.ids.has_any(ids)

    def known(self, ids: Sequence[str]) -> set[str]:
        """See `BlobWriter.known`."""
        return self._known.ids.known(ids)

    async def locate(self) -> bool:
        """See `BlobWriter.locate`."""
        if self._ordinal is None:
            names = [*await self._store.blobs(self._stem), *(mark.name for mark in self.marks)]
            digits = (name[len(self._stem) : -len(BLOB_SUFFIX)] for name in names)
            self._ordinal = max((int(one) for one in digits if one.isascii() and one.isdigit()), default=-1) + 1
        if not self._suspected:
            return False
        await self._look()
        self._suspected = False
        return True

    async def append(self, block: bytes) -> bool:
        """See `BlobWriter.append`."""
        if self._state is not None and self._is_full(self._state, len(block)):
            self._leave()
        while self._state is None:
            await self._create()
        name, started = self._name, time.perf_counter()
        self._under_way, self._delivered_bytes = name, 0
        try:
            state = await self._store.append(name, self._state, block)
        except FencedError:
            self._fence(name)
            return False
        self._fences = 0
        self._written = ""
        if name == self._name:  # it was not retired meanwhile
            self._state, self._written = state, name
        if state.size > self._delivered_bytes:  # otherwise it is delivered already, and may be removed
            self._known.note(name, state.size, block)
        self._instruments.appends.add(1)
        self._instruments.append_bytes.add(len(block))
        self._instruments.append_duration.record(time.perf_counter() - started)
        return True

    def remember(self, ids: Sequence[str]) -> None:
        """See `BlobWriter.remember`; lines in a blob that is retired are not known."""
        if self._written:
            self._known.remember(self._written, ids)

    def give_up(self) -> None:
        """Forget the block whose outcome is unknown, and go on in the next blob."""
        self._leave()

    def close(self) -> None:
        """See `BlobWriter.close`."""
        self._known.close()

    async def retire(self, name: str) -> None:
        """Count on the lines of a blob no more, because they are delivered next; report those that have vanished.

        Raises:
            StoreError: it is not known whether lines have vanished; calling again is safe.
        """
        self._known.forget_ids()
        if name == self._name:
            self._leave()
        await self._look(name)

    def delivered(self, name: str, size: int) -> None:
        """Forget what the first `size` bytes of a blob must contain: their lines are in their folder."""
        if name == self._under_way:
            self._delivered_bytes = size
        self._known.forget(name, size)

    async def _look(self, only: str = "") -> None:
        await self._known.report()  # what was noticed before
        if await self._known.look(only):
            await self._known.report()

    async def _create(self) -> None:
        name = self._name
        state = await self._store.create(name)
        if name != self._name:  # it was retired meanwhile
            return
        if state is None:
            self._leave()
            return
        self._state = state
        self._instruments.rolls.add(1)

    def _fence(self, name: str) -> None:
        """Other bytes are at the position, or the blob was delivered and removed."""
        if name == self._name:
            self._leave()
        self._fences += 1
        if self._fences > _MOST_FENCES:
            self._fences = 0
            raise StoreCheckError(
                f"expected one of {_MOST_FENCES + 1} new blobs '{self._stem}*' to take a block, got none: "
                "give each receiver its own instance id, and look for policies that forbid appending"
            )

    def _is_full(self, state: BlobState, size: int) -> bool:
        limits = self._limits
        return state.blocks >= limits.max_blocks or (state.size > 0 and state.size + size > limits.max_bytes)

    def _leave(self) -> None:
        self._state = None
        if self._ordinal is not None:
            self._ordinal += 1

    @property
    def _name(self) -> str:
        return f"{self._stem}{self._ordinal or 0:06d}{BLOB_SUFFIX}"
