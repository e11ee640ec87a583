"""Who summarizes segments: this process, or processes of their own on all cores.

A process gets the URL of the store through a pipe, opens the store itself, and sends summaries back. No more segments
are under way than twice the processes, so memory is bounded by their number.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.open_store import open_store

from . import hour_summary
from .line_decoder import LineDecoder, raise_recursion_limit
from .segment_summary import summarize

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from otel_modeldata_receiver.config.store_access import AccessConfig
    from otel_modeldata_receiver.storage.store import Store

    from .hour_summary import Summarized
    from .segments import Segment

__all__ = ["BySize", "InProcess", "Processes", "Task", "Workers", "cores"]

_LARGE_BYTES: Final = 256 << 20
"""One process reads them in about the time in which others start and open the store."""
_SEGMENTS_AHEAD: Final = 2
"""For each process, so that none waits for the next one."""


class Task(NamedTuple):
    """A segment to summarize.

    Attributes:
        part: its number.
        segment: the lines.
        stored: hashes of ids that are stored elsewhere, ascending: their lines are duplicates.
    """

    part: int
    segment: Segment
    stored: NDArray[np.int64] | None = None


class Workers(Protocol):
    """Summarize segments."""

    def summarized(
        self, tasks: Sequence[Task], progress: Callable[[int], object]
    ) -> AsyncGenerator[tuple[int, Summarized], None]:
        """The summaries of tasks by the numbers of their parts, as they are done.

        Args:
            tasks: taken as they can be worked on.
            progress: called with the number of bytes that were read since the last call.

        Raises:
            StoreError: a blob cannot be read.
        """


class InProcess:
    """Summarizes in this process, one segment after the other.

    Args:
        store: has the blobs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._decoder = LineDecoder()

    async def summarized(
        self, tasks: Sequence[Task], progress: Callable[[int], object]
    ) -> AsyncGenerator[tuple[int, Summarized], None]:
        """See `Workers.summarized`."""
        for task in tasks:
            yield task.part, await summarize(self._store, task.segment, self._decoder, task.stored, progress)


class BySize:
    """Summarizes small stores in this process, and large ones in several.

    Args:
        small: for stores that are read before a process would have started.
        large: for the others.
    """

    def __init__(self, small: Workers, large: Workers) -> None:
        self._small = small
        self._large = large

    async def summarized(
        self, tasks: Sequence[Task], progress: Callable[[int], object]
    ) -> AsyncGenerator[tuple[int, Summarized], None]:
        """See `Workers.summarized`."""
        workers = self._small if sum(task.segment.size for task in tasks) < _LARGE_BYTES else self._large
        async with aclosing(workers.summarized(tasks, progress)) as found:
            async for one in found:
                yield one


class Processes:
    """Summarizes in processes, which start with the first task.

    Args:
        url: of the store, as `open_store` takes it.
        count: how many processes.
        access: how an account in Azure is opened.
    """

    def __init__(self, url: str, count: int, access: AccessConfig | None = None) -> None:
        self._url = url
        self._count = count
        self._access = access

    async def summarized(
        self, tasks: Sequence[Task], progress: Callable[[int], object]
    ) -> AsyncGenerator[tuple[int, Summarized], None]:
        """See `Workers.summarized`."""
        loop = asyncio.get_running_loop()
        pool = ProcessPoolExecutor(self._count, multiprocessing.get_context("spawn"), _start, (self._url, self._access))
        under_way: dict[asyncio.Future[bytes], Task] = {}
        waiting = iter(tasks)
        try:
            while True:
                while len(under_way) < _SEGMENTS_AHEAD * self._count and (task := next(waiting, None)) is not None:
                    under_way[loop.run_in_executor(pool, _summarize, task.segment, task.stored)] = task
                if not under_way:
                    return
                done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    task = under_way.pop(one)
                    progress(task.segment.size)
                    yield task.part, _received(one.result())
        except BrokenProcessPool:
            raise StoreError(
                f"expected {self._count} processes to read the store, got one that was ended: is memory short? "
                "Use fewer --workers"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def cores() -> int:
    """How many processes this one may use at the same time."""
    affinity = getattr(os, "sched_getaffinity", None)  # which Linux has
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _received(content: bytes) -> Summarized:
    found = hour_summary.decoded(content, None)
    if found is None:
        raise StoreError("expected the summary of a segment, got something else: run the audit again")
    return found


# --- In a process of its own ------------------------------------------------------------------------------------------


class _Worker(NamedTuple):
    store: Store
    loop: asyncio.AbstractEventLoop
    decoder: LineDecoder


_worker: list[_Worker] = []


def _start(url: str, access: AccessConfig | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends this one
    raise_recursion_limit()
    _worker.append(_Worker(open_store(url, access=access), asyncio.new_event_loop(), LineDecoder()))


def _summarize(segment: Segment, stored: NDArray[np.int64] | None) -> bytes:
    (one,) = _worker
    return hour_summary.encoded(one.loop.run_until_complete(summarize(one.store, segment, one.decoder, stored)))
