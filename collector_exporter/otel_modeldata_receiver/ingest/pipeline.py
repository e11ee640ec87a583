"""The path of a request: read, admit, map, commit, answer. It is acknowledged when every line of it is durable.

`mapping/request.py` maps a request, `commit.py` makes the result durable. `read_slots.py` limits requests before they
are read, `admission.py` before they are mapped. This module takes bytes and a `RequestInfo` and returns encoded
answers; it depends on no protocol. No internal error is answered in a way that makes senders drop data.

A call that reaches its deadline, or whose sender went away, is answered or dropped, but its append goes on: the store
may have the bytes already, and records that are sent again are recognized by their ids.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv
from otel_modeldata.log_throttle import LogThrottle

from ..config.authorization import Clients
from ..config.kept_spans import KeptSpans
from ..exceptions import InternalError, ReceiverError, ShuttingDownError, StoreError, UndecodableError
from ..layout import partition
from ..layout.destination import Destinations
from ..mapping import signal as signals
from ..mapping.quarantine import Rejected
from ..mapping.request import decode, map_records
from ..telemetry import tenant_attributes
from ..telemetry.receiver_metrics import RECEIVER
from . import compression
from .admission import Admission
from .commit import commit, quarantine
from .read_slots import ReadSlots
from .totals import Totals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from ..config.receiver import ReceiverConfig
    from ..mapping.request import Decoded, Mapped
    from ..storage.line_sink import LineSink
    from ..telemetry import Instruments
    from .commit import Committed
    from .request_info import RequestInfo

__all__ = ["Pipeline"]

logger = logging.getLogger(__name__)

_DRAIN_TURN_SECONDS: Final = 0.02
_WITHOUT_CONTENT: Final = (
    "calls of a language model in %s carry no prompts and answers: their spans %s; if they may be collected, set in "
    "the application, with OpenTelemetry's instrumentation, OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental "
    "and OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only"
)
_TIME_KEY: Final = b'"timens":"'


class Pipeline:
    """Takes encoded export requests and answers when they are durable.

    Args:
        sink: where lines are stored.
        config: partition size, limits of size and deadline.
        instruments: metrics.
        on_store_error: called for every failure of the store.
        destinations: where the lines of each collection are stored; by default the standard layout.
        on_stored: called with the folders of lines that became durable.
        clock_ns: wall clock, ns since the epoch.

    Attributes:
        totals: counts since the start.
    """

    def __init__(  # noqa: PLR0913 (the callbacks are optional)
        self,
        sink: LineSink,
        config: ReceiverConfig,
        instruments: Instruments,
        *,
        on_store_error: Callable[[StoreError], None] | None = None,
        destinations: Destinations | None = None,
        on_stored: Callable[[Sequence[str]], None] | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._sink = sink
        self._config = config
        self._instruments = instruments
        self._on_store_error = on_store_error
        self._destinations = destinations or Destinations(config.rolling_rate)
        self._on_stored = on_stored
        self.spans = signals.spans(config.spans)
        self.clients = _clients(config)
        self.totals = Totals()
        self._clock_ns = clock_ns
        self._log = LogThrottle(logger)
        self._log_once = LogThrottle(logger, math.inf)
        self._read_slots = ReadSlots(config.max_message_bytes)
        self._admission = Admission(config.max_in_flight_bytes)
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._stopping = False

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of requests admitted and not yet resolved, including calls past their deadline."""
        return self._admission.in_flight_bytes

    async def receive(
        self,
        read: Callable[[], Awaitable[object]],
        info: RequestInfo,
        convert: Callable[[bytes], Awaitable[bytes]] | None = None,
    ) -> bytes:
        """Read a message, make its records durable, and return the encoded answer.

        Args:
            read: reads the message; `read_slots.py` bounds its time. Anything but bytes is no message.
            info: what the listener reports about the message.
            convert: turns the decompressed message into an encoded OTLP request, or raises UndecodableError.

        Raises:
            ReceiverError: it is not durable; see `exceptions.py`.
            TimeoutError: it is not known to be durable in time.
        """
        try:
            self._refuse_when_stopping()
            if info.client is not None:
                info.client.check_known()
            async with self._read_slots.message(read) as message:
                answer = await self._begin_decompressed(message, info, convert)
            return await self._outcome(answer)
        except (ReceiverError, TimeoutError) as error:
            self._report_refused(error, info)
            raise
        except Exception as error:  # error boundary: the sender keeps its data
            self._report_refused(error, info)
            raise InternalError(
                f"unexpected {type(error).__name__} in the receiver, see its log; send again"
            ) from error

    async def accept(self, request: bytes, info: RequestInfo) -> bytes:
        """Make an encoded OTLP request durable and return the encoded answer.

        Raises:
            ReceiverError: it is not durable; see `exceptions.py`.
            TimeoutError: it is not known to be durable in time.
        """
        return await self._outcome(
            self._begin(decode(request, info.signal), lambda decoded: self._store(decoded, info))
        )

    def use(self, config: ReceiverConfig) -> None:
        """Apply who may send for which deployment, to the requests that arrive from now on."""
        self.clients = _clients(config)

    def stop(self) -> None:
        """Refuse calls from now on."""
        self._stopping = True

    async def drain(self) -> None:
        """Wait until every admitted request is resolved, with any result; lines do not linger meanwhile."""
        while tasks := set(self._tasks):
            await self._sink.drain()
            # A request that was still being mapped has passed its lines to the sink by the next turn.
            await asyncio.wait(tasks, timeout=_DRAIN_TURN_SECONDS)

    async def _begin_decompressed(
        self, message: bytes, info: RequestInfo, convert: Callable[[bytes], Awaitable[bytes]] | None
    ) -> asyncio.Future[bytes]:
        """Begin to store the request that `message` contains; a damaged one is kept as it arrived."""
        compressed = compression.is_compressed(message) if info.compressed is None else info.compressed
        try:
            request = await compression.decompress(message, self._config.max_message_bytes) if compressed else message
            if convert is not None:
                request = await convert(request)
        except UndecodableError as error:
            reason = error
            return self._begin(
                decode(message, info.signal),
                lambda decoded: self._keep_undecodable(decoded.request, reason, self._clock_ns()),
            )
        return self._begin(decode(request, info.signal), lambda decoded: self._store(decoded, info))

    def _begin(
        self, decoded: Decoded, work: Callable[[Decoded], Coroutine[object, object, bytes]]
    ) -> asyncio.Future[bytes]:
        """Admit a request and start `work` on it; cancelling the returned future does not end the work."""
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
        """The answer, or `TimeoutError` when it is not ready in time."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._config.deadline_seconds, _expire, answer)
        try:
            return await answer
        finally:
            timer.cancel()

    def _refuse_when_stopping(self) -> None:
        if self._stopping:
            raise ShuttingDownError("the receiver is shutting down; send to another receiver, or again in a moment")

    def _resolved(self, task: asyncio.Task[bytes], answer: asyncio.Future[bytes], tenant: str, size: int) -> None:
        self._tasks.discard(task)
        self._admission.release(tenant, size)
        self._instruments.in_flight.add(-size)
        if task.cancelled():
            answer.cancel()
        elif (error := task.exception()) is not None:
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # marks it as retrieved, even if the call is given up at this moment
        elif not answer.done():
            answer.set_result(task.result())

    async def _store(self, decoded: Decoded, info: RequestInfo) -> bytes:
        """Map and commit a request, count its records, and return the encoded answer."""
        signal, arrival_ns = decoded.signal, self._clock_ns()
        try:
            mapped = map_records(decoded, arrival_ns=arrival_ns, destinations=self._destinations, client=info.client)
        except UndecodableError as error:
            return await self._keep_undecodable(decoded.request, error, arrival_ns)
        received = self._instruments.received[signal.name]
        attributes = {"receiver": RECEIVER, "transport": info.transport}
        try:
            committed = await commit(self._sink, mapped, arrival_ns)
        except StoreError as error:
            received.refused.add(mapped.records, attributes)
            self._count_tenants(mapped, "refused")
            self._store_failed(error)
            raise
        received.accepted.add(mapped.records - len(committed.rejected), attributes)
        self._count_tenants(mapped, "accepted")
        if mapped.lines and (time_ns := _time_of(next(iter(mapped.lines.values()))[0].data)):
            self._instruments.delay.record(max(0.0, (self._clock_ns() - time_ns) / 1e9))
        if mapped.left_out:
            self._instruments.left_out.add(mapped.left_out)
        if mapped.calls_without_content:
            self._report_calls_without_content(mapped.calls_without_content, decoded.tenant)
        if committed.duplicates:
            self._instruments.duplicates.add(committed.duplicates)
        self._report_rejected(committed)
        self._count(decoded, mapped, committed)
        if self._on_stored is not None:
            self._on_stored(mapped.folders)
        return signal.answer(len(committed.rejected), [rejected.reason for rejected in committed.rejected])

    def _count_tenants(self, mapped: Mapped, outcome: str) -> None:
        for tenant, records in mapped.records_by_tenant.items():
            self._instruments.tenant_records.add(records, {**tenant_attributes(tenant), "outcome": outcome})

    def _count(self, decoded: Decoded, mapped: Mapped, committed: Committed) -> None:
        totals = self.totals
        totals.stored += mapped.records - mapped.left_out - len(committed.rejected) - committed.duplicates
        totals.duplicates += committed.duplicates
        totals.size += len(decoded.request)
        totals.add_folders(mapped.folders)

    async def _keep_undecodable(self, request: bytes, error: UndecodableError, arrival_ns: int) -> bytes:
        """Make the bytes durable, then raise `error`."""
        rejected = Rejected(reason=str(error), request=request)
        try:
            committed = await quarantine(self._sink, (rejected,), arrival_ns)
        except StoreError as store_error:
            self._store_failed(store_error)
            raise
        self._report_rejected(committed)
        raise error

    def _store_failed(self, error: StoreError) -> None:
        self._sink.forget_objects()
        if self._on_store_error is not None:
            self._on_store_error(error)

    def _report_refused(self, error: Exception, info: RequestInfo) -> None:
        """Count a refused request, and log its kind; `on_store_error` reports what the store refuses."""
        kind = type(error).__name__
        self.totals.refused += 1
        self._instruments.refused_requests.add(1, {"error.type": kind, "transport": info.transport})
        if isinstance(error, StoreError):
            return
        expected = isinstance(error, (ReceiverError, TimeoutError))
        message = "the store did not confirm in time" if isinstance(error, TimeoutError) else error
        exc_info = None if expected else error
        self._log.log(logging.WARNING, kind, "requests are refused: %s: %s", kind, message, exc_info=exc_info)

    def _report_calls_without_content(self, calls: int, tenant: str) -> None:
        """Count calls of a language model that no monitor can grade, and say once for a deployment what to set."""
        self._instruments.without_content.add(calls)
        outcome = "are not stored" if self._config.spans is KeptSpans.CONTENT else f"are in {semconv.SPAN_COLLECTION}"
        self._log_once.log(logging.WARNING, tenant, _WITHOUT_CONTENT, tenant, outcome)

    def _report_rejected(self, committed: Committed) -> None:
        """Count and log the records that are in quarantine, by kind."""
        for defect in committed.defects:
            kind = type(defect).__name__
            message = "internal error (a bug), records are in quarantine: %s"
            self._log.log(logging.WARNING, ("defect", kind), message, kind, exc_info=defect)
        self.totals.quarantined += len(committed.rejected)
        kinds: dict[str, int] = {}
        for record in committed.rejected:
            kinds[record.kind] = kinds.get(record.kind, 0) + 1
        for kind, count in kinds.items():
            self._instruments.quarantined.add(count, {"reason": kind})
            message = "%d records went to %s: %s"
            self._log.log(logging.WARNING, ("quarantine", kind), message, count, partition.QUARANTINE, kind)


def _expire(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())


def _clients(config: ReceiverConfig) -> Clients | None:
    """Who may send for which deployment; None where everybody may send for all."""
    granted = config.tls.clients if config.tls else None
    return None if granted is None else Clients(granted)


def _time_of(line: bytes) -> int:
    """The time of the event in a line, ns since the epoch; 0 where the line has none. Its keys follow its rows."""
    start = line.rfind(_TIME_KEY) + len(_TIME_KEY)
    digits = line[start : line.find(b'"', start)]
    return int(digits) if digits.isdigit() else 0
