"""The path of a request: read, admit, map, commit, answer. It is acknowledged when every line of it is durable.

`mapping/request.py` maps a request, `commit.py` makes the result durable. `read_slots.py` limits requests before they
are read, `admission.py` before they are mapped. This module takes bytes and a `RequestInfo` and returns encoded
answers; it depends on no protocol. No internal error is answered in a way that makes senders drop data.

A call that reaches its deadline, or whose sender went away, is answered or dropped, but its append goes on: the store
may have the bytes already, and records that are sent again are recognized by their ids.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from ..config.authorization import clients_of
from ..exceptions import InternalError, ReceiverError, ShuttingDownError, StoreError, UndecodableError
from ..layout.destination import Destinations
from ..mapping import signal as signals
from ..mapping.quarantine import Rejected
from ..mapping.request import Decoded, Mapped, decode
from ..mapping.request import steps as map_steps
from . import compression
from .admission import Admission
from .bursts import Bursts
from .commit import commit, quarantine
from .deadline import Deadline
from .joined_requests import JoinedRequests, joined_piece
from .late_answers import LateAnswers, arrived_request, pass_on
from .mapping_process.job import job_of
from .pieces_stored import PiecesStored
from .read_slots import ReadSlots
from .reports import Reports
from .tenant_rates import AdmittedOnce, TenantRates
from .totals import Totals
from .turns import TakesLongError, Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ..config.receiver import ReceiverConfig
    from ..storage.line_sink import LineSink
    from ..telemetry import Instruments
    from .commit import Committed
    from .late_answers import Known
    from .mapping_process.process import MappingProcess, OpenedRequest
    from .request_info import RequestInfo

    _Request: TypeAlias = Decoded | OpenedRequest

__all__ = ["Pipeline"]

_NOT_READ: Final = "requests that are decompressed or converted"
"""The tenant of a request whose resource is not known yet."""
_SMALL_BYTES: Final = 4 * 1024 * 1024
"""A larger message is mapped in the mapping process; so is a compressed one that takes more than one step."""
_CONVERTED_BYTES: Final = 16 * 1024
"""A larger message that needs a conversion is converted there."""
_SURPLUS_BYTES: Final = 4096
"""Lines that are this much larger than twice their request are counted as bytes in flight."""
_DRAIN_TURN_SECONDS: Final = 0.02


class Pipeline:
    """Takes encoded export requests and answers when they are durable.

    Args:
        sink: where lines are stored.
        config: partition size, limits of size and deadline.
        instruments: metrics.
        on_store_error: called for every failure of the store.
        destinations: where the lines of each collection are stored; by default the standard layout.
        on_stored: called with the folders of lines that became durable.
        process: maps requests that take long; without one they are mapped here.
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
        process: MappingProcess | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        work_clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._sink = sink
        self._config = config
        self._commit = partial(commit, sink, lingers=config.linger_seconds > 0)
        self._instruments = instruments
        self._on_store_error = on_store_error
        self._destinations = destinations or Destinations(config.rolling_rate)
        self._on_stored = on_stored
        self.spans = signals.spans(config.spans)
        self.clients = clients_of(config.tls)
        self.totals = Totals()
        self._reports = Reports(instruments, self.totals, config.spans)
        self._clock_ns = clock_ns
        self._read_slots = ReadSlots(config.max_message_bytes)
        self._admission = Admission(config.max_in_flight_bytes)
        self._rates = TenantRates(config.limits)
        self._turns = Turns(work_clock)
        self._process = process
        self._late = LateAnswers()
        self._bursts = Bursts(JoinedRequests(self._begin, self._late).begin)
        self._deadline = Deadline(config.deadline_seconds)
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
        convert: Callable[[bytes], bytes] | None = None,
    ) -> bytes:
        """Read a message, make its records durable, and return the encoded answer.

        Args:
            read: reads the message; `read_slots.py` bounds its time. Anything but bytes is no message.
            info: what the listener reports about the message.
            convert: turns the decompressed message into an encoded OTLP request, or raises a ReceiverError; another
                process can import it.

        Raises:
            ReceiverError: it is not durable; see `exceptions.py`.
            TimeoutError: it is not known to be durable in time.
        """
        try:
            self._refuse_when_stopping()
            if info.client is not None:
                info.client.check_known()
            message = await self._read_slots.take(read)
            waits = self._bursts.are_useful(len(message), self._admission.requests)
            try:
                answer, held = (None, 0) if waits else self._begun(message, info, convert)
            finally:
                self._read_slots.release()
            if waits and convert is None and not compression.is_compressed(message, info.compressed):
                answer = self._bursts.add(message, info)
            elif waits:
                await self._bursts.join()
                answer, held = self._begun(message, info, convert)
            if answer is None:
                # Without the slot: what takes long must not keep others from being read.
                try:
                    answer = await self._begin_large(message, info, convert)
                finally:
                    self._admission.release(_NOT_READ, held)
            del message  # a large one must not be held until its lines are stored
            return await self._deadline.outcome(answer)
        except (ReceiverError, TimeoutError) as error:
            self._reports.refused(error, info)
            raise
        except Exception as error:  # error boundary: the sender keeps its data
            self._reports.refused(error, info)
            raise InternalError(
                f"unexpected {type(error).__name__} in the receiver, see its log; send again"
            ) from error

    async def accept(self, message: bytes, info: RequestInfo, convert: Callable[[bytes], bytes] | None = None) -> bytes:
        """Make a message that was read already durable, and return the encoded answer; see `receive`.

        Raises:
            ReceiverError: it is not durable; see `exceptions.py`.
            TimeoutError: it is not known to be durable in time.
        """
        answer = None if convert else self._begin_small(message, info)
        return await self._deadline.outcome(answer or await self._begin_large(message, info, convert))

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

    def _begun(
        self, message: bytes, info: RequestInfo, convert: Callable[[bytes], bytes] | None
    ) -> tuple[asyncio.Future[bytes] | None, int]:
        """Begin to store the request in `message`; where that takes long, only admit it: None, and its bytes."""
        answer = None if convert else self._begin_small(message, info)
        if answer is not None:
            return answer, 0
        held = len(message) if self._process is None else 2 * len(message)  # it is sent to the process
        self._admission.admit(_NOT_READ, held)
        return None, held

    def _begin_small(self, message: bytes, info: RequestInfo) -> asyncio.Future[bytes] | None:
        """Begin to store the request that `message` contains; None where that takes long."""
        if self._process is not None and len(message) > _SMALL_BYTES:
            return None
        try:
            request = compression.decompress_small(message, self._config.max_message_bytes, info.compressed)
        except UndecodableError as error:
            return self._begin(decode(message, info.signal), info, reason=error)
        return None if request is None else self._begin(decode(request, info.signal), info)

    async def _begin_large(
        self, message: bytes, info: RequestInfo, convert: Callable[[bytes], bytes] | None
    ) -> asyncio.Future[bytes]:
        """Begin to store the request that `message` contains; a damaged one is kept as it arrived."""
        most = self._config.max_message_bytes
        try:
            request = None
            if self._process is None or len(message) <= _CONVERTED_BYTES:
                request = compression.decompress_small(message, most, info.compressed)
            if self._process is not None and (request is None or len(request) > _CONVERTED_BYTES):
                return await self._begin_in_process(self._process, message, info, convert)
            if request is None:
                request = await compression.decompress(message, most)
            if convert is not None:
                is_short = len(request) <= _CONVERTED_BYTES
                request = convert(request) if is_short else await asyncio.to_thread(convert, request)
        except UndecodableError as error:
            return self._begin(decode(message, info.signal), info, reason=error)
        return self._begin(decode(request, info.signal), info)

    async def _begin_in_process(
        self, process: MappingProcess, message: bytes, info: RequestInfo, convert: Callable[[bytes], bytes] | None
    ) -> asyncio.Future[bytes]:
        arrived = await arrived_request(message, info.signal)
        known = self._late.find(arrived, info)
        if known is not None:
            return self._answer_of(known, arrived, info)
        arrival_ns = self._clock_ns()
        job = job_of(
            info,
            arrival_ns,
            self._config,
            has_rates=self._rates.are_set,
            convert=convert,
            is_compressed=compression.is_compressed(message, info.compressed),
        )
        opened = await process.open(job, message, arrived, self._rates.admit)
        try:
            return self._begin(opened, info, arrived, arrival_ns=arrival_ns)
        except BaseException:  # only to give the request up; it is raised again
            opened.close()
            raise

    def _begin(
        self,
        request: _Request,
        info: RequestInfo,
        arrived: Known | None = None,
        reason: UndecodableError | None = None,
        arrival_ns: int | None = None,
    ) -> asyncio.Future[bytes]:
        """Admit a request and begin to store it; cancelling the returned future does not end the work.

        Args:
            request: the request.
            info: what the listener reports about it.
            arrived: what identifies a request that is in the mapping process.
            reason: why it is kept as it is, in quarantine.
            arrival_ns: when it arrived, ns since the epoch; now by default.
        """
        self._refuse_when_stopping()
        if isinstance(request, Decoded) and reason is None:
            known = self._late.find(request, info)
            if known is not None:
                return self._answer_of(known, request, info)
            arrived = request
        arrival_ns = self._clock_ns() if arrival_ns is None else arrival_ns
        self._admission.admit(request.tenant, request.size, request.callers)
        self._instruments.in_flight.add(request.size)
        if isinstance(request, Decoded) and reason is not None:
            work = self._keep_undecodable(request, reason, arrival_ns)
        else:
            work = self._store(request, info, arrival_ns)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._resolved(done, answer, request))
        if arrived is not None:
            answer.add_done_callback(lambda _: self._late.add(arrived, info, task))
        return answer

    def _answer_of(self, known: asyncio.Future[bytes], request: Known, info: RequestInfo) -> asyncio.Future[bytes]:
        """The answer of work that is under way, or was done for a sender that gave up."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        known.add_done_callback(lambda done: pass_on(done, answer))
        answer.add_done_callback(lambda _: self._late.add(request, info, known))
        return answer

    def _refuse_when_stopping(self) -> None:
        if self._stopping:
            raise ShuttingDownError("the receiver is shutting down; send to another receiver, or again in a moment")

    def _resolved(self, task: asyncio.Task[bytes], answer: asyncio.Future[bytes], request: _Request) -> None:
        self._tasks.discard(task)
        self._admission.release(request.tenant, request.size, request.callers)
        self._instruments.in_flight.add(-request.size)
        pass_on(task, answer)

    async def _store(self, request: _Request, info: RequestInfo, arrival_ns: int) -> bytes:
        """Map and commit a request, piece by piece, count its records, and return the encoded answer."""
        stored = PiecesStored(lambda piece: self._store_piece(request, piece, info, arrival_ns))
        try:
            if isinstance(request, Decoded):
                await self._store_decoded(request, info, arrival_ns, stored)
            else:
                await stored.add_all(request.pieces)
        except UndecodableError as error:
            if isinstance(request, Decoded):
                return await self._keep_undecodable(request, error, arrival_ns)
            raise  # it is kept already
        self.totals.size += request.size
        return request.signal.answer(stored.rejected, [*stored.reasons])

    async def _store_decoded(self, request: Decoded, info: RequestInfo, arrival_ns: int, stored: PiecesStored) -> None:
        """Map a request here, or in the mapping process if that takes long."""
        admit = AdmittedOnce(self._rates) if self._rates.are_set else None
        steps = map_steps(
            request,
            arrival_ns=arrival_ns,
            destinations=self._destinations,
            limits=self._config.limits,
            client=info.client,
            admit=admit,
        )
        if request.callers > 1:
            await stored.add(await joined_piece(self._turns, steps, admit))
        elif self._process is None:
            async for piece in self._turns.pieces(steps):
                await stored.add(piece)
        else:
            try:
                piece = await self._turns.piece(steps)
            except TakesLongError:
                arrived = await arrived_request(request.request, request.signal)
                job = job_of(info, arrival_ns, self._config, has_rates=self._rates.are_set)
                opened = await self._process.open(job, request.request, arrived, admit or self._rates.admit)
                await stored.add_all(opened.pieces)
            else:
                stored.note(*await self._store_piece(request, piece, info, arrival_ns))

    async def _store_piece(
        self, decoded: _Request, mapped: Mapped, info: RequestInfo, arrival_ns: int
    ) -> tuple[Mapped, Committed]:
        """Commit a piece of a request and count its records; return what of it was to be kept, and what is durable."""
        mapped = self._rates.within_quarantine(mapped)
        growth = mapped.line_bytes - 2 * decoded.size - decoded.callers * _SURPLUS_BYTES
        try:
            if growth <= 0:  # as for nearly all requests
                committed = await self._commit(mapped, arrival_ns, callers=decoded.callers)
            else:
                async with self._admission.growth(decoded.tenant, growth):
                    committed = await self._commit(mapped, arrival_ns, callers=decoded.callers)
        except StoreError as error:
            self._reports.not_stored(mapped, decoded.signal, info)
            self._store_failed(error)
            raise
        self._rates.stored(mapped.bytes_by_tenant)
        self._reports.stored(mapped, committed, decoded.signal, info, tenant=decoded.tenant, now_ns=self._clock_ns())
        if self._on_stored is not None:
            self._on_stored(mapped.folders)
        return mapped, committed

    async def _keep_undecodable(self, decoded: Decoded, error: UndecodableError, arrival_ns: int) -> bytes:
        """Make the bytes durable, then raise `error`."""
        rejected = Rejected(reason=str(error), request=decoded.request, tenant=decoded.tenant)
        kept = self._rates.within_quarantine(Mapped(rejected=(rejected,)))
        self._reports.dropped(kept.refused)
        try:
            committed = await quarantine(self._sink, kept.rejected, arrival_ns)
        except StoreError as store_error:
            self._store_failed(store_error)
            raise
        self._reports.rejected(committed)
        raise error

    def _store_failed(self, error: StoreError) -> None:
        self._sink.forget_objects()
        if self._on_store_error is not None:
            self._on_store_error(error)
