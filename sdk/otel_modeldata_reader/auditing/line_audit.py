"""Reads the lines of a store, each once, and adds them to a ledger: parts in any order, and then what repeats.

The parts are summarized first, with the ids of each part alone. A part that has ids of an earlier part is summarized
again, with these ids as duplicates. A part can also be an hour that is remembered from an earlier audit. If its ids are
in another part that comes before it, or in lines of the same folder that came later, its own lines are read again too:
so the result is the same as without a memory.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .number_ranges import distinct
from .summaries.duplicate_search import DuplicateSearch
from .summaries.segments import segments
from .summaries.summary_file import SummaryFile
from .summaries.workers import Task

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .summaries.blob_blocks import BlobRange
    from .summaries.hour_summary import HourSummary, Summarized
    from .summaries.segments import Segment
    from .summaries.workers import Workers

__all__ = ["AuditedFolder", "LineAudit"]


class AuditedFolder(NamedTuple):
    """The lines of a folder.

    Attributes:
        name: of the folder.
        ranges: all of its lines.
        remembered: reads the summary of some of them that an earlier audit left; None if it cannot be used.
        further: the other lines, if `remembered` is given.
        dropped: summarizes lines that are not in the store any more, if there are any, from what took their place; its
            argument has the hashes of ids that are stored elsewhere.
    """

    name: str
    ranges: Sequence[BlobRange]
    remembered: Callable[[], Summarized | None] | None = None
    further: Sequence[BlobRange] = ()
    dropped: Callable[[NDArray[np.int64] | None], Summarized] | None = None


class LineAudit:
    """The summaries of the lines of folders.

    Args:
        workers: summarize.
        folder: for temporary files; the caller removes it.
        progress: called with the bytes that were read so far and the bytes in total.
    """

    def __init__(self, workers: Workers, folder: Path, progress: Callable[[int, int], object]) -> None:
        self._workers = workers
        self._search = DuplicateSearch(folder)
        self._summaries = SummaryFile(folder / "summaries")
        self._progress = progress
        self._read_bytes = 0
        self._total_bytes = 0
        self._folder_of: list[str] = []
        self._is_remembered: list[bool] = []
        self._segments: dict[int, Segment] = {}
        self._known: dict[str, list[int]] = {}
        self._plain: dict[str, list[int]] = {}
        self._dropped: dict[int, Callable[[NDArray[np.int64] | None], Summarized]] = {}
        self._order: list[int] = []

    def close(self) -> None:
        """Close the temporary files."""
        self._summaries.close()

    async def read(
        self, folders: Sequence[AuditedFolder], last: Sequence[Summarized] = ()
    ) -> dict[int, NDArray[np.int64]]:
        """Read the lines of folders, and then find what repeats.

        Args:
            folders: in the order in which an id belongs to the first one that has it.
            last: further lines, after all folders; their summaries stay with the caller.

        Returns:
            For the places in `last`, the hashes of their ids that a folder or an earlier one has too, ascending.

        Raises:
            StoreError: a blob cannot be read.
        """
        by_folder = any(one.remembered is not None or one.dropped is not None for one in folders)
        parts = await self._parts(folders, by_folder=by_folder, forgotten=frozenset())
        ends = [self._new_part("", is_remembered=False) for _ in last]
        for part, one in zip(ends, last, strict=True):
            self._search.add(part, one.ids, one.named)
        if by_folder and (forgotten := self._to_forget([*parts, *ends])):
            parts = await self._parts(folders, by_folder=True, forgotten=forgotten)
        repeated = self._repeated([*parts, *ends])
        for part in parts:
            if part in repeated and part in self._dropped:
                self._summaries.put(part, (await asyncio.to_thread(self._dropped[part], repeated[part])).summary)
        again = [
            Task(part, self._segments[part], repeated[part])
            for part in parts
            if part in repeated and part in self._segments
        ]
        async for part, found in self._summarized(again):
            self._summaries.put(part, found.summary)
        self._order = parts
        return {place: repeated[part] for place, part in enumerate(ends) if part in repeated}

    async def each(self, ranges: Iterable[BlobRange]) -> AsyncGenerator[HourSummary, None]:
        """The summaries of further lines alone, in any order, whatever repeats in them."""
        tasks = [Task(-1, segment) for segment in segments(ranges)]
        async for _, found in self._summarized(tasks):
            yield found.summary

    def summaries(self) -> Iterator[HourSummary]:
        """The summaries of all lines in the order of their folders."""
        return (self._summaries.get(part) for part in self._order)

    async def _parts(
        self, folders: Sequence[AuditedFolder], *, by_folder: bool, forgotten: frozenset[str]
    ) -> list[int]:
        """Summarize folders; return the numbers of their parts in order."""
        order: list[int] = []
        tasks: list[Task] = []
        if not by_folder:  # a segment may have lines of several folders
            order = self._new_parts("", (piece for one in folders for piece in one.ranges), tasks, by_folder=False)
        for one in folders if by_folder else ():
            if one.remembered is not None and one.name not in forgotten:
                order += await self._remembered_parts(one, one.remembered, tasks)
            else:
                order += await self._plain_parts(one, tasks)
        async for part, found in self._summarized(tasks):
            self._add(part, found)
        return order

    async def _remembered_parts(
        self, one: AuditedFolder, remembered: Callable[[], Summarized | None], tasks: list[Task]
    ) -> list[int]:
        if one.name not in self._known:
            found = await asyncio.to_thread(remembered)
            if found is None:
                self._known[one.name] = await self._plain_parts(one, tasks)
            else:
                part = self._new_part(one.name, is_remembered=True)
                self._add(part, found)
                self._known[one.name] = [part, *self._new_parts(one.name, one.further, tasks, by_folder=True)]
        return self._known[one.name]

    async def _plain_parts(self, one: AuditedFolder, tasks: list[Task]) -> list[int]:
        if one.name not in self._plain:
            parts = []
            if one.dropped is not None:
                part = self._new_part(one.name, is_remembered=False)
                self._dropped[part] = one.dropped
                self._add(part, await asyncio.to_thread(one.dropped, None))
                parts.append(part)
            self._plain[one.name] = [*parts, *self._new_parts(one.name, one.ranges, tasks, by_folder=True)]
        return self._plain[one.name]

    def _add(self, part: int, found: Summarized) -> None:
        self._summaries.put(part, found.summary)
        self._search.add(part, found.ids, found.named)

    def _new_parts(self, name: str, ranges: Iterable[BlobRange], tasks: list[Task], *, by_folder: bool) -> list[int]:
        parts = []
        for segment in segments(ranges, by_folder=by_folder):
            part = self._new_part(name, is_remembered=False)
            self._segments[part] = segment
            tasks.append(Task(part, segment))
            parts.append(part)
        return parts

    def _new_part(self, folder: str, *, is_remembered: bool) -> int:
        self._folder_of.append(folder)
        self._is_remembered.append(is_remembered)
        return len(self._folder_of) - 1

    async def _summarized(self, tasks: Sequence[Task]) -> AsyncIterator[tuple[int, Summarized]]:
        self._total_bytes += sum(task.segment.size for task in tasks)
        async with aclosing(self._workers.summarized(tasks, self._add_progress)) as found:
            async for one in found:
                yield one

    def _add_progress(self, size: int) -> None:
        self._read_bytes += size
        self._progress(self._read_bytes, self._total_bytes)

    # --- ids that repeat ------------------------------------------------------------------------------------------

    def _places(self, order: Sequence[int]) -> NDArray[np.int64]:
        places = np.full(len(self._folder_of), -1, np.int64)
        places[order] = np.arange(len(order))
        return places

    def _to_forget(self, order: Sequence[int]) -> frozenset[str]:
        """The folders whose memory does not say which of its lines are duplicates."""
        names = sorted(set(self._folder_of))
        numbers = {name: number for number, name in enumerate(names)}
        folder = np.array([numbers[name] for name in self._folder_of], np.int64)
        is_remembered = np.array(self._is_remembered, np.bool_)
        found: set[int] = set()
        for one in self._search.repeated(self._places(order)):
            is_inside = folder[one.parts] == folder[one.owners]
            wrong = is_remembered[one.parts] | (is_inside & is_remembered[one.owners])
            found.update(distinct(folder[one.parts[wrong]]).tolist())
        return frozenset(names[number] for number in found)

    def _repeated(self, order: Sequence[int]) -> Mapping[int, NDArray[np.int64]]:
        """The hashes of the ids that an earlier part has, by part, ascending."""
        found: dict[int, list[NDArray[np.int64]]] = {}
        for one in self._search.repeated(self._places(order)):
            ascending = np.argsort(one.parts, kind="stable")
            parts, hashes = one.parts[ascending], one.hashes[ascending]
            cuts = np.flatnonzero(np.diff(parts)) + 1
            for some, values in zip(np.split(parts, cuts), np.split(hashes, cuts), strict=True):
                found.setdefault(int(some[0]), []).append(values)
        return {part: distinct(np.concatenate(values)) for part, values in found.items()}
