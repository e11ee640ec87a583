"""The OTLP logs service: a request is acknowledged when every one of its lines is durable, and not before.

What a request becomes is decided in `intake.py`; how lines become durable is the sink's business. This module joins the
two, bounds the bytes in flight, and keeps a promise to senders: no fault of ours is answered in a way that makes them
drop data.

A call that runs into its deadline, or whose sender went away, is answered or forgotten, but its append goes on: the
store may have the bytes already, and what is stored twice is recognized by its id when it is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from . import cloudevent, intake, otlp, quarantine, rolling, telemetry
from .exceptions import OverloadedError, ReceiverError, ShuttingDownError, StoreError, UndecodableError
from .quarantine import Rejected
from .sink import Line
from .status import refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import grpc

    from .config import ReceiverConfig
    from .event import Event
    from .sink import Sink

logger = logging.getLogger(__name__)

SERVICE_NAME: Final = "opentelemetry.proto.collector.logs.v1.LogsService"
_DRAIN_TURN_SECONDS: Final = 0.02
_RECEIVER: Final = {"receiver": "otel-modeldata", "transport": "grpc"}


class LogsService:
    """Takes encoded `ExportLogsServiceRequest`s and answers when they are durable.

    Args:
        sink: where lines go.
        config: rolling rate, bytes in flight and deadline are taken from it.
        instruments: metrics; those of the process's meter provider by default.
        on_store_error: told of every failure of the store.
        clock_ns: wall clock, ns since the epoch.
    """

    def __init__(
        self,
        sink: Sink,
        config: ReceiverConfig,
        *,
        instruments: telemetry.Instruments | None = None,
        on_store_error: Callable[[StoreError], None] | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._sink = sink
        self._config = config
        self._instruments = instruments or telemetry.instruments()
        self._on_store_error = on_store_error
        self._clock_ns = clock_ns
        self._log = telemetry.OnceAMinute(logger)
        self._in_flight_bytes = 0
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._stopping = False

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of requests admitted and not yet resolved, those of calls past their deadline included."""
        return self._in_flight_bytes

    async def export(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        """The gRPC method `Export`, on encoded messages: an undecodable one must not become INTERNAL."""
        try:
            return await self.accept(request)
        except Exception as error:  # the edge: whatever happens, the sender keeps its data
            refusal = refusal_of(error)
            self._report(error)
            await context.abort(refusal.code, refusal.message, refusal.trailers)
            raise  # not reached: abort raises

    async def accept(self, request: bytes) -> bytes:
        """Make `request` durable and return the encoded answer.

        Raises:
            ReceiverError: it is not durable; see `exceptions.py`.
            TimeoutError: it is not known to be durable in time.
        """
        self._admit(len(request))
        task = asyncio.create_task(self._store(request))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._resolved(done, len(request)))
        return await asyncio.wait_for(asyncio.shield(task), self._config.deadline_seconds)

    def stop(self) -> None:
        """Refuse calls from now on."""
        self._stopping = True

    async def drain(self) -> None:
        """Wait until every admitted request is resolved, whatever came of it; no line lingers meanwhile."""
        while self._tasks:
            await self._sink.drain()
            # A request that was still being read has handed its lines to the sink by the next turn.
            await asyncio.wait(self._tasks, timeout=_DRAIN_TURN_SECONDS)

    def _admit(self, size: int) -> None:
        if self._stopping:
            raise ShuttingDownError("the receiver is shutting down; send to another one or again in a moment")
        if self._in_flight_bytes + size > self._config.max_in_flight_bytes:
            raise OverloadedError(
                f"expected at most {self._config.max_in_flight_bytes} bytes in flight, got {size} more on top of "
                f"{self._in_flight_bytes}; send again in a moment"
            )
        self._in_flight_bytes += size
        self._instruments.in_flight.add(size)

    def _resolved(self, task: asyncio.Task[bytes], size: int) -> None:
        self._tasks.discard(task)
        self._in_flight_bytes -= size
        self._instruments.in_flight.add(-size)
        if not task.cancelled():
            task.exception()  # a call past its deadline has nobody else to look at it

    async def _store(self, request: bytes) -> bytes:
        arrival_ns = self._clock_ns()
        try:
            taken = intake.read(request, arrival_ns=arrival_ns, rolling_rate=self._config.rolling_rate)
        except UndecodableError as error:
            await self._keep_undecodable(request, error, arrival_ns)
            raise
        try:
            for event in taken.oversized:
                await self._put_rows(taken, event)
            await self._put_rejected(taken, arrival_ns)
            duplicates = await self._append(taken.lines)
        except StoreError as error:
            self._instruments.refused.add(taken.records, _RECEIVER)
            self._store_failed(error)
            raise
        self._instruments.accepted.add(taken.records - len(taken.rejected), _RECEIVER)
        if duplicates:
            self._instruments.duplicates.add(duplicates)
        if taken.rejected:
            self._report_rejected(taken.rejected)
        return otlp.response(len(taken.rejected), [rejected.reason for rejected in taken.rejected])

    async def _keep_undecodable(self, request: bytes, error: UndecodableError, arrival_ns: int) -> None:
        taken = intake.Intake(rejected=[Rejected(reason=str(error), request=request)])
        try:
            await self._put_rejected(taken, arrival_ns)
            await self._append(taken.lines)
        except StoreError as store_error:
            self._store_failed(store_error)
            raise
        self._report_rejected(taken.rejected)

    async def _put_rows(self, taken: intake.Intake, event: Event) -> None:
        """Store the rows of a line that is too long, then the line that points to them, in this order."""
        name = cloudevent.rows_object_name(event.line)
        url = await self._sink.put(f"{event.folder}/files/{name}", cloudevent.rows(event.line), "application/json")
        line = cloudevent.encode(cloudevent.at_reference(event.line, url), event.extensions)
        taken.add_line(event.folder, Line(event.line.id, line))

    async def _put_rejected(self, taken: intake.Intake, arrival_ns: int) -> None:
        folder = rolling.quarantine_folder(arrival_ns)
        stored: dict[bytes, str] = {}  # records of one request share their resource
        for rejected in taken.rejected:
            urls = {}
            for key, part in rejected.large_parts.items():
                if part not in stored:
                    name = f"{folder}/files/{quarantine.object_name(part)}"
                    stored[part] = await self._sink.put(name, part, quarantine.OTLP_CONTENT_TYPE)
                urls[key] = stored[part]
            line = quarantine.encode(rejected, arrival_ns=arrival_ns, urls=urls)
            taken.add_line(folder, Line(rejected.id, line))

    async def _append(self, lines: dict[str, list[Line]]) -> int:
        """Append to all folders at once and wait for all of them; the number of lines that were stored already.

        Raises:
            StoreError: of the first folder that failed, after every other is resolved.
        """
        outcomes = await asyncio.gather(
            *(self._append_folder(folder, group) for folder, group in lines.items()), return_exceptions=True
        )
        duplicates = 0
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            duplicates += outcome
        return duplicates

    async def _append_folder(self, folder: str, lines: list[Line]) -> int:
        started = time.perf_counter()
        appended = await self._sink.append(folder, lines)
        self._instruments.appends.add(1)
        self._instruments.append_duration.record(time.perf_counter() - started)
        return appended.duplicates

    def _store_failed(self, error: StoreError) -> None:
        if self._on_store_error is not None:
            self._on_store_error(error)

    def _report(self, error: Exception) -> None:
        kind = type(error).__name__
        self._instruments.refused_requests.add(1, {"error.type": kind})
        expected = isinstance(error, (ReceiverError, TimeoutError))
        message = "the store did not confirm in time" if isinstance(error, TimeoutError) else error
        self._log.note(kind, "requests are refused: %s: %s", kind, message, exc_info=None if expected else error)

    def _report_rejected(self, rejected: Iterable[Rejected]) -> None:
        kinds: dict[str, int] = {}
        for record in rejected:
            kinds[record.kind] = kinds.get(record.kind, 0) + 1
        for kind, count in kinds.items():
            self._instruments.quarantined.add(count, {"reason": kind})
            self._log.note(f"quarantine {kind}", "%d records went to %s: %s", count, rolling.QUARANTINE, kind)
