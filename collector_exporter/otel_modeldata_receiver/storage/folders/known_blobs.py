"""The blobs of one folder whose ids are known: the ids of their lines, what they must contain, and what they lost.

An id is known only while every blob whose ids are known is whole. When lines have vanished from one of them, all ids
are forgotten, and the caller learns them again from what is there. The loss is kept until it is reported; a folder that
is closed before that hands it on with its marks.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .blob_mark import BlobMark, mark, vanished
from .replaced_blobs import replacement_of
from .stored_ids import stored_ids
from .vanished_lines import VanishedLines, report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..sink_context import SinkContext
    from .known_ids import IdWindow

__all__ = ["KnownBlobs"]

_READ_BYTES: Final = 8 << 20
"""Most bytes of a blob that are in memory while its ids are read."""
_LOOKS_AT_ONCE: Final = 16
"""Blobs that are looked at at the same time; a folder usually has one or two whose ids are known."""


@dataclass(slots=True)
class _Marked:
    """A blob whose ids are known.

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


class KnownBlobs:
    """See above.

    Args:
        context: what all folders share.
        marks: those of the writer that had the folder before, if they are known.
    """

    def __init__(self, context: SinkContext, marks: Iterable[BlobMark] = ()) -> None:
        self._store = context.store
        self._limits = context.limits
        self._memory = context.memory
        self._instruments = context.instruments
        self._marked = {mark.name: _Marked(mark, 0) for mark in marks}
        self._loss: _Loss | None = None
        self.ids = self._memory.window()

    @property
    def marks(self) -> tuple[BlobMark, ...]:
        """What the blobs must contain, also those of a loss that is not reported yet."""
        marks = {name: one.mark for name, one in self._marked.items()}
        if self._loss is not None:  # so that whoever opens the folder next finds and reports it
            marks.update((mark.name, mark) for mark, _ in self._loss.blobs)
        return tuple(marks.values())

    @property
    def has_lost(self) -> bool:
        """Whether lines have vanished, and that is not reported yet."""
        return self._loss is not None

    def close(self) -> None:
        """Release the memory of the ids."""
        self._memory.forget(self.ids)
        if self._loss is not None:
            self._memory.forget(self._loss.before)

    def note(self, name: str, size: int, end: bytes) -> None:
        """Note that a blob has `size` bytes and ends with `end`; older blobs are forgotten when their ids are."""
        known = self._marked.get(name)
        if known is not None:
            known.mark = mark(name, size, end, known.mark)
            return
        self._marked[name] = _Marked(mark(name, size, end), 0)
        total = sum(one.ids for one in self._marked.values())
        for old, one in list(self._marked.items())[:-1]:
            total -= one.ids
            if total < 2 * self._limits.folder_ids:
                break
            del self._marked[old]

    def remember(self, name: str, ids: Sequence[str]) -> None:
        """Note that the lines with these ids are stored in a blob."""
        self._memory.add(self.ids, ids)
        if (known := self._marked.get(name)) is not None:
            known.ids += len(ids)

    async def learn(self, name: str, start: int, end: int) -> tuple[bool, int]:
        """Remember the ids of the lines between two positions of a blob.

        Returns:
            Whether the last line is whole, and how many of the ids were known before a loss.
        """
        rest, tail, found, learned, begin = b"", b"", 0, 0, start
        is_cut = 0 < start < end
        start -= is_cut  # the byte before tells whether a line begins here, or the end of one may look like a line
        while start < end:
            stop = min(start + _READ_BYTES, end)
            tail = await self._store.read(name, start, stop)
            *lines, rest = (rest + tail).split(b"\n")
            if is_cut and lines:
                is_cut, lines = False, lines[1:]
            ids = stored_ids(lines)
            self._memory.add(self.ids, ids)
            learned += len(ids)
            if self._loss is not None:
                found += len(self._loss.before.known(ids))
            start = stop
        if end > begin:
            self.note(name, end, tail)
            self._marked[name].ids += learned
        return not rest, found

    async def look(self, only: str = "") -> tuple[str, ...]:
        """Look whether the blobs, or one of them, are whole. If not, all ids are forgotten; `report` must follow.

        Returns:
            The names of the blobs that have lost lines.
        """
        if self._loss is not None:
            return ()
        marks = [one.mark for name, one in self._marked.items() if only in {"", name}]
        lost: list[tuple[BlobMark, int]] = []
        for start in range(0, len(marks), _LOOKS_AT_ONCE):
            some = marks[start : start + _LOOKS_AT_ONCE]
            sizes = await asyncio.gather(*(vanished(self._store, mark) for mark in some))
            for one, size in zip(some, sizes, strict=True):
                if size is not None and (size or not await self.is_replaced(one.name, one.size)):
                    lost.append((one, size))
        if not lost:
            return ()
        self._loss = _Loss(blobs=lost, before=self.ids, time_ns=time.time_ns())
        self.ids = self._memory.window()
        names = tuple(one.name for one, _ in lost)
        self._marked = {name: _Marked(one.mark, 0) for name, one in self._marked.items() if name not in names}
        return names

    async def is_replaced(self, name: str, size: int) -> bool:
        """Whether a blob that is gone was replaced on purpose; then the ids in the blobs in its place are learned.

        The ids that are known stay known: those of erased lines must not be stored again either.

        Raises:
            StoreError: the store does not answer; calling again is safe.
        """
        found = await replacement_of(self._store, name, size)
        for copy in (copy for one in found for copy in one.copies):
            state = await self._store.state(copy)
            if state is not None and copy not in self._marked:
                await self.learn(copy, max(0, state.size - self._limits.tail_bytes), state.size)
        if found:
            self._marked.pop(name, None)
        return bool(found)

    async def report(self, found: int | None = None) -> None:
        """Report the lines that vanished.

        Args:
            found: how many of the ids that were known are still there; None if that is unknown.

        Raises:
            StoreError: it is not reported; calling again is safe.
        """
        loss = self._loss
        if loss is None:
            return
        count = 0 if found is None else max(0, loss.before.count - found)
        reports = [
            VanishedLines.of(mark, size, lines=0 if number else count, time_ns=loss.time_ns)
            for number, (mark, size) in enumerate(loss.blobs)
        ]
        await report(reports, self._store, self._instruments)
        self._loss = None
        self._memory.forget(loss.before)

    def forget_ids(self) -> None:
        """Forget all ids; the marks stay."""
        self._memory.forget(self.ids)
        self.ids = self._memory.window()

    def forget(self, name: str, size: int) -> None:
        """Forget what a blob must contain if that is within `size` bytes: it is removed if it has no more."""
        known = self._marked.get(name)
        if known is not None and known.mark.size <= size:
            del self._marked[name]
