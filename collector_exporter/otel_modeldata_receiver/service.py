"""The OTLP logs service: a request is acknowledged when every one of its lines is durable, and not before.

What a request becomes is decided in `intake.py`; how lines become durable is the sink's business. This module joins the
two and keeps a promise to senders: no fault of ours is answered in a way that makes them drop data. What may come in
at all is decided in `arrivals.py` (before a request is read) and in `admission.py` (before it is worked on).

A call that runs into its deadline, or whose sender went away, is answered or forgotten, but its append goes on: the
store may have the bytes already, and what is stored twice is recognized by its id when it is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from . import cloudevent, compression, intake, otlp, quarantine, rolling, telemetry
from .admission import Admission
from .arrivals import Arrivals
from .exceptions import ReceiverError, ShuttingDownError, StoreError, UndecodableError
from .quarantine import Rejected
from .sink import Line
from .status import refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import grpc

    from .config import ReceiverConfig
    from .sink import Sink

logger = logging.getLogger(__name__)

SERVICE_NAME: Final = "opentelemetry.proto.collector.logs.v1.LogsService"
_DRAIN_TURN_SECONDS: Final = 0.02
_RECEIVER: Final = {"receiver": "otel-modeldata", "transport": "grpc"}


class LogsService:
    """Takes encoded `ExportLogsServiceRequest`s and answers when they are durable.

    Args:
        sink: where lines go.
        config: rolling rate, limits of size and deadline are taken from it.
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
        self._arrivals = Arrivals(config.max_message_bytes)
        self._admission = Admission(config.max_in_flight_bytes)
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._stopping = False

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of requests admitted and not yet resolved, those of calls past their deadline included."""
        return self._admission.in_flight_bytes

    async def export(self, requests: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:  # noqa: ARG002
        """The gRPC method `Export`, on an encoded message that is read here: see `server.py` for both."""
        try:
            self._refuse_when_stopping()
            async with self._arrivals.message(context.read) as message:
                task = await self._begin_unpacked(message)
            return await self._outcome(task)
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
        return await self._outcome(self._begin(request, self._store))

    def stop(self) -> None:
        """Refuse calls from now on."""
        self._stopping = True

    async def drain(self) -> None:
        """Wait until every admitted request is resolved, whatever came of it; no line lingers meanwhile."""
        while self._tasks:
            await self._sink.drain()
            # A request that was still being read has handed its lines to the sink by the next turn.
            await asyncio.wait(self._tasks, timeout=_DRAIN_TURN_SECONDS)

    async def _begin_unpacked(self, message: bytes) -> asyncio.Task[bytes]:
        """Begin to store `message`, or what it unpacks to; a damaged one is kept as it came."""
        if not compression.is_compressed(message):
            return self._begin(message, self._store)
        try:
            request = await compression.unpacked(message, self._config.max_message_bytes)
        except UndecodableError as error:
            reason = error
            return self._begin(message, lambda raw: self._keep_undecodable(raw, reason, self._clock_ns()))
        return self._begin(request, self._store)

    def _begin(self, request: bytes, work: Callable[[bytes], Coroutine[object, object, bytes]]) -> asyncio.Task[bytes]:
        """Admit `request` and start `work` on it, which goes on whatever becomes of the call."""
        self._refuse_when_stopping()
        tenant, size = intake.tenant_of(request), len(request)
        self._admission.admit(tenant, size)
        self._instruments.in_flight.add(size)
        task = asyncio.create_task(work(request))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._resolved(done, tenant, size))
        return task

    async def _outcome(self, task: asyncio.Task[bytes]) -> bytes:
        return await asyncio.wait_for(asyncio.shield(task), self._config.deadline_seconds)

    def _refuse_when_stopping(self) -> None:
        if self._stopping:
            raise ShuttingDownError("the receiver is shutting down; send to another one or again in a moment")

    def _resolved(self, task: asyncio.Task[bytes], tenant: str, size: int) -> None:
        self._tasks.discard(task)
        self._admission.release(tenant, size)
        self._instruments.in_flight.add(-size)
        if not task.cancelled():
            task.exception()  # a call past its deadline has nobody else to look at it

    async def _store(self, request: bytes) -> bytes:
        arrival_ns = self._clock_ns()
        try:
            taken = intake.read(request, arrival_ns=arrival_ns, rolling_rate=self._config.rolling_rate)
        except UndecodableError as error:
            return await self._keep_undecodable(request, error, arrival_ns)
        try:
            for oversized in taken.oversized:
                await self._put_rows(taken, oversized)
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
            self._report_rejected(taken)
        return otlp.response(len(taken.rejected), [rejected.reason for rejected in taken.rejected])

    async def _keep_undecodable(self, request: bytes, error: UndecodableError, arrival_ns: int) -> bytes:
        """Make the bytes durable, then raise `error`."""
        taken = intake.Intake(rejected=[Rejected(reason=str(error), request=request)])
        try:
            await self._put_rejected(taken, arrival_ns)
            await self._append(taken.lines)
        except StoreError as store_error:
            self._store_failed(store_error)
            raise
        self._report_rejected(taken)
        raise error

    async def _put_rows(self, taken: intake.Intake, oversized: intake.Oversized) -> None:
        """Store the rows of a line that is too long, then the line that points to them, in this order."""
        event = oversized.event
        name = cloudevent.rows_object_name(event.line)
        try:
            url = await self._sink.put(f"{event.folder}/files/{name}", cloudevent.rows(event.line), "application/json")
        except ValueError as error:  # other content has this record's place: as a defect, it costs this record only
            taken.reject_defect((oversized.record,), error, resource=oversized.resource, endpoint=oversized.endpoint)
            return
        line = cloudevent.encode(cloudevent.at_reference(event.line, url), event.extensions)
        taken.add_line(event.folder, Line(event.line.id, line))

    async def _put_rejected(self, taken: intake.Intake, arrival_ns: int) -> None:
        stored: dict[bytes, str] = {}  # records of one request share their resource
        for rejected in taken.rejected:
            folder = rolling.quarantine_folder(rejected.time_ns or arrival_ns)
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
            *(self._sink.append(folder, group) for folder, group in lines.items()), return_exceptions=True
        )
        duplicates = 0
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            duplicates += outcome.duplicates
        return duplicates

    def _store_failed(self, error: StoreError) -> None:
        if self._on_store_error is not None:
            self._on_store_error(error)

    def _report(self, error: Exception) -> None:
        kind = type(error).__name__
        self._instruments.refused_requests.add(1, {"error.type": kind})
        expected = isinstance(error, (ReceiverError, TimeoutError))
        message = "the store did not confirm in time" if isinstance(error, TimeoutError) else error
        self._log.note(kind, "requests are refused: %s: %s", kind, message, exc_info=None if expected else error)

    def _report_rejected(self, taken: intake.Intake) -> None:
        for defect in taken.defects:
            kind = type(defect).__name__
            self._log.note(
                f"defect {kind}", "a defect of ours keeps records from their lines: %s", kind, exc_info=defect
            )
        kinds: dict[str, int] = {}
        for record in taken.rejected:
            kinds[record.kind] = kinds.get(record.kind, 0) + 1
        for kind, count in kinds.items():
            self._instruments.quarantined.add(count, {"reason": kind})
            self._log.note(f"quarantine {kind}", "%d records went to %s: %s", count, rolling.QUARANTINE, kind)
