"""The OTLP services of logs and traces: a request is acknowledged when every line of it is durable, and not before.

What a request becomes is decided in `mapping/request.py`; how that becomes durable, in `commit.py`. This module joins
the two and keeps a promise to senders: no fault of ours is answered in a way that makes them drop data. What may come
in at all is decided in `read_slots.py` (before a request is read) and in `admission.py` (before it is worked on).

A call that runs into its deadline, or whose sender went away, is answered or forgotten, but its append goes on: the
store may have the bytes already, and what is stored twice is recognized by its id when it is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .. import telemetry
from ..config.authorization import Client, Clients
from ..exceptions import ReceiverError, ShuttingDownError, StoreError, UndecodableError
from ..layout import partition
from ..layout.destination import Destinations
from ..mapping import signal as signals
from ..mapping.quarantine import Rejected
from ..mapping.request import Decoded, Mapped, decode, map_records
from ..mapping.signal import LOGS, Signal
from . import compression
from .admission import Admission
from .commit import Committed, commit
from .read_slots import Arrivals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from ..config.receiver import ReceiverConfig
    from ..storage.sink import Sink

logger = logging.getLogger(__name__)

_DRAIN_TURN_SECONDS: Final = 0.02
_RECEIVER: Final = {"receiver": "otel-modeldata", "transport": "grpc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a message is, where it is not log records by gRPC from somebody who may send everything.

    Attributes:
        signal: whether it has log records or spans.
        compressed: whether it is gzip or zlib data; None: its first bytes tell.
        client: who sends it, unless it may send for every deployment.
        request_of: makes an encoded `ExportLogsServiceRequest` of it, or raises UndecodableError.
    """

    signal: Signal = LOGS
    compressed: bool | None = None
    client: Client | None = None
    request_of: Callable[[bytes], Awaitable[bytes]] | None = None


class LogsService:
    """Takes encoded export requests and answers when they are durable.

    Args:
        sink: where lines go.
        config: rolling rate, limits of size and deadline are taken from it.
        instruments: metrics; those of the process's meter provider by default.
        on_store_error: told of every failure of the store.
        destinations: where the lines of each collection go; by default the standard layout.
        on_stored: told the folders of lines that became durable.
        clock_ns: wall clock, ns since the epoch.
    """

    def __init__(  # noqa: PLR0913 (what it tells others is all optional)
        self,
        sink: Sink,
        config: ReceiverConfig,
        *,
        instruments: telemetry.Instruments | None = None,
        on_store_error: Callable[[StoreError], None] | None = None,
        destinations: Destinations | None = None,
        on_stored: Callable[[Iterable[str]], None] | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._sink = sink
        self._config = config
        self._instruments = instruments or telemetry.instruments()
        self._on_store_error = on_store_error
        self._destinations = destinations or Destinations(config.rolling_rate)
        self._on_stored = on_stored
        self.spans = signals.spans(config.spans)
        granted = config.tls.clients if config.tls else None
        self.clients = None if granted is None else Clients(granted)
        self._clock_ns = clock_ns
        self._log = telemetry.OnceAMinute(logger)
        self._arrivals = Arrivals(config.max_message_bytes)
        self._admission = Admission(config.max_in_flight_bytes)
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._stopping = False

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of requests admitted and not yet resolved, those of calls past their deadline included."""
        return self._admission.in_flight_bytes

    async def take(self, read: Callable[[], Awaitable[object]], form: Form | None = None) -> bytes:
        """Read a message, make durable what it says, and return the encoded answer.

        Args:
            read: reads the message, however long it takes: `read_slots.py` ends it; anything but bytes is no message.
            form: what the message is, unless it is a request as gRPC delivers it.

        Raises:
            ReceiverError: it is not durable; see `exceptions.py`.
            TimeoutError: it is not known to be durable in time.
        """
        form = form or Form()
        try:
            self._refuse_when_stopping()
            if form.client is not None:
                form.client.check_known()
            async with self._arrivals.message(read) as message:
                answer = await self._begin_unpacked(message, form)
            return await self._outcome(answer)
        except Exception as error:  # told and raised again: how it is answered depends on the way it came
            self._report(error)
            raise

    async def accept(self, request: bytes, signal: Signal = LOGS) -> bytes:
        """Make `request`, of log records or of spans, durable and return the encoded answer.

        Raises:
            ReceiverError: it is not durable; see `exceptions.py`.
            TimeoutError: it is not known to be durable in time.
        """
        return await self._outcome(self._begin(decode(request, signal), self._store))

    def stop(self) -> None:
        """Refuse calls from now on."""
        self._stopping = True

    async def drain(self) -> None:
        """Wait until every admitted request is resolved, whatever came of it; no line lingers meanwhile."""
        while tasks := set(self._tasks):
            await self._sink.drain()
            # A request that was still being read has handed its lines to the sink by the next turn.
            await asyncio.wait(tasks, timeout=_DRAIN_TURN_SECONDS)

    async def _begin_unpacked(self, message: bytes, form: Form) -> asyncio.Future[bytes]:
        """Begin to store the request that `message` is; a damaged one is kept as it came."""
        compressed = compression.is_compressed(message) if form.compressed is None else form.compressed
        try:
            request = await compression.unpacked(message, self._config.max_message_bytes) if compressed else message
            if form.request_of is not None:
                request = await form.request_of(request)
        except UndecodableError as error:
            reason = error
            return self._begin(
                decode(message, form.signal),
                lambda decoded: self._keep_undecodable(decoded.request, reason, self._clock_ns()),
            )
        return self._begin(decode(request, form.signal), lambda decoded: self._store(decoded, form.client))

    def _begin(
        self, decoded: Decoded, work: Callable[[Decoded], Coroutine[object, object, bytes]]
    ) -> asyncio.Future[bytes]:
        """Admit a request and start `work` on it; the answer is a future of its own: giving it up ends no work."""
        self._refuse_when_stopping()
        tenant, size = decoded.tenant, len(decoded.request)
        self._admission.admit(tenant, size)
        self._instruments.in_flight.add(size)
        answer = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(work(decoded))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._resolved(done, answer, tenant, size))
        return answer

    async def _outcome(self, answer: asyncio.Future[bytes]) -> bytes:
        """The answer, or `TimeoutError` where it does not come in time."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._config.deadline_seconds, _expire, answer)
        try:
            return await answer
        finally:
            timer.cancel()

    def _refuse_when_stopping(self) -> None:
        if self._stopping:
            raise ShuttingDownError("the receiver is shutting down; send to another one or again in a moment")

    def _resolved(self, task: asyncio.Task[bytes], answer: asyncio.Future[bytes], tenant: str, size: int) -> None:
        self._tasks.discard(task)
        self._admission.release(tenant, size)
        self._instruments.in_flight.add(-size)
        if task.cancelled():
            answer.cancel()
        elif (error := task.exception()) is not None:
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # seen, even if the call is being given up at this moment
        elif not answer.done():
            answer.set_result(task.result())

    async def _store(self, decoded: Decoded, client: Client | None = None) -> bytes:
        arrival_ns = self._clock_ns()
        try:
            mapped = map_records(decoded, arrival_ns=arrival_ns, destinations=self._destinations, client=client)
        except UndecodableError as error:
            return await self._keep_undecodable(decoded.request, error, arrival_ns)
        signal = decoded.signal
        try:
            committed = await commit(self._sink, mapped, arrival_ns)
        except StoreError as error:
            self._instruments.refused_of(signal.name).add(mapped.records, _RECEIVER)
            self._store_failed(error)
            raise
        rejected = committed.rejected
        self._instruments.accepted_of(signal.name).add(mapped.records - len(rejected), _RECEIVER)
        if mapped.left_out:
            self._instruments.left_out.add(mapped.left_out)
        if committed.duplicates:
            self._instruments.duplicates.add(committed.duplicates)
        if rejected:
            self._report_rejected(committed)
        if self._on_stored is not None:
            self._on_stored(mapped.folders)
        return signal.answer(len(rejected), [one.reason for one in rejected])

    async def _keep_undecodable(self, request: bytes, error: UndecodableError, arrival_ns: int) -> bytes:
        """Make the bytes durable, then raise `error`."""
        undecodable = Mapped(rejected=(Rejected(reason=str(error), request=request),))
        try:
            committed = await commit(self._sink, undecodable, arrival_ns)
        except StoreError as store_error:
            self._store_failed(store_error)
            raise
        self._report_rejected(committed)
        raise error

    def _store_failed(self, error: StoreError) -> None:
        self._sink.forget_objects()
        if self._on_store_error is not None:
            self._on_store_error(error)

    def _report(self, error: Exception) -> None:
        kind = type(error).__name__
        self._instruments.refused_requests.add(1, {"error.type": kind})
        expected = isinstance(error, (ReceiverError, TimeoutError))
        message = "the store did not confirm in time" if isinstance(error, TimeoutError) else error
        self._log.note(kind, "requests are refused: %s: %s", kind, message, exc_info=None if expected else error)

    def _report_rejected(self, committed: Committed) -> None:
        for defect in committed.defects:
            kind = type(defect).__name__
            self._log.note(
                f"defect {kind}", "a defect of ours keeps records from their lines: %s", kind, exc_info=defect
            )
        kinds: dict[str, int] = {}
        for record in committed.rejected:
            kinds[record.kind] = kinds.get(record.kind, 0) + 1
        for kind, count in kinds.items():
            self._instruments.quarantined.add(count, {"reason": kind})
            self._log.note(f"quarantine {kind}", "%d records went to %s: %s", count, partition.QUARANTINE, kind)


def _expire(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
