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

from ..config.authorization import clients_of
from ..config.kept_spans import KeptSpans
from ..exceptions import InternalError, ReceiverError, ShuttingDownError, StoreError, UndecodableError
from ..layout import partition
from ..layout.destination import Destinations
from ..mapping import signal as signals
from ..mapping.quarantine import Rejected
from ..mapping.request import Mapped, decode
from ..mapping.request import steps as map_steps
from ..telemetry.receiver_metrics import RECEIVER
from . import compression
from .admission import Admission
from .commit import commit, quarantine
from .late_answers import LateAnswers, pass_on
from .line_time import event_time
from .read_slots import ReadSlots
from .tenant_rates import TenantRates
from .totals import Totals
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ..config.receiver import ReceiverConfig
    from ..mapping.request import Decoded
    from ..storage.line_sink import LineSink
    from ..telemetry import Instruments
    from .commit import Committed
    from .request_info import RequestInfo

__all__ = ["Pipeline"]

logger = logging.getLogger(__name__)

_NOT_READ: Final = "requests that are decompressed or converted"
"""The tenant of a request whose resource is not known yet."""
_SURPLUS_BYTES: Final = 4096
"""Lines that are this much larger than twice their request are counted as bytes in flight."""
_DRAIN_TURN_SECONDS: Final = 0.02
_WITHOUT_CONTENT: Final = (
    "calls of a language model in %s carry no prompts and answers: their spans %s; if they may be collected, set in "
    "the application, with OpenTelemetry's instrumentation, OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental "
    "and OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only"
)


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
        work_clock: seconds that mapping takes.

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
        work_clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._sink = sink
        self._config = config
        self._instruments = instruments
        self._on_store_error = on_store_error
        self._destinations = destinations or Destinations(config.rolling_rate)
        self._on_stored = on_stored
        self.spans = signals.spans(config.spans)
        self.clients = clients_of(config.tls)
        self.totals = Totals()
        self._clock_ns = clock_ns
        self._log = LogThrottle(logger)
        self._log_once = LogThrottle(logger, math.inf)
        self._read_slots = ReadSlots(config.max_message_bytes)
        self._admission = Admission(config.max_in_flight_bytes)
        self._rates = TenantRates(config.limits)
        self._turns = Turns(work_clock)
        self._late = LateAnswers()
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
                answer = None if convert else self._begin_small(message, info)
                if answer is None:
                    self._admission.admit(_NOT_READ, len(message))
            if answer is None:
                # Without the slot: what takes long must not keep others from being read.
                try:
                    answer = await self._begin_large(message, info, convert)
                finally:
                    self._admission.release(_NOT_READ, len(message))
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
        return await self._outcome(self._begin(decode(request, info.signal), info))

    def use(self, config: ReceiverConfig) -> None:
        """Apply who may send for which deployment, to the requests that arrive from now on."""
        self.clients = clients_of(config.tls)

    def stop(self) -> None:
        """Refuse calls from now on."""
        self._stopping = True

    async def drain(self) -> None:
        """Wait until every admitted request is resolved, with any result; lines do not linger meanwhile."""
        while tasks := set(self._tasks):
            await self._sink.drain()
            # A request that was still being mapped has passed its lines to the sink by the next turn.
            await asyncio.wait(tasks, timeout=_DRAIN_TURN_SECONDS)

    def _begin_small(self, message: bytes, info: RequestInfo) -> asyncio.Future[bytes] | None:
        """Begin to store the request that `message` contains; None where that takes a thread."""
        try:
            request = self._small(message, info)
        except UndecodableError as error:
            return self._begin_undecodable(message, info, error)
        return None if request is None else self._begin(decode(request, info.signal), info)

    def _small(self, message: bytes, info: RequestInfo) -> bytes | None:
        is_compressed = compression.is_compressed(message) if info.compressed is None else info.compressed
        return compression.decompress_small(message, self._config.max_message_bytes) if is_compressed else message

    async def _begin_large(
        self, message: bytes, info: RequestInfo, convert: Callable[[bytes], Awaitable[bytes]] | None
    ) -> asyncio.Future[bytes]:
        """Begin to store the request that `message` contains; a damaged one is kept as it arrived."""
        try:
            request = self._small(message, info)
            if request is None:
                request = await compression.decompress(message, self._config.max_message_bytes)
            if convert is not None:
                request = await convert(request)
        except UndecodableError as error:
            return self._begin_undecodable(message, info, error)
        return self._begin(decode(request, info.signal), info)

    def _begin_undecodable(self, message: bytes, info: RequestInfo, reason: UndecodableError) -> asyncio.Future[bytes]:
        return self._begin(decode(message, info.signal), info, reason)

    def _begin(
        self, decoded: Decoded, info: RequestInfo, reason: UndecodableError | None = None
    ) -> asyncio.Future[bytes]:
        """Admit a request and begin to store it; cancelling the returned future does not end the work.

        Args:
            decoded: the request.
            info: what the listener reports about it.
            reason: why it is kept as it is, in quarantine.
        """
        self._refuse_when_stopping()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        known = self._late.find(decoded, info) if reason is None else None
        if known is not None:
            known.add_done_callback(lambda done: pass_on(done, answer))
            answer.add_done_callback(lambda _, known=known: self._late.add(decoded, info, known))  # type: ignore[misc]
            return answer
        tenant, size = decoded.tenant, len(decoded.request)
        self._admission.admit(tenant, size)
        self._instruments.in_flight.add(size)
        work = (
            self._store(decoded, info) if reason is None else self._keep_undecodable(decoded, reason, self._clock_ns())
        )
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._resolved(done, answer, tenant, size))
        if reason is None:
            answer.add_done_callback(lambda _: self._late.add(decoded, info, task))
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
        pass_on(task, answer)

    async def _store(self, decoded: Decoded, info: RequestInfo) -> bytes:
        """Map and commit a request, piece by piece, count its records, and return the encoded answer."""
        arrival_ns = self._clock_ns()
        steps = map_steps(
            decoded,
            arrival_ns=arrival_ns,
            destinations=self._destinations,
            limits=self._config.limits,
            client=info.client,
            admit=self._rates.admit,
        )
        rejected = 0
        reasons: dict[str, None] = {}
        try:
            async for mapped in self._turns.pieces(steps):
                piece = self._rates.within_quarantine(mapped)
                committed = await self._store_piece(decoded, piece, info, arrival_ns)
                rejected += sum(one.records for one in committed.rejected) + sum(piece.refused.values())
                reasons.update(dict.fromkeys(one.reason for one in committed.rejected))
                reasons.update(dict.fromkeys(piece.refused))
        except UndecodableError as error:
            return await self._keep_undecodable(decoded, error, arrival_ns)
        self.totals.size += len(decoded.request)
        return decoded.signal.answer(rejected, [*reasons])

    async def _store_piece(self, decoded: Decoded, mapped: Mapped, info: RequestInfo, arrival_ns: int) -> Committed:
        """Commit a piece of a request and count its records."""
        received = self._instruments.received[decoded.signal.name]
        attributes = {"receiver": RECEIVER, "transport": info.transport}
        growth = max(0, mapped.line_bytes - 2 * len(decoded.request) - _SURPLUS_BYTES)
        try:
            async with self._admission.growth(decoded.tenant, growth):
                committed = await commit(self._sink, mapped, arrival_ns)
        except StoreError as error:
            received.refused.add(mapped.records, attributes)
            self._count_tenants(mapped, "refused")
            self._store_failed(error)
            raise
        kept, refused = sum(one.records for one in committed.rejected), sum(mapped.refused.values())
        received.accepted.add(mapped.records - kept - refused, attributes)
        self._count_tenants(mapped, "accepted")
        if mapped.lines and (time_ns := event_time(next(iter(mapped.lines.values()))[0].data)):
            self._instruments.delay.record(max(0.0, (self._clock_ns() - time_ns) / 1e9))
        if mapped.left_out:
            self._instruments.left_out.add(mapped.left_out)
        if mapped.calls_without_content:
            self._report_calls_without_content(mapped.calls_without_content, decoded.tenant)
        if committed.duplicates:
            self._instruments.duplicates.add(committed.duplicates)
        self._rates.stored(mapped.bytes_by_tenant)
        self._report_rejected(committed)
        self._report_dropped(mapped.refused)
        self._count(mapped, committed, kept + refused)
        if self._on_stored is not None:
            self._on_stored(mapped.folders)
        return committed

    def _count_tenants(self, mapped: Mapped, outcome: str) -> None:
        for tenant, records in mapped.records_by_tenant.items():
            self._instruments.tenant_records.add(records, tenant, outcome)

    def _count(self, mapped: Mapped, committed: Committed, rejected: int) -> None:
        totals = self.totals
        totals.stored += mapped.records - mapped.left_out - rejected - committed.duplicates
        totals.duplicates += committed.duplicates
        totals.add_folders(mapped.folders)

    async def _keep_undecodable(self, decoded: Decoded, error: UndecodableError, arrival_ns: int) -> bytes:
        """Make the bytes durable, then raise `error`."""
        rejected = Rejected(reason=str(error), request=decoded.request, tenant=decoded.tenant)
        kept = self._rates.within_quarantine(Mapped(rejected=(rejected,)))
        self._report_dropped(kept.refused)
        try:
            committed = await quarantine(self._sink, kept.rejected, arrival_ns)
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
        self.totals.quarantined += sum(one.records for one in committed.rejected)
        kinds: dict[str, int] = {}
        for one in committed.rejected:
            if one.records:
                kinds[one.kind] = kinds.get(one.kind, 0) + one.records
        for kind, count in kinds.items():
            self._instruments.quarantined.add(count, {"reason": kind})
            message = "%d records went to %s: %s"
            self._log.log(logging.WARNING, ("quarantine", kind), message, count, partition.QUARANTINE, kind)

    def _report_dropped(self, refused: Mapping[str, int]) -> None:
        """Count and log the records that are neither stored nor kept, by reason."""
        for reason, count in refused.items():
            kind = reason.partition(":")[0]
            self.totals.dropped += count
            self._instruments.dropped.add(count, {"reason": kind})
            self._log.log(logging.WARNING, ("dropped", kind), "%d records were answered as rejected: %s", count, reason)


def _expire(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
