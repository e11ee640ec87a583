"""Sends the requests of a replay: so many at the same time, and keeps the answers in the journal.

A thread reads the store a little ahead of what is sent, so memory is bounded however large the store is. A request that
has an answer of status 2xx in the journal is left out, which makes a replay that was killed go on where it ended.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from ..exceptions import ReplayError, TargetUnavailableError
from .pacing import Pacing
from .sender import Sender, client_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .journal import Answer, Journal
    from .recorded_requests import RecordedRequest
    from .target import Target

__all__ = ["Pace", "Progress", "send_all"]

_CHUNK_BYTES: Final = 1 << 20
_CHUNK_REQUESTS: Final = 256
_AHEAD_BYTES: Final = 64 << 20
"""Bodies that wait or are being sent; a single one may be larger."""
_KEPT_SECONDS: Final = 0.25
_KEPT_ANSWERS: Final = 200
_KEPT_BYTES: Final = 4 << 20
_SILENT: Final = 10
"""After so many requests in a row without any answer the replay ends; after the first one, if none has ever come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast requests are sent.

    Attributes:
        concurrency: requests at the same time.
        rate: requests a second; None does not limit them.
        timeout: seconds until an answer must be complete.
        limit: send no more than the first so many requests of the window; None sends all.
    """

    concurrency: int = 4
    rate: float | None = None
    timeout: float = 60.0
    limit: int | None = None

    def __post_init__(self) -> None:
        """Raise ReplayError if it is no pace."""
        if self.concurrency < 1 or (self.rate is not None and not self.rate > 0) or not self.timeout > 0:
            raise ReplayError(
                f"expected a concurrency of at least 1, and a rate and a timeout above 0, got {self.concurrency}, "
                f"{self.rate} and {self.timeout}: correct them"
            )
        if self.limit is not None and self.limit < 1:
            raise ReplayError(f"expected a limit of at least 1 request, got {self.limit}: leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a replay is.

    Attributes:
        answered: requests with an answer of status 2xx, in this run.
        failed: others that were sent.
        earlier: requests that an earlier run has answered.
        seconds: since the beginning.
    """

    answered: int
    failed: int
    earlier: int
    seconds: float


async def send_all(  # noqa: PLR0913 (each is another part)
    requests: Iterator[RecordedRequest],
    target: Target,
    pace: Pace,
    journal: Journal,
    *,
    run: str,
    report: Callable[[Progress], object],
) -> Progress:
    """Send every request that has no answer in the journal.

    Args:
        requests: in the order in which they are sent; read in a thread.
        target: where to.
        pace: how fast.
        journal: takes the answers.
        run: the id of the replay.
        report: called a few times a second.

    Raises:
        TargetUnavailableError: no request is answered any more.
        ReaderError: the store cannot be read, or a header has no value any more.
    """
    async with client_session(pace.timeout, pace.concurrency) as session:
        sender = Sender(session, target, Pacing(pace.rate), run)
        sending = _Sending(sender, target.shown, journal, report, pace.concurrency)
        numbered = islice(enumerate(requests), pace.limit)
        work = [sending.feed(numbered), *(sending.answer() for _ in range(pace.concurrency))]
        tasks = [asyncio.create_task(one) for one in work]
        keeper = asyncio.create_task(sending.keep())
        try:
            await _all_of(tasks, keeper)
        finally:
            for task in (*tasks, keeper):
                task.cancel()
            await asyncio.gather(*tasks, keeper, return_exceptions=True)
            sending.flush()
    return sending.progress


async def _all_of(tasks: list[asyncio.Task[None]], beside: asyncio.Task[None]) -> None:
    """Return when all tasks have ended, or raise the first error of one, or of the task beside them."""
    waiting = {*tasks, beside}
    while waiting != {beside}:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


class _Sending:
    """The requests that wait, and the answers that are not in the journal yet."""

    def __init__(
        self,
        sender: Sender,
        shown: str,
        journal: Journal,
        report: Callable[[Progress], object],
        concurrency: int,
    ) -> None:
        self._sender = sender
        self._shown = shown
        self._journal = journal
        self._report = report
        self._concurrency = concurrency
        self._waiting: asyncio.Queue[tuple[int, RecordedRequest] | None] = asyncio.Queue(2 * concurrency)
        self._ahead = 0
        self._room = asyncio.Event()
        self._new: list[tuple[int, RecordedRequest, Answer]] = []
        self._new_bytes = 0
        self._began = time.monotonic()
        self._answered = self._failed = self._earlier = self._silent = 0

    @property
    def progress(self) -> Progress:
        """How far it is."""
        seconds = time.monotonic() - self._began
        return Progress(answered=self._answered, failed=self._failed, earlier=self._earlier, seconds=seconds)

    async def feed(self, requests: Iterator[tuple[int, RecordedRequest]]) -> None:
        """Let those requests wait that have no answer, then one end for each task that sends."""
        while chunk := await asyncio.to_thread(_chunk, requests):
            known = self._journal.answered([request.key for _, request in chunk])
            for number, request in chunk:
                if request.key in known:
                    self._earlier += 1
                    continue
                while self._ahead and self._ahead + len(request.body) > _AHEAD_BYTES:
                    self._room.clear()
                    await self._room.wait()
                self._ahead += len(request.body)
                await self._waiting.put((number, request))
        for _ in range(self._concurrency):
            await self._waiting.put(None)

    async def answer(self) -> None:
        """Send one request after the other, and take the answers."""
        while (waiting := await self._waiting.get()) is not None:
            number, request = waiting
            answer = await self._sender.send(request)
            self._ahead -= len(request.body)
            self._room.set()
            self._new.append((number, request, answer))
            self._new_bytes += len(answer.content)
            self._count(answer)
            if len(self._new) >= _KEPT_ANSWERS or self._new_bytes >= _KEPT_BYTES:
                self.flush()

    async def keep(self) -> None:
        """Write new answers into the journal a few times a second; without end."""
        while True:
            await asyncio.sleep(_KEPT_SECONDS)
            self.flush()
            self._report(self.progress)

    def flush(self) -> None:
        """Write new answers into the journal."""
        new, self._new, self._new_bytes = self._new, [], 0
        if new:
            self._journal.add(new)

    def _count(self, answer: Answer) -> None:
        if answer.is_usable:
            self._answered += 1
        else:
            self._failed += 1
        if answer.status is not None or not answer.attempts:
            self._silent = -_SILENT + 1
            return
        self._silent += 1
        if self._silent > 0:
            raise TargetUnavailableError(
                f"expected answers of {self._shown}, got {answer.error}: start it, or correct the URL"
            )


def _chunk(requests: Iterator[tuple[int, RecordedRequest]]) -> list[tuple[int, RecordedRequest]]:
    """The next requests: some, so that a thread is not asked for each."""
    found: list[tuple[int, RecordedRequest]] = []
    size = 0
    for one in requests:
        found.append(one)
        size += len(one[1].body)
        if len(found) >= _CHUNK_REQUESTS or size >= _CHUNK_BYTES:
            break
    return found
