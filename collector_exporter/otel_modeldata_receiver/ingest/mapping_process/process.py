"""The receiver's side of the mapping process: it is started when it is needed first, and again after it ended.

A thread sends and another one receives, so that large messages do not stop the event loop; what arrives is passed to
the loop. The process ends with its socket. One that says nothing for `_SILENT_SECONDS` while a request waits is killed.
A request that was there when the process ended `_MOST_LOSSES` times is not mapped again: it is kept in quarantine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import queue
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata.log_throttle import LogThrottle

from ...exceptions import InternalError, UndecodableError
from .frames import Connection
from .packed_piece import unpack

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from ...layout.destination import Destinations
    from ...mapping.bounds.outline import Share
    from ...mapping.outcomes import Mapped
    from ...mapping.signal import Signal
    from ..late_answers import Arrived
    from .job import Job, Opened

__all__ = ["MappingProcess", "OpenedRequest"]

logger = logging.getLogger(__name__)

_SILENT_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 1.0
_MOST_LOSSES: Final = 3
_MOST_LOST: Final = 1_000
"""Requests that are remembered because the process ended while they were there."""
_MODULE: Final = "otel_modeldata_receiver.ingest.mapping_process.child"


@dataclass(slots=True)
class _Request:
    """A request that is in the process."""

    digest: bytes
    admit: Any
    message: asyncio.Future[tuple[str, Any]] | None = field(default=None)


class OpenedRequest:
    """A request whose mapping has begun in the process.

    Attributes:
        tenant: `endpoint/deployment` of its first resource; empty if unknown.
        size: its bytes, decompressed and converted.
        signal: the signal of its records.
        callers: how many requests it is.
    """

    callers: Final = 1

    def __init__(
        self, opened: Opened, signal: Signal, pieces: AsyncGenerator[Mapped, None], close: Callable[[], None]
    ) -> None:
        self.tenant = opened.tenant
        self.size = opened.size
        self.signal = signal
        self.pieces = pieces
        """Its pieces; the next one is mapped when it is asked for."""
        self.close = close
        """Gives up a request none of whose pieces was asked for."""


class MappingProcess:
    """Maps requests in a process of its own.

    Args:
        destinations: where the lines of each collection are stored.
        most_bytes: of the memory of the process, beyond which a request in it fails.
    """

    def __init__(self, destinations: Destinations, most_bytes: int) -> None:
        self._destinations = destinations
        self._most_bytes = most_bytes
        self._requests: dict[int, _Request] = {}
        self._numbers = itertools.count()
        self._running: _Running | None = None
        self._start = asyncio.Lock()
        self._lost: dict[bytes, int] = {}
        self._log = LogThrottle(logger)
        self._is_closed = False

    async def open(
        self, job: Job, message: bytes, arrived: Arrived, admit: Callable[[Sequence[Share]], Mapping[str, str]]
    ) -> OpenedRequest:
        """Begin to map `message`.

        Args:
            job: what its mapping needs to know.
            message: its bytes as they arrived.
            arrived: what is known of it.
            admit: called on the event loop with what the deployments have in it; see `mapping.request.steps`.

        Raises:
            ReceiverError: nothing of it becomes lines.
        """
        digest = arrived.digest
        if self._lost.get(digest, 0) >= _MOST_LOSSES:
            raise UndecodableError(
                f"undecodable request: expected a request that can be mapped, got one of {len(message)} bytes that "
                f"ended the mapping process {_MOST_LOSSES} times; send smaller requests"
            )
        running = await self._process()
        number = next(self._numbers)
        self._requests[number] = _Request(digest, admit)
        pieces = self._pieces(running, number)
        try:
            opened = await self._ask(running, number, ("open", number, job), (message,))
        except BaseException:  # only to give the request up; it is raised again
            self._end(running, number)
            raise
        return OpenedRequest(opened[1], arrived.signal, pieces, partial(self._end, running, number))

    async def close(self) -> None:
        """End the process; requests that are in it fail."""
        self._is_closed = True
        if self._running is not None:
            running, self._running = self._running, None
            await asyncio.to_thread(running.close)

    async def _pieces(self, running: _Running, number: int) -> AsyncGenerator[Mapped, None]:
        try:
            while (piece := await self._next_piece(running, number)) is not None:
                yield piece
                del piece  # a large one must not be held until the next one comes
        finally:
            self._end(running, number)

    async def _next_piece(self, running: _Running, number: int) -> Mapped | None:
        kind, content = await self._ask(running, number, ("next", number, None))
        if kind == "end":
            return None
        piece: Mapped
        piece, used = content
        for one in used:  # known here from now on, as if it had been used here
            self._destinations.of(one.endpoint, one.deployment, one.collection, one.rolling_rate)
        return piece

    async def _ask(
        self, running: _Running, number: int, header: object, parts: Sequence[bytes] = ()
    ) -> tuple[str, Any]:
        """Send a message about a request, and return the next one about it."""
        request = self._requests.get(number)
        if request is None or running is not self._running:
            raise _ended()
        request.message = asyncio.get_running_loop().create_future()
        running.send(header, parts)
        del parts
        try:
            return await request.message
        finally:
            request.message = None

    def _end(self, running: _Running, number: int) -> None:
        if self._requests.pop(number, None) is not None:
            running.send(("close", number, None))

    async def _process(self) -> _Running:
        """The process, with the present destinations."""
        async with self._start:
            if self._is_closed:
                raise _ended()
            if self._running is None:
                loop = asyncio.get_running_loop()
                self._running = await asyncio.to_thread(_Running, self._most_bytes, self._arrived, loop)
                loop.call_later(_LOOK_SECONDS, self._look, self._running)
            settings = self._destinations.settings
            known = self._running.destinations
            if known is None or known[0] != settings[0] or known[1] is not settings[1]:
                self._running.destinations = settings
                self._running.send(("destinations", 0, settings))
            return self._running

    def _look(self, running: _Running) -> None:
        """Kill a process that says nothing."""
        if running is not self._running:
            return
        loop = asyncio.get_running_loop()
        is_asked = any(request.message is not None for request in self._requests.values())
        if not is_asked:
            running.heard_at = loop.time()
        elif loop.time() - running.heard_at > _SILENT_SECONDS:
            running.kill()
        loop.call_later(_LOOK_SECONDS, self._look, running)

    def _arrived(self, running: _Running, kind: str, number: int, content: Any) -> None:
        """Pass on what the process sent; `kind` is "lost" when it has ended."""
        running.heard_at = asyncio.get_running_loop().time()
        if kind == "lost":
            self._ended(running)
            return
        request = self._requests.get(number)
        if request is None:
            return
        if kind == "shares":
            try:
                answer = request.admit(content)
            except Exception as error:  # noqa: BLE001 (it is raised where it was asked for)
                answer = error
            running.send(("admitted", number, answer))
            return
        if kind in {"end", "error"}:
            del self._requests[number]
        if request.message is None or request.message.done():
            return
        if kind == "error":
            request.message.set_exception(content)
        else:
            request.message.set_result((kind, content))

    def _ended(self, running: _Running) -> None:
        if running is not self._running:
            return
        self._running = None
        requests, self._requests = self._requests, {}
        for request in requests.values():
            self._lost[request.digest] = self._lost.pop(request.digest, 0) + 1
            if len(self._lost) > _MOST_LOST:
                del self._lost[next(iter(self._lost))]
            if request.message is not None and not request.message.done():
                request.message.set_exception(_ended())
        message = "the mapping process has ended, %d requests in it are to be sent again"
        self._log.log(logging.WARNING, "ended", message, len(requests))


class _Running:
    """A process that was started, and the two threads that talk to it.

    Args:
        most_bytes: of its memory.
        arrived: called on `loop` with what arrives.
        loop: the event loop.
    """

    def __init__(
        self,
        most_bytes: int,
        arrived: Callable[[_Running, str, int, Any], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        own, other = socket.socketpair()
        with other:
            paths = os.pathsep.join(path for path in sys.path if path)
            self._process = subprocess.Popen(  # noqa: S603 (this program)
                [sys.executable, "-m", _MODULE, str(other.fileno()), str(most_bytes)],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
            )
        self._connection = Connection(own)
        self._arrived = arrived
        self._loop = loop
        self._to_send: queue.SimpleQueue[tuple[object, Sequence[bytes]] | None] = queue.SimpleQueue()
        self.destinations: tuple[Any, Any] | None = None
        """What the process knows of them."""
        self.heard_at = loop.time()
        threading.Thread(target=self._send_all, name="mapping-process-send", daemon=True).start()
        threading.Thread(target=self._receive_all, name="mapping-process-receive", daemon=True).start()

    def send(self, header: object, parts: Sequence[bytes] = ()) -> None:
        """Send a message, after those before it."""
        self._to_send.put((header, parts))

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def close(self) -> None:
        """End the process and wait for it."""
        self._to_send.put(None)
        self._connection.close()
        try:
            self._process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send_all(self) -> None:
        with contextlib.suppress(OSError):
            while (message := self._to_send.get()) is not None:
                self._connection.send(*message)
                del message  # a large request must not be kept until the next one

    def _receive_all(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                (kind, number, content), parts = self._connection.receive()
                if kind == "piece":
                    packed, used = content
                    content = unpack(packed, parts), used
                    del packed
                del parts
                self._pass_on(kind, number, content)
                del content
        self._process.poll()
        self._pass_on("lost", 0, None)
        self._to_send.put(None)
        self._process.wait()
        self._connection.close()

    def _pass_on(self, kind: str, number: int, content: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._arrived, self, kind, number, content)


def _ended() -> InternalError:
    return InternalError("expected a mapped request, got the end of the mapping process; send again")
